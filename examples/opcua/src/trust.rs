//! Which certificates of servers are trusted: those that lie in the folder for it, and those that an authority there has issued.

use std::{
    fmt, fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use tracing::warn;
use x509_cert::{
    Certificate,
    der::{Decode as _, Reader as _, SliceReader},
    ext::pkix::{BasicConstraints, KeyUsage, SubjectAltName, name::GeneralName},
    name::Name,
};

use crate::certificate::{self, Fault};

/// Why a certificate is not trusted, to be read after `it is not trusted`.
#[derive(Debug)]
pub(crate) enum Untrusted {
    /// It does not lie in the folder, and no authority has issued it.
    Unknown,
    /// Nor does the certificate of its authority.
    UnknownAuthority(Name),
    /// That of its authority does, and is out of date.
    OldAuthority(Name, Fault),
    /// Its authority's does not hold for it.
    Refused(Name, Error),
}

/// The certificates in a folder, in DER and read.
pub(crate) struct Trusted(Vec<(Vec<u8>, Certificate)>);

impl Trusted {
    /// Reads all files in a folder, in DER or PEM. What is no certificate or cannot be read is logged and passed over.
    ///
    /// # Errors
    ///
    /// The folder cannot be listed.
    pub(crate) fn read(folder: &Path) -> io::Result<Self> {
        let mut all = Vec::new();
        for entry in fs::read_dir(folder)? {
            let file = entry?.path();
            if !file.is_file() {
                continue;
            }
            let content = fs::read(&file).map_err(|error| error.to_string());
            match content.and_then(|content| certificates(&content)) {
                Ok(certificates) => all.extend(certificates),
                Err(error) => {
                    warn!(file = %file.display(), error, "no certificate can be read from this file, and nothing is trusted by it");
                }
            }
        }
        Ok(Self(all))
    }

    /// Makes sure that one of these is the certificate itself, or has issued it.
    ///
    /// # Errors
    ///
    /// It is not trusted.
    pub(crate) fn require(&self, der: &[u8], now: SystemTime) -> Result<(), Untrusted> {
        if self.0.iter().any(|(trusted, _)| trusted == der) {
            return Ok(());
        }
        let Ok(read) = Certificate::from_der(der) else { return Err(Untrusted::Unknown) };
        let issuer = read.tbs_certificate.issuer;
        if issuer == read.tbs_certificate.subject {
            return Err(Untrusted::Unknown);
        }
        match self.verify(der, now) {
            Ok(()) => Ok(()),
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Err(self.unknown(issuer, now)),
            Err(error) => Err(Untrusted::Refused(issuer, error)),
        }
    }

    /// Whether an authority among these has issued it.
    fn verify(&self, der: &[u8], now: SystemTime) -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        for (der, _) in self.authorities().filter(|(_, read)| certificate::check_time(read, now).is_ok()) {
            // One with a key of a kind that is not known here has issued nothing that could be verified.
            drop(roots.add(CertificateDer::from_slice(der)));
        }
        let der = CertificateDer::from_slice(der);
        let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO));
        let algorithms = ring::default_provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&ParsedCertificate::try_from(&der)?, &roots, &[], now, algorithms.all)
    }

    fn unknown(&self, issuer: Name, now: SystemTime) -> Untrusted {
        let mut named = self.authorities().filter(|(_, read)| read.tbs_certificate.subject == issuer);
        match named.find_map(|(_, read)| certificate::check_time(read, now).err()) {
            Some(fault) => Untrusted::OldAuthority(issuer, fault),
            None => Untrusted::UnknownAuthority(issuer),
        }
    }

    /// Those that may issue others. A server's own is none, however much it is trusted: many say that they might, since OpenSSL makes them
    /// so, and each has the URI of its application (OPC UA part 6, 6.2.2), which an authority has not.
    fn authorities(&self) -> impl Iterator<Item = &(Vec<u8>, Certificate)> {
        self.0.iter().filter(|(_, read)| {
            let certificate = &read.tbs_certificate;
            let issues =
                certificate.get::<KeyUsage>().is_ok_and(|it| it.is_none_or(|(_, usage)| usage.key_cert_sign()));
            let is_ca =
                certificate.get::<BasicConstraints>().is_ok_and(|it| it.is_some_and(|(_, constraints)| constraints.ca));
            let is_application = |names: &SubjectAltName| {
                names.0.iter().any(|name| matches!(name, GeneralName::UniformResourceIdentifier(_)))
            };
            let names = certificate.get::<SubjectAltName>();
            let is_nobodys = names.is_ok_and(|it| it.is_none_or(|(_, names)| !is_application(&names)));
            issues && is_ca && is_nobodys
        })
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => Ok(()),
            Self::UnknownAuthority(issuer) => write!(f, ", nor is its authority, {issuer}"),
            Self::OldAuthority(issuer, fault) => write!(f, ", and that of its authority, {issuer}, {fault}"),
            Self::Refused(issuer, error) => {
                write!(f, ", and that of its authority, {issuer}, does not hold for it ({error})")
            }
        }
    }
}

/// The certificates in a file.
fn certificates(content: &[u8]) -> Result<Vec<(Vec<u8>, Certificate)>, String> {
    if !content.starts_with(b"\x30") {
        let pem = CertificateDer::pem_slice_iter(content).collect::<Result<Vec<_>, _>>();
        let pem = pem.map_err(|error| error.to_string())?;
        let pem = pem.iter().map(|der| Ok((der.to_vec(), Certificate::from_der(der)?)));
        let pem: Vec<_> = pem.collect::<Result<_, x509_cert::der::Error>>().map_err(|error| error.to_string())?;
        return if pem.is_empty() { Err("it has none".to_owned()) } else { Ok(pem) };
    }
    let chain = split(content).map_err(|error| error.to_string())?;
    Ok(chain.into_iter().map(|(der, read)| (der.to_vec(), read)).collect())
}

