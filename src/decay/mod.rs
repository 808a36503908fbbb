//! Weight decay as a value: which penalty, where it acts, how strong.

mod adaptive;
mod laws;
mod penalty;
mod text;
pub(crate) mod units;

pub(crate) use adaptive::Average;
pub(crate) use laws::{AnyLaw, StepDecay};
pub use penalty::Penalty;
pub(crate) use units::Rates;
pub use units::Strength;

use crate::error::{Error, Result};
use crate::kernel::column::{Column, Extent, Matrices, Start};
use crate::schedule::Schedule;

/// A weight decay: the same value for every optimizer.
///
/// A decay has a penalty, a place and a strength, which are independent of each other, and usual
/// combinations have a name. With x a weight, d = x − a its distance from an anchor a (0 unless
/// said otherwise), g its gradient and u the optimizer's direction:
///
/// | constructor | text form | what it does | who means this |
/// |---|---|---|---|
/// | [`none`](Self::none) | `none` | nothing | |
/// | [`coupled_l2`](Self::coupled_l2)`(λ)` | `coupled-l2:0.01` | g ← g + λ·d | `weight_decay` of PyTorch's SGD, Adam ...; Keras's `l2` is λ/2 |
/// | [`coupled_l1`](Self::coupled_l1)`(λ)` | `coupled-l1:0.01` | g ← g + λ·sign(d) | |
/// | [`coupled_elastic_net`](Self::coupled_elastic_net)`(λ, ρ)` | `coupled-elastic-net:0.01,0.5` | g ← g + λ(1−ρ)·d + λρ·sign(d) | |
/// | [`decoupled`](Self::decoupled)`(λ)` | `decoupled:0.1` | x ← x − s·d, s = η_t·λ | AdamW of PyTorch, optax, Keras |
/// | [`independent`](Self::independent)`(λ)` | `independent:1e-4` | s = (η_t/η_peak)·λ | AdamW of the paper, Composer |
/// | [`corrected`](Self::corrected)`(λ)` | `corrected:0.1` | s = η_t²/η_peak·λ | AdamC, Defazio 2025 |
/// | [`fixed`](Self::fixed)`(λ)` | `fixed:1e-4` | s = λ | LaProp, AdaBelief's `fixed_decay` |
/// | [`timescale`](Self::timescale)`(τ)` | `timescale:2000` | s = (η_t/η_peak)/τ | Wang & Aitchison |
/// | [`half_life`](Self::half_life)`(h)` | `half-life:500` | s = 1 − 2^(−1/h) | people |
/// | [`exact`](Self::exact)`(λ)` | `exact:0.1` | x ← x − (η_t·u + s·d) | `decoupled` that loses no small share |
/// | [`l1`](Self::l1)`(λ)` | `l1:0.01` | x ← S(x − η_t·u, η_t·λ), exact zeros | soft threshold, ISTA |
/// | [`elastic_net`](Self::elastic_net)`(λ, ρ)` | `elastic-net:0.01,0.5` | both, decoupled | |
/// | [`cautious`](Self::cautious)`(λ)` | `cautious:0.1` | s only where u·d ≥ 0 | Chen et al. 2025 |
/// | [`ada_decay`](Self::ada_decay)`(λ)` | `ada-decay:0.1,4` | s·θ, 0 < θ < 2 by the size of the gradient | AdaDecay, Nakamura & Hong 2019 |
/// | [`metric_l1`](Self::metric_l1)`(λ)` | `metric-l1:0.01` | x ← S(x − η_t·u, η_t·λ/(√v̂ + ε)) | ProxGen, Yun et al. 2021 |
/// | [`huber`](Self::huber)`(λ, δ)` | `huber:0.1,0.05` | y/(1 + s), y = x − η_t·u, and no more than s·δ off | AdamHD, Guo & Fan 2025 |
/// | [`group_lasso`](Self::group_lasso)`(λ)` | `group-lasso:0.01` | y = x − η_t·u; y·max(0, 1 − η_t·λ√n/‖y‖) for each row | rows become 0 |
/// | [`norm`](Self::norm)`(λ, r)` | `norm:0.1,2` | x ← x − (η_t·u + s·(1 − r/‖d‖)·d) | norm control |
/// | [`start_norm`](Self::start_norm)`(λ, ρ)` | `start-norm:0.1,1` | the same, r = ρ·‖w₀‖ | AdamWN, Loshchilov 2023 |
/// | [`hyperball`](Self::hyperball)`()` | `hard-hyperball-start-norm:1` | x ← R·N(x − η_t·R·N(u)), R = ‖w₀‖ | Wen et al. 2026 |
/// | [`clip`](Self::clip)`(b)` | `hard-box:0.05` | x ← clamp(x − η_t·u, b) | weight clipping |
/// | [`clip_to_start`](Self::clip_to_start)`(κ)` | `hard-fan-box:2` | the same, b = κ/√fan_in | Elsayed et al. 2024 |
/// | [`spectral`](Self::spectral)`(λ)` | `spectral:0.1,0` | x ← x − (η_t·u + s·σ₁·u₁v₁ᵀ) | spectral decay |
/// | [`spectral_cap`](Self::spectral_cap)`(τ)` | `hard-spectral:2` | σ₁ ← min(σ₁, τ) | spectral hammer |
/// | [`adaptive`](Self::adaptive)`(λ)` | `adaptive:0.022` | coupled L2, λ̄ from λ·‖g‖/‖d‖ | AWD, Ghiasi et al. 2023 |
///
/// S(y, θ) = sign(y)·max(|y| − θ, 0). The L2 penalty of this crate is (λ/2)·d², with gradient λ·d.
///
/// # Penalty × place
///
/// [`Decay::new`] takes penalty, place and strength one by one. Each cell is a kernel, the kernel
/// of another cell, or an error when the optimizer is built:
///
/// | | [`Coupled`](Place::Coupled) | [`Decoupled`](Place::Decoupled) | [`Exact`](Place::Exact) | [`Proximal`](Place::Proximal) | [`Cautious`](Place::Cautious) | [`AdaDecay`](Place::AdaDecay) | [`Metric`](Place::Metric) |
/// |---|---|---|---|---|---|---|---|
/// | [`L2`](Penalty::L2) | g + λd | (1 − s)d − ηu | d − (ηu + sd) | (d − ηu)/(1 + s) | (1 − s·\[ud ≥ 0\])d − ηu | (1 − sθ)d − ηu | error |
/// | [`L1`](Penalty::L1) | g + λ·sign(d) | = proximal | error | S(d − ηu, s) | error | error | S(d − ηu, s/metric) |
/// | [`ElasticNet`](Penalty::ElasticNet) | g + λ₂d + λ₁sign(d) | S((1 − s₂)d − ηu, s₁) | error | S(d − ηu, s₁)/(1 + s₂) | error | error | error |
/// | [`Huber`](Penalty::Huber) | g + λ·clamp(d, δ) | = proximal | error | y − clamp(ys/(1 + s), sδ), y = d − ηu | error | error | error |
/// | [`GroupLasso`](Penalty::GroupLasso) | error | = proximal | error | y·max(0, 1 − s√n/‖y‖), y = d − ηu | error | error | error |
/// | [`Norm`](Penalty::Norm), [`StartNorm`](Penalty::StartNorm), [`Box`](Penalty::Box), [`FanBox`](Penalty::FanBox), [`Spectral`](Penalty::Spectral) | error | d − (ηu + s(d − P(d))) | error | y − s/(1 + s)·(y − P(y)), y = d − ηu | error | error | error |
///
/// P(d) is the point nearest to d of the set that the penalty is a distance to. With
/// [`Strength::Hard`], in the proximal place, the weight becomes P(y) itself; the place
/// [`Hyperball`](Place::Hyperball) takes it with a norm, and nothing else.
///
/// Group lasso, `FanBox` and `Spectral` need the shape of a parameter
/// ([`Param::shape`](crate::Param::shape)), the latter of two axes or more. A share of AdaDecay, which θ may double, is refused from ½ on. For an optimizer without a metric of its own
/// (SGD, Lion) the metric is 1.
///
/// Every cell also pulls [towards an anchor](Self::towards) (L2-SP and its kin). Strengths: coupled
/// decay is part of the gradient, which the learning rate scales, so it takes
/// [`LrScaled`](Strength::LrScaled) (λ itself) or, for L2, [`Adaptive`](Strength::Adaptive); the
/// other places take all but adaptive; `Timescale` and `HalfLife` speak of a share of the weight, or of
/// the way to a set, so L1 and its kin do not take them.
///
/// A share s outside [0, 1) is an error, when the optimizer is built if schedules will bring it
/// there, else of the step, before anything is written (the proximal place, which cannot pass 0,
/// takes any s, and on the whole way to a set s may be 1); where λ is 0 in a step, no bit differs from a run without decay.
///
/// | number | default | allowed | else |
/// |---|---|---|---|
/// | λ | – | finite, ≥ 0 | [`OutOfRange`] |
/// | τ (steps) | – | finite, > 1 | [`OutOfRange`] |
/// | h (steps) | – | finite, > 0 | [`OutOfRange`] |
/// | ρ, the share of L1 | – | [0, 1] | [`OutOfRange`] |
/// | δ of Huber decay | – | finite, > 0 | [`OutOfRange`] |
/// | r, ρ of a norm; b, κ of a box; τ of singular values | – | finite, ≥ 0 | [`OutOfRange`] |
/// | α of AdaDecay | 4 | finite, ≥ 0 | [`OutOfRange`] |
/// | β of a running average | – | [0, 1) | [`OutOfRange`] |
/// | s, in every step | | [0, 1) | [`ShrinkOutOfRange`] |
/// | the peak learning rate, for independent and timescale decay | | > 0 | [`Conflict`] |
/// | the cell of the table, and its strength | | what is in it | [`NoSuchDecay`] |
///
/// `build` returns the error, that of a group within [`InGroup`]; the text form returns those that
/// need no optimizer. A step or a registration returns [`ShapeNeeded`], [`ShapeRefused`], [`AnchorMissing`]
/// or [`NonFiniteAnchor`] where a parameter lacks what its decay needs.
///
/// # Which parameters
///
/// Decay acts on every parameter of the group it is set for, and only where there is a gradient, as
/// in PyTorch. Biases and gains are usually left out: [`Selector::vectors`](crate::Selector::vectors),
/// or [`Param::no_decay`](crate::Param::no_decay).
///
/// # Example
///
/// ```
/// use wane::{Decay, Penalty, Place, Schedule, Strength};
///
/// let decay = Decay::independent(1e-4).schedule(Schedule::cosine(1000, 0.1));
/// assert_eq!(decay.to_string(), "independent:1e-4*cosine:1000,0.1");
/// assert_eq!("independent:1e-4*cosine:1000,0.1".parse::<Decay>()?, decay);
///
/// let decay = Decay::new(Penalty::L2, Place::Cautious, Strength::HalfLife(500.0));
/// assert_eq!(decay.to_string(), "half-life-cautious:500");
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Hanson & Pratt, NIPS 1988, and Krogh & Hertz, NIPS 1991 (L2); Loshchilov & Hutter, arXiv
/// 1711.05101 (decoupled, independent); Wang & Aitchison, arXiv 2405.13698 (timescale); Li,
/// Grandvalet & Davoine, arXiv 1802.01483 (anchor); Chen et al., arXiv 2510.12402 (cautious);
/// Ghiasi, Shafahi & Ardekani, arXiv 2210.00094 (adaptive).
///
/// [`OutOfRange`]: crate::Error::OutOfRange
/// [`ShrinkOutOfRange`]: crate::Error::ShrinkOutOfRange
/// [`Conflict`]: crate::Error::Conflict
/// [`NoSuchDecay`]: crate::Error::NoSuchDecay
/// [`InGroup`]: crate::Error::InGroup
/// [`ShapeNeeded`]: crate::Error::ShapeNeeded
/// [`ShapeRefused`]: crate::Error::ShapeRefused
/// [`AnchorMissing`]: crate::Error::AnchorMissing
/// [`NonFiniteAnchor`]: crate::Error::NonFiniteAnchor
#[doc(alias = "weight_decay")]
#[doc(alias = "l2")]
#[doc(alias = "l1")]
#[doc(alias = "regularization")]
#[doc(alias = "regularizer")]
#[derive(Clone, Debug, PartialEq)]
pub struct Decay {
    penalty: Penalty,
    place: Place,
    strength: Strength,
    anchor: Anchor,
    schedule: Schedule,
}

