//! Visitors that are written for KubeEdge's mapper in Go.

use super::{Kind, Manifest, Mistake, READABLE};
use crate::{
    codec::{Codec, Go, Layout, Order, Word},
    plan::Table,
};

impl Manifest {
    /// Whether it is written for the Go mapper.
    pub(super) fn is_go(&self) -> bool {
        // `string` and `bytes` are types of this mapper's, too.
        let is_its_word =
            self.kind.as_deref().is_some_and(|kind| Kind::parse(kind).is_none() && Word::parse(kind).is_some());
        self.go_key().is_some() || is_its_word
    }

    /// A key of the Go mapper's that is written.
    fn go_key(&self) -> Option<&'static str> {
        let keys = [
            ("limit", self.limit.is_some()),
            ("isSwap", self.is_swap.is_some()),
            ("isRegisterSwap", self.is_register_swap.is_some()),
        ];
        keys.into_iter().find(|(_, is_written)| *is_written).map(|(key, _)| key)
    }

    /// The thresholds of KubeEdge's temperature sensor, which only its own visitors have.
    pub(super) fn thresholds(&self) -> Result<Vec<(&'static str, f64)>, Mistake> {
        let written = [("min", self.min), ("max", self.max)];
        let thresholds: Vec<_> = written.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        match thresholds.first() {
            Some((field, _)) if !self.is_go() => Err(Mistake::Threshold { field }),
            _ => Ok(thresholds),
        }
    }

    pub(super) fn go(&self, table: Table) -> Result<Codec, Mistake> {
        if let Some(field) = self.form_key_besides(&["type", "scale"]) {
            return Err(Mistake::Pointless { field, kind: "a property of the Go mapper" });
        }
        if !matches!(table, Table::Coil | Table::DiscreteInput | Table::HoldingRegister | Table::InputRegister) {
            let field = self.go_key().unwrap_or("dataType");
            return Err(Mistake::Pointless { field, kind: "what the Go mapper does not know" });
        }
        let word = match &self.kind {
            None => None,
            Some(kind) => {
                Some(Word::parse(kind).ok_or_else(|| match self.go_key().filter(|_| Kind::parse(kind).is_some()) {
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
