//! Constrained parameter regularization (CPR): a strength of each parameter that keeps the mean of its
//! squares within a bound (Franke, Hefenbrock, Koehler & Hutter, NeurIPS 2024, arXiv 2311.09058).

use super::exact::Exact;
use super::{AnyLaw, Effect, StepDecay};
use crate::decay::{Anchor, Decay, Kappa, Penalty, Place, Strength};
use crate::float::Real;
use crate::kernel::column::{Column, Extent, Start};
use crate::kernel::{Law, Move, Notes, Whole};

impl Decay {
    /// Makes constrained parameter regularization (CPR) with μ = 1: each parameter has a bound κ on
    /// R, the mean of its d², and a strength λ that rises while R is above and falls while it is
    /// below.
    ///
    /// ```text
    /// λ ← max(0, λ + μ·(R − κ))          from λ = 0, with R before the update
    /// d ← d − (η_t·u + s·d)              s = min(2λ, 1 − ε): no learning rate acts on it
    /// ```
    ///
    /// At rest with λ > 0, R is κ. The rest is stable while μ·κ < 1 − s/2 (the paper's κ are 0.16 at
    /// most): a larger bound needs a smaller μ, or R swings around it. Where λ is 0 no bit differs from a run without decay. [`Kappa`] says
    /// where κ comes from; [`Strength::AdaCpr`] lowers it whenever λ comes back to 0. It is meant for
    /// weight matrices: give biases and gains no decay
    /// ([`Selector::vectors`](crate::Selector::vectors)).
    ///
    /// | number | default | allowed | else |
    /// |---|---|---|---|
    /// | μ | 1 | finite, ≥ 0; in the paper 0.01 to 10 make no difference | [`OutOfRange`](crate::Error::OutOfRange) |
    /// | κ | – | see [`Kappa`] | see there |
    /// | a schedule | none | none | [`NoSuchDecay`](crate::Error::NoSuchDecay) |
    ///
    /// It keeps up to six numbers of each parameter: `lambda`; where κ is not a constant `kappa`,
    /// `kappa_is_set` (0 or 1) and `updates`; for the inflection point `last_mean` and `last_change`.
    /// A step reads the weights once more.
    ///
    /// # Differences
    ///
    /// * The share is held below 1, where the paper's 2λ may turn weights round. R, λ and κ are held
    ///   within the numbers of the weights' type.
    /// * The authors' `pytorch-cpr` has R after the update, and sums where the paper has means. Its
    ///   inflection point is looked for in a running average of R, at every step.
    ///
    /// ```
    /// use wane::{Decay, Kappa, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::cpr(Kappa::Constant(0.5))).build()?;
    /// let mut w = [3.0_f64, 4.0];
    /// opt.step_slice(&mut w, &[0.0, 0.0])?;
    /// assert_eq!(opt.state("(slice)", "lambda"), Some(&[12.0][..]));      // R = 12.5
    /// for _ in 0..1000 {
    ///     opt.step_slice(&mut w, &[-1.0, -1.0])?;
    /// }
    /// assert!((w[0] * w[0] + w[1] * w[1] - 1.0).abs() < 1e-6);             // held at the bound
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Franke, Hefenbrock, Koehler & Hutter, *Improving Deep Learning Optimization through Constrained Parameter
    /// Regularization*, NeurIPS 2024, arXiv 2311.09058.
    #[doc(alias = "CPR")]
    #[doc(alias = "AdamCPR")]
    #[must_use]
    pub fn cpr(kappa: Kappa) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Cpr { mu: 1.0, kappa })
    }
}

/// What becomes of the bound once λ is back at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decay) enum Afterwards {
    Kept,
    /// It is what the parameter has then.
    Tightened,
}

/// Returns the columns of a constraint, of one number each.
pub(in crate::decay) fn columns(kappa: Kappa, afterwards: Afterwards) -> Vec<Column> {
    let names = match kappa {
        Kappa::Constant(_) if afterwards == Afterwards::Kept => 1,
        Kappa::Constant(_) | Kappa::Initial { .. } | Kappa::WarmStart { .. } => 4,
        Kappa::Inflection { .. } => 6,
    };
    let of_one = |name| Column { name, extent: Extent::One, start: Start::Value(0.0) };
    NAMES.into_iter().take(names).map(of_one).collect()
}

/// Returns what CPR amounts to.
pub(in crate::decay) fn effect(mu: f64, kappa: Kappa, afterwards: Afterwards) -> StepDecay {
    StepDecay::Constrained(Amounts { mu, kappa, afterwards, trust: 1.0 })
}

/// A bound, and how fast the strength follows it. The share is that of a parameter, once it was
/// looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    mu: f64,
    kappa: Kappa,
    afterwards: Afterwards,
    /// A factor on the share.
    trust: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("μ", self.mu)]
    }

    fn times(self, trust: f64) -> Self {
        Self { trust: self.trust * trust, ..self }
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Constrained(Constrained { amounts: self, pull: Exact::new(0.0) })
    }
}

