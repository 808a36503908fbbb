//! Decoupled L2 in the rows that a step touches; others stay, or catch up when they are touched again.

use super::{AnyLaw, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Untouched};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::column::Extent;
use crate::kernel::{Law, Move, Notes, Whole};

impl Decay {
    /// Says what becomes of rows that a step's gradient has not touched, as of an embedding whose words a
    /// batch does not contain; see [`Untouched`]. For decoupled L2, also in the exact order, whose order
    /// of operations both have in rows that decay: x ← x − (η_t·u + s_row·d). Rows that do not decay get the
    /// update without decay, by the bit.
    ///
    /// It needs the shape of a parameter, and a look at its gradients before the step. Rows that catch up
    /// keep one number each, `owed` = −Σ ln(1 − s_j) over the steps they have missed, in the weights'
    /// type: small shares add up as they are, where 1 − s_j would lose them (in `f32`, after n missed
    /// steps, to about n·6e-8 of the sum, and no longer once a share is below 6e-8 of it). Missed are steps
    /// in which the parameter has a gradient and is not frozen, and no others. What is owed is kept in a
    /// [state](crate::state), and forgotten where the parameter is
    /// [moved](crate::Optimizer::assign) to a group without catching up.
    ///
    /// Under a trust ratio ([`Lamb`](crate::Lamb)) the share of each missed step is the one that it had
    /// then. Towards a lent anchor, what is owed is paid towards the one that is lent at last. Weights under
    /// a [mask](crate::Param::undecayed) pay nothing; what their row owes is counted and crossed off with it.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd, Untouched};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::decoupled(0.5).untouched(Untouched::CatchUp)).build()?;
    /// let mut w = [1.0_f64, 1.0, 1.0];
    /// for grad in [[0.0, 0.5, 0.0], [0.5, 0.0, 0.0]] {
    ///     opt.step(&mut [Param::new("embed", &mut w, &grad).shape(&[3, 1])])?;
    /// }
    /// assert!((w[0] - (0.75 * 0.75 - 0.25)).abs() < 1e-15);     // two shares of ¼, then the update
    /// assert_eq!(w[1..], [0.5, 1.0]);
    /// opt.catch_up(&mut [Param::without_grad("embed", &mut w).shape(&[3, 1])])?;
    /// assert!((w[1] - 0.5 * 0.75).abs() < 1e-15 && (w[2] - 0.75 * 0.75).abs() < 1e-15);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "sparse")]
    #[doc(alias = "lazy")]
    #[must_use]
    pub fn untouched(mut self, rows: Untouched) -> Self {
        self.untouched = rows;
        self
    }
}

/// Returns what a share amounts to where rows may stay or catch up.
pub(in crate::decay) fn effect(share: ShrinkFraction, untouched: Untouched) -> StepDecay {
    StepDecay::Touched(Amounts { share: share.removed(), untouched })
}

/// The share that is removed from a row that is touched and owes nothing, and what becomes of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    share: f64,
    untouched: Untouched,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { share: change(self.share)?, ..self })
    }

    /// What is owed stays owed in a step without decay.
    fn is_nothing(self) -> bool {
        self.share == 0.0 && self.untouched != Untouched::CatchUp
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share * trust, ..self }
    }

    fn share(self) -> f64 {
        self.share
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Touched(self)
    }
}

impl Amounts {
    /// Returns the share that a row loses in this step, and what it owes after it.
    fn of_row<T: Real>(self, is_touched: bool, owed: T) -> (T, T) {
        // −ln(1 − s), for a share that a trust ratio may have made larger than all.
        let due = -(-self.share.min(1.0 - T::EPS)).ln_1p();
        match is_touched {
            false => (T::zero(), T::of(owed.widen() + due)),
            // With the digits of s, which its logarithm may not give back.
            true if owed == T::zero() => (T::of(self.share), owed),
            true => (paid(owed.widen() + due), T::zero()),
        }
    }
}

/// Returns the share of a row that pays what it owes, 1 − e^(−owed). Nothing is owed by less than 0, which
/// only a state may say.
pub(crate) fn paid<T: Real>(owed: f64) -> T {
    T::of(-(-owed.max(0.0)).exp_m1())
}

/// d ← d − (rate·u + s_row·d), where s_row is 0 in rows that the step does not touch
impl<T: Real> Law<T> for Amounts {
    type Columns = [T; 1];
    const SETTLES: bool = true;
    const LOOKS: bool = true;
    const RESTS: bool = true;

    /// Works out the share of each row.
    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        let shares = notes.beside;
        mark_touched(whole, shares);
        let of_row = |touched: T, owed| self.of_row(touched != T::zero(), owed);
        if self.untouched == Untouched::CatchUp {
            shares.iter_mut().zip(notes.kept).for_each(|(share, owed)| (*share, *owed) = of_row(*share, *owed));
        } else {
            shares.iter_mut().for_each(|share| (*share, _) = of_row(*share, T::zero()));
        }
        self
    }

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, [share]: [T; 1]) -> (T, [T; 1]) {
        (d - step.u.mul_add(rate, share * d), [share])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, _step: Move<T>, _rate: T, [share]: [T; 1]) -> T {
        share * d
    }
}

/// Writes 1 for each row with a gradient that is not 0, and 0 for others.
fn mark_touched<T: Real>(whole: &mut dyn Whole<T>, rows: &mut [T]) {
    rows.fill(T::zero());
    let (n, mut at) = (whole.of().len(Extent::Weights) / rows.len().max(1), 0);
    whole.gradients(&mut |tile| {
        let mut rest = tile;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(n - at % n));
            if now.iter().any(|g| *g != T::zero()) {
                rows.iter_mut().skip(at / n).take(1).for_each(|row| *row = T::one());
            }
            (rest, at) = (later, at + now.len());
        }
    });
}
