//! The folder of certificates.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use mapper_framework::DriverError;
use tracing::info;
use ua::{
    crypto::{CertificateStore, X509, X509Data},
    sync::RwLock,
    types::{ApplicationDescription, ApplicationType, EndpointDescription, StatusCode},
};
use url::Url;

use crate::{
    certificate,
    config::Security,
    link::{APPLICATION_NAME, APPLICATION_URI},
};

/// Where the mapper's own key lies, below the folder.
const PRIVATE: &str = "private";
/// How long a certificate is valid that the mapper makes for itself. A server that trusts it trusts this one only, so a new one costs a visit.
const VALID_DAYS: u32 = 3650;

/// The certificates that connections use.
pub(crate) type Certificates = Arc<RwLock<CertificateStore>>;

/// The folder of the mapper's own certificate and of those that it trusts.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    trust_new: bool,
    /// Held while the mapper's certificate is made, which happens once.
    making: Arc<Mutex<()>>,
}

impl Store {
    pub(crate) fn new(folder: PathBuf, trust_new: bool) -> Self {
        Self { folder, trust_new, making: Arc::default() }
    }

    /// The certificates, if a connection needs any. The mapper's own one is made if it has none.
    ///
    /// # Errors
    ///
    /// The folder cannot be used.
    pub(crate) async fn open(&self, security: Security) -> Result<Certificates, DriverError> {
        if !security.is_some() {
            return Ok(Self::none());
        }
        let (folder, trust_new, making) = (self.folder.clone(), self.trust_new, Arc::clone(&self.making));
        // It takes a slow machine longer than a connection may take; the next attempt then finds it made.
        let open = move || {
            let _making = making.lock().unwrap_or_else(PoisonError::into_inner);
            open(&folder, trust_new)
        };
        let opened = tokio::task::spawn_blocking(open).await?;
        opened.map_err(|error| {
            DriverError::failed(format_args!(
                "the folder of certificates, {}, cannot be used: {error}: correct driver.settings.pki",
                self.folder.display()
            ))
        })
    }

    /// A store of nothing, for connections without protection: nothing is read or written.
    pub(crate) fn none() -> Certificates {
        Arc::new(RwLock::new(CertificateStore::new(Path::new("/nonexistent"))))
    }
}

fn open(folder: &Path, trust_new: bool) -> Result<Certificates, String> {
    make(&folder.join(PRIVATE)).map_err(|error| error.to_string())?;
    let mut store = CertificateStore::new(folder);
    store.ensure_pki_path()?;
    store.set_trust_unknown_certs(trust_new);
    // Trust is checked all the same. Of the rest the library understands only some certificates, see `check`.
    store.set_skip_verify_certs(true);
    let (certificate, key) = (store.own_certificate_path(), store.own_private_key_path());
    match (certificate.exists(), key.exists()) {
        (true, true) => {
            store.read_own_cert()?;
            store.read_own_pkey()?;
        }
        (false, false) => {
            store.create_and_store_application_instance_cert(&own(), false)?;
            info!(certificate = %certificate.display(), "made a certificate: have the servers trust it");
        }
        (true, false) => return Err(format!("{} has no key: put it at {}", certificate.display(), key.display())),
        (false, true) => {
            return Err(format!("{} has no certificate: put it at {}", key.display(), certificate.display()));
        }
    }
    Ok(Arc::new(RwLock::new(store)))
}

/// Makes a folder that only its owner sees.
fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// What stands in the mapper's own certificate.
fn own() -> X509Data {
    let application = ApplicationDescription {
        application_uri: APPLICATION_URI.into(),
        application_name: APPLICATION_NAME.into(),
        application_type: ApplicationType::Client,
        ..ApplicationDescription::default()
    };
    X509Data { certificate_duration_days: VALID_DAYS, ..X509Data::from(application) }
}

/// Checks a server's certificate before anything is sent under it. An unknown one goes to the folder of rejected ones.
///
/// # Errors
///
/// It is not trusted, or not this server's. The message names the cure.
pub(crate) fn check(
    certificates: &Certificates,
    security: Security,
    url: &Url,
    endpoint: &EndpointDescription,
) -> Result<(), DriverError> {
    if !security.is_some() {
        return Ok(());
    }
    let refused = |error: String| DriverError::refused(format_args!("the server's certificate: {error}"));
    let certificate =
        X509::from_byte_string(&endpoint.server_certificate).map_err(|error| refused(error.to_string()))?;
    let store = certificates.read();
    let name = CertificateStore::cert_file_name(&certificate);
    // Whether it is trusted, and long enough. What it says of itself comes after that.
    if let Err(error) = store.validate_or_reject_application_instance_cert(&certificate, security.policy, None, None) {
        let rejected = store.rejected_certs_dir().join(&name);
        return Err(refused(match error.status() {
            StatusCode::BadCertificateUntrusted | StatusCode::BadSecurityChecksFailed if rejected.exists() => {
                format!(
                    "it is not trusted: if it is the right one, move {} to {}",
                    rejected.display(),
                    store.trusted_certs_dir().display()
                )
            }
            _ => format!("{name}: {error}"),
        }));
    }
    let host = url.host_str().unwrap_or_default();
    let checked = certificate::check(&certificate, host, endpoint.server.application_uri.as_ref(), SystemTime::now());
    checked.map_err(|error| refused(format!("{name} {error}")))
}
