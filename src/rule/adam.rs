//! Adam and AMSGrad; AdamW is Adam with decoupled decay, so it is a constructor here.

use super::lamb::TrustRatio;
use crate::decay::Decay;
use crate::engine::{
    Algorithm, Hyperparameters, Kept, Motion, Parameter, Prepared, Reach, Setting, Settings, algorithm, compiled, numbers, switch,
};
use crate::error::{Result, in_range};
use crate::float::{Real, kept, rounded};
use crate::kernel::column::{Column, Matrices};
use crate::kernel::{Divisor, Move, Rule, SquareSum};

/// Adam: steps divided by the root of a running mean of squared gradients.
///
/// ```text
/// m ← m + (1 − β₁)(g − m)              v ← β₂·v + (1 − β₂)·g²
/// x ← x − η/(1 − β₁ᵗ) · m / ( √v / √(1 − β₂ᵗ) + ε )
///
/// AMSGrad:      v_max ← max(v_max, v) stands for v in the last line
/// epsilon hat:  x ← x − η·√(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / ( √v + ε̂ )
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`Adam::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`betas`](Settings::betas) | β₁, β₂ | 0.9, 0.999 | [0, 1) | [`OutOfRange`] |
/// | [`eps`](Settings::eps) | ε | 1e-8 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`epsilon_hat`](Settings::epsilon_hat) | ε̂ | off | finite, ≥ 0 | [`OutOfRange`] |
/// | [`amsgrad`](Settings::amsgrad)`(on)` | v_max | off | | |
/// | [`trust_ratio`](Settings::trust_ratio) | φ | off | see [`TrustRatio`](crate::TrustRatio) | see there |
/// | [`weight_decay`](Settings::weight_decay) | λ | none; [`AdamW`]: decoupled 0.01 | see [`Decay`] | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// State per weight: `exp_avg` (m), `exp_avg_sq` (v), and with AMSGrad `max_exp_avg_sq` (v_max); t
/// counts a parameter's own updates from 1. With ε = 0 a weight whose gradients have all been 0
/// would become NaN (0/0), as in PyTorch: by default the step is refused
/// ([`NonFinite`](crate::NonFinite)). A β that becomes 1 in the weights' type is refused.
///
/// # Differences
///
/// * PyTorch: the bits of `torch.optim.Adam(fused=True)` 2.15 (x86-64 with fused multiply-add) on
///   whole vectors. The last n mod 8 elements of an f32 tensor, n mod 4 of an f64 one, take
///   PyTorch's scalar path, where v = fma(β₂, v, ((1 − β₂)·g)·g) stands for fma((1 − β₂)·g, g,
///   β₂·v): v may differ in its last bits there and, more rarely, the weight. At a NaN AMSGrad's
///   v_max keeps its old value there; here it becomes NaN. Its `weight_decay` is
///   [`Decay::coupled_l2`] for Adam, [`Decay::decoupled`] for AdamW. Powers of β come from the
///   platform's `pow`, in f64.
/// * Keras and TensorFlow: ε̂ = 1e-7, so `.epsilon_hat(1e-7)`; the damping of early steps is
///   larger than with ε.
/// * optax: the maximum of AMSGrad is taken of the bias-corrected v there, of the uncorrected one
///   here and in PyTorch. The AMSGrad paper has no bias correction.
///
/// # Example
///
/// ```
/// use wane::{Adam, Optimizer};
///
/// let mut opt = Adam::new(0.1).betas(0.9, 0.99).eps(0.0).build()?;
/// let mut w = [1.0_f64, 1.0];
/// opt.step_slice(&mut w, &[3.0, -0.004])?;
/// assert!((w[0] - 0.9).abs() < 1e-12 && (w[1] - 1.1).abs() < 1e-12);      // the first step is η·sign(g)
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Kingma & Ba, *Adam*, ICLR 2015, arXiv 1412.6980; Reddi, Kale & Kumar, *On the Convergence of
/// Adam and Beyond*, ICLR 2018, arXiv 1904.09237, for AMSGrad.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[doc(alias = "amsgrad")]
#[doc(alias = "exp_avg")]
#[doc(alias = "exp_avg_sq")]
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    beta1: f64,
    beta2: f64,
    epsilon: Epsilon,
    amsgrad: bool,
    pub(super) trust: TrustRatio,
}

