//! What the last weights are made of.

use super::share;
use crate::decay::{Anchor, Decay};
use crate::error::{Error, Result, in_range};
use crate::schedule::Schedule;

/// The most steps that are looked at; their coefficients take 800 MB.
const MOST_STEPS: u64 = 100_000_000;

/// The coefficients of the weights after T steps: w_T = c₀·w₀ − Σ cᵢ·uᵢ.
#[derive(Clone, Debug, PartialEq)]
pub struct Contributions {
    /// c₀, what is left of the weights before the first step.
    pub start: f64,
    /// cᵢ, what is in the last weights of the direction uᵢ of step i; one number for each step, the
    /// first step first.
    pub updates: Vec<f64>,
}

/// Returns what the weights after T = `steps` steps are made of, if decoupled L2 is their decay.
///
/// With η_i the learning rate of step i, `peak` times `lr_schedule`, s_i the share that is removed
/// there, and u_i the direction of the optimizer (of SGD: the gradient):
///
/// ```text
/// w_i = (1 − s_i)·w_{i−1} − η_i·u_i
/// w_T = c₀·w₀ − Σ c_i·u_i,      c₀ = Π s̄_j over all j,      c_i = η_i·Π s̄_j over j > i,      s̄ = 1 − s
/// ```
///
/// So the last weights are a weighted average of all updates. At a constant rate it is exponential;
/// a rate that falls in a line to 0 makes it nearly flat.
///
/// | argument | allowed | else |
/// |---|---|---|
/// | `peak` | finite, > 0 | [`OutOfRange`] |
/// | `lr_schedule` | see [`Schedule`] | see there |
/// | `decay` | decoupled L2 (with its schedule), or none | [`Conflict`] |
/// | `steps` | ≤ 100,000,000 | [`OutOfRange`] |
/// | what schedules reach: η_i, s_i | finite, [0, 1) | [`OutOfRange`] |
///
/// The equation is exact for every optimizer, whose directions u depend on the weights; what is worked out
/// here is what they are multiplied with. Towards an anchor it speaks of the distance from it; the
/// running average of the weight is no anchor that stays, so it is a [`Conflict`]. Trust
/// ratios ([`Lamb`](crate::Lamb)) and the optimizer's own rates ([`Adafactor`](crate::Adafactor)) are part of
/// neither η nor u here.
///
/// # Example
///
/// ```
/// use wane::plan::contributions;
/// use wane::{Decay, Schedule};
///
/// let made_of = contributions(0.5, &Schedule::constant(), &Decay::decoupled(0.5), 3)?;
/// assert_eq!(made_of.start, 0.75_f64.powi(3));
/// assert_eq!(made_of.updates, [0.5 * 0.75 * 0.75, 0.5 * 0.75, 0.5]);
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Bergsma et al., arXiv 2502.15938, who call them dual coefficients, for lr-scaled decay; the other
/// units only have other s.
///
/// [`Conflict`]: Error::Conflict
/// [`OutOfRange`]: Error::OutOfRange
pub fn contributions(peak: f64, lr_schedule: &Schedule, decay: &Decay, steps: u64) -> Result<Contributions> {
    lr_schedule.check()?;
    share::check(decay, peak)?;
    if let Anchor::Average { .. } = decay.anchor() {
        return Err(Error::conflict("contributions", "an anchor that stays", format!("`{decay}`")));
    }
    #[expect(clippy::cast_precision_loss, reason = "the number in an error")]
    in_range("steps", steps as f64, steps <= MOST_STEPS, "at most 100,000,000")?;
    let mut updates = Vec::new();
    // What the steps after this one leave.
    let mut left = 1.0;
    for k in (0..steps).rev() {
        let multipliers = [lr_schedule.multiplier(k), decay.strength_schedule().multiplier(k)];
        let [of_rate, _] = multipliers;
        let rate = peak * of_rate;
        in_range("learning rate", rate, true, "a finite number")?;
        updates.push(rate * left);
        left *= 1.0 - share::share(decay, peak, multipliers)?;
    }
    updates.reverse();
    Ok(Contributions { start: left, updates })
}
