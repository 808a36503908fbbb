//! NAdam: Adam with Nesterov's look ahead.

use super::adam::{Lerp, bias_correction};
use crate::engine::{Hyperparameters, Kept, Motion, Reach, Setting, Settings, algorithm, compiled, numbers};
use crate::error::{Result, in_range};
use crate::float::{Real, kept, rounded};
use crate::kernel::column::{Column, Extent, Matrices, Start};
use crate::kernel::{Divisor, Move, Rule};

/// NAdam: Adam whose momentum warms up and looks one step ahead.
///
/// ```text
/// μ_t = β₁·(1 − ½·0.96^(t·ψ))          P_t = P_{t−1}·μ_t,   P₀ = 1
/// m ← m + (1 − β₁)(g − m)              v ← β₂·v + (1 − β₂)·g²
/// u = ( (1 − μ_t)/(1 − P_t) · g + μ_{t+1}/(1 − P_t·μ_{t+1}) · m ) / ( √v / √(1 − β₂ᵗ) + ε )
/// x ← x − η·u
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`NAdam::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`betas`](Settings::betas) | β₁, β₂ | 0.9, 0.999 | [0, 1) | [`OutOfRange`] |
/// | [`momentum_decay`](Settings::momentum_decay) | ψ | 4e-3 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`eps`](Settings::eps) | ε | 1e-8 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`weight_decay`](Settings::weight_decay) | λ | none | see [`Decay`](crate::Decay) | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State per weight: `exp_avg` (m) and `exp_avg_sq` (v); and one number for each parameter,
/// `mu_product` (P), in the weights' type. t counts a parameter's own updates from 1.
///
/// # Differences
///
/// * PyTorch: `torch.optim.NAdam` 2.15, which has no fused kernel: the same to rounding. It keeps P
///   in f32 whatever the weights are; here f64 weights have it in f64. Its `weight_decay` is
///   [`Decay::coupled_l2`](crate::Decay::coupled_l2), with `decoupled_weight_decay`
///   [`Decay::decoupled`](crate::Decay::decoupled).
/// * Keras fixes ψ = 1, a warm-up 250 times faster. optax's `nadam` has no momentum
///   schedule at all.
///
/// # Example
///
/// ```
/// use wane::{NAdam, Optimizer};
///
/// let mut opt = NAdam::new(0.1).build()?;
/// let mut w = [1.0_f64];
/// opt.step_slice(&mut w, &[3.0])?;
/// assert!(w[0] < 1.0 && opt.state("(slice)", "mu_product").unwrap()[0] < 0.5);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Dozat, *Incorporating Nesterov Momentum into Adam*, ICLR 2016 workshop.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[doc(alias = "nesterov")]
#[derive(Clone, Debug, PartialEq)]
pub struct NAdam {
    beta1: f64,
    beta2: f64,
    momentum_decay: f64,
    eps: f64,
}

impl NAdam {
    /// Returns the settings of NAdam at learning rate η = `lr`, without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Settings::from_parts(Self { beta1: 0.9, beta2: 0.999, momentum_decay: 4e-3, eps: 1e-8 }, lr)
    }

    /// Returns μ_t.
    fn momentum(&self, t: f64) -> f64 {
        self.beta1 * (1.0 - 0.5 * 0.96_f64.powf(t * self.momentum_decay))
    }
}

impl<S> Settings<NAdam, S> {
    /// Sets β₁ and β₂, the share of the first and second moment that is kept at each step.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.algorithm.beta1, self.algorithm.beta2) = (beta1, beta2);
        self
    }

    /// Sets ψ, how fast the momentum warms up.
    #[must_use]
    pub fn momentum_decay(mut self, decay: f64) -> Self {
        self.algorithm.momentum_decay = decay;
        self
    }

    /// Sets ε, which is added to the root of the bias-corrected second moment.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.algorithm.eps = eps;
        self
    }
}

/// What a step of NAdam is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    lr: f64,
    /// By how much the sum of g and m may be longer than the largest gradient.
    longest: f64,
    rule: LookAhead<T>,
}

