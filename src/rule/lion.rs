//! Lion: the sign of an interpolated momentum.

use crate::engine::{Hyperparameters, Kept, Motion, Reach, Setting, Settings, algorithm, compiled, numbers};
use crate::error::{Result, in_range};
use crate::float::{Real, kept, rounded, sign};
use crate::kernel::column::{Column, Matrices};
use crate::kernel::{Move, Rule};

/// Lion, evolved sign momentum: every weight moves by the same amount η.
///
/// ```text
/// c = β₁·m + (1 − β₁)·g
/// x ← x − η·sign(c)                sign(0) = 0
/// m ← β₂·m + (1 − β₂)·g            after the update, which saw the old m
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Lion::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`betas`](Settings::betas) | β₁, β₂ | 0.9, 0.99 | [0, 1) | [`OutOfRange`] |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State per weight: one column, `exp_avg`. As Lion's learning rate is 3 to 10 times smaller than
/// AdamW's, its lr-scaled decay is 3 to 10 times larger. With decoupled decay λ a weight stays
/// within max(|x₀|, 1/λ).
///
/// # Differences
///
/// * PyTorch has no Lion; optax's has a default decay of 1e-3, this one has none, as in the paper's
///   table of defaults.
/// * The two interpolations are written as fused multiply-adds and may differ from optax in
///   the last bit of m.
///
/// # Example
///
/// ```
/// use wane::{Lion, Optimizer};
///
/// let mut opt = Lion::new(0.25).build()?;
/// let mut w = [1.0_f32, 1.0, 1.0];
/// opt.step_slice(&mut w, &[1e-3, -1e3, 0.0])?;
/// assert_eq!(w, [0.75, 1.25, 1.0]);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Chen et al., *Symbolic Discovery of Optimization Algorithms*, NeurIPS 2023, arXiv 2302.06675.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[derive(Clone, Debug, PartialEq)]
pub struct Lion {
    beta1: f64,
    beta2: f64,
}

impl Lion {
    /// Returns the settings of Lion at learning rate η = `lr`, without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Settings::from_parts(Self { beta1: 0.9, beta2: 0.99 }, lr)
    }
}

impl<S> Settings<Lion, S> {
    /// Sets β₁, the weight of the old momentum in the update, and β₂, its weight in
    /// the new momentum.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.algorithm.beta1, self.algorithm.beta2) = (beta1, beta2);
        self
    }
}

/// What a step of Lion is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    lr: f64,
    rule: SignMomentum<T>,
}

impl Hyperparameters for Lion {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        in_range("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "in [0, 1)")?;
        in_range("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "in [0, 1)")
    }

    fn list(&self) -> Vec<Setting> {
        vec![numbers("betas", &[self.beta1, self.beta2])]
    }

    fn columns(&self, _of: Matrices) -> Vec<Column> {
        vec![Column::zeros("exp_avg")]
    }

    fn scalars<T: Real>(&self, lr: f64, _t: u64, _kept: &mut Kept<T>) -> Result<Scalars<T>> {
        rounded::<T>("learning rate", lr)?;
        let rule = SignMomentum {
            beta1: kept("beta1", self.beta1)?,
            take1: rounded("1 - beta1", 1.0 - self.beta1)?,
            beta2: kept("beta2", self.beta2)?,
            take2: rounded("1 - beta2", 1.0 - self.beta2)?,
        };
        Ok(Scalars { lr, rule })
    }

    fn reach<T: Real>(&self, scalars: &Scalars<T>, g: f64) -> Reach {
        Reach { state: g, displacement: scalars.lr }
    }

    fn rule<'a, T: Real>(&self, Scalars { lr, rule }: &'a Scalars<T>, _of: Matrices) -> Motion<'a, T> {
        Motion { rule, rate: *lr }
    }
}

compiled!(Lion);
algorithm!(Lion: Lion = "lion");

#[derive(Clone, Copy, Debug)]
struct SignMomentum<T> {
    beta1: T,
    take1: T,
    beta2: T,
    take2: T,
}

impl<T: Real> Rule<T> for SignMomentum<T> {
    type State = [T; 1];
    const FUSED: bool = true;
    const PLAIN: bool = true;

    #[inline(always)]
    fn update(&self, _x: T, g: T, [m]: [T; 1]) -> (Move<T>, [T; 1]) {
        let c = g.mul_add(self.take1, m * self.beta1);
        let m = g.mul_add(self.take2, m * self.beta2);
        (Move::along(sign(c)), [m])
    }
}
