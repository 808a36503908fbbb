//! What a decay does to rows that a step's gradient has not touched.

use super::{Anchor, Penalty, Place, Strength};
use crate::error::{Error, Result};

/// What a decay does to a row that a step has not touched: a slice along the first axis whose gradients
/// are all 0, such as the rows of an embedding whose words a batch does not contain.
///
/// Only the decay is withheld: the optimizer itself acts as always, so momentum that is left goes on
/// moving the row. The gradients are those that the optimizer sees, after the gradient factor and
/// clipping; −0 is 0, a NaN is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Untouched {
    /// It decays like the others, as in PyTorch's optimizers of dense gradients: a rare word shrinks
    /// as often as a frequent one.
    #[default]
    Decay,
    /// It does not decay in this step, nor later for it: a rare word shrinks as rarely as it learns.
    Stay,
    /// It decays later: when a step touches it again it loses 1 − Π(1 − s_j), over this step and all that it
    /// has missed; between, only the update moves it. [`catch_up`](crate::Optimizer::catch_up) has all rows
    /// pay what they owe.
    CatchUp,
}

/// What is not usual, by its word.
const WORDS: [(&str, Untouched); 2] = [("stay", Untouched::Stay), ("catch-up", Untouched::CatchUp)];

impl Untouched {
    /// Returns its word in a text; what is usual has none.
    pub(super) fn word(self) -> Option<&'static str> {
        WORDS.iter().find(|(_, untouched)| *untouched == self).map(|(word, _)| *word)
    }

    /// Reads what stands behind `~` in a text.
    pub(super) fn read(text: &str, word: &str) -> Result<Self> {
        let known = WORDS.iter().find(|(known, _)| *known == word.trim());
        known
            .map(|(_, untouched)| *untouched)
            .ok_or_else(|| Error::parse("decay", text, "`~stay` or `~catch-up`, behind an anchor and before a schedule"))
    }

    /// Returns why there is no such decay, if there is none.
    pub(super) fn refuses(self, penalty: Penalty, place: Place, strength: Strength, anchor: Anchor) -> Option<&'static str> {
        match (place, penalty, anchor) {
            _ if self == Self::Decay => None,
            (Place::Coupled, ..) => Some("coupled decay is part of the gradient, which it leaves 0 in no row; use decoupled"),
            _ if strength.is_law() => {
                Some("a strength that is found for every weight has rows that decay; let untouched rows decay")
            }
            (_, _, Anchor::Average { .. }) => Some("the running average moves on with every row; let untouched rows decay"),
            (Place::Decoupled | Place::Exact, Penalty::L2, _) => None,
            _ => Some("rows that stay or catch up do so with decoupled L2"),
        }
    }
}