impl Hyperparameters for NAdam {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        const AT_LEAST_0: &str = "a finite number, at least 0";
        in_range("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "in [0, 1)")?;
        in_range("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "in [0, 1)")?;
        in_range("momentum_decay", self.momentum_decay, self.momentum_decay >= 0.0, AT_LEAST_0)?;
        in_range("eps", self.eps, self.eps >= 0.0, AT_LEAST_0)
    }

    fn list(&self) -> Vec<Setting> {
        let Self { beta1, beta2, momentum_decay, eps } = *self;
        vec![numbers("betas", &[beta1, beta2]), numbers("momentum_decay", &[momentum_decay]), numbers("eps", &[eps])]
    }

    fn columns(&self, _of: Matrices) -> Vec<Column> {
        let product = Column { name: "mu_product", extent: Extent::One, start: Start::Value(1.0) };
        vec![Column::zeros("exp_avg"), Column::zeros("exp_avg_sq"), product]
    }

    fn scalars<T: Real>(&self, lr: f64, t: u64, kept_numbers: &mut Kept<T>) -> Result<Scalars<T>> {
        #[expect(clippy::cast_precision_loss, reason = "a step count, exact up to 2⁵³")]
        let (now, next) = (self.momentum(t as f64), self.momentum(t as f64 + 1.0));
        let product = kept_numbers[0].widen() * now;
        kept_numbers[0] = T::of(product);
        rounded::<T>("learning rate", lr)?;
        let of_gradient = (1.0 - now) / (1.0 - product);
        let of_momentum = next / (1.0 - product * next);
        kept::<T>("beta1", self.beta1)?;
        let rule = LookAhead {
            lerp: Lerp::new(rounded("1 - beta1", 1.0 - self.beta1)?),
            beta2: kept("beta2", self.beta2)?,
            take2: rounded("1 - beta2", 1.0 - self.beta2)?,
            of_gradient: rounded("weight of the gradient", of_gradient)?,
            of_momentum: rounded("weight of the momentum", of_momentum)?,
            root: Divisor::new(rounded("root of the second bias correction", bias_correction(self.beta2, t).sqrt())?),
            eps: rounded("eps", self.eps)?,
        };
        Ok(Scalars { lr, longest: of_gradient + of_momentum, rule })
    }

    // |m| ≤ |g|, v ≤ g².
    fn reach<T: Real>(&self, scalars: &Scalars<T>, g: f64) -> Reach {
        let u = scalars.longest * g / self.eps.abs();
        Reach { state: g.max(g * g).max(u), displacement: scalars.lr * u }
    }

    fn floor<T: Real>(&self, scalars: &Scalars<T>) -> f64 {
        scalars.rule.eps.widen()
    }

    fn rule<'a, T: Real>(&self, Scalars { lr, rule, .. }: &'a Scalars<T>, _of: Matrices) -> Motion<'a, T> {
        Motion { rule, rate: *lr }
    }
}

compiled!(NAdam);
algorithm!(NAdam: NAdam = "nadam");

#[derive(Clone, Copy, Debug)]
struct LookAhead<T> {
    /// The interpolation of m, with the weight 1 − β₁.
    lerp: Lerp<T>,
    beta2: T,
    take2: T,
    /// (1 − μ_t)/(1 − P_t)
    of_gradient: T,
    /// μ_{t+1}/(1 − P_t·μ_{t+1})
    of_momentum: T,
    /// √(1 − β₂ᵗ)
    root: Divisor<T>,
    eps: T,
}

impl<T: Real> Rule<T> for LookAhead<T> {
    type State = [T; 2];

    #[inline(always)]
    fn update(&self, _x: T, g: T, [m, v]: [T; 2]) -> (Move<T>, [T; 2]) {
        let m = self.lerp.between(m, g);
        let v = (self.take2 * g).mul_add(g, self.beta2 * v);
        let metric = self.root.divide(v.sqrt()) + self.eps;
        let ahead = m.mul_add(self.of_momentum, g * self.of_gradient);
        (Move { u: ahead / metric, lean: ahead, metric }, [m, v])
    }
}
