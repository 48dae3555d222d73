//! A certificate for a server on the loopback interface.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A certificate for `127.0.0.1`, `localhost`, and `0.0.0.0` where that stands for another machine, signed by itself: the server's, what its clients trust, and what they identify
/// themselves by, all in one.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate, in PEM form.
    pub cert_file: PathBuf,
    /// The key to it, in PEM form.
    pub key_file: PathBuf,
}

impl Certificate {
    /// Makes one in this folder.
    ///
    /// # Panics
    ///
    /// If the files cannot be written.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let names = ["127.0.0.1", "localhost", "0.0.0.0"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate can be made");
        let files = Self { cert_file: folder.join("server.crt"), key_file: folder.join("server.key") };
        fs::write(&files.cert_file, made.cert.pem()).expect("the certificate can be written");
        fs::write(&files.key_file, made.signing_key.serialize_pem()).expect("the key can be written");
        files
    }
}
