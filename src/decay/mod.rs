//! Weight decay as a value: which penalty, where it acts, how strong.
//!
//! | to find | look in |
//! |---|---|
//! | the public value, its tables, and places | here |
//! | units, and what each of them makes of a step's share | `units.rs`, `share.rs` |
//! | strengths of a group, which coupled or decoupled L2 then takes; values of CPR, of tuning | `adaptive.rs`, `stable.rs`; `kappa.rs`, `tuning.rs` |
//! | what a law does to a weight, with its constructor; strengths of a parameter too | `laws/`: CPR in `constrained.rs`, tuned in `tuned.rs` |
//! | combinations that do not exist, columns, the step; the text form | `parts.rs`; `text.rs` |
//! | what is penalised; what is pulled towards; rows that are passed over (their law is `laws/touched.rs`) | `penalty.rs`, `anchor.rs`, `untouched.rs` |

mod adaptive;
mod anchor;
mod kappa;
mod laws;
mod parts;
mod penalty;
mod share;
mod stable;
mod text;
mod tuning;
pub(crate) mod units;
mod untouched;

pub(crate) use adaptive::Average;
pub use anchor::Anchor;
pub use kappa::Kappa;
pub(crate) use laws::{AnyLaw, StepDecay, paid};
pub(crate) use parts::{OWED, SENSITIVITY};
pub use penalty::{Penalty, Slices};
pub(crate) use share::{Rates, ShrinkFraction};
pub use tuning::Tuning;
pub use units::Strength;
pub use untouched::Untouched;

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
/// | [`decoupled`](Self::decoupled)`(λ)` | `decoupled:0.1` | x ← (1 − s)·d − η_t·u, s = η_t·λ | AdamW of PyTorch, optax, Keras |
/// | [`exact`](Self::exact)`(λ)` | `exact:0.1` | x ← d − (η_t·u + s·d), s = η_t·λ | `decoupled` that loses no small share |
/// | [`independent`](Self::independent)`(λ)` | `independent:1e-4` | the same, s = (η_t/η_peak)·λ | AdamW of the paper, Composer |
/// | [`corrected`](Self::corrected)`(λ)` | `corrected:0.1` | s = η_t²/η_peak·λ | AdamC, Defazio 2025 |
/// | [`fixed`](Self::fixed)`(λ)` | `fixed:1e-4` | s = λ | LaProp, AdaBelief's `fixed_decay` |
/// | [`timescale`](Self::timescale)`(τ)` | `timescale:2000` | s = (η_t/η_peak)/τ | Wang & Aitchison |
/// | [`half_life`](Self::half_life)`(h)` | `half-life:500` | s = 1 − 2^(−1/h) | people |
/// | [`normalized`](Self::normalized)`(λ, n)` | `normalized:0.025,1000` | s = (η_t/η_peak)·λ/√n, a run of n steps | AdamW of the paper, appendix B.1 |
/// | [`normalized_restarts`](Self::normalized_restarts)`(λ, n, c)` | `normalized:0.025,1000*restart-steps:1000,2` | the same, n·cⁱ steps in the i-th cycle | AdamWR |
/// | [`log_time`](Self::log_time)`(ω, T)` | `independent:0.04*inverse-time:100` | s = (η_t/η_peak)·ω/(T + k) | ADANA, Ferbach et al. 2026 |
/// | [`exponential`](Self::exponential)`(λ)` | `exponential:0.1` | x ← e^(−s)·d − η_t·u, s = η_t·λ | `decoupled` that takes any s |
/// | [`l1`](Self::l1)`(λ)` | `l1:0.01` | x ← S(x − η_t·u, η_t·λ), exact zeros | soft threshold, ISTA |
/// | [`elastic_net`](Self::elastic_net)`(λ, ρ)` | `elastic-net:0.01,0.5` | both, decoupled | |
/// | [`cautious`](Self::cautious)`(λ)` | `cautious:0.1` | s only where u·d ≥ 0 | Chen et al. 2025 |
/// | [`selective`](Self::selective)`(λ)` | `fixed-selective:1` | y − λ·r·y, r = 1 − ‖x‖/‖y‖, only where ⟨g, x⟩ > 0 and r > 0 | SPD, Tian et al. 2024 |
/// | [`ada_decay`](Self::ada_decay)`(λ)` | `ada-decay:0.1,4` | s·θ, 0 < θ < 2 by the size of the gradient | AdaDecay, Nakamura & Hong 2019 |
/// | [`metric_l1`](Self::metric_l1)`(λ)` | `metric-l1:0.01` | x ← S(x − η_t·u, η_t·λ/(√v̂ + ε)) | ProxGen, Yun et al. 2021 |
/// | [`huber`](Self::huber)`(λ, δ)` | `huber:0.1,0.05` | y/(1 + s), y = x − η_t·u, and no more than s·δ off | AdamHD, Guo & Fan 2025 |
/// | [`p_norm`](Self::p_norm)`(λ, p)` | `p-norm:0.01,0.5` | y/(1 + s·\|x\|^(p−2)), y = x − η_t·u | pWD, Outmezguine & Levi 2024 |
/// | [`group_lasso`](Self::group_lasso)`(λ)` | `group-lasso:0.01` | y = x − η_t·u; y·max(0, 1 − η_t·λ√n/‖y‖) for each row | rows become 0; [`column_lasso`](Self::column_lasso), [`tensor_lasso`](Self::tensor_lasso): columns, all of a parameter |
/// | [`norm`](Self::norm)`(λ, r)` | `norm:0.1,2` | x ← x − (η_t·u + s·(1 − r/‖d‖)·d) | norm control |
/// | [`start_norm`](Self::start_norm)`(λ, ρ)` | `start-norm:0.1,1` | the same, r = ρ·‖w₀‖ | AdamWN, Loshchilov 2023 |
/// | [`hyperball`](Self::hyperball)`()` | `hard-hyperball-start-norm:1` | x ← R·N(x − η_t·R·N(u)), R = ‖w₀‖ | Wen et al. 2026 |
/// | [`clip`](Self::clip)`(b)` | `hard-box:0.05` | x ← clamp(x − η_t·u, b) | weight clipping |
/// | [`clip_to_start`](Self::clip_to_start)`(κ)` | `hard-fan-box:2` | the same, b = κ/√fan_in | Elsayed et al. 2024 |
/// | [`spectral`](Self::spectral)`(λ)` | `spectral:0.1,0` | x ← x − (η_t·u + s·σ₁·u₁v₁ᵀ) | spectral decay |
/// | [`spectral_cap`](Self::spectral_cap)`(τ)` | `hard-spectral:2` | σ₁ ← min(σ₁, τ) | spectral hammer |
/// | [`adaptive`](Self::adaptive)`(λ)` | `adaptive:0.022` | coupled L2, λ̄ from λ·‖g‖/‖d‖ | AWD, Ghiasi et al. 2023 |
/// | [`cpr`](Self::cpr)`(κ)` | `cpr:1,warm-start,2000` | x ← x − (η_t·u + 2λ·d), λ ← max(0, λ + μ·(mean d² − κ)) | CPR, Franke et al. 2024 |
/// | [`stable`](Self::stable)`(λ)` | `stable:5e-4` | s = η_t·λ·p/√v̄, v̄ the mean of v̂, p of momentum | AdamS, SGDS, Xie et al. 2023 |
/// | [`tuned`](Self::tuned)`(λ, by)` | `tuned:0.1,log,1` | s = η_t·λ, λ along a validation gradient | Luketina et al. 2016 |
///
/// Units that PyTorch lacks have the exact order; `independent-decoupled:1e-4` is that of PyTorch.
/// S(y, θ) = sign(y)·max(|y| − θ, 0). The L2 penalty of this crate is (λ/2)·d², with gradient λ·d.
///
/// # Penalty × place
///
/// [`Decay::new`] takes penalty, place and strength one by one. Each cell is a kernel, the kernel
/// of another cell, or an error when the optimizer is built:
///
/// | | [`Coupled`](Place::Coupled) | [`Decoupled`](Place::Decoupled) | [`Exact`](Place::Exact) | [`Exponential`](Place::Exponential) | [`Proximal`](Place::Proximal) | [`Cautious`](Place::Cautious) | [`AdaDecay`](Place::AdaDecay) | [`Selective`](Place::Selective) | [`Metric`](Place::Metric) |
/// |---|---|---|---|---|---|---|---|---|---|
/// | [`L2`](Penalty::L2) | g + λd | (1 − s)d − ηu | d − (ηu + sd) | e^(−s)·d − ηu | (d − ηu)/(1 + s) | (1 − s·\[ud ≥ 0\])d − ηu | (1 − sθ)d − ηu | y − s·r·y, y = d − ηu | error |
/// | [`L1`](Penalty::L1) | g + λ·sign(d) | = proximal | error | error | S(d − ηu, s) | error | error | error | S(d − ηu, s/metric) |
/// | [`ElasticNet`](Penalty::ElasticNet) | g + λ₂d + λ₁sign(d) | S((1 − s₂)d − ηu, s₁) | error | error | S(d − ηu, s₁)/(1 + s₂) | error | error | error | error |
/// | [`Huber`](Penalty::Huber) | g + λ·clamp(d, δ) | = proximal | error | error | y − clamp(ys/(1 + s), sδ), y = d − ηu | error | error | error | error |
/// | [`PNorm`](Penalty::PNorm) | g + λ·sign(d)·\|d\|^(p−1), 1 ≤ p ≤ 2 | = proximal | error | error | y/(1 + s·\|d\|^(p−2)), y = d − ηu | error | error | error | error |
/// | [`GroupLasso`](Penalty::GroupLasso) | error | = proximal | error | error | y·max(0, 1 − s√n/‖y‖), y = d − ηu | error | error | error | error |
/// | [`Norm`](Penalty::Norm), [`StartNorm`](Penalty::StartNorm), [`Box`](Penalty::Box), [`FanBox`](Penalty::FanBox), [`Spectral`](Penalty::Spectral) | error | d − (ηu + s(d − P(d))) | error | error | y − s/(1 + s)·(y − P(y)), y = d − ηu | error | error | error | error |
///
/// P(d) is the point nearest to d of the set that the penalty is a distance to. With
/// [`Strength::Hard`], in the proximal place, the weight becomes P(y) itself; the place
/// [`Hyperball`](Place::Hyperball) takes it with a norm, and nothing else.
///
/// Group lasso over rows or columns, `FanBox` and `Spectral` need the shape of a parameter
/// ([`Param::shape`](crate::Param::shape)), columns and `Spectral` one of two axes or more. A share of AdaDecay, which θ may
/// double, is refused from ½ on. For an optimizer without a metric of its own
/// (SGD, Lion) the metric is 1.
///
/// Every cell also pulls [towards an anchor](Self::towards) (L2-SP and its kin), lent or the start, but for the
/// hyperball, which is around 0, and a p-norm below 2 beside the start, where it would hold every weight. Towards
/// the running average there is decoupled L2, also exact or exponential; and decoupled L2, also in the exact order, may
/// pass over [rows without a gradient](Self::untouched). Strengths: coupled
/// decay is part of the gradient, which the learning rate scales, so it takes
/// [`LrScaled`](Strength::LrScaled) (λ itself) or, for L2, [`Adaptive`](Strength::Adaptive); the
/// other places take all but those that find themselves; `Timescale` and `HalfLife` speak of a share of
/// the weight, or of the way to a set, so L1 and its kin do not take them. L2 takes
/// [`Stable`](Strength::Stable) and [`Tuned`](Strength::Tuned) decoupled and in the exact order,
/// [`Cpr`](Strength::Cpr) and [`AdaCpr`](Strength::AdaCpr) in the exact order.
///
/// A share s outside [0, 1) is an error, when the optimizer is built if schedules will bring it
/// there, else of the step, before anything is written (the proximal and the exponential place, which
/// cannot pass 0, and the selective one, take any s, and on the whole way to a set s may be 1); where λ is
/// 0 in a step, no bit differs from a run without decay.
///
/// | number | default | allowed | else |
/// |---|---|---|---|
/// | λ | – | finite, ≥ 0 | [`OutOfRange`] |
/// | τ (steps) | – | finite, > 1 | [`OutOfRange`] |
/// | n (steps) of normalized decay | – | ≥ 1 | [`OutOfRange`] |
/// | h (steps) | – | finite, > 0 | [`OutOfRange`] |
/// | ρ, the share of L1 | – | [0, 1] | [`OutOfRange`] |
/// | δ of Huber decay | – | finite, > 0 | [`OutOfRange`] |
/// | p of a p-norm | – | finite, > 0; coupled [1, 2] | [`OutOfRange`], [`NoSuchDecay`] |
/// | r, ρ of a norm; b, κ of a box; τ of singular values | – | finite, ≥ 0 | [`OutOfRange`] |
/// | α of AdaDecay | 4 | finite, ≥ 0 | [`OutOfRange`] |
/// | β of a running average | – | [0, 1) | [`OutOfRange`] |
/// | μ and κ of CPR | 1, – | see [`cpr`](Self::cpr) | see there |
/// | κ, the rate of tuning | – | finite, ≥ 0 | [`OutOfRange`] |
/// | s, in every step | | [0, 1) | [`ShrinkOutOfRange`] |
/// | the peak learning rate, for independent, corrected, normalized and timescale decay | | > 0 | [`Conflict`] |
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
/// or [`Param::no_decay`](crate::Param::no_decay). Some weights or rows of a parameter are left out by a mask,
/// [`Param::undecayed`](crate::Param::undecayed), and rows that a step has not touched by
/// [`untouched`](Self::untouched).
///
/// # Text form
///
/// ```text
/// [strength-][place-][penalty]:number,...[@anchor][~rows][*schedule]
/// ```
///
/// in this order, as `independent-elastic-net:1e-4,0.5@start*cosine:1000,0.1`. Words for what is usual are
/// left out: lr-scaled units, the decoupled place (of L2 in units that PyTorch lacks, the exact one), L2. The numbers
/// are those of the strength, then of the penalty, then of the place. [`Strength::Hard`] has none.
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
/// Grandvalet & Davoine, arXiv 1802.01483 (anchor). Each other law names its own.
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
    untouched: Untouched,
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
    /// The same in another order of operations, which loses no small share, and the usual place of
    /// units that PyTorch lacks; see [`Decay::exact`].
    Exact,
    /// The same by the factor e^(−s) in place of 1 − s, which is above 0 for every s; see
    /// [`Decay::exponential`].
    Exponential,
    /// After the update, as the exact minimiser of penalty plus squared distance.
    Proximal,
    /// Beside the update, and only where the update already moves the weight the same way.
    Cautious,
    /// After the update, by the part of the distance that it has added, and only where the gradient leads
    /// back; see [`Decay::selective`].
    Selective,
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

