//! Looks at the mapper, time and again.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::super::{Client, RemoteError, client::with_query, device_path};
use crate::{
    http::view::{Mapper, Page, Property, Summary},
    model::DeviceId,
};

/// The most devices, and the most properties of one, that are looked at.
const MOST: &str = "1000";

/// Which devices are shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) search: Option<String>,
    pub(super) state: Option<String>,
}

/// What is so at one moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) mapper: Mapper,
    pub(super) devices: Page<Summary>,
    /// The device whose properties these are.
    pub(super) shown: Option<DeviceId>,
    pub(super) properties: Vec<Property>,
}

/// The name of a device of a list.
pub(super) fn id_of(device: &Summary) -> DeviceId {
    DeviceId::new(&device.namespace, &device.name)
}

/// Looks once: at the properties of the chosen device, or of the first one.
pub(super) async fn look(client: &Client, filter: &Filter, chosen: Option<&DeviceId>) -> Result<View, RemoteError> {
    let query = [("search", filter.search.clone()), ("state", filter.state.clone()), ("limit", Some(MOST.to_owned()))];
    let devices = with_query("/api/v2/devices", &query);
    let (mapper, devices) = tokio::try_join!(client.read("/api/v2/mapper"), client.read::<Page<Summary>>(&devices))?;
    let is_there = |id: &&DeviceId| devices.items.iter().any(|device| id_of(device) == **id);
    let shown = chosen.filter(is_there).cloned().or_else(|| devices.items.first().map(id_of));
    let properties = match &shown {
        Some(id) => {
            let path = with_query(&format!("{}/properties", device_path(id)), &[("limit", Some(MOST.to_owned()))]);
            match client.read::<Page<Property>>(&path).await {
                Ok(page) => page.items,
                // It has gone meanwhile.
                Err(RemoteError::Refused(_)) => Vec::new(),
                Err(error) => return Err(error),
            }
        }
        None => Vec::new(),
    };
    Ok(View { mapper, devices, shown, properties })
}

/// Looks every so often, and as soon as another device is chosen, until nobody wants to see it.
pub(super) async fn keep_looking(
    client: Client,
    filter: Filter,
    every: Duration,
    mut chosen: watch::Receiver<Option<DeviceId>>,
    looked: mpsc::Sender<Result<Box<View>, RemoteError>>,
) {
    loop {
        let device = chosen.borrow_and_update().clone();
        let view = look(&client, &filter, device.as_ref()).await;
        if looked.send(view.map(Box::new)).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(every) => {}
            changed = chosen.changed() => if changed.is_err() { return },
        }
    }
}