/// The certificates of a chain, one after the other in DER: first the server's own, then those of its authorities.
///
/// # Errors
///
/// It is none.
pub(crate) fn split(chain: &[u8]) -> Result<Vec<(&[u8], Certificate)>, x509_cert::der::Error> {
    let (mut rest, mut all) = (chain, Vec::new());
    while !rest.is_empty() {
        let mut reader = SliceReader::new(rest)?;
        let read = Certificate::decode(&mut reader)?;
        let (der, more) = rest.split_at(usize::try_from(reader.position())?);
        all.push((der, read));
        rest = more;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints as Constraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
    };

    use super::*;

    /// Whose certificate it is, and whether that is an authority.
    fn params(name: &str, is_ca: IsCa) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        params.is_ca = is_ca;
        params
    }

    fn root() -> IsCa {
        IsCa::Ca(Constraints::Unconstrained)
    }

    /// A folder with a certificate for each of these, and what the last one has issued for a server.
    fn issued_by_the_last(trusted: Vec<CertificateParams>) -> (Trusted, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let mut issued = Vec::new();
        for (number, params) in trusted.into_iter().enumerate() {
            let (key, server) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
            fs::write(folder.path().join(format!("{number}.crt")), params.self_signed(&key).unwrap().pem()).unwrap();
            let issuer = Issuer::new(params, key);
            issued = self::params("server", IsCa::ExplicitNoCa).signed_by(&server, &issuer).unwrap().der().to_vec();
        }
        (Trusted::read(folder.path()).unwrap(), issued)
    }

    fn why(trusted: &Trusted, der: &[u8]) -> String {
        trusted.require(der, SystemTime::now()).unwrap_err().to_string()
    }

    #[test]
    fn what_an_authority_has_issued_is_trusted() {
        let (trusted, issued) = issued_by_the_last(vec![params("root", root())]);
        assert!(trusted.require(&issued, SystemTime::now()).is_ok());
    }

    #[test]
    fn a_trusted_server_is_no_authority() {
        let (trusted, issued) = issued_by_the_last(vec![params("other server", IsCa::ExplicitNoCa)]);
        assert_eq!(why(&trusted, &issued), ", nor is its authority, CN=other server");
        // As OpenSSL makes one for an application unless it is asked not to.
        let mut both = params("other", root());
        both.key_usages = Vec::new();
        both.subject_alt_names = vec![SanType::URI("urn:plant:other".try_into().unwrap())];
        let (trusted, issued) = issued_by_the_last(vec![both]);
        assert_eq!(why(&trusted, &issued), ", nor is its authority, CN=other");
        let mut unsigning = params("other", root());
        unsigning.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let (trusted, issued) = issued_by_the_last(vec![unsigning]);
        assert_eq!(why(&trusted, &issued), ", nor is its authority, CN=other");
    }

    #[test]
    fn an_authority_that_is_out_of_date_or_only_has_the_name_holds_for_nothing() {
        let mut old = params("root", root());
        old.not_after = rcgen::date_time_ymd(2021, 1, 1);
        let (trusted, issued) = issued_by_the_last(vec![old]);
        let expected = ", and that of its authority, CN=root, was valid until 2021-01-01T00:00:00Z: ";
        assert!(why(&trusted, &issued).starts_with(expected), "{}", why(&trusted, &issued));
        let (_, issued) = issued_by_the_last(vec![params("root", root())]);
        let (trusted, _) = issued_by_the_last(vec![params("root", root())]);
        let expected = ", and that of its authority, CN=root, does not hold for it (";
        assert!(why(&trusted, &issued).starts_with(expected), "{}", why(&trusted, &issued));
        // With another one of the same name beside it, the right one counts.
        let (trusted, issued) = issued_by_the_last(vec![params("root", root()), params("root", root())]);
        assert!(trusted.require(&issued, SystemTime::now()).is_ok());
    }

    #[test]
    fn a_file_that_holds_no_certificate_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let own = params("server", IsCa::ExplicitNoCa).self_signed(&key).unwrap();
        for (name, content) in [("empty", &b""[..]), ("text", b"no certificate"), ("torn.der", &own.der()[..100])] {
            fs::write(folder.path().join(name), content).unwrap();
        }
        fs::write(folder.path().join("own.der"), own.der()).unwrap();
        let trusted = Trusted::read(folder.path()).unwrap();
        assert!(trusted.require(own.der(), SystemTime::now()).is_ok());
        let other = params("server", IsCa::ExplicitNoCa).self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(why(&trusted, other.der()), "");
    }

    #[test]
    fn a_chain_is_split_into_its_certificates() {
        let key = KeyPair::generate().unwrap();
        let [first, second] = ["first", "second"].map(|name| params(name, root()).self_signed(&key).unwrap());
        let chain = [&first.der()[..], &second.der()[..]].concat();
        let split = split(&chain).unwrap();
        assert_eq!(split.iter().map(|(der, _)| *der).collect::<Vec<_>>(), [&first.der()[..], &second.der()[..]]);
        assert!(super::split(&chain[..chain.len() - 1]).is_err());
    }
}
