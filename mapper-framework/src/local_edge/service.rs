//! The service that mappers call, with everything that is odd about it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::{
    core::Core,
    event::EdgeEvent,
    limiter::Limiter,
    reports::{self, Unset},
    state::RegisteredMapper,
};
use crate::dmi::generated::{
    MapperInfo, MapperRegisterRequest, MapperRegisterResponse, ReportDeviceStatesRequest, ReportDeviceStatesResponse,
    ReportDeviceStatusRequest, ReportDeviceStatusResponse, device_manager_service_server::DeviceManagerService,
};

/// The service during one run of the edge.
#[derive(Debug)]
pub(super) struct Service {
    core: Arc<Core>,
    run: CancellationToken,
    /// One for all calls of all mappers. Locked for the few instructions of one question.
    limiter: Mutex<Limiter>,
}

impl Service {
    pub(super) fn new(core: Arc<Core>, run: CancellationToken) -> Self {
        let limiter = Mutex::new(Limiter::new(core.quirks.limit));
        Self { core, run, limiter }
    }

    fn allow(&self) -> bool {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner).allow()
    }

    /// In Go an `error` that is no status has the code UNKNOWN.
    fn refuse(&self, call: &'static str, reason: String) -> Status {
        self.core.change(|state| state.counts.failed += 1);
        self.core.emit(EdgeEvent::CallRefused { call, reason: reason.clone() });
        Status::unknown(reason)
    }

    fn refuse_limited(&self, call: &'static str, action: &str, subject: &str) -> Status {
        let reason = format!("fail to {action} because of too many request: {subject}");
        self.core.change(|state| state.counts.limited += 1);
        self.core.emit(EdgeEvent::CallRefused { call, reason: reason.clone() });
        Status::unknown(reason)
    }

    /// Dies as edgecore does of a nil pointer. The answer goes nowhere, for the connection ends.
    fn crash(&self, reason: &str) -> Status {
        self.core.crash(&self.run, reason);
        Status::unavailable(reason)
    }

    fn accept<T>(&self, answer: T) -> Result<Response<T>, Status> {
        self.core.change(|state| state.counts.accepted += 1);
        Ok(Response::new(answer))
    }

    /// The devices for a mapper that registers, and the models, if it asks for them.
    fn register(&self, mapper: &MapperInfo, with_data: bool) -> MapperRegisterResponse {
        let address = PathBuf::from(OsStr::from_bytes(&mapper.address));
        let registered = RegisteredMapper {
            name: mapper.name.clone(),
            version: mapper.version.clone(),
            protocol: mapper.protocol.clone(),
            address: address.clone(),
            with_data,
        };
        let with_twins = self.core.quirks.updates_after_reports;
        let (device_list, model_list) = self.core.change(|state| {
            // Without data the socket of an earlier registration goes on being called.
            match state.mappers.get_mut(&mapper.protocol).filter(|known| known.with_data && !with_data) {
                Some(known) => known.name.clone_from(&registered.name),
                None => drop(state.mappers.insert(mapper.protocol.clone(), registered)),
            }
            if with_data { state.messages(&mapper.protocol, with_twins) } else { Default::default() }
        });
        self.core.emit(EdgeEvent::MapperRegistered {
            name: mapper.name.clone(),
            protocol: mapper.protocol.clone(),
            address,
            devices: with_data.then_some(device_list.len()),
        });
        MapperRegisterResponse { model_list, device_list }
    }
}

#[async_trait]
impl DeviceManagerService for Service {
    async fn mapper_register(
        &self,
        request: Request<MapperRegisterRequest>,
    ) -> Result<Response<MapperRegisterResponse>, Status> {
        const CALL: &str = "MapperRegister";
        let request = request.into_inner();
        let allowed = self.allow();
        let Some(mapper) = request.mapper else { return Err(self.crash("MapperRegister without `mapper`")) };
        if !allowed {
            return Err(self.refuse_limited(CALL, "register mapper", &mapper.name));
        }
        if mapper.protocol.is_empty() {
            let reason = format!("fail to register mapper {} because the protocol is nil", mapper.name);
            return Err(self.refuse(CALL, reason));
        }
        let answer = self.register(&mapper, request.with_data);
        self.accept(answer)
    }

    async fn report_device_status(
        &self,
        request: Request<ReportDeviceStatusRequest>,
    ) -> Result<Response<ReportDeviceStatusResponse>, Status> {
        const CALL: &str = "ReportDeviceStatus";
        let request = request.into_inner();
        if !self.allow() {
            return Err(self.refuse_limited(CALL, "report device status", &request.device_name));
        }
        let twins = request.reported_device.map(|status| status.twins).unwrap_or_default();
        if twins.is_empty() {
            return Err(self.refuse(CALL, "ReportDeviceStatusRequest does not have twin data".to_owned()));
        }
        match reports::store_twins(&self.core, &request.device_namespace, &request.device_name, &twins) {
            Ok(()) => self.accept(ReportDeviceStatusResponse {}),
            Err(Unset { property, field }) => Err(self.crash(&format!(
                "ReportDeviceStatus of {}/{} whose twin {property:?} lacks `{field}`",
                request.device_namespace, request.device_name
            ))),
        }
    }

    async fn report_device_states(
        &self,
        request: Request<ReportDeviceStatesRequest>,
    ) -> Result<Response<ReportDeviceStatesResponse>, Status> {
        const CALL: &str = "ReportDeviceStates";
        if !self.core.quirks.device_states {
            // The method is not there, so the limiter is not asked.
            let reason = "unknown method ReportDeviceStates for service v1beta1.DeviceManagerService";
            let status = self.refuse(CALL, reason.to_owned());
            return Err(Status::unimplemented(status.message()));
        }
        let request = request.into_inner();
        if !self.allow() {
            return Err(self.refuse_limited(CALL, "report device states", &request.device_name));
        }
        if request.state.is_empty() || request.device_name.is_empty() {
            return Err(self.refuse(CALL, "ReportDeviceStatesRequest is invalid data".to_owned()));
        }
        reports::store_state(&self.core, &request.device_namespace, &request.device_name, &request.state);
        self.accept(ReportDeviceStatesResponse {})
    }
}