/// What is kept of a parameter, by the names of the columns.
const NAMES: [&str; 6] = ["lambda", "kappa", "kappa_is_set", "updates", "last_mean", "last_change"];

#[derive(Clone, Copy, Debug)]
struct Memory {
    lambda: f64,
    kappa: Option<f64>,
    /// How many updates the parameter has had; for the inflection point at most until the third look.
    updates: f64,
    /// The mean at the last look for the inflection point, and its difference to the one before.
    mean: f64,
    change: f64,
}

impl Memory {
    /// Reads the columns that there are.
    fn read<T: Real>(kept: &[T]) -> Self {
        let mut numbers = [0.0; NAMES.len()];
        numbers.iter_mut().zip(kept).for_each(|(number, kept)| *number = kept.widen());
        let [lambda, kappa, is_set, updates, mean, change] = numbers;
        Self { lambda, kappa: (is_set > 0.0).then_some(kappa), updates, mean, change }
    }

    fn write<T: Real>(self, kept: &mut [T]) {
        let (kappa, is_set) = self.kappa.map_or((0.0, 0.0), |kappa| (kappa, 1.0));
        let numbers = [self.lambda, kappa, is_set, self.updates, self.mean, self.change];
        kept.iter_mut().zip(numbers).for_each(|(kept, number)| *kept = T::of(held::<T>(number)));
    }
}

/// Returns a number that is held within those of the weights' type. A NaN stays one.
fn held<T: Real>(number: f64) -> f64 {
    number.clamp(-T::LARGEST, T::LARGEST)
}

impl Amounts {
    /// Returns what is kept after an update of weights with this mean of squares.
    fn after(&self, last: Memory, mean: f64) -> Memory {
        let kappa = last.kappa.or_else(|| self.known_at(last, mean));
        // A NaN stays one.
        let lambda = kappa.map_or(0.0, |kappa| (last.lambda + self.mu * (mean - kappa)).clamp(0.0, f64::MAX));
        let is_back = lambda == 0.0 && last.lambda > 0.0;
        let kappa = if is_back && self.afterwards == Afterwards::Tightened { kappa.map(|_| mean) } else { kappa };
        let next = Memory { lambda, kappa, ..last };
        match self.kappa {
            Kappa::Inflection { every } => next.looked(every, mean),
            _ => Memory { updates: last.updates + 1.0, ..next },
        }
    }

    /// Returns κ if it is known from this update on.
    #[expect(clippy::cast_precision_loss, reason = "counts up to 2²²")]
    fn known_at(&self, last: Memory, mean: f64) -> Option<f64> {
        match self.kappa {
            Kappa::Constant(kappa) => Some(kappa),
            Kappa::Initial { times } => Some(held::<f64>(times * mean)),
            Kappa::WarmStart { steps } => (last.updates >= steps as f64).then_some(mean),
            Kappa::Inflection { every } => {
                let is_third = last.updates == 2.0 * every as f64;
                (is_third && mean - last.mean < last.change).then_some(mean)
            }
        }
    }
}

impl Memory {
    /// Counts an update, and keeps its mean every so many updates. The third look is followed by
    /// others like it.
    #[expect(clippy::cast_precision_loss, reason = "counts up to 2²²")]
    fn looked(self, every: u64, mean: f64) -> Self {
        let every = every as f64;
        let first = Self { mean, updates: 1.0, ..self };
        match self.updates {
            0.0 => first,
            updates if updates % every == 0.0 => Self { change: mean - self.mean, updates: updates.min(every) + 1.0, ..first },
            updates => Self { updates: updates + 1.0, ..self },
        }
    }
}

/// d ← d − (rate·u + s·d),   s = min(2λ, 1 − ε)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constrained<T> {
    amounts: Amounts,
    pull: Exact<T>,
}

impl<T: Real> Law<T> for Constrained<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const LOOKS: bool = true;

    /// Works out λ, and what is kept of it.
    fn prepare(self, whole: &mut dyn Whole<T>, notes: Notes<'_, T>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a number of weights")]
        let n = whole.of().len(Extent::Weights).max(1) as f64;
        // Rounded as means are kept, so that differences of equal ones are 0.
        let mean = T::of(held::<T>(whole.norm().powi(2) / n)).widen();
        let next = self.amounts.after(Memory::read(notes.kept), mean);
        next.write(notes.kept);
        let below_1 = |share: f64| share.clamp(0.0, 1.0 - T::EPS);
        let share = below_1(self.amounts.trust * below_1(2.0 * next.lambda));
        Self { pull: Exact::new(share), ..self }
    }

    fn rests(&self) -> bool {
        self.pull.is_nothing()
    }

    #[inline(always)]
    fn settle(&self, d: T, g: T, step: Move<T>, rate: T, columns: [T; 0]) -> (T, [T; 0]) {
        self.pull.settle(d, g, step, rate, columns)
    }

    #[inline(always)]
    fn drift(&self, d: T, g: T, step: Move<T>, rate: T, columns: [T; 0]) -> T {
        self.pull.drift(d, g, step, rate, columns)
    }
}