/// Where the decay acts.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Place {
    /// In the gradient, before the optimizer sees it: classical L2 regularisation.
    Coupled,
    /// Beside the update, on the weight as it was.
    Decoupled,
    /// The same in another order of operations, which loses no small share; see [`Decay::exact`].
    Exact,
    /// After the update, as the exact minimiser of penalty plus squared distance.
    Proximal,
    /// Beside the update, and only where the update already moves the weight the same way.
    Cautious,
    /// After the update, as the exact minimiser in the optimizer's own metric, such as Adam's √v̂ +
    /// ε: weights that have seen little gradient are pulled the harder.
    Metric,
    /// After the update, which is made as long as the rate says: on the sphere that the penalty is a distance
    /// to, by an angle of about η; see [`Decay::hyperball`].
    Hyperball,
    /// Beside the update, times θ = 2/(1 + exp(−α·(|g| − μ)/σ)), with μ and σ the mean and the
    /// deviation of |g| over the parameter, g as the optimizer sees it.
    AdaDecay {
        /// α, how fast θ rises with the gradient; at least 0, where θ = 1.
        alpha: f64,
    },
}

/// What the decay pulls towards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Anchor {
    /// 0.
    #[default]
    Origin,
    /// The weights as they were when the parameter was first seen; costs one column of memory.
    Start,
    /// What [`Param::anchor`](crate::Param::anchor) lends at each step.
    Given,
    /// The running average e of the weight itself, which starts from the weights as they are when
    /// the parameter is first seen: e ← β·e + (1 − β)·x after each step in which the decay acts.
    /// For decoupled L2; costs one column of memory.
    Average {
        /// β, in [0, 1).
        beta: f64,
    },
}

