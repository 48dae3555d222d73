//! In what edgecores differ from each other.

#[cfg(feature = "eventbus")]
use std::time::Duration;

/// The behaviour of one edgecore. The default is a current one, v1.23.
#[derive(Clone, Debug)]
pub(super) struct Quirks {
    /// A restart forgets which mappers were registered: before v1.23.
    pub(super) forgets_mappers: bool,
    /// `ReportDeviceStates` exists: since v1.18.
    pub(super) device_states: bool,
    /// Each accepted status report comes back as an `UpdateDevice`, as from older edgecores.
    pub(super) updates_after_reports: bool,
    /// How the mapper's socket path becomes the `:authority` of a call to it.
    pub(super) authority: Authority,
    /// The budget that all mappers share; `None` for no limit, as no edgecore has it.
    pub(super) limit: Option<Limit>,
    #[cfg(feature = "eventbus")]
    pub(super) bus: BusQuirks,
}

/// The event bus of one node. By default there is none.
#[cfg(feature = "eventbus")]
#[derive(Clone, Copy, Debug)]
pub(super) struct BusQuirks {
    pub(super) exists: bool,
    /// What edgecore needs for a message.
    pub(super) takes: Duration,
    /// edgecore subscribes to topics with namespace and name: since v1.16.2.
    pub(super) namespaces: bool,
}

#[cfg(feature = "eventbus")]
impl Default for BusQuirks {
    fn default() -> Self {
        Self { exists: false, takes: Duration::ZERO, namespaces: true }
    }
}

/// What grpc-go puts into `:authority`, having dialled a bare path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authority {
    /// `%2Fetc%2Fkubeedge%2Fx.sock`: grpc-go 1.67, as in KubeEdge v1.21 and later.
    Encoded,
    /// `/etc/kubeedge/x.sock`: grpc-go 1.53, as in KubeEdge v1.16.
    Raw,
}

/// A token bucket's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    pub(super) burst: u32,
    pub(super) per_second: f64,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            forgets_mappers: false,
            device_states: true,
            updates_after_reports: false,
            authority: Authority::Encoded,
            limit: Some(Limit { burst: 100, per_second: 1.0 }),
            #[cfg(feature = "eventbus")]
            bus: BusQuirks::default(),
        }
    }
}

impl Authority {
    /// The `:authority` for a socket path.
    pub(super) fn of(self, path: &str) -> String {
        match self {
            Self::Raw => path.to_owned(),
            Self::Encoded => path.bytes().map(encode).collect(),
        }
    }
}

/// Escapes what grpc-go escapes: all but the unreserved characters, the sub-delimiters and `:[]@` of RFC 3986.
fn encode(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-_.~!$&'()*+,;=:[]@".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_current_edgecore_escapes_the_slashes_of_the_path() {
        assert_eq!(Authority::Encoded.of("/etc/kube edge/x-1.sock"), "%2Fetc%2Fkube%20edge%2Fx-1.sock");
    }

    #[test]
    fn an_old_edgecore_sends_the_path_as_it_is() {
        assert_eq!(Authority::Raw.of("/etc/kubeedge/x.sock"), "/etc/kubeedge/x.sock");
    }
}
