//! edgecore's side of DMI, as the mapper calls it.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, transport::Channel};

use crate::model::{DataType, DeviceId, DeviceInstance, DeviceModel, DeviceState};

use super::{
    channel,
    convert::{self, Invalid},
    generated::{self as pb, device_manager_service_client::DeviceManagerServiceClient},
};

/// How long a call may take, as edgecore gives its own calls.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest registration that is read: 10,000 devices of 10 properties, each with its model, take about 40 MB.
const MAX_RESPONSE: usize = 256 * 1024 * 1024;

/// Who the mapper is.
#[derive(Clone, Debug)]
pub(crate) struct MapperInfo {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) api_version: String,
    pub(crate) protocol: String,
    /// The path of the mapper's socket, the same inside and outside a container.
    pub(crate) address: String,
}

/// What edgecore answers to a registration.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    pub(crate) models: Vec<DeviceModel>,
    pub(crate) devices: Vec<DeviceInstance>,
    /// Why devices and models were left out.
    pub(crate) invalid: Vec<Invalid>,
}

/// One twin of a report, in the form of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TwinReport {
    pub(crate) property: String,
    pub(crate) data_type: DataType,
    pub(crate) reported: String,
    pub(crate) timestamp: SystemTime,
    pub(crate) desired: DesiredReport,
}

/// What a report says of a twin's desired value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DesiredReport {
    /// The last desired value that the device was found to have, verbatim; empty for none.
    pub(crate) value: String,
    /// Where the present one stands, such as `pending`; empty for no desired value.
    pub(crate) phase: &'static str,
}

/// Why edgecore did not take a call.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum EdgeError {
    #[error("edgecore's limit of calls per second, which all mappers of the node share, is used up")]
    TooManyRequests,
    #[error("this edgecore has no such call")]
    Unimplemented,
    #[error("edgecore is not there: {0}")]
    Gone(String),
    #[error("edgecore refuses: {0}")]
    Refused(String),
}

/// One connection to edgecore. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct EdgeClient {
    service: DeviceManagerServiceClient<Channel>,
    ended: CancellationToken,
    /// Whether this edgecore knows ReportDeviceStates, as far as it has been asked. It does since v1.18.
    takes_states: Arc<AtomicBool>,
}

impl EdgeClient {
    pub(crate) async fn connect(socket: &Path) -> Result<Self, EdgeError> {
        let (channel, ended) =
            channel::connect(socket).await.map_err(|error| EdgeError::Gone(root_cause(&error).to_string()))?;
        let service = DeviceManagerServiceClient::new(channel).max_decoding_message_size(MAX_RESPONSE);
        Ok(Self { service, ended, takes_states: Arc::new(AtomicBool::new(true)) })
    }

    /// Waits until the connection has ended.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Registers the mapper, and fetches its devices and models.
    pub(crate) async fn register(&mut self, mapper: &MapperInfo) -> Result<Registration, EdgeError> {
        let request = pb::MapperRegisterRequest {
            // Only with data does edgecore open the client it calls the mapper with.
            with_data: true,
            mapper: Some(pb::MapperInfo {
                name: mapper.name.clone(),
                version: mapper.version.clone(),
                api_version: mapper.api_version.clone(),
                protocol: mapper.protocol.clone(),
                address: mapper.address.clone().into_bytes(),
                state: DeviceState::Ok.to_string(),
            }),
        };
        let response = call(&self.ended, self.service.mapper_register(request)).await?;
        Ok(registration(response))
    }

    /// Stores twins of one device. `twins` must not be empty: edgecore refuses that.
    pub(crate) async fn report_twins(&mut self, device: &DeviceId, twins: Vec<TwinReport>) -> Result<(), EdgeError> {
        let request = pb::ReportDeviceStatusRequest {
            device_name: device.name().to_owned(),
            device_namespace: device.namespace().to_owned(),
            reported_device: Some(pb::DeviceStatus {
                twins: twins.into_iter().map(twin).collect(),
                ..Default::default()
            }),
        };
        call(&self.ended, self.service.report_device_status(request)).await.map(drop)
    }

    /// Whether it makes sense to report states: not once this edgecore has answered UNIMPLEMENTED.
    pub(crate) fn takes_states(&self) -> bool {
        self.takes_states.load(Relaxed)
    }

    /// Stores the state of one device.
    pub(crate) async fn report_state(&mut self, device: &DeviceId, state: DeviceState) -> Result<(), EdgeError> {
        let request = pb::ReportDeviceStatesRequest {
            device_name: device.name().to_owned(),
            device_namespace: device.namespace().to_owned(),
            state: state.word_of_edgecore().to_owned(),
        };
        let reported = call(&self.ended, self.service.report_device_states(request)).await.map(drop);
        if matches!(reported, Err(EdgeError::Unimplemented)) {
            self.takes_states.store(false, Relaxed);
        }
        reported
    }
}