impl Decay {
    /// Makes a decay from its penalty, place and strength; the optimizer's `build` checks it. With
    /// [`Strength::None`] penalty and place do not matter.
    #[must_use]
    pub fn new(penalty: Penalty, place: Place, strength: Strength) -> Self {
        let (penalty, place) = if strength == Strength::None { (Penalty::L2, Place::Decoupled) } else { (penalty, place) };
        Self { penalty, place, strength, anchor: Anchor::Origin, schedule: Schedule::constant() }
    }

    /// Makes a decay that does nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::None)
    }

    /// Makes the decay pull towards `anchor`.
    ///
    /// ```
    /// use wane::{Anchor, Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build()?;
    /// let mut w = [8.0_f32];
    /// opt.step_slice(&mut w, &[40.0])?;      // 8 → 4, by the gradient alone: d was 0
    /// opt.step_slice(&mut w, &[0.0])?;       // half the way back to 8
    /// assert_eq!(w, [6.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "L2-SP")]
    #[must_use]
    pub fn towards(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// Returns the columns that the decay keeps for a parameter, which begin when the parameter is first
    /// seen: what it pulls towards.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let of_weights = |name| Column { name, extent: Extent::Weights, start: Start::Weights };
        let anchor = match self.anchor() {
            Anchor::Origin | Anchor::Given => None,
            Anchor::Start => Some(of_weights("anchor")),
            Anchor::Average { .. } => Some(of_weights("running_average")),
        };
        let of_penalty = match self.penalty {
            Penalty::StartNorm { .. } => Some(Column { name: "start_norm", extent: Extent::One, start: Start::Norm }),
            Penalty::Spectral { .. } => Some(Column { name: "singular_vector", extent: Extent::Columns, start: Start::Uneven }),
            _ => None,
        };
        anchor.into_iter().chain(of_penalty).collect()
    }

    /// Returns the columns of one step only that the law works out when it looks at a whole parameter.
    pub(crate) fn work(&self) -> Vec<Extent> {
        match self.penalty {
            Penalty::GroupLasso => vec![Extent::First],
            Penalty::Spectral { .. } => vec![Extent::Rows, Extent::Columns],
            _ => Vec::new(),
        }
    }

    /// Returns what the decay was made from.
    pub(crate) fn parts(&self) -> (Penalty, Place, Strength) {
        (self.penalty, self.place, self.strength)
    }

    /// Multiplies the decay's strength by a schedule, beside the schedule of the learning rate.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }
}