impl Decay {
    /// Makes a decay from its penalty, place and strength; the optimizer's `build` checks it. With
    /// [`Strength::None`] penalty and place do not matter.
    #[must_use]
    pub fn new(penalty: Penalty, place: Place, strength: Strength) -> Self {
        let (penalty, place) = if strength == Strength::None { (Penalty::L2, Place::Decoupled) } else { (penalty, place) };
        let (anchor, untouched, schedule) = (Anchor::Origin, Untouched::Decay, Schedule::constant());
        Self { penalty, place, strength, anchor, untouched, schedule }
    }

    /// Makes a decay that does nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Penalty::L2, Place::Decoupled, Strength::None)
    }

    /// Makes the decay pull towards `anchor`: d = x − a takes the place of x. Towards a pretrained start it is L2-SP, towards
    /// a random one L2 Init (Kumar et al., arXiv 2308.11958).
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
    #[doc(alias("L2-SP", "L2 Init"))]
    #[must_use]
    pub fn towards(mut self, anchor: Anchor) -> Self {
        self.anchor = anchor;
        self
    }

    /// Multiplies the decay's strength by a schedule m(k), beside the schedule of the learning rate: the share of step
    /// k is m(k)·s, where m is 0 nothing decays, and k counts the optimizer's completed steps.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Schedule, Sgd};
    ///
    /// let decay = Decay::fixed(0.5).schedule(Schedule::linear(0.0, 1.0, 2));
    /// let mut opt = Sgd::new(0.1).weight_decay(decay).build()?;
    /// let mut w = [16.0_f64];
    /// for expected in [16.0, 12.0, 6.0, 3.0] {                       // shares of 0, ¼, ½, ½
    ///     opt.step_slice(&mut w, &[0.0])?;
    ///     assert_eq!(w, [expected]);
    /// }
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }
}