/// Adam with decoupled weight decay, 0.01 by default: [`Adam`]'s formula under its own
/// name and default.
///
/// ```text
/// x ← x·(1 − η·λ), then Adam's step on the undecayed gradient
/// ```
///
/// | setting | symbol | default | allowed | else |
/// |---|---|---|---|---|
/// | [`AdamW::new`]`(lr)` | η | – | finite, ≥ 0 | [`OutOfRange`] |
/// | [`betas`](Settings::betas) | β₁, β₂ | 0.9, 0.999 | [0, 1) | [`OutOfRange`] |
/// | [`eps`](Settings::eps) | ε | 1e-8 | finite, ≥ 0 | [`OutOfRange`] |
/// | [`epsilon_hat`](Settings::epsilon_hat) | ε̂ | off | finite, ≥ 0 | [`OutOfRange`] |
/// | [`amsgrad`](Settings::amsgrad)`(on)` | v_max | off | | |
/// | [`trust_ratio`](Settings::trust_ratio) | φ | off | see [`TrustRatio`](crate::TrustRatio) | see there |
/// | [`weight_decay`](Settings::weight_decay) | λ | `Decay::decoupled(0.01)` | see [`Decay`] | see there |
///
/// `build` returns the error, that of a group within [`InGroup`]. Numbers that the weights' type
/// [does not have](Settings#what-is-refused) are errors of the same kind.
///
/// and all [settings](Settings) that every optimizer has: schedules, clipping, groups, selectors.
/// State, and differences from others, are [`Adam`]'s.
///
/// Defaults, and bits on whole vectors, are those of `torch.optim.AdamW(fused=True)`. The paper's λ
/// is not multiplied by the learning rate: that is [`Decay::independent`].
///
/// ```
/// use wane::{AdamW, Optimizer};
///
/// let mut opt = AdamW::new(0.1).build()?;
/// let mut w = [2.0_f64];
/// opt.step_slice(&mut w, &[0.0])?;
/// assert_eq!(w, [2.0 * (1.0 - 0.1 * 0.01)]);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// Source: Loshchilov & Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019,
/// arXiv 1711.05101.
///
/// [`InGroup`]: crate::Error::InGroup
/// [`OutOfRange`]: crate::Error::OutOfRange
#[doc(alias = "weight_decay")]
#[doc(alias = "decoupled weight decay")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdamW;

algorithm!(Adam: Adam = "adam", AdamW: Adam = "adamw");

/// Where epsilon stands.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Epsilon {
    /// √v̂ + ε, v̂ corrected for its bias: PyTorch, optax, the paper's algorithm.
    Corrected(f64),
    /// √v + ε̂, v as it is: Keras, TensorFlow, the paper's efficient form.
    Hat(f64),
}

impl Adam {
    /// Returns the settings of Adam at learning rate η = `lr`, without decay.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        let options =
            Self { beta1: 0.9, beta2: 0.999, epsilon: Epsilon::Corrected(1e-8), amsgrad: false, trust: TrustRatio::Off };
        Settings::from_parts(options, lr)
    }
}

impl AdamW {
    /// Returns the settings of Adam at learning rate η = `lr`, with decoupled decay 0.01.
    #[must_use]
    pub fn new(lr: f64) -> Settings<Self> {
        Adam::new(lr).named::<Self>().weight_decay(Decay::decoupled(0.01))
    }
}

impl<A: Algorithm<Hyperparameters = Adam>, S> Settings<A, S> {
    /// Sets β₁ and β₂, the share of the first and second moment that is kept at each step.
    #[must_use]
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Self {
        (self.algorithm.beta1, self.algorithm.beta2) = (beta1, beta2);
        self
    }

    /// Sets ε, which is added to the root of the bias-corrected second moment, as in
    /// PyTorch and optax.
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.algorithm.epsilon = Epsilon::Corrected(eps);
        self
    }

    /// Sets ε̂, which is added to the root of the uncorrected second moment, as in Keras and
    /// TensorFlow; it takes the place of `eps`.
    #[must_use]
    pub fn epsilon_hat(mut self, epsilon: f64) -> Self {
        self.algorithm.epsilon = Epsilon::Hat(epsilon);
        self
    }

    /// Turns AMSGrad on or off: the largest second moment seen so far stands for the present one.
    #[must_use]
    pub fn amsgrad(mut self, on: bool) -> Self {
        self.algorithm.amsgrad = on;
        self
    }
}

/// What a step of Adam is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalars<T> {
    lr: f64,
    moments: Form<T>,
    /// η/(1 − β₁ᵗ), as in `moments`.
    step: f64,
    /// The longest displacement for gradients of 1: step/ε.
    steepest: f64,
    /// The longest displacement for gradients of any size.
    longest: f64,
}

/// Which second moment divides.
#[derive(Clone, Copy, Debug)]
enum Form<T> {
    Latest(Moments<T>),
    Largest(AmsGrad<T>),
}

impl Hyperparameters for Adam {
    type Scalars<T: Real> = Scalars<T>;

