//! SOAP 1.2 as ONVIF has it: an envelope with a request, the token of WS-Security, answers and faults.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::StatusCode;
use mapper_framework::DriverError;
use quick_xml::escape::escape;
use sha1::{Digest as _, Sha1};
use url::Url;

use super::xml::Element;
use crate::{
    http::Http,
    login::{Login, shown},
};

/// The most bytes of an answer. That of a camera with many profiles has some tens of thousands.
const MOST_BYTES: usize = 1024 * 1024;

/// The namespaces of all requests.
const NAMES: &str = concat!(
    r#"xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:tt="http://www.onvif.org/ver10/schema" "#,
    r#"xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl" "#,
    r#"xmlns:tptz="http://www.onvif.org/ver20/ptz/wsdl""#
);

const ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
const MEDIA_TYPE: &str = "application/soap+xml; charset=utf-8";

/// The last second that RFC 3339 has a text for, in seconds since 1970.
const LAST_SECOND: Duration = Duration::from_secs(253_402_300_799);

/// A camera's time as text; the nearest one that has a text, as its clock may show anything.
fn created(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST_SECOND)).to_string()
}

/// Why a question has no answer that can be used.
#[derive(Debug)]
pub(crate) enum SoapError {
    /// The camera refuses the login, or a token that is not of now by its clock.
    Login(DriverError),
    Other(DriverError),
}

impl From<SoapError> for DriverError {
    fn from(error: SoapError) -> Self {
        match error {
            SoapError::Login(error) | SoapError::Other(error) => error,
        }
    }
}

/// Asks a service for something, and returns the answer: the element in the body.
///
/// `token_time` is the camera's time, for a request that needs the login.
///
/// # Errors
///
/// There is no answer, it is no SOAP, or it is a fault. None of these is a lost connection: the video may go on.
pub(crate) async fn ask(
    http: &Http,
    service: &Url,
    request: &str,
    token_time: Option<SystemTime>,
) -> Result<Element, SoapError> {
    let at = shown(service);
    let failed = |why: String| DriverError::failed(format_args!("{at}: {} {why}", name(request)));
    let other = |why: String| SoapError::Other(failed(why));
    let envelope = || {
        let header = match (&http.login, token_time) {
            (Some(login), Some(time)) => token(login, &created(time), rand::random()),
            _ => String::new(),
        };
        Some((MEDIA_TYPE, format!("<s:Envelope {NAMES}>{header}<s:Body>{request}</s:Body></s:Envelope>")))
    };
    let answer = http.send(service, MOST_BYTES, envelope).await.map_err(|error| other(format!("fails: {error}")))?;
    if answer.status == StatusCode::UNAUTHORIZED {
        return Err(SoapError::Login(failed(format!("is refused: {}", Login::cure(http.login.as_ref())))));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let root = Element::parse(&text).map_err(|error| {
        let status = answer.status.as_u16();
        other(format!("has an answer (status {status}) that is not ONVIF's: {error}"))
    })?;
    let body = (root.is(ENVELOPE, "Envelope")).then(|| root.child("Body")).flatten();
    let content =
        body.and_then(Element::first).ok_or_else(|| other("has an answer without a body of SOAP".to_owned()))?;
    if content.is(ENVELOPE, "Fault") {
        return Err(match fault(content, http.login.as_ref()) {
            Fault::Login(why) => SoapError::Login(failed(why)),
            Fault::Refusal(why) => {
                SoapError::Other(DriverError::refused(format_args!("{at}: {} {why}", name(request))))
            }
        });
    }
    Ok(root)
}

/// What an answer has within the body's only element.
pub(crate) fn content(root: &Element) -> Option<&Element> {
    root.child("Body").and_then(Element::first)
}

/// The name of a request, for errors.
fn name(request: &str) -> &str {
    let end = request.find(['>', ' ', '/']).unwrap_or(request.len());
    request[..end].rsplit([':', '<']).next().unwrap_or_default()
}

/// In words what a fault says.
enum Fault {
    /// The login may be put right.
    Login(String),
    /// The same request will be refused again.
    Refusal(String),
}

fn fault(fault: &Element, login: Option<&Login>) -> Fault {
    let mut codes = Vec::new();
    let mut code = fault.child("Code");
    while let Some(at) = code {
        codes.extend(at.text(&["Value"]));
        code = at.child("Subcode");
    }
    let of_logins = ["NotAuthorized", "FailedAuthentication", "MessageExpired"];
    if codes.iter().any(|code| of_logins.iter().any(|it| code.ends_with(it))) {
        return Fault::Login(format!("is refused: {}", Login::cure(login)));
    }
    let reason = fault.text(&["Reason", "Text"]).unwrap_or("without a reason");
    let reason: String = reason.chars().filter(|it| !it.is_control()).take(200).collect();
    let code = codes.last().unwrap_or(&"no code");
    Fault::Refusal(format!("is refused: {reason} ({code})"))
}

/// The header with a user name and a digest of the password, which is good for one request. Nobody can guess the nonce, and none comes twice.
fn token(login: &Login, created: &str, nonce: [u8; 16]) -> String {
    const OASIS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";
    //= Web Services Security UsernameToken Profile 1.0, line 220: Password_Digest = Base64(SHA-1(nonce + created + password))
    let digest = Sha1::new().chain_update(nonce).chain_update(created).chain_update(login.password.expose()).finalize();
    let (nonce, digest, username) = (STANDARD.encode(nonce), STANDARD.encode(digest), escape(login.username.as_str()));
    format!(
        r#"<s:Header><w:Security s:mustUnderstand="true" xmlns:w="{OASIS}-wssecurity-secext-1.0.xsd" xmlns:u="{OASIS}-wssecurity-utility-1.0.xsd"><w:UsernameToken><w:Username>{username}</w:Username><w:Password Type="{OASIS}-username-token-profile-1.0#PasswordDigest">{digest}</w:Password><w:Nonce EncodingType="{OASIS}-soap-message-security-1.0#Base64Binary">{nonce}</w:Nonce><u:Created>{created}</u:Created></w:UsernameToken></w:Security></s:Header>"#
    )
}

#[cfg(test)]
mod tests {
    use mapper_framework::model::Secret;

    use super::*;

    #[test]
    fn the_digest_is_the_one_of_onvifs_example() {
        // The example of ONVIF's Application Programmer's Guide, section 6.1.1.3.
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").expect("base64").try_into().expect("16 bytes");
        let login = Login { username: "user & co".to_owned(), password: Secret::new("userpassword") };
        let header = token(&login, "2010-09-16T07:50:45Z", nonce);
        assert!(header.contains(">tuOSpGlFlIXsozq4HFNeeGeFLEI=</w:Password>"), "{header}");
        assert!(
            header.contains("<w:Username>user &amp; co</w:Username>") && !header.contains("userpassword"),
            "{header}"
        );
    }

    #[test]
    fn requests_are_named_in_errors() {
        assert_eq!(name("<tds:GetDeviceInformation/>"), "GetDeviceInformation");
        assert_eq!(name("<tptz:Stop><a/></tptz:Stop>"), "Stop");
    }
}
