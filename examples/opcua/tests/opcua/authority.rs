//! Certificates as the authority of a plant issues them.

use std::{fs, net::Ipv4Addr, path::Path, sync::OnceLock};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use ua::crypto::PrivateKey;

use crate::Outcome;

/// Keys of RSA take a second each, so that all tests share them.
static KEYS: OnceLock<[Vec<u8>; 3]> = OnceLock::new();

/// Whose key it is.
#[derive(Clone, Copy)]
enum Owner {
    Root,
    Intermediate,
    Server,
}

/// Who issues certificates.
pub(crate) struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// One that nobody has issued.
    pub(crate) fn root() -> Outcome<Self> {
        let (key, params) = (key(Owner::Root)?, authority("Factory Root"));
        Ok(Self { certificate: params.self_signed(&key)?, issuer: Issuer::new(params, key) })
    }

    /// One that this one has issued.
    pub(crate) fn intermediate(&self) -> Outcome<Self> {
        let (key, params) = (key(Owner::Intermediate)?, authority("Factory Line 1"));
        Ok(Self { certificate: params.signed_by(&key, &self.issuer)?, issuer: Issuer::new(params, key) })
    }

    /// A certificate for a server at this address, until the beginning of this year.
    pub(crate) fn issue(&self, address: Ipv4Addr, until: i32) -> Outcome<Certificate> {
        let mut params = named("server");
        params.subject_alt_names =
            vec![SanType::URI("urn:factory:server".try_into()?), SanType::IpAddress(address.into())];
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::ContentCommitment,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::DataEncipherment,
        ];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.is_ca = IsCa::ExplicitNoCa;
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        Ok(params.signed_by(&key(Owner::Server)?, &self.issuer)?)
    }

    /// Puts its certificate into a folder.
    pub(crate) fn admit(&self, folder: &Path) -> Outcome {
        Ok(fs::write(folder.join("authority.pem"), self.certificate.pem())?)
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }
}

/// The key of servers.
pub(crate) fn server_key() -> Outcome<String> {
    Ok(key(Owner::Server)?.serialize_pem())
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn key(owner: Owner) -> Outcome<KeyPair> {
    let make = || PrivateKey::new(2048).unwrap().to_der().unwrap().as_bytes().to_vec();
    let keys = KEYS.get_or_init(|| [make(), make(), make()]);
    Ok(KeyPair::try_from(keys[owner as usize].as_slice())?)
}