    fn check(&self) -> Result<()> {
        in_range("beta1", self.beta1, (0.0..1.0).contains(&self.beta1), "in [0, 1)")?;
        in_range("beta2", self.beta2, (0.0..1.0).contains(&self.beta2), "in [0, 1)")?;
        let (name, eps) = self.eps();
        in_range(name, eps, eps >= 0.0, "a finite number, at least 0")?;
        self.trust.check()
    }

    fn list(&self) -> Vec<Setting> {
        let (name, eps) = self.eps();
        let mut list = vec![numbers("betas", &[self.beta1, self.beta2]), numbers(name, &[eps])];
        list.extend(switch("amsgrad", self.amsgrad));
        list.extend((self.trust != TrustRatio::Off).then(|| ("trust_ratio", self.trust.to_string())));
        list
    }

    fn columns(&self, _of: Matrices) -> Vec<Column> {
        let names = ["exp_avg", "exp_avg_sq", "max_exp_avg_sq"];
        names.into_iter().take(if self.amsgrad { 3 } else { 2 }).map(Column::zeros).collect()
    }

    fn scalars<T: Real>(&self, lr: f64, t: u64, _kept: &mut Kept<T>) -> Result<Scalars<T>> {
        let (correction1, correction2) = (bias_correction(self.beta1, t), bias_correction(self.beta2, t));
        let (step, root) = match self.epsilon {
            Epsilon::Corrected(_) => (lr / correction1, correction2.sqrt()),
            Epsilon::Hat(_) => (lr / correction1 * correction2.sqrt(), 1.0),
        };
        let (name, eps) = self.eps();
        // −0 is 0, also where a bound is divided by it.
        let eps = eps.abs();
        kept::<T>("beta1", self.beta1)?;
        let unit = rounded("root of the second bias correction", correction2.sqrt() / root)?;
        let moments = Moments {
            lerp: Lerp::new(rounded("1 - beta1", 1.0 - self.beta1)?),
            beta2: kept("beta2", self.beta2)?,
            take2: rounded("1 - beta2", 1.0 - self.beta2)?,
            step: rounded("learning rate, corrected for bias,", step)?,
            root: Divisor::new(rounded("root of the second bias correction", root)?),
            eps: rounded(name, eps)?,
            hat: T::one() / unit,
        };
        let moments = if self.amsgrad { Form::Largest(AmsGrad(moments)) } else { Form::Latest(moments) };
        Ok(Scalars { lr, moments, step, steepest: step / eps, longest: self.longest::<T>(step, root, eps) })
    }

    // |m| ≤ |g|, v ≤ g², and m/(√v/root + ε) is at most |g|/ε and at most what the averages allow.
    fn reach<T: Real>(&self, scalars: &Scalars<T>, g: f64) -> Reach {
        let state = g.max(g * g).max(scalars.step * g);
        Reach { state, displacement: (scalars.steepest * g).min(scalars.longest) }
    }

    // The learning rate is inside `step`, so the rate that stands before the direction is 1.
    fn rule<'a, T: Real>(&self, Scalars { moments, .. }: &'a Scalars<T>, _of: Matrices) -> Motion<'a, T> {
        match moments {
            Form::Latest(rule) => Motion { rule, rate: 1.0 },
            Form::Largest(rule) => Motion { rule, rate: 1.0 },
        }
    }

    fn floor<T: Real>(&self, scalars: &Scalars<T>) -> f64 {
        let (Form::Latest(moments) | Form::Largest(AmsGrad(moments))) = scalars.moments;
        (moments.eps * moments.hat).widen()
    }

    fn looks(&self) -> bool {
        self.trust != TrustRatio::Off
    }

    fn prepare<T: Real>(&self, scalars: &Scalars<T>, whole: &mut Parameter<'_, T>) -> Result<Prepared> {
        Ok(self.trust.of(whole.task.measure(whole.desk).map(SquareSum::norm), scalars.lr))
    }
}

compiled!(Adam);

/// Returns 1 − βᵗ: how far an average that started from 0 has filled up after t steps.
pub(super) fn bias_correction(beta: f64, t: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a step count, exact up to 2⁵³")]
    let t = t as f64;
    // βᵗ ≤ exp(−(1 − β)t) < exp(−37.9) < 2⁻⁵⁴, which changes nothing when it is subtracted from 1.
    // So no power is worked out.
    if (1.0 - beta) * t > 38.0 {
        return 1.0;
    }
    1.0 - beta.powf(t)
}

