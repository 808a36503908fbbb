//! The share of a weight that a decay removes.

use crate::decay::{Decay, Penalty, Place, Rates};
use crate::error::{Error, Result, in_range};

/// Returns the share s of a weight that decoupled L2 removes in a step where the learning rate is
/// at its peak and the decay's own schedule at 1.
///
/// | argument | symbol | allowed | else |
/// |---|---|---|---|
/// | `decay` | | decoupled L2, also exact or exponential, of a strength that does not depend on the run, or none | [`Conflict`](Error::Conflict) |
/// | `peak` | η_peak | finite, > 0 | [`OutOfRange`](Error::OutOfRange) |
/// | what comes out | s | [0, 1) | [`OutOfRange`](Error::OutOfRange) |
///
/// Of exponential decay, which keeps e^(−x), it is 1 − e^(−x).
///
/// Numbers of the decay that are out of their range are errors as in [`Decay`]. A group's
/// `lr_factor` belongs into `peak` for lr-scaled decay; the other units do not see it.
///
/// ```
/// use wane::{Decay, plan::share_at_peak};
///
/// assert_eq!(share_at_peak(&Decay::decoupled(0.5), 0.25)?, 0.125);
/// assert_eq!(share_at_peak(&Decay::half_life(1.0), 0.25)?, 0.5);
/// # Ok::<(), wane::Error>(())
/// ```
pub fn share_at_peak(decay: &Decay, peak: f64) -> Result<f64> {
    check(decay, peak)?;
    share(decay, peak, [1.0, 1.0])
}

/// Checks that a decay has a share at all, and a learning rate that its strength is measured in.
pub(super) fn check(decay: &Decay, peak: f64) -> Result<()> {
    decay.check()?;
    in_range("peak learning rate", peak, peak > 0.0, "a finite number above 0")?;
    match decay.parts() {
        // A decay that is none is one of these.
        (Penalty::L2, Place::Decoupled | Place::Exact | Place::Exponential, strength) if !strength.is_found() => Ok(()),
        _ => Err(Error::conflict(
            "share of a weight",
            "decoupled L2 of a strength that is known before the run",
            format!("`{decay}`"),
        )),
    }
}

/// Returns what the decay's units say at the peak, of which the place makes the share: the share
/// itself, or x of exponential decay.
pub(super) fn amount_at_peak(decay: &Decay, peak: f64) -> f64 {
    decay.amount(Rates::at(peak, 1.0, 1.0), 1.0, 0.0).removed()
}

/// Returns the share where the schedules of rate and decay stand at these multipliers, for a decay
/// and a rate that are checked.
pub(super) fn share(decay: &Decay, peak: f64, [of_rate, of_decay]: [f64; 2]) -> Result<f64> {
    let s = decay.in_step(Rates::at(peak, of_rate, 1.0), of_decay, 0.0).share();
    in_range("share of a weight", s, (0.0..1.0).contains(&s), "in [0, 1)")?;
    Ok(s)
}
