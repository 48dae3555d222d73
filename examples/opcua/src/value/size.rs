//! How much memory a value takes.

use ua::types::{Variant, custom::DynamicStructure};

/// About how many bytes a value takes, itself included.
pub(crate) fn size(value: &Variant) -> usize {
    size_of::<Variant>()
        + match value {
            Variant::String(text) => text.as_ref().len(),
            Variant::XmlElement(text) => text.to_string().len(),
            Variant::LocalizedText(text) => text.text.as_ref().len(),
            Variant::ByteString(bytes) => bytes.as_ref().len(),
            Variant::Array(list) => list.values.iter().map(size).sum(),
            Variant::Variant(value) => size(value),
            Variant::ExtensionObject(body) => {
                body.inner_as::<DynamicStructure>().map_or(0, |body| body.values().iter().map(size).sum())
            }
            _ => 0,
        }
}