impl Adam {
    /// Returns a bound on the displacement that holds for all gradients. By Cauchy and Schwarz, m =
    /// Σ(1 − β₁)β₁ᵏ·g and v = Σ(1 − β₂)β₂ᵏ·g² have |m| ≤ c·√v with c² =
    /// (1 − β₁)²/((1 − β₂)(1 − β₁²/β₂)); v may lack what is smaller than a normal number. The bound
    /// is twice that, as all of this is rounded; there is no such bound where β₁² ≥ β₂.
    fn longest<T: Real>(&self, step: f64, root: f64, eps: f64) -> f64 {
        let overlap = 1.0 - self.beta1 * self.beta1 / self.beta2;
        if overlap.is_nan() || overlap <= 0.0 {
            return f64::INFINITY;
        }
        let c = (1.0 - self.beta1) / ((1.0 - self.beta2) * overlap).sqrt();
        let lost = (T::min_positive_value().widen() / (1.0 - self.beta2)).sqrt();
        2.0 * step * c * (root + lost / eps)
    }

    /// Returns ε or ε̂, with its name.
    fn eps(&self) -> (&'static str, f64) {
        match self.epsilon {
            Epsilon::Corrected(eps) => ("eps", eps),
            Epsilon::Hat(eps) => ("epsilon_hat", eps),
        }
    }
}

/// m + w(g − m) as PyTorch's `lerp` does it: from the nearer end, so from g where w is
/// at least a half.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lerp<T> {
    from_gradient: bool,
    weight: T,
}

impl<T: Real> Lerp<T> {
    pub(super) fn new(w: T) -> Self {
        let from_gradient = w >= T::of(0.5);
        Self { from_gradient, weight: if from_gradient { w - T::one() } else { w } }
    }

    #[inline(always)]
    pub(super) fn between(&self, m: T, g: T) -> T {
        let end = if self.from_gradient { g } else { m };
        (g - m).mul_add(self.weight, end)
    }
}

#[derive(Clone, Copy, Debug)]
struct Moments<T> {
    /// The interpolation of m, with the weight 1 − β₁.
    lerp: Lerp<T>,
    beta2: T,
    take2: T,
    /// η/(1 − β₁ᵗ), with the root of the second correction in it under epsilon hat.
    step: T,
    /// √(1 − β₂ᵗ), or 1 under epsilon hat; at least 2⁻²⁷, since β₂ is at most 1 − 2⁻⁵³.
    root: Divisor<T>,
    eps: T,
    /// 1, or 1/√(1 − β₂ᵗ) under epsilon hat: what makes √v + ε̂ divide m/(1 − β₁ᵗ),
    /// as a metric does.
    hat: T,
}

impl<T: Real> Moments<T> {
    #[inline(always)]
    fn first(&self, g: T, m: T) -> T {
        self.lerp.between(m, g)
    }

    #[inline(always)]
    fn second(&self, g: T, v: T) -> T {
        (self.take2 * g).mul_add(g, self.beta2 * v)
    }

    /// Returns the move. Its `lean` is m, which has a sign also where step·m has become 0.
    #[inline(always)]
    fn step(&self, m: T, v: T) -> Move<T> {
        let divisor = self.root.divide(v.sqrt()) + self.eps;
        Move { u: (self.step * m) / divisor, lean: m, metric: divisor * self.hat }
    }
}

impl<T: Real> Rule<T> for Moments<T> {
    type State = [T; 2];
    const FUSED: bool = true;
    const FUSED_WITH_ALL: bool = true;
    const MEASURED: bool = true;

    #[inline(always)]
    fn update(&self, _x: T, g: T, [m, v]: [T; 2]) -> (Move<T>, [T; 2]) {
        let (m, v) = (self.first(g, m), self.second(g, v));
        (self.step(m, v), [m, v])
    }
}

#[derive(Clone, Copy, Debug)]
struct AmsGrad<T>(Moments<T>);

impl<T: Real> Rule<T> for AmsGrad<T> {
    type State = [T; 3];

    #[inline(always)]
    fn update(&self, _x: T, g: T, [m, v, v_max]: [T; 3]) -> (Move<T>, [T; 3]) {
        let (m, v) = (self.0.first(g, m), self.0.second(g, v));
        // Written so that a NaN stays, as in PyTorch; `max` would drop it.
        let v_max = if v_max > v { v_max } else { v };
        (self.0.step(m, v_max), [m, v, v_max])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// On both sides of the step from which on the power is not worked out.
    #[test]
    fn a_bias_that_has_faded_is_that_of_the_power() {
        for beta in [0.0, 0.3, 0.9, 0.95, 0.999, 0.999_999, 1.0 - f64::EPSILON / 2.0] {
            for ratio in [1e-3, 0.5, 0.9, 0.96, 0.98, 0.999, 1.001, 1.02, 2.0, 10.0] {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a step count")]
                let t = (38.0 / (1.0 - beta) * ratio) as u64 + 1;
                #[expect(clippy::cast_precision_loss, reason = "near enough")]
                let expected = 1.0 - beta.powf(t as f64);
                assert_eq!(bias_correction(beta, t), expected, "beta {beta} at step {t}");
            }
        }
    }
}
