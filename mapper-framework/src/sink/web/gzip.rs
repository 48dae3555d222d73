//! Bodies that are compressed on their way.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use reqwest::{RequestBuilder, header::CONTENT_ENCODING};

/// How the body of a request is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Encoding {
    /// As it is.
    Identity,
    /// By gzip, of which a server has to know that it may come.
    Gzip,
}

impl Encoding {
    /// Gzip if the config says so.
    pub(in crate::sink) fn new(gzip: bool) -> Self {
        if gzip { Self::Gzip } else { Self::Identity }
    }

    /// Adds the body to a request.
    pub(in crate::sink) fn body(self, request: RequestBuilder, body: Vec<u8>) -> RequestBuilder {
        match self {
            Self::Identity => request.body(body),
            Self::Gzip => request.header(CONTENT_ENCODING, "gzip").body(gzip(&body)),
        }
    }
}

/// The fastest level: documents of one kind shrink to a tenth by it, and the best one costs many times as much for little more.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).and_then(|()| encoder.finish()).expect("writing to memory does not fail")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn what_is_compressed_is_the_same_again_and_a_fraction_of_it() {
        let body = br#"{"device":"boiler","value":2.5}"#.repeat(100);
        let compressed = gzip(&body);
        assert!(compressed.len() < body.len() / 10, "{} of {}", compressed.len(), body.len());
        let mut again = Vec::new();
        flate2::read::GzDecoder::new(&*compressed).read_to_end(&mut again).unwrap();
        assert_eq!(again, body);
    }
}
