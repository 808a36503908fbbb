//! Decoupled L2 in the order that loses no small share: what is removed joins the update before it meets
//! the weight (the paper's order, Loshchilov & Hutter, arXiv 1711.05101).

use super::{AnyLaw, AtPlace, Effect, StepDecay, average};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Float, Real};
use crate::kernel::{Law, Move};
use crate::schedule::Schedule;

impl Decay {
    /// Makes decoupled L2 in PyTorch's units, s = η_t·λ, that loses no small share: x ← x − (η_t·u + s·d),
    /// where [`decoupled`](Self::decoupled) has x ← (1 − s)·d − η_t·u, as PyTorch does.
    ///
    /// The other decoupled units have this order, as there are no bits of PyTorch's to keep;
    /// [`Place::Decoupled`] in [`Decay::new`](Self::new) is its order for them.
    ///
    /// 1 − s has few digits left for a small s: in `f32` a share of 1e-8 removes nothing, one of 4e-8
    /// removes 6e-8. Here s keeps all its digits, and the sum is rounded once: beside updates that are
    /// not 0, rounding errs to both sides, and on average a weight loses its share.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mean = |decay: Decay| {
    ///     let mut opt = Sgd::new(1.0).weight_decay(decay).build()?;
    ///     let mut w = vec![0.75_f32; 4096];
    ///     for k in 0..1000_u32 {
    ///         // Updates that come and go: their sum is 0.
    ///         let grads: Vec<_> = (0..4096_u32).map(|i| ((i * 977 + k / 2 * 7919) % 1000) as f32 * 1e-6 * [1.0, -1.0][(k % 2) as usize]).collect();
    ///         opt.step_slice(&mut w, &grads)?;
    ///     }
    ///     Ok::<_, wane::Error>(w.iter().map(|&w| f64::from(w)).sum::<f64>() / 4096.0)
    /// };
    /// let kept = 0.75 * (1.0 - 1e-8_f64).powi(1000);
    /// assert!((mean(Decay::exact(1e-8))? - kept).abs() < 1e-7);
    /// assert!((mean(Decay::decoupled(1e-8))? - kept).abs() > 5e-6);       // nothing was removed
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn exact(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::LrScaled(lambda))
    }

    /// Makes decoupled L2 in the paper's units: s = (η_t/η_peak)·λ. η_peak is the optimizer's rate, before its schedule;
    /// neither it nor a group's factor acts on the decay, the schedule does.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Schedule, Sgd};
    ///
    /// for peak in [0.5, 0.01] {
    ///     let settings = Sgd::new(peak).lr_schedule(Schedule::linear(1.0, 0.5, 1));
    ///     let mut opt = settings.weight_decay(Decay::independent(0.25)).build()?;
    ///     let mut w = [8.0_f64];
    ///     opt.step_slice(&mut w, &[0.0])?;
    ///     opt.step_slice(&mut w, &[0.0])?;
    ///     assert_eq!(w, [8.0 * (1.0 - 0.25) * (1.0 - 0.125)]);
    /// }
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn independent(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Independent(lambda))
    }

    /// Makes corrected decoupled L2 (AdamC): s = (η_t²/η_peak)·λ. At the peak rate it is
    /// [`decoupled`](Self::decoupled); as the rate falls, it falls with its square. It is meant for
    /// layers before a normalisation, where it keeps ‖g‖/‖w‖ at rest at √(2λ/η_peak) where plain decay
    /// lets it rise; give other layers plain decay, in a group of their own. (timm gives it to all
    /// layers.) η_peak is the optimizer's; the group's factor scales η_t once.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Schedule, Sgd};
    ///
    /// let settings = Sgd::new(0.5).lr_schedule(Schedule::linear(1.0, 0.5, 1));
    /// let mut opt = settings.weight_decay(Decay::corrected(0.5)).build()?;
    /// let mut w = [1.0_f64];
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [0.75]);                      // s = 0.5·0.5
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [0.75 * (1.0 - 0.0625)]);     // half the rate, a quarter of the share
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Defazio, *Why Gradients Rapidly Increase Near the End of Training*, arXiv 2506.02285.
    #[doc(alias = "AdamC")]
    #[must_use]
    pub fn corrected(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Corrected(lambda))
    }

    /// Makes decoupled L2 by the same share at every step: s = λ, also where the learning rate is 0.
    #[must_use]
    pub fn fixed(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Fixed(lambda))
    }

    /// Makes decoupled L2 that averages over τ = `steps` steps at the peak learning rate:
    /// s = (η_t/η_peak)/τ.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::timescale(1000.0)).build()?;
    /// let mut w = [1.0_f64];
    /// for _ in 0..1000 {
    ///     opt.step_slice(&mut w, &[0.0])?;
    /// }
    /// assert!((w[0] - (-1.0_f64).exp()).abs() < 1e-3);                // after τ steps 1/e is left
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Wang & Aitchison, arXiv 2405.13698.
    #[must_use]
    pub fn timescale(steps: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Timescale(steps))
    }

    /// Makes decoupled L2 that halves a weight every h = `steps` steps: s = 1 − 2^(−1/h), whatever the learning rate.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::half_life(3.0)).build()?;
    /// let mut w = [8.0_f64];
    /// for _ in 0..3 {
    ///     opt.step_slice(&mut w, &[0.0])?;
    /// }
    /// assert!((w[0] - 4.0).abs() < 1e-14);
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn half_life(steps: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::HalfLife(steps))
    }

    /// Makes normalized decoupled L2: s = (η_t/η_peak)·λ/√`steps`, where `steps` is the length of the run
    /// in steps of the optimizer. (Of the paper's √(b/(B·T)) it is 1/√: b examples in a batch, B in the
    /// data, T epochs.) λ carries over to runs of another length better than others do: 0.025 in
    /// its authors' README.
    ///
    /// ```
    /// use wane::{AdamW, Decay, Optimizer};
    ///
    /// let mut opt = AdamW::new(1e-3).weight_decay(Decay::normalized(0.025, 10_000)).build()?;
    /// let mut w = [1.0_f64];
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [1.0 - 0.025 / 100.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Loshchilov & Hutter, arXiv 1711.05101, appendix B.1.
    #[must_use]
    pub fn normalized(lambda: f64, steps: u64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Normalized { lambda, steps })
    }

    /// Makes normalized decoupled L2 for a learning rate that restarts
    /// ([`Schedule::cosine_restarts`]): s = (η_t/η_peak)·λ/√Tᵢ, where the i-th cycle has
    /// Tᵢ = `steps`·`growth`ⁱ steps, so that λ counts √`growth` times less with each restart.
    ///
    /// AdamWR and SGDWR are two lines:
    ///
    /// ```
    /// use wane::{AdamW, Decay, Schedule};
    ///
    /// let (steps, growth) = (100 * 390, 2);              // up to the first restart: epochs × batches in each
    /// let opt = AdamW::new(1e-3)
    ///     .lr_schedule(Schedule::cosine_restarts(steps, growth, 0.0))
    ///     .weight_decay(Decay::normalized_restarts(0.025, steps, growth))
    ///     .build::<f32>()?;
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// It is [`normalized`](Self::normalized)`(λ, steps)` under [`Schedule::restart_steps`]`(steps, growth)`.
    ///
    /// Source: Loshchilov & Hutter, arXiv 1711.05101, and their code, which is one step ahead: it advances
    /// the cosine before a step, so that its first step is at k = 1.
    #[doc(alias = "AdamWR")]
    #[doc(alias = "SGDWR")]
    #[must_use]
    pub fn normalized_restarts(lambda: f64, steps: u64, growth: u64) -> Self {
        Self::normalized(lambda, steps).schedule(Schedule::restart_steps(steps, growth))
    }

    /// Makes log-time decay: s = (η_t/η_peak)·ω/(T + k), where k counts the completed steps and T is `scale`.
    /// Late in a run a weight falls with the power −ω of time, so that decay forgets at every age the same
    /// part of the run.
    ///
    /// It is [`independent`](Self::independent)`(ω/T)` under [`Schedule::inverse_time`]`(T)`.
    ///
    /// | of ADANA | λ at step t = k + 1 | here |
    /// |---|---|---|
    /// | README, ω ≈ 4 | ω/t | `log_time(ω, 1.0)` |
    /// | code, with its `weight_decay` and `wd_ts` | weight_decay/(1 + t/wd_ts) | `log_time(weight_decay * wd_ts, wd_ts + 1.0)` |
    /// | its scripts, over n steps | the same, `wd_ts` = n/10, `weight_decay` = ω/`wd_ts` | `log_time(ω, n / 10 + 1)` |
    ///
    /// The code decays after the update, w ← (1 − s)·(w − η·u); here it is beside it, as in the paper.
    ///
    /// With T ≤ ω the first steps have s ≥ 1 at the full rate, which is an error when the optimizer is built. Under
    /// a line up to the peak over W ≥ ω steps, h = k/W, they have not: s stays below ω/W. Or take
    /// [`Place::Exponential`], which refuses no s.
    ///
    /// ```
    /// use wane::{AdamW, Decay, Penalty, Place, Schedule, Strength};
    ///
    /// assert!(AdamW::new(1e-3).weight_decay(Decay::log_time(4.0, 1.0)).build::<f32>().is_err());
    /// assert!(AdamW::new(1e-3).weight_decay(Decay::log_time(4.0, 1001.0)).build::<f32>().is_ok());
    /// let warm = AdamW::new(1e-3).lr_schedule(Schedule::warmup_cosine(100, 10_000, 0.0));
    /// assert!(warm.weight_decay(Decay::log_time(4.0, 1.0)).build::<f32>().is_ok());
    /// let safe = Decay::new(Penalty::L2, Place::Exponential, Strength::Independent(4.0)).schedule(Schedule::inverse_time(1.0));
    /// assert!(AdamW::new(1e-3).weight_decay(safe).build::<f32>().is_ok());
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Ferbach, Paquette, Gidel, Everett & Paquette, arXiv 2602.05298.
    #[doc(alias = "ADANA")]
    #[must_use]
    pub fn log_time(omega: f64, scale: f64) -> Self {
        Self::independent(omega / scale).schedule(Schedule::inverse_time(scale))
    }
}

