//! The endpoints of a server, and which of them is taken.

use std::time::Duration;

use mapper_framework::DriverError;
use ua::{
    client::{
        ClientConfig, SessionBuilder,
        transport::{ConnectorBuilder, TransportPollResult},
    },
    core::{RequestMessage, ResponseMessage},
    crypto::SecurityPolicy,
    types::{
        DateTime, EndpointDescription, Error, GetEndpointsRequest, MessageSecurityMode, NodeId, RequestHeader,
        StatusCode, UserTokenPolicy, UserTokenType,
    },
};
use url::Url;

use crate::{config::Security, login::Login, pki::Store, status};

/// The policies that are known here, from the weakest to the strongest.
const POLICIES: [SecurityPolicy; 6] = [
    SecurityPolicy::None,
    SecurityPolicy::Basic128Rsa15,
    SecurityPolicy::Basic256,
    SecurityPolicy::Aes128Sha256RsaOaep,
    SecurityPolicy::Basic256Sha256,
    SecurityPolicy::Aes256Sha256RsaPss,
];

/// Asks the server for its endpoints, and takes the first one with this security.
///
/// # Errors
///
/// The server does not answer, or has no endpoint that fits. The message then lists those that it has.
pub(crate) async fn find(
    config: &ClientConfig,
    url: &Url,
    security: Security,
    login: &Login,
    within: Duration,
) -> Result<EndpointDescription, DriverError> {
    let listed = tokio::time::timeout(within, list(config, url, within)).await;
    let endpoints = match listed {
        Ok(Ok(endpoints)) => endpoints,
        Ok(Err(error)) => return Err(unreachable(url, &error)),
        Err(_) => return Err(DriverError::disconnected(format_args!("{url} does not answer within {within:?}"))),
    };
    let mut endpoint = choose(&endpoints, security, login)?;
    // A server behind a router or in a container does not know under which address it is reached.
    let path =
        Url::parse(endpoint.endpoint_url.as_ref()).map_or_else(|_| url.path().to_owned(), |own| own.path().to_owned());
    let mut reached = url.clone();
    reached.set_path(&path);
    endpoint.endpoint_url = reached.as_str().into();
    Ok(endpoint)
}

fn unreachable(url: &Url, error: &Error) -> DriverError {
    DriverError::disconnected(format_args!("no connection to {url}: {}", status::words(error.status())))
}

fn choose(
    endpoints: &[EndpointDescription],
    security: Security,
    login: &Login,
) -> Result<EndpointDescription, DriverError> {
    let fitting: Vec<_> = endpoints.iter().filter(|endpoint| security_of(endpoint) == Some(security)).collect();
    if fitting.is_empty() {
        let offers = list_of(endpoints.iter().filter_map(security_of).map(|security| security.to_string()));
        return Err(DriverError::refused(format_args!(
            "the server has no endpoint with {security}, but {offers}: correct securityPolicy and securityMode"
        )));
    }
    let kind = login.kind();
    if let Some((endpoint, token)) = fitting.iter().find_map(|endpoint| Some((*endpoint, token_of(endpoint, kind)?))) {
        return Ok(EndpointDescription { user_identity_tokens: Some(vec![token]), ..endpoint.clone() });
    }
    let taken: Vec<_> = fitting.iter().flat_map(|endpoint| kinds_of(endpoint)).collect();
    Err(DriverError::refused(if taken.contains(&kind) {
        format!(
            "the server's endpoint with {security} protects no {kind:?} in a way that is known here: set another securityPolicy"
        )
    } else {
        let taken = list_of(taken.iter().map(|kind| format!("{kind:?}")));
        format!(
            "the server's endpoint takes no {kind:?} with {security}, but {taken}: correct the device's credentials"
        )
    }))
}

fn security_of(endpoint: &EndpointDescription) -> Option<Security> {
    let is_binary = endpoint.endpoint_url.as_ref().starts_with("opc.tcp:");
    let policy = POLICIES.into_iter().find(|policy| policy.to_uri() == endpoint.security_policy_uri.as_ref());
    policy.filter(|_| is_binary).map(|policy| Security { policy, mode: endpoint.security_mode })
}

/// What the endpoint says of logins of this kind, of several ways the best protected one. A login without a policy of its own has the endpoint's.
fn token_of(endpoint: &EndpointDescription, kind: UserTokenType) -> Option<UserTokenPolicy> {
    let tokens = endpoint.user_identity_tokens.as_deref().unwrap_or_default();
    if tokens.is_empty() && kind == UserTokenType::Anonymous {
        return Some(UserTokenPolicy::anonymous());
    }
    let possible = tokens.iter().filter(|token| token.token_type == kind).filter_map(|token| {
        let uri =
            [&token.security_policy_uri, &endpoint.security_policy_uri].into_iter().find(|uri| !uri.is_empty())?;
        let strength = POLICIES.iter().position(|policy| policy.to_uri() == uri.as_ref())?;
        let is_possible = match kind {
            UserTokenType::Anonymous => true,
            // Without a policy nothing is signed, which is the whole of this login.
            UserTokenType::Certificate => strength > 0,
            _ => strength == 0 || !endpoint.server_certificate.is_null_or_empty(),
        };
        is_possible.then(|| (strength, UserTokenPolicy { security_policy_uri: uri.clone(), ..token.clone() }))
    });
    possible.max_by_key(|(strength, _)| *strength).map(|(_, token)| token)
}

fn kinds_of(endpoint: &EndpointDescription) -> Vec<UserTokenType> {
    match &endpoint.user_identity_tokens {
        Some(tokens) if !tokens.is_empty() => tokens.iter().map(|token| token.token_type).collect(),
        _ => vec![UserTokenType::Anonymous],
    }
}

fn list_of(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "none at all".to_owned() } else { names.join(", ") }
}

/// All endpoints, by a connection for this question alone.
async fn list(config: &ClientConfig, url: &Url, within: Duration) -> Result<Vec<EndpointDescription>, Error> {
    let unprotected = (url.as_str(), SecurityPolicy::None.to_uri(), MessageSecurityMode::None);
    let builder = SessionBuilder::new(config).connect_to_endpoint_directly(unprotected)?;
    let channel = builder.build_channel(Store::none())?;
    let mut connection = channel.connect_no_retry(&url.as_str().build()?).await?;
    let request = GetEndpointsRequest {
        request_header: RequestHeader::new(&NodeId::null(), &DateTime::now(), channel.request_handle()),
        endpoint_url: url.as_str().into(),
        locale_ids: None,
        profile_uris: None,
    };
    let mut answer = std::pin::pin!(channel.send(RequestMessage::from(request), within));
    let answer = loop {
        tokio::select! {
            event = connection.poll() => if let TransportPollResult::Closed(code) = event {
                return Err(Error::new(code, "the server has closed the connection"));
            },
            answer = &mut answer => break answer?,
        }
    };
    channel.close_channel().await;
    while !matches!(connection.poll().await, TransportPollResult::Closed(_)) {}
    match answer {
        ResponseMessage::GetEndpoints(response) if response.response_header.service_result.is_good() => {
            Ok(response.endpoints.unwrap_or_default())
        }
        ResponseMessage::GetEndpoints(response) => {
            Err(Error::new(response.response_header.service_result, "GetEndpoints"))
        }
        ResponseMessage::ServiceFault(fault) => Err(Error::new(fault.response_header.service_result, "GetEndpoints")),
        _ => Err(Error::new(StatusCode::BadUnknownResponse, "GetEndpoints")),
    }
}