/// Waits for the answer to a call, for as long as the connection lasts: a call that goes out in the moment in which the connection
/// ends may never be answered, not even with an error.
async fn call<T>(
    ended: &CancellationToken,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, EdgeError> {
    tokio::select! {
        biased;
        answer = tokio::time::timeout(CALL_TIMEOUT, call) => match answer {
            Ok(response) => response.map(tonic::Response::into_inner).map_err(EdgeError::from),
            Err(_) => Err(EdgeError::Gone(format!("no answer within {CALL_TIMEOUT:?}"))),
        },
        () = ended.cancelled() => Err(EdgeError::Gone("the connection ended".to_owned())),
    }
}

impl From<Status> for EdgeError {
    fn from(status: Status) -> Self {
        match status.code() {
            // edgecore's limiter knows no better code than UNKNOWN.
            _ if status.message().contains("too many request") => Self::TooManyRequests,
            Code::Unimplemented => Self::Unimplemented,
            Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded => Self::Gone(status.message().to_owned()),
            // A connection that breaks under a call surfaces as UNKNOWN with hyper's error as its source.
            _ if std::error::Error::source(&status).is_some() => Self::Gone(root_cause(&status).to_string()),
            code => Self::Refused(format!("{} ({code:?})", status.message())),
        }
    }
}

fn root_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    std::iter::successors(Some(error), |error| (*error).source()).last().unwrap_or(error)
}

/// Reads what edgecore sent. A model stands there once per device, and one of them is enough.
fn registration(response: pb::MapperRegisterResponse) -> Registration {
    let mut registration = Registration::default();
    let mut seen = std::collections::HashSet::new();
    for model in response.model_list {
        match convert::model(Some(model)) {
            Ok(model) if seen.insert(model.id.clone()) => registration.models.push(model),
            Ok(_) => {}
            Err(invalid) => registration.invalid.push(invalid),
        }
    }
    for device in response.device_list {
        match convert::instance(Some(device)) {
            Ok(device) => registration.devices.push(device),
            Err(invalid) => registration.invalid.push(invalid),
        }
    }
    registration
}

/// Both sides are always set: edgecore crashes on a twin that lacks one.
fn twin(twin: TwinReport) -> pb::Twin {
    let millis = twin.timestamp.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis().to_string();
    let metadata = |more: Option<(&str, &str)>| {
        let common = [("type", twin.data_type.as_str()), ("timestamp", millis.as_str())];
        common.into_iter().chain(more).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let phase = (!twin.desired.phase.is_empty()).then_some(("phase", twin.desired.phase));
    pb::Twin {
        observed_desired: Some(pb::TwinProperty { value: twin.desired.value, metadata: metadata(phase) }),
        reported: Some(pb::TwinProperty { value: twin.reported, metadata: metadata(None) }),
        property_name: twin.property,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_comes_once_per_device_is_kept_once() {
        let model = pb::DeviceModel { name: "m".into(), ..Default::default() };
        let nameless = pb::DeviceModel::default();
        let response =
            pb::MapperRegisterResponse { model_list: vec![model.clone(), model, nameless], device_list: vec![] };
        let registration = registration(response);
        assert_eq!((registration.models.len(), registration.invalid.len()), (1, 1));
    }

    #[test]
    fn both_sides_of_a_twin_are_always_set() {
        let twin = twin(TwinReport {
            property: "level".into(),
            data_type: DataType::Int,
            reported: "5".into(),
            timestamp: UNIX_EPOCH + Duration::from_millis(1234),
            desired: DesiredReport::default(),
        });
        assert!(twin.observed_desired.is_some());
        let reported = twin.reported.expect("it is set");
        assert_eq!(reported.metadata["timestamp"], "1234");
        assert_eq!(reported.metadata["type"], "INT");
    }

    #[tokio::test]
    async fn a_call_that_is_never_answered_ends_with_its_connection() {
        let ended = CancellationToken::new();
        let never = call::<()>(&ended, std::future::pending());
        let (answer, ()) = tokio::join!(never, async { ended.cancel() });
        assert!(matches!(answer, Err(EdgeError::Gone(_))));
        let answered = call(&ended, async { Ok(tonic::Response::new(())) }).await;
        assert!(answered.is_ok(), "an answer that came counts");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_is_never_answered_is_given_up_after_ten_seconds() {
        let began = tokio::time::Instant::now();
        let answer = call::<()>(&CancellationToken::new(), std::future::pending()).await;
        assert_eq!(answer.unwrap_err().to_string(), "edgecore is not there: no answer within 10s");
        assert_eq!(began.elapsed(), CALL_TIMEOUT);
    }

    #[test]
    fn every_state_has_a_word_that_edgecore_stores() {
        use DeviceState as S;
        for state in [S::Ok, S::Online, S::Offline, S::Disconnected, S::Unhealthy, S::Unknown] {
            assert!(["ok", "online", "offline", "unhealthy", "unknown"].contains(&state.word_of_edgecore()), "{state}");
        }
        assert_eq!(S::Disconnected.word_of_edgecore(), "offline");
    }

    #[test]
    fn the_limiter_is_known_by_its_message() {
        let error = EdgeError::from(Status::unknown("fail to report: too many request, please try later"));
        assert!(matches!(error, EdgeError::TooManyRequests));
        assert!(matches!(EdgeError::from(Status::unimplemented("unknown method")), EdgeError::Unimplemented));
        assert!(matches!(EdgeError::from(Status::unavailable("eof")), EdgeError::Gone(_)));
        assert!(matches!(EdgeError::from(Status::unknown("no such device")), EdgeError::Refused(_)));
    }
}
