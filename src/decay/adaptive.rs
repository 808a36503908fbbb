//! Adaptive weight decay (AWD): coupled L2 whose strength keeps the decay a fixed share
//! of the gradient.

use super::{Decay, Penalty, Place, Strength};

impl Decay {
    /// Makes coupled L2 whose strength follows λ·‖g‖/‖d‖, taken over the group.
    ///
    /// ```text
    /// λ̄ ← 0.1·λ̄ + 0.9·λ·‖g‖/‖d‖          from λ̄ = 0;   g ← g + λ̄·d
    /// ```
    ///
    /// The norms are over the group's parameters that have a gradient and are not frozen, after
    /// unscaling and clipping by norm. The paper has one ratio over all decayed parameters, which
    /// is the same as long as they are one group.
    ///
    /// A [schedule](Self::schedule) m multiplies the strength, λ̄·m(k), and not the ratios that are
    /// averaged: where m is 0 nothing decays, and the average goes on.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::adaptive(0.5)).build()?;
    /// let mut w = [3.0_f64, 4.0];
    /// opt.step_slice(&mut w, &[0.0, 10.0])?;
    /// let strength = opt.decay_strength("default").unwrap();
    /// assert!((strength - 0.9 * 0.5 * 10.0 / 5.0).abs() < 1e-15);     // of an average that starts from 0
    /// assert!((w[0] - (3.0 - 0.5 * strength * 3.0)).abs() < 1e-15);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Cost: weights and gradients are read once more, for their norms. λ̄ is kept, one number for the group.
    ///
    /// Source: Ghiasi, Shafahi & Ardekani, *Improving Robustness with Adaptive Weight Decay*, NeurIPS 2023, arXiv
    /// 2210.00094, with SGD and λ = 0.022. With the 0.9 of the newest ratio the average is short, and its first
    /// value is 0.9 of the ratio.
    #[doc(alias = "AWD")]
    #[must_use]
    pub fn adaptive(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Coupled, Strength::Adaptive(lambda))
    }
}

/// The running strength of one group.
///
/// ```text
/// λ_t = λ·‖g‖ / ‖d‖                 over the group's decayed, unfrozen parameters that have a gradient in this step
/// λ̄ ← 0.1·λ̄ + 0.9·λ_t               from λ̄ = 0; times the decay's schedule, the coupled strength of this step
/// ```
///
/// ‖g‖ is taken after unscaling and after clipping by norm, before clipping by value. Where all d
/// are 0 there is nothing to decay and λ_t counts as 0.
///
/// Ghiasi, Shafahi & Ardekani, *Improving Robustness with Adaptive Weight Decay*, NeurIPS 2023,
/// arXiv 2210.00094.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Average(f64);

impl Average {
    /// Returns λ̄ after a step with these norms.
    #[must_use]
    pub(crate) fn next(self, lambda: f64, gradient: f64, distance: f64) -> Self {
        let ratio = if distance == 0.0 || lambda == 0.0 { 0.0 } else { lambda * gradient / distance };
        Self(0.1 * self.0 + 0.9 * ratio)
    }

    /// Returns a strength that was found otherwise, or comes from a state.
    pub(crate) fn of(strength: f64) -> Self {
        Self(strength)
    }

    pub(crate) fn strength(self) -> f64 {
        self.0
    }
}
