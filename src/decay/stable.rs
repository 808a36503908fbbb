//! Stable weight decay (SWD): decoupled L2 in the optimizer's own mean rate.

use super::{Decay, Penalty, Place, Strength};

impl Decay {
    /// Makes decoupled L2 by the rate that the optimizer really has: AdamS and SGDS.
    ///
    /// ```text
    /// s = η_t·λ·p/√v̄        v̄ the mean of the second moments v̂ over the group, of the present step
    /// ```
    ///
    /// An adaptive optimizer divides gradients by √v̂ and a decoupled decay by nothing: the balance of
    /// both moves as gradients become smaller. Here the decay is divided by the mean, so that at rest
    /// the group is where coupled L2 of this λ would have it in the mean. √v̂ is what the optimizer
    /// divides by, without its ε; v̂ is 1 for optimizers that divide by nothing. p is how much further
    /// momentum carries a steady gradient: (1 − dampening)/(1 − momentum) for [`Sgd`](crate::Sgd), else
    /// 1.
    ///
    /// As gradients vanish the share grows: one of 1 or more is
    /// [`ShrinkOutOfRange`](crate::Error::ShrinkOutOfRange) of the step, before anything is written.
    /// Where v̄ is 0 (all gradients were 0 so far) nothing decays. A v̄ that is NaN, which only
    /// [`NonFinite::Propagate`](crate::NonFinite::Propagate) lets come so far, is that error, too. Loss scaling that is not
    /// [undone](crate::Optimizer::step_scaled) changes v̄.
    ///
    /// | number | default | allowed | else |
    /// |---|---|---|---|
    /// | λ | –; the authors' 5e-4 | finite, ≥ 0 | [`OutOfRange`](crate::Error::OutOfRange) |
    /// | p of the optimizer | | finite, ≥ 0 | [`Conflict`](crate::Error::Conflict) |
    /// | an optimizer that looks at whole parameters (LAMB, Adafactor, Muon) | | | [`Conflict`](crate::Error::Conflict) |
    ///
    /// A step of an adaptive optimizer reads gradients and state once more; it keeps nothing.
    ///
    /// # Differences
    ///
    /// The paper's mean is over all parameters, the same as long as they are one group; those without a
    /// gradient, and frozen ones, count in neither. In the authors' code v̄ = 0 makes NaN, and SGDS
    /// counts dampening where there is no momentum.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.125).momentum(0.5).weight_decay(Decay::stable(1.0)).build()?;
    /// let mut w = [4.0_f64];
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [3.0]);                    // s = 0.125·1/(1 − 0.5)
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Xie, Xu, Zhang, Sato & Sugiyama, *On the Overlooked Pitfalls of Weight Decay and How to
    /// Mitigate Them*, NeurIPS 2023, arXiv 2011.11152.
    #[doc(alias = "SWD")]
    #[doc(alias = "AdamS")]
    #[doc(alias = "SGDS")]
    #[must_use]
    pub fn stable(lambda: f64) -> Self {
        Self::new(Penalty::L2, Place::Exact, Strength::Stable(lambda))
    }
}
