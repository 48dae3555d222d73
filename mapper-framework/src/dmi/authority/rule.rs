//! What takes the place of an authority.

use std::borrow::Cow;

use tonic::codegen::http::uri::Authority;

use super::AuthorityError;

/// A replacement of authority values by others of the same length.
#[derive(Debug)]
pub(super) enum Rule {
    Sanitise,
    Substitute { placeholder: Box<[u8]>, raw: Box<[u8]> },
}

impl Rule {
    pub(super) fn substitute(placeholder: &str, raw: &str) -> Result<Self, AuthorityError> {
        if placeholder.len() != raw.len() {
            return Err(AuthorityError::UnequalLength);
        }
        Ok(Self::Substitute { placeholder: placeholder.as_bytes().into(), raw: raw.as_bytes().into() })
    }

    /// What takes the place of `value`, of the same length, or nothing where it may stay.
    pub(super) fn replacement(&self, value: &[u8]) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Sanitise => sanitised(value).map(Cow::Owned),
            Self::Substitute { placeholder, raw } => (*value == **placeholder).then_some(Cow::Borrowed(raw)),
        }
    }
}

/// The legal authority that stands for `raw` on the near side of a [`SubstitutingStream`](super::SubstitutingStream).
pub(crate) fn placeholder(raw: &str) -> String {
    // A legal character is one byte, so an illegal one of n bytes makes n dashes.
    let bytes = sanitised(raw.as_bytes()).unwrap_or_else(|| raw.as_bytes().to_vec());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Asks the very check that `h2` makes, so the two cannot disagree.
fn sanitised(value: &[u8]) -> Option<Vec<u8>> {
    if value.is_empty() || Authority::try_from(value).is_ok() {
        return None;
    }
    Some(value.iter().map(|&byte| if is_legal_anywhere(byte) { byte } else { b'-' }).collect())
}

/// The bytes of a registered name but `%` (RFC 3986, section 3.2.2): the others are legal in certain places only.
fn is_legal_anywhere(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sanitise(value: &str) -> Option<String> {
        sanitised(value.as_bytes()).map(|bytes| String::from_utf8(bytes).expect("ASCII"))
    }

    #[test]
    fn the_authorities_of_edgecore_become_legal() {
        assert_eq!(sanitise("/etc/kubeedge/x.sock").as_deref(), Some("-etc-kubeedge-x.sock"));
        assert_eq!(sanitise("%2Fetc%2Fkubeedge%2Fx.sock").as_deref(), Some("-2Fetc-2Fkubeedge-2Fx.sock"));
    }

    #[test]
    fn a_legal_authority_stays() {
        for legal in ["localhost", "127.0.0.1:50051", "[fe80::1%25eth0]:80", "user%2f@host", "a_b~c"] {
            assert_eq!(sanitise(legal), None, "{legal}");
        }
    }

    #[test]
    fn what_is_legal_only_elsewhere_is_replaced() {
        for (illegal, legal) in
            [("a:b:c", "a-b-c"), ("host@", "host-"), ("]x[", "-x-"), ("a%20b", "a-20b"), ("ü", "--")]
        {
            assert_eq!(sanitise(illegal).as_deref(), Some(legal), "{illegal}");
        }
    }

    #[test]
    fn an_empty_authority_is_left_to_h2() {
        assert_eq!(sanitise(""), None);
    }

    #[test]
    fn only_the_placeholder_is_substituted() {
        let rule = Rule::substitute("-x.sock", "/x.sock").expect("of one length");
        assert_eq!(rule.replacement(b"-x.sock").as_deref(), Some(&b"/x.sock"[..]));
        assert_eq!(rule.replacement(b"-y.sock"), None);
    }

    #[test]
    fn a_substitute_of_another_length_is_refused() {
        assert_eq!(Rule::substitute("ab", "abc").err(), Some(AuthorityError::UnequalLength));
    }

    proptest! {
        #[test]
        fn each_sanitised_value_is_an_authority_of_the_same_length(value in prop::collection::vec(any::<u8>(), 1..80)) {
            let replaced = sanitised(&value);
            let legal = replaced.as_deref().unwrap_or(&value);
            prop_assert!(Authority::try_from(legal).is_ok());
            prop_assert_eq!(legal.len(), value.len());
        }

        #[test]
        fn only_an_illegal_value_is_touched(value in "[a-z0-9:@/%?#\\[\\]]{1,12}") {
            let illegal = Authority::try_from(value.as_str()).is_err();
            prop_assert_eq!(sanitised(value.as_bytes()).is_some(), illegal);
        }

        #[test]
        fn a_placeholder_is_an_authority_of_the_same_length(raw in ".{1,40}") {
            let placeholder = placeholder(&raw);
            prop_assert!(Authority::try_from(placeholder.as_str()).is_ok());
            prop_assert_eq!(placeholder.len(), raw.len());
        }
    }
}
