//! Why a connection is no more, or does not come about, and the cure.

use std::time::Duration;

#[cfg(feature = "sink-mqtt-ws")]
use super::ConnectOptions;

/// Why a connection is no more.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Loss {
    /// For this reason.
    Connection(String),
    /// For this reason, which lies in a setting of the mapper or of the broker and stays until somebody changes that.
    Setting(String),
    /// The broker has refused a message by a code that the library does not know, which it takes for the end. It does not say which
    /// message that was.
    Refusal(String),
}

impl Loss {
    /// Why.
    pub(crate) fn reason(&self) -> &str {
        let (Self::Connection(reason) | Self::Setting(reason) | Self::Refusal(reason)) = self;
        reason
    }
}

/// What connecting has come to when the other side does not answer as it should. `section` is that of the config.
pub(super) fn no_answer(version: &str, section: &str) -> String {
    format!(
        "the connection was closed before the broker has answered: does it speak MQTT {version} ({section}.version), and does it \
         want TLS on this port (mqtts://)?"
    )
}

/// The other side speaks no TLS, a certificate is not trusted, or a client has none.
pub(super) fn no_tls(error: &rumqttc::TlsError, tls_section: &str) -> Loss {
    let text = error.to_string();
    if text.contains("InvalidContentType") {
        return Loss::Setting(format!(
            "{text}: what listens there speaks no TLS: write mqtt://, or the port that has TLS"
        ));
    }
    let is_cut = matches!(error, rumqttc::TlsError::Io(error) if error.kind() != std::io::ErrorKind::InvalidData);
    let make = if is_cut { Loss::Connection } else { Loss::Setting };
    make(format!("{text}: a certificate of an authority of your own needs {tls_section}.ca_file"))
}

/// What answers is no WebSocket, or not that of a broker.
#[cfg(feature = "sink-mqtt-ws")]
pub(super) fn no_websocket(error: &dyn std::error::Error, options: &ConnectOptions) -> Loss {
    let text = error.to_string();
    if text.contains("certificate") {
        return Loss::Setting(format!(
            "{text}: a certificate of an authority of your own needs {}.ca_file",
            options.tls_section
        ));
    }
    Loss::Connection(format!(
        "no WebSocket of a broker: {text}: the port or the path may be another, or have no TLS (ws:// and not wss://)"
    ))
}

pub(super) fn refused_id(section: &str) -> String {
    format!("the broker refuses the client id: set another or a shorter {section}.client_id")
}

pub(super) fn refused_login(section: &str) -> String {
    let kind = section.rsplit('.').next().unwrap_or(section).to_uppercase();
    format!(
        "the broker refuses the user name or the password: give it others by the files username and password in {section}.credentials, or \
        by {kind}_USERNAME and {kind}_PASSWORD"
    )
}

pub(super) fn refused_version(section: &str) -> String {
    format!("the broker does not speak this version of MQTT: set the other one as {section}.version")
}

/// The broker has closed the connection of this age, and has not said why.
pub(super) fn closed(section: &str, age: Duration) -> String {
    if age < YOUNG {
        return format!(
            "the broker has closed the connection without a reason, {:.1} s after it had accepted it: its log says why. It may not take a \
             message (topic, QoS, size; by MQTT 5 it would say so, {section}.version), or another client may have come with the same id \
             ({section}.client_id)",
            age.as_secs_f64()
        );
    }
    format!(
        "the broker has closed the connection without a reason, {} s after it had accepted it: it was stopped, or its log says why",
        age.as_secs()
    )
}

/// A connection that is closed before this age is closed for what the client is, or does.
const YOUNG: Duration = Duration::from_secs(5);

pub(super) fn taken_over(section: &str) -> String {
    format!("another client has come with the same id: give each mapper its own {section}.client_id")
}

pub(super) const SILENT: &str = "the broker does not answer to a ping";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_closed_without_a_reason_blames_nobody_for_certain() {
        let early = closed("sinks.mqtt", Duration::from_millis(200));
        assert!(early.contains("0.2 s after") && early.contains("may") && early.contains("topic"), "{early}");
        let late = closed("sinks.mqtt", Duration::from_secs(60));
        assert!(late.contains("60 s after") && !late.contains("client_id"), "{late}");
    }
}
