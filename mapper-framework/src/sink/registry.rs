//! The kinds of a mapper, and what they want of a property.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::model::{Device, Property, ReportRules};

use super::{Access, ErasedKind, Route, RouteError};

/// Asks a kind where the samples of a property go, and whether they may go there. One that panics has refused.
pub(crate) fn routes(
    kind: &dyn ErasedKind,
    access: &Access,
    device: &Device,
    property: &Property,
) -> Result<Vec<Route>, RouteError> {
    let ask = || {
        let routes = kind.routes(device, property)?;
        let mut endpoints = routes.iter().filter_map(|route| kind.endpoint(route.target()));
        endpoints.try_for_each(|endpoint| access.admit(kind.name(), &endpoint))?;
        Ok(routes)
    };
    // Nothing is shared with the kind but itself, and that must bear its panics anyway.
    let routes = catch_unwind(AssertUnwindSafe(ask));
    let panicked = |_| {
        Err(RouteError::new("pushMethod", format_args!("the sink {} panicked", kind.name()))
            .with_cure("correct the sink"))
    };
    routes.unwrap_or_else(panicked)
}

/// Keys of a property that name a sink which is none of these.
pub(crate) fn strangers(kinds: &[Arc<dyn ErasedKind>], property: &Property) -> Vec<RouteError> {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    let strangers = ReportRules::strangers(property, &names).into_iter();
    let refusal = |it: crate::model::Misfit| {
        RouteError::new(format!("visitors.configData.{}", it.key), it.message).with_cure(it.cure)
    };
    strangers.map(refusal).collect()
}

/// The kinds, of which the later ones take the place of earlier ones of the same name.
pub(crate) fn unique(kinds: impl IntoIterator<Item = Arc<dyn ErasedKind>>) -> Vec<Arc<dyn ErasedKind>> {
    let mut unique: Vec<Arc<dyn ErasedKind>> = Vec::new();
    for kind in kinds {
        match unique.iter_mut().find(|known| known.name() == kind.name()) {
            Some(known) => *known = kind,
            None => unique.push(kind),
        }
    }
    unique
}
