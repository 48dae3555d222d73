//! Where a property stands in its device.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer},
};

use super::{super::reference, Manifest, Mistake, NumberOrText};
use crate::plan::Table;

/// The table that `register` names.
///
/// # Errors
///
/// There is no such table. Some manifests have an address there as manuals write it.
pub(super) fn table<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Table>, D::Error> {
    let Some(written) = Option::<NumberOrText>::deserialize(deserializer)? else { return Ok(None) };
    let name = written.text();
    if reference::parse(&name).is_some() {
        return Err(D::Error::custom(format_args!(
            "`register` is {name}, which is an address as manuals have it: write it to `reference`, and leave out `register` and `address`"
        )));
    }
    Table::deserialize(name.as_str().into_deserializer()).map(Some)
}

impl Manifest {
    /// The table and the address in it.
    pub(super) fn place(&self) -> Result<(Table, u16), Mistake> {
        match (self.table_and_address()?, self.file) {
            ((Table::FileRecord(_), record), Some(file)) => Ok((Table::FileRecord(file), record)),
            ((Table::FileRecord(_), _), None) => Err(Mistake::NoFile),
            ((register, _), Some(_)) => Err(Mistake::FileOf { register }),
            (place, None) => Ok(place),
        }
    }

    fn table_and_address(&self) -> Result<(Table, u16), Mistake> {
        let Some(reference) = &self.reference else {
            let table = self.register.ok_or(Mistake::NoRegister)?;
            return Ok((table, self.address.ok_or(Mistake::NoAddress)?));
        };
        let written = reference.text();
        let Some((table, address)) = reference::parse(&written) else { return Err(Mistake::Reference { written }) };
        if self.address.is_some() {
            return Err(Mistake::TwoPlaces);
        }
        match self.register {
            Some(register) if register != table => Err(Mistake::TwoTables { table, register }),
            _ => Ok((table, address)),
        }
    }
}
