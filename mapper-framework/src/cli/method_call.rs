//! A method call as it stands on the command line.

use std::{fmt, str::FromStr};

use crate::model::DeviceId;

/// `NAMESPACE/DEVICE METHOD [PROPERTY=VALUE]...`. Words are parted by blanks, so no value has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MethodCall {
    pub(crate) device: DeviceId,
    pub(crate) method: String,
    /// Properties, each with its value.
    pub(crate) arguments: Vec<(String, String)>,
}

/// Why a text is no call.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCall {
    #[error("name the device as NAMESPACE/DEVICE, as in \"default/pump-1 dose millilitres=250\"")]
    Device,
    #[error("the method is missing: write \"NAMESPACE/DEVICE METHOD [PROPERTY=VALUE]...\"")]
    Method,
    #[error("{0:?} is no argument: write PROPERTY=VALUE")]
    Argument(String),
}

impl FromStr for MethodCall {
    type Err = NoCall;

    fn from_str(text: &str) -> Result<Self, NoCall> {
        let mut words = text.split_whitespace();
        let (namespace, device) = words.next().and_then(|word| word.split_once('/')).ok_or(NoCall::Device)?;
        if namespace.is_empty() || device.is_empty() {
            return Err(NoCall::Device);
        }
        let method = words.next().ok_or(NoCall::Method)?.to_owned();
        let argument = |word: &str| match word.split_once('=') {
            Some((property, value)) if !property.is_empty() => Ok((property.to_owned(), value.to_owned())),
            _ => Err(NoCall::Argument(word.to_owned())),
        };
        let arguments = words.map(argument).collect::<Result<_, _>>()?;
        Ok(Self { device: DeviceId::new(namespace, device), method, arguments })
    }
}

impl fmt::Display for MethodCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.device, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_method_and_arguments_are_read() {
        let call: MethodCall = "plant/pump-1 dose  millilitres=250 note=a=b empty=".parse().unwrap();
        assert_eq!((call.device.as_str(), call.method.as_str()), ("plant/pump-1", "dose"));
        let arguments = [("millilitres", "250"), ("note", "a=b"), ("empty", "")];
        assert_eq!(call.arguments, arguments.map(|(property, value)| (property.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, expected) in [
            ("", NoCall::Device),
            ("pump-1 dose", NoCall::Device),
            ("/pump-1 dose", NoCall::Device),
            ("plant/pump-1", NoCall::Method),
            ("plant/pump-1 dose 250", NoCall::Argument("250".into())),
            ("plant/pump-1 dose =250", NoCall::Argument("=250".into())),
        ] {
            assert_eq!(text.parse::<MethodCall>(), Err(expected), "{text:?}");
        }
    }
}
