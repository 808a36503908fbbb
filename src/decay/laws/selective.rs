//! Selective projection decay: a parameter that the update takes further from its anchor, where the gradient leads
//! back, is pulled back by what was added (Tian et al., NeurIPS 2024, arXiv 2411.01713, who call it SPD).

use super::{AnyLaw, AtPlace, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::reduce::{Pass, TileSum};
use crate::kernel::{Law, Move, Notes, Whole, descend};

impl Decay {
    /// Makes selective projection decay: where the gradient leads a parameter back to its anchor, and the update
    /// takes it further away all the same, it is pulled back by λ times the part of the distance that was added.
    ///
    /// ```text
    /// y = d − η_t·u,   d ← y − λ·r·y  where ⟨g, d⟩ > 0,   r = max(0, (‖y‖ − ‖d‖)/‖y‖)
    /// ```
    ///
    /// It is meant for fine-tuning, [`towards`](Self::towards)`(Anchor::Start)`; for LoRA towards 0, the default.
    /// λ = 1 takes back all that was added, so that ‖d‖ does not grow there. As in the paper, λ is not multiplied
    /// by the learning rate: its text is `fixed-selective:1`, where `selective:1` is η_t·λ. λ·r is at most 1, where the authors' code would pass the anchor; g is the gradient as
    /// the optimizer sees it, clipped, and theirs is not. A trust ratio scales the update, and r with it, but not λ.
    ///
    /// It looks at each parameter as a whole: one more pass, which makes the update twice. No state but the anchor.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(1.0).weight_decay(Decay::selective(1.0)).build()?;
    /// let mut w = [1.0_f64];
    /// opt.step_slice(&mut w, &[4.0])?;            // to −3, further from 0 than 1 was: back to −1
    /// assert!((w[0] + 1.0).abs() < 1e-15);
    /// opt.step_slice(&mut w, &[4.0])?;            // to −5, where the gradient leads: it stays
    /// assert!((w[0] + 5.0).abs() < 1e-15);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Tian et al., *Rethinking Weight Decay for Robust Fine-Tuning of Foundation Models*, arXiv
    /// 2411.01713.
    #[doc(alias = "SPD")]
    #[must_use]
    pub fn selective(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Selective, Strength::Fixed(lambda))
    }
}

/// After the update, where it leads away and the gradient does not.
pub(super) struct WhereItLeadsAway;

impl AtPlace for WhereItLeadsAway {
    fn word(&self) -> &'static str {
        "selective"
    }

    fn refuses(&self, penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        (penalty != Penalty::L2).then_some("selective decay is defined for L2")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::Selective(Selective { share: share.removed(), lost: 0.0 })
    }
}

impl Effect for Selective<f64> {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { share: change(self.share)?, ..self })
    }

    fn is_nothing(self) -> bool {
        self.share == 0.0
    }

    // The part that a shorter displacement adds is worked out from that: the share of it stays.
    fn times(self, _trust: f64) -> Self {
        self
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Selective(Selective { share: self.share, lost: T::zero() })
    }
}

/// y = d − rate·u,   d ← y − s·r·y  where ⟨g, d⟩ > 0,   r = max(0, (‖y‖ − ‖d‖)/‖y‖), and s·r at most 1
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Selective<T> {
    /// s
    share: f64,
    /// s·r, once the parameter was looked at.
    lost: T,
}

impl<T: Real> Law<T> for Selective<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    fn prepare(self, whole: &mut dyn Whole<T>, _notes: Notes<'_, T>) -> Self {
        let (level, pass) = (whole.level(), Pass::about::<T>(whole.norm()));
        let [mut along, mut before, mut after] = [(); 3].map(|()| TileSum::new());
        whole.moves(&mut |tile| {
            along.add_products(level, tile.g, tile.before, pass);
            before.add_squares(level, tile.before, pass);
            after.add_squares(level, tile.after, pass);
        });
        let added = 1.0 - (before.sum() / after.sum()).sqrt();
        let lost = match along.sum() {
            along if along > 0.0 => (self.share * added).clamp(0.0, 1.0),
            // Of a NaN comes a NaN, as in every law that joins weights.
            along if along.is_nan() => along,
            _ => 0.0,
        };
        Self { lost: T::of(lost), ..self }
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (descend(d, step, rate) * (T::one() - self.lost), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        descend(d, step, rate) * self.lost
    }
}
