//! What rounding leaves of a small decay.

use crate::decay::{Decay, Rates};
use crate::error::{Result, in_range};
use crate::float::{Float, removed};
use crate::schedule::Schedule;

/// Returns the share of a weight that a step really removes, where it was told to remove s = `share`.
///
/// ```text
/// 1 − (1 − s rounded to T)
/// ```
///
/// A step in PyTorch's order, [`Place::Decoupled`](crate::Place::Decoupled), multiplies by 1 − s, rounded to the weights' type. In `f32` numbers below 1 lie 6e-8 apart:
/// a share below 3e-8 is lost, and a larger one becomes a multiple of 6e-8. In `f64` the same happens
/// at 6e-17 and 1.1e-16. The product is rounded again, to the weight's own last place.
///
/// | argument | symbol | allowed | else |
/// |---|---|---|---|
/// | `share` | s, of [`share_at_peak`](super::share_at_peak) or of a step | [0, 1) | [`OutOfRange`](crate::Error::OutOfRange) |
///
/// It is lost where the result is 0 and `share` is not. PyTorch rounds in the same place; a library
/// that subtracts s·x from x instead loses a share that is below half of the weight's own last place. In
/// the [exact order](crate::Place::Exact), which all units have that PyTorch lacks, s keeps its digits.
///
/// ```
/// use wane::plan::really_removed;
///
/// assert_eq!(really_removed::<f32>(1e-8)?, 0.0);
/// assert_eq!(really_removed::<f32>(4e-8)?, 2.0_f64.powi(-24));      // 5.96e-8, half as much again
/// assert!((really_removed::<f64>(1e-8)? - 1e-8).abs() < 1e-16);
/// # Ok::<(), wane::Error>(())
/// ```
pub fn really_removed<T: Float>(share: f64) -> Result<f64> {
    in_range("share of a weight", share, (0.0..1.0).contains(&share), "in [0, 1)")?;
    Ok(removed::<T>(share))
}

impl Decay {
    /// Returns whether the share of a weight that goes in a step is lost by rounding to the weights'
    /// type `T`: what really goes is more than 1 % off what the decay says.
    ///
    /// | argument | symbol | allowed | else |
    /// |---|---|---|---|
    /// | `peak` | η_peak | finite, > 0 | [`OutOfRange`](crate::Error::OutOfRange) |
    /// | `lr_schedule` | η_t/η_peak | see [`Schedule`] | see there |
    /// | `step` | k, the completed steps | | |
    /// | the share in that step | s | [0, 1) | [`OutOfRange`](crate::Error::OutOfRange) |
    ///
    /// Numbers of the decay that are out of their range are errors as in [`Decay`]. Lost are shares that a
    /// kernel removes by a factor near 1, as [`really_removed`] says: decoupled and cautious L2, AdaDecay
    /// (where θ is 1), the L2 of an elastic net, and proximal L2. The [exact order](crate::Place::Exact) keeps
    /// its share unless `T` has no such number. Thresholds, what is in the gradient, and adaptive decay are no such factors, so
    /// they are never lost here. A group's `lr_factor` belongs into `peak` for lr-scaled decay; a trust
    /// ratio is not part of the share.
    ///
    /// [`describe`](crate::Optimizer::describe) says the same of the next step of a group.
    ///
    /// ```
    /// use wane::{Decay, Schedule};
    ///
    /// let (peak, lr) = (1e-6, Schedule::constant());
    /// assert!(Decay::decoupled(0.01).is_lost_in::<f32>(peak, &lr, 0)?);          // s = 1e-8
    /// assert!(!Decay::decoupled(0.01).is_lost_in::<f64>(peak, &lr, 0)?);
    /// assert!(!Decay::exact(0.01).is_lost_in::<f32>(peak, &lr, 0)?);
    /// # Ok::<(), wane::Error>(())
    /// ```
    pub fn is_lost_in<T: Float>(&self, peak: f64, lr_schedule: &Schedule, step: u64) -> Result<bool> {
        self.check()?;
        lr_schedule.check()?;
        in_range("peak learning rate", peak, peak > 0.0, "a finite number above 0")?;
        let rates = Rates::at(peak, lr_schedule.multiplier(step), 1.0);
        let effect = self.in_step(rates, self.strength_schedule().multiplier(step), 0.0);
        in_range("share of a weight", effect.share(), (0.0..1.0).contains(&effect.share()), "in [0, 1)")?;
        Ok(effect.misses::<T>().is_some())
    }
}
