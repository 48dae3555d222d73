//! The folder of certificates.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use mapper_framework::DriverError;
use tracing::{info, warn};
use ua::{
    crypto::{CertificateStore, X509, X509Data},
    sync::RwLock,
    types::{ApplicationDescription, ApplicationType, EndpointDescription},
};
use url::Url;

use crate::{
    certificate,
    config::Security,
    link::{APPLICATION_NAME, APPLICATION_URI},
    trust::{self, Trusted, Untrusted},
};

/// Where the mapper's own key lies, below the folder.
const PRIVATE: &str = "private";
/// Where certificates lie that have been checked. The client library looks there, and nothing is trusted by it.
const CHECKED: &str = "checked";
/// How long a certificate is valid that the mapper makes for itself. A server that trusts it trusts this one only, so a new one costs a visit.
const VALID_DAYS: u32 = 3650;

/// The certificates that connections use.
pub(crate) type Certificates = Arc<RwLock<CertificateStore>>;

/// The folder of the mapper's own certificate and of those that it trusts.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    trust_new: bool,
    /// Held while files are written.
    writing: Arc<Mutex<()>>,
}

/// Why there is no connection.
enum Refusal {
    Folder(String),
    Server(String),
}

impl Store {
    pub(crate) fn new(folder: PathBuf, trust_new: bool) -> Self {
        // Paths in it are given to the library, which would look for relative ones below the folder of checked ones.
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Self { folder, trust_new, writing: Arc::default() }
    }

    /// The certificates, if a connection needs any, once the server's is found to be trusted, in force, and for this server. One that is not
    /// trusted goes to the folder of rejected ones. The mapper's own one is made if it has none.
    ///
    /// # Errors
    ///
    /// The folder cannot be used, or the server's certificate is refused. The message names the cure.
    pub(crate) async fn open(
        &self,
        security: Security,
        url: &Url,
        endpoint: &EndpointDescription,
    ) -> Result<Certificates, DriverError> {
        if !security.is_some() {
            return Ok(Self::none());
        }
        let (folder, trust_new, writing) = (self.folder.clone(), self.trust_new, Arc::clone(&self.writing));
        let host = url.host_str().unwrap_or_default().to_owned();
        let chain = endpoint.server_certificate.as_ref().to_vec();
        let application = endpoint.server.application_uri.to_string();
        // To make a key takes a slow machine longer than a connection may take; the next attempt then finds it made.
        let open = move || {
            let _writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
            let own = own(&folder).map_err(Refusal::Folder)?;
            let server = Server { chain: &chain, host: &host, application: &application };
            check(&folder, trust_new, security, &server)?;
            Ok(own)
        };
        tokio::task::spawn_blocking(open).await?.map_err(|refusal| match refusal {
            Refusal::Folder(error) => DriverError::failed(format_args!(
                "the folder of certificates, {}, cannot be used: {error}: correct driver.settings.pki",
                self.folder.display()
            )),
            Refusal::Server(error) => DriverError::refused(format_args!("the server's certificate: {error}")),
        })
    }

    /// A store of nothing, for connections without protection: nothing is read or written.
    pub(crate) fn none() -> Certificates {
        Arc::new(RwLock::new(CertificateStore::new(Path::new("/nonexistent"))))
    }
}

/// A store with the mapper's own certificate and those that have been checked.
fn own(folder: &Path) -> Result<Certificates, String> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder.join(PRIVATE)).map_err(|error| error.to_string())?;
    let store = CertificateStore::new(folder);
    store.ensure_pki_path()?;
    let (certificate, key) = (store.own_certificate_path(), store.own_private_key_path());
    match (certificate.exists(), key.exists()) {
        (true, true) => {
            store.read_own_cert()?;
            store.read_own_pkey()?;
        }
        (false, false) => {
            store.create_and_store_application_instance_cert(&data(), false)?;
            info!(certificate = %certificate.display(), "made a certificate: have the servers trust it");
        }
        (true, false) => return Err(format!("{} has no key: put it at {}", certificate.display(), key.display())),
        (false, true) => {
            return Err(format!("{} has no certificate: put it at {}", key.display(), certificate.display()));
        }
    }
    let (checked, cert, key) = (folder.join(CHECKED), certificate.as_path(), key.as_path());
    let (mut checked, ..) =
        CertificateStore::new_with_x509_data(&checked, false, Some(cert), Some(key), None::<X509Data>);
    checked.ensure_pki_path()?;
    // What it would check is checked here. Of names the library understands only those that begin with the application.
    checked.set_skip_verify_certs(true);
    Ok(Arc::new(RwLock::new(checked)))
}

