//! Visitors that are written for KubeEdge's mapper in Go.

use super::{Manifest, Mistake, READABLE, names_own};
use crate::{
    codec::{Codec, Go, Layout, Order, Word},
    plan::Table,
};

impl Manifest {
    /// Whether it is written for the Go mapper.
    pub(super) fn is_go(&self) -> bool {
        // `string` and `bytes` are types of this mapper's, too.
        let is_its_word = self.kind.as_deref().is_some_and(|kind| !names_own(kind) && Word::parse(kind).is_some());
        self.said_of_go().is_some() || is_its_word
    }

    /// A key of the Go mapper's that is written.
    fn said_of_go(&self) -> Option<&'static str> {
        let keys = [
            ("limit", self.limit.is_some()),
            ("isSwap", self.is_swap.is_some()),
            ("isRegisterSwap", self.is_register_swap.is_some()),
        ];
        keys.into_iter().find(|(_, is_said)| *is_said).map(|(key, _)| key)
    }

    pub(super) fn go(&self, table: Table) -> Result<Codec, Mistake> {
        if let Some(field) = self.said(&["type", "scale"]) {
            return Err(Mistake::Idle { field, kind: "a property of the Go mapper" });
        }
        if !matches!(table, Table::Coil | Table::DiscreteInput | Table::HoldingRegister | Table::InputRegister) {
            let field = self.said_of_go().unwrap_or("dataType");
            return Err(Mistake::Idle { field, kind: "what the Go mapper does not know" });
        }
        let word = match &self.kind {
            None => None,
            Some(kind) => {
                Some(Word::parse(kind).ok_or_else(|| match self.said_of_go().filter(|_| names_own(kind)) {
                    Some(field) => Mistake::TwoForms { field, kind: kind.clone() },
                    None => Mistake::Type { written: kind.clone() },
                })?)
            }
        };
        let limit = self.limit.ok_or(Mistake::NoLimit)?;
        let holds_bits = table.holds_bits();
        let most = if holds_bits { 8 } else { READABLE };
        if !(1..=most).contains(&limit) {
            return Err(Mistake::Limit { limit, most, register: table });
        }
        let scale = self.scale.unwrap_or(1.0);
        if scale == 0.0 {
            return Err(Mistake::NoScale);
        }
        let order = |is_swapped: Option<bool>| if is_swapped == Some(true) { Order::Little } else { Order::Big };
        let layout = Layout { byte_order: order(self.is_swap), word_order: order(self.is_register_swap) };
        Ok(Codec::Go(Go { word, limit, layout, scale, holds_bits }))
    }
}
