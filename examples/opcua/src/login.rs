//! Who the mapper is to a server.

use mapper_framework::{DriverError, model::Credentials};
use ua::{
    client::{IdentityToken, Password},
    crypto::{PrivateKey, X509},
    types::UserTokenType,
};

/// What a device's credentials hold.
#[derive(Debug)]
pub(crate) enum Login {
    Nobody,
    User(String, Password),
    Certificate(Box<X509>, Box<PrivateKey>),
}

impl Login {
    /// A user name and a password come first, then a certificate with its key.
    ///
    /// # Errors
    ///
    /// The certificate or the key cannot be read.
    pub(crate) fn of(credentials: &Credentials) -> Result<Self, DriverError> {
        if let Some(name) = credentials.username() {
            // Some servers have users without one.
            let password = credentials.password().map_or("", |password| password.expose());
            return Ok(Self::User(name.to_owned(), Password::new(password)));
        }
        let (Some(certificate), Some(key)) = (credentials.certificate(), credentials.private_key()) else {
            return Ok(Self::Nobody);
        };
        let certificate = X509::from_pem(certificate)
            .or_else(|_| X509::from_der(certificate))
            .map_err(|error| DriverError::refused("tls.crt of the device's credentials").with_source(error))?;
        let key = PrivateKey::from_pem(key)
            .map_err(|error| DriverError::refused("tls.key of the device's credentials").with_source(error))?;
        Ok(Self::Certificate(Box::new(certificate), Box::new(key)))
    }

    /// The kind of token that a server has to take.
    pub(crate) fn kind(&self) -> UserTokenType {
        match self {
            Self::Nobody => UserTokenType::Anonymous,
            Self::User(..) => UserTokenType::UserName,
            Self::Certificate(..) => UserTokenType::Certificate,
        }
    }

    /// What to do when a server refuses it.
    pub(crate) fn cure(&self) -> String {
        match self {
            Self::Nobody => "it wants a login: name one by protocol.configData.credentials, see driver.credentials".to_owned(),
            Self::User(name, _) => format!(
                "it refuses the login of {name:?}: correct the files `username` and `password` of its credentials"
            ),
            Self::Certificate(..) => {
                "it refuses the certificate: correct the files `tls.crt` and `tls.key` of its credentials, or have the server trust it"
                    .to_owned()
            }
        }
    }

    pub(crate) fn token(&self) -> IdentityToken {
        match self {
            Self::Nobody => IdentityToken::Anonymous,
            Self::User(name, password) => IdentityToken::UserName(name.clone(), password.clone()),
            Self::Certificate(certificate, key) => IdentityToken::X509(certificate.clone(), key.clone()),
        }
    }
}