/// What stands in the mapper's own certificate.
fn data() -> X509Data {
    let application = ApplicationDescription {
        application_uri: APPLICATION_URI.into(),
        application_name: APPLICATION_NAME.into(),
        application_type: ApplicationType::Client,
        ..ApplicationDescription::default()
    };
    X509Data { certificate_duration_days: VALID_DAYS, ..X509Data::from(application) }
}

/// What a server shows of itself.
struct Server<'a> {
    chain: &'a [u8],
    host: &'a str,
    application: &'a str,
}

/// Checks a server's certificate before anything is sent under it.
fn check(folder: &Path, trust_new: bool, security: Security, server: &Server<'_>) -> Result<(), Refusal> {
    let store = CertificateStore::new(folder);
    let der = single(server.chain, &store.trusted_certs_dir()).map_err(Refusal::Server)?;
    let unreadable = |error: ua::crypto::X509Error| Refusal::Server(error.to_string());
    let certificate = X509::from_der(der).map_err(unreadable)?;
    let name = CertificateStore::cert_file_name(&certificate);
    let now = SystemTime::now();
    certificate::check(&certificate, server.host, server.application, now)
        .map_err(|fault| Refusal::Server(format!("{name} {fault}")))?;
    let bits = certificate.key_length().map_err(unreadable)?;
    if !security.policy.is_valid_keylength(bits) {
        return Err(Refusal::Server(format!(
            "{name} has a key of {bits} bits, which {} does not allow: the server needs another one",
            security.policy
        )));
    }
    let files = |error: io::Error| Refusal::Folder(error.to_string());
    let trusted = Trusted::read(&store.trusted_certs_dir()).map_err(files)?;
    if let Err(why) = trusted.require(der, now) {
        let (rejected, trusted) = (store.rejected_certs_dir().join(&name), store.trusted_certs_dir());
        // What an authority that is trusted does not vouch for is nothing new.
        let is_new = matches!(why, Untrusted::Unknown | Untrusted::UnknownAuthority(_)) && !rejected.exists();
        if !(trust_new && is_new) {
            put(&rejected, der).map_err(files)?;
            let or = match why {
                Untrusted::Unknown => "",
                _ => ", or put there the certificate of its authority",
            };
            return Err(Refusal::Server(format!(
                "it is not trusted{why}: if it is the right one, move {} to {}{or}",
                rejected.display(),
                trusted.display()
            )));
        }
        put(&trusted.join(&name), der).map_err(files)?;
        warn!(certificate = name, "a server that was never seen before is trusted from now on");
    }
    put(&CertificateStore::new(&folder.join(CHECKED)).trusted_certs_dir().join(&name), der).map_err(files)
}

/// The only certificate of a chain.
fn single<'a>(chain: &'a [u8], trusted: &Path) -> Result<&'a [u8], String> {
    let all = trust::split(chain).map_err(|error| error.to_string())?;
    match all.as_slice() {
        [] => Err("it has none".to_owned()),
        [(der, _)] => Ok(der),
        [(_, own), ..] => Err(format!(
            "it sends a chain of {} certificates, which the mapper's client library cannot read: have the server send its own one alone, and put \
             that of its authority, {}, into {}",
            all.len(),
            own.tbs_certificate.issuer,
            trusted.display()
        )),
    }
}

/// Writes a certificate where it does not lie yet. Others never see a part of it.
fn put(file: &Path, der: &[u8]) -> io::Result<()> {
    if fs::read(file).is_ok_and(|there| there == der) {
        return Ok(());
    }
    let part = file.with_extension("part");
    fs::write(&part, der)?;
    fs::rename(part, file)
}
