//! What the parts of a decay come to together: what it keeps and needs, what there is not, and its amounts in a
//! step.

use super::laws::{self, Afterwards, StepDecay};
use super::{Anchor, Average, Decay, Penalty, Place, Rates, ShrinkFraction, Slices, Strength, Tuning, Untouched};
use crate::error::{Error, Result};
use crate::kernel::column::{Column, Extent, Matrices, Start};
use crate::schedule::Schedule;

impl Decay {
    /// Returns the columns that the decay keeps for a parameter, which begin when the parameter is first
    /// seen: what it pulls towards, what its strength is found by, and what rows owe.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let of_weights = |name| Column { name, extent: Extent::Weights, start: Start::Weights };
        let mut columns = match self.anchor() {
            Anchor::Origin | Anchor::Given => Vec::new(),
            Anchor::Start => vec![of_weights("anchor")],
            Anchor::Average { .. } => vec![of_weights("running_average")],
        };
        columns.extend(match self.strength {
            Strength::Cpr { kappa, .. } => laws::columns_of_constraint(kappa, Afterwards::Kept),
            Strength::AdaCpr { kappa, .. } => laws::columns_of_constraint(kappa, Afterwards::Tightened),
            Strength::Tuned { .. } => vec![Column::zeros(SENSITIVITY)],
            _ => Vec::new(),
        });
        columns.extend(match self.penalty {
            Penalty::StartNorm { .. } => Some(Column { name: "start_norm", extent: Extent::One, start: Start::Norm }),
            Penalty::Spectral { .. } => Some(Column { name: "singular_vector", extent: Extent::Columns, start: Start::Uneven }),
            _ => None,
        });
        let owed = Column { name: OWED, extent: Extent::First, start: Start::Value(0.0) };
        columns.extend((self.of_untouched() == Untouched::CatchUp).then_some(owed));
        columns
    }

    /// Returns the columns of one step only that the law works out when it looks at a whole parameter.
    pub(crate) fn work(&self) -> Vec<Extent> {
        match self.penalty {
            Penalty::GroupLasso { over } => vec![over.extent()],
            Penalty::Spectral { .. } => vec![Extent::Rows, Extent::Columns],
            _ if self.of_untouched() != Untouched::Decay => vec![Extent::First],
            _ => Vec::new(),
        }
    }

    /// Returns what the decay was made from.
    pub(crate) fn parts(&self) -> (Penalty, Place, Strength) {
        (self.penalty, self.place, self.strength)
    }

    /// Returns what the decay pulls towards; a decay without strength pulls towards
    /// nothing else than 0.
    pub(crate) fn anchor(&self) -> Anchor {
        if self.strength == Strength::None { Anchor::Origin } else { self.anchor }
    }

    /// Returns what it does to rows that a step has not touched.
    pub(crate) fn of_untouched(&self) -> Untouched {
        if self.strength == Strength::None { Untouched::Decay } else { self.untouched }
    }

    /// Returns whether the strength is divided by the peak learning rate.
    pub(crate) fn needs_peak(&self) -> bool {
        self.strength.needs_peak()
    }

    /// Returns whether the decay looks at rows or columns, and so needs the shape.
    pub(crate) fn needs_shape(&self) -> bool {
        let of_slices = matches!(self.penalty, Penalty::GroupLasso { over: Slices::Rows | Slices::Columns });
        let of_sets = matches!(self.penalty, Penalty::FanBox { .. } | Penalty::Spectral { .. });
        of_slices || of_sets || self.of_untouched() != Untouched::Decay
    }

    /// Returns what the decay needs where it cannot act on a parameter of these axes.
    pub(crate) fn refuses(&self, of: Matrices) -> Option<&'static str> {
        match self.penalty {
            _ if of.rank > 1 => None,
            Penalty::Spectral { .. } => Some("a shape of two axes or more"),
            Penalty::GroupLasso { over: Slices::Columns } => Some("a second axis"),
            _ => None,
        }
    }

    /// Returns whether the group remembers what the strength has found.
    pub(crate) fn is_remembered(&self) -> bool {
        self.strength.is_remembered()
    }

    /// Returns whether the strength is measured in the group's second moments.
    pub(crate) fn is_stable(&self) -> bool {
        matches!(self.strength, Strength::Stable(_))
    }

    /// Returns how the strength follows a validation loss, if it does.
    pub(crate) fn tuning(&self) -> Option<Tuning> {
        if let Strength::Tuned { by, .. } = self.strength { Some(by) } else { None }
    }

    /// Returns what the group has found before its first step.
    pub(crate) fn start(&self) -> Average {
        if let Strength::Tuned { lambda, .. } = self.strength { Average::of(lambda) } else { Average::default() }
    }

    /// Returns λ where the strength follows the group's norms.
    pub(crate) fn adaptive_lambda(&self) -> Option<f64> {
        self.strength.adaptive_lambda()
    }

    /// Returns the schedule of the strength.
    pub(crate) fn strength_schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Checks that every number is in range, and that the combination exists.
    pub(crate) fn check(&self) -> Result<()> {
        self.schedule.check()?;
        laws::check_anchor(self.anchor)?;
        self.place.check()?;
        self.penalty.check()?;
        self.strength.check()?;
        match self.missing() {
            Some(reason) if self.strength != Strength::None => Err(Error::NoSuchDecay { decay: self.to_string(), reason }),
            _ => Ok(()),
        }
    }

    /// Returns why this combination of penalty, place, strength and anchor does not
    /// exist, if it does not.
    fn missing(&self) -> Option<&'static str> {
        let Self { penalty, place, strength, anchor, untouched, .. } = *self;
        let by_amounts = penalty != Penalty::L2 && !penalty.is_to_a_set();
        let of_shares = || (by_amounts && strength.is_of_shares()).then_some(OF_SHARES);
        let by_strength = || strength.refuses(penalty, place, anchor, &self.schedule);
        let reason = laws::refused_by_anchor(anchor, penalty, place).or_else(by_strength);
        let reason = reason.or_else(|| laws::refused_by_set(anchor, penalty, place, strength));
        let reason = reason.or_else(|| place.refuses(penalty, strength)).or_else(of_shares);
        reason.or_else(|| untouched.refuses(penalty, place, strength, anchor))
    }

    /// Returns what the units say where the schedule stands at `m`.
    pub(crate) fn amount(&self, rates: Rates, m: f64, average: f64) -> ShrinkFraction {
        self.strength.share(self.place, rates, m, average)
    }

    /// Returns what the decay amounts to where its schedule stands at `m`; `average` is what the group
    /// has found, where the strength depends on that.
    pub(crate) fn in_step(&self, rates: Rates, m: f64, average: f64) -> StepDecay {
        let share = self.amount(rates, m, average);
        match (self.strength, self.of_untouched()) {
            (Strength::Cpr { mu, kappa }, _) => laws::constrained(mu, kappa, Afterwards::Kept),
            (Strength::AdaCpr { mu, kappa }, _) => laws::constrained(mu, kappa, Afterwards::Tightened),
            (Strength::Tuned { .. }, _) => laws::tuned(self.place, share),
            // Rows that owe something pay it in a step without decay too.
            (_, Untouched::CatchUp) => laws::in_touched_rows(share, Untouched::CatchUp),
            // Before a place is asked, so that a decay of 0 has the bits of a run without decay.
            _ if share.removed() == 0.0 => StepDecay::default(),
            (_, Untouched::Stay) => laws::in_touched_rows(share, Untouched::Stay),
            (_, Untouched::Decay) => self.place.effect(self.penalty, share),
        }
    }
}

const OF_SHARES: &str = "a timescale or half-life is a share of the weight, and L1 removes an amount; use independent or fixed";

/// The column of how far a weight would be from where it is at a larger λ.
pub(crate) const SENSITIVITY: &str = "sensitivity";

/// The name of the column of what rows owe that are to catch up.
pub(crate) const OWED: &str = "owed";