impl Decay {
    /// Returns what the decay pulls towards; a decay without strength pulls towards
    /// nothing else than 0.
    pub(crate) fn anchor(&self) -> Anchor {
        if self.strength == Strength::None { Anchor::Origin } else { self.anchor }
    }

    /// Returns whether the strength is divided by the peak learning rate.
    pub(crate) fn needs_peak(&self) -> bool {
        self.strength.needs_peak()
    }

    /// Returns whether the decay looks at rows, and so needs the shape.
    pub(crate) fn needs_shape(&self) -> bool {
        matches!(self.penalty, Penalty::GroupLasso | Penalty::FanBox { .. } | Penalty::Spectral { .. })
    }

    /// Returns what the decay needs where it cannot act on a parameter of these axes.
    pub(crate) fn refuses(&self, of: Matrices) -> Option<&'static str> {
        (matches!(self.penalty, Penalty::Spectral { .. }) && of.rank < 2).then_some("a shape of two axes or more")
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
        let Self { penalty, place, strength, anchor, .. } = *self;
        let by_amounts = penalty != Penalty::L2 && !penalty.is_to_a_set();
        let of_shares = || (by_amounts && strength.is_of_shares()).then_some(OF_SHARES);
        let reason = laws::refused_by_anchor(anchor, penalty, place).or_else(|| refused_by_norms(penalty, place, strength));
        let reason = reason.or_else(|| laws::refused_by_set(anchor, penalty, place, strength));
        reason.or_else(|| place.refuses(penalty, strength)).or_else(of_shares)
    }

    /// Returns what the decay amounts to where its schedule stands at `m`; `average` is the group's
    /// running strength where it is adaptive.
    pub(crate) fn in_step(&self, rates: Rates, m: f64, average: f64) -> StepDecay {
        let share = self.strength.share(self.place, rates, m, average);
        // First of all, so that a decay of 0 has the bits of a run without decay.
        if share.removed() == 0.0 { StepDecay::default() } else { self.place.effect(self.penalty, share) }
    }
}

const OF_SHARES: &str = "a timescale or half-life is a share of the weight, and L1 removes an amount; use independent or fixed";

/// A strength that follows norms of the gradient is part of the gradient.
fn refused_by_norms(penalty: Penalty, place: Place, strength: Strength) -> Option<&'static str> {
    let exists = strength.adaptive_lambda().is_none() || (penalty, place) == (Penalty::L2, Place::Coupled);
    (!exists).then_some("adaptive strength is defined for coupled L2")
}
