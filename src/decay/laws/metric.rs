//! The soft threshold in the optimizer's own metric (Yun, Lozano & Yang, NeurIPS 2021, arXiv
//! 2007.07714): the exact proximal step of an adaptive optimizer.

use super::{AnyLaw, AtPlace, Effect, StepDecay};
use crate::decay::share::ShrinkFraction;
use crate::decay::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Real, clamp};
use crate::kernel::{Law, Move, descend};

impl Decay {
    /// Makes L1 as a soft threshold in the optimizer's metric: η_t·λ/(√v̂ + ε) under Adam. Where
    /// [`l1`](Self::l1) uses the same threshold for all weights, this is the exact proximal step.
    ///
    /// ```text
    /// y = d − η_t·u,   d ← S(y, η_t·λ/metric),   S(y, θ) = sign(y)·max(|y| − θ, 0)
    /// ```
    ///
    /// The metric is what the optimizer divides this step's gradient or moment by. For [`Sgd`](crate::Sgd), [`Muon`](crate::Muon) and
    /// [`Lion`](crate::Lion), which divide by nothing, it is 1, and this is [`l1`](Self::l1). At rest a weight that is not 0
    /// has a gradient of ±λ, as with the penalty in the loss; `l1` rests at u = ±λ.
    ///
    /// ```
    /// use wane::{Adagrad, Decay, Optimizer};
    ///
    /// let mut opt = Adagrad::new(0.5).eps(0.0).weight_decay(Decay::metric_l1(1.0)).build()?;
    /// let mut w = [4.0_f64, 4.0];
    /// opt.step_slice(&mut w, &[1.0, 4.0])?;
    /// assert_eq!(w, [4.0 - 0.5 - 0.5, 4.0 - 0.5 - 0.5 / 4.0]);        // √Σg² is 1 and 4
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// No pass and no state of its own. Source: Yun, Lozano & Yang, *Adaptive Proximal Gradient Methods for Structured
    /// Neural Networks*, NeurIPS 2021, arXiv 2007.07714.
    #[doc(alias = "ProxGen")]
    #[must_use]
    pub fn metric_l1(lambda: f64) -> Self {
        Self::new(Penalty::L1, Place::Metric, Strength::LrScaled(lambda))
    }
}

/// After the update, in the optimizer's metric.
pub(super) struct InMetric;

impl AtPlace for InMetric {
    fn word(&self) -> &'static str {
        "metric"
    }

    fn refuses(&self, penalty: Penalty, strength: Strength) -> Option<&'static str> {
        let exists = penalty == Penalty::L1 && !strength.is_of_shares();
        (!exists).then_some("in the optimizer's metric there is L1: lr-scaled, independent, corrected, normalized or fixed")
    }

    fn effect(&self, _penalty: Penalty, share: ShrinkFraction) -> StepDecay {
        StepDecay::Metric(Amounts { threshold: share.removed() })
    }
}

/// A threshold in the plain metric, which the optimizer's own divides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Amounts {
    threshold: f64,
}

impl Effect for Amounts {
    fn said(self) -> Vec<(&'static str, f64)> {
        vec![("θ·metric", self.threshold)]
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(Self { threshold: change(self.threshold)? })
    }

    fn times(self, trust: f64) -> Self {
        Self { threshold: self.threshold * trust }
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Metric(MetricThreshold::new(self.threshold))
    }
}

/// y = d − rate·u,   d ← S(y, θ/metric) with the soft threshold S(y, θ) = sign(y)·max(|y| − θ, 0)
///
/// Adam's metric is √v̂ + ε: a weight that has seen little gradient is pulled to 0 the harder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetricThreshold<T> {
    threshold: T,
}

impl<T: Real> MetricThreshold<T> {
    pub(crate) fn new(threshold: f64) -> Self {
        Self { threshold: T::of(threshold) }
    }

    /// Returns y − S(y, θ/metric).
    #[inline(always)]
    fn removed(&self, y: T, step: Move<T>) -> T {
        clamp(y, self.threshold / step.metric)
    }
}

impl<T: Real> Law<T> for MetricThreshold<T> {
    type Columns = [T; 0];
    const SETTLES: bool = true;
    const ASKS: bool = true;

    #[inline(always)]
    fn settle(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> (T, [T; 0]) {
        let y = descend(d, step, rate);
        (y - self.removed(y, step), [])
    }

    #[inline(always)]
    fn drift(&self, d: T, _g: T, step: Move<T>, rate: T, []: [T; 0]) -> T {
        self.removed(descend(d, step, rate), step)
    }
}