/// Beside the update, in one sum with it.
pub(super) struct InTheSum;

impl AtPlace for InTheSum {
    fn word(&self) -> &'static str {
        "exact"
    }

    fn refuses(&self, penalty: Penalty, _strength: Strength) -> Option<&'static str> {
        (penalty != Penalty::L2).then_some("the exact order is for L2")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::Exact(Amounts { share: share.removed() })
    }
}

/// The share that is removed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    pub(super) share: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("s", self.share)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { share: change(self.share)? })
    }

    fn times(self, trust: f64) -> Self {
        Self { share: self.share * trust }
    }

    fn share(self) -> f64 {
        self.share
    }

    fn removes<T: Float>(self) -> [f64; 2] {
        [self.share, T::of(self.share).widen()]
    }

    fn law<T: Real>(self, anchor: Anchor) -> AnyLaw<T> {
        match anchor {
            Anchor::Average { beta } => AnyLaw::TowardsAverage(average::TowardsAverage::new(self.share, beta)),
            _ => AnyLaw::Exact(Exact::new(self.share)),
        }
    }
}

/// d ← d − (rate·u + s·d)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact<T> {
    s: T,
}

impl<T: Real> Exact<T> {
    pub(super) fn new(share: f64) -> Self {
        Self { s: T::of(share) }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.s.is_zero()
    }
}

impl<T: Real> Law<T> for Exact<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        (d - step.u.mul_add(rate, self.s * d), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, _step: Move<T>, _rate: T, []: [T; 0]) -> T {
        self.s * d
    }
}
