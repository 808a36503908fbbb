//! One decoupled decay in other units.

use std::f64::consts::LN_2;
use std::fmt;

use super::share::share_at_peak;
use crate::decay::{Decay, Strength};
use crate::error::{Error, Result};
use crate::schedule::Schedule;

/// The units that the strength of a decoupled decay can be said in; see [`Strength`] for what each
/// number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Units {
    /// [`Decay::decoupled`]: s = η_t·λ.
    LrScaled,
    /// [`Decay::independent`]: s = (η_t/η_peak)·λ.
    Independent,
    /// [`Decay::corrected`]: s = (η_t²/η_peak)·λ.
    Corrected,
    /// [`Decay::fixed`]: s = λ.
    Fixed,
    /// [`Decay::timescale`]: s = (η_t/η_peak)/τ.
    Timescale,
    /// [`Decay::half_life`]: s = 1 − 2^(−1/h).
    HalfLife,
}

/// Shows the units' name.
impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LrScaled => "lr-scaled",
            Self::Independent => "independent",
            Self::Corrected => "corrected",
            Self::Fixed => "fixed",
            Self::Timescale => "timescale",
            Self::HalfLife => "half-life",
        })
    }
}

impl Units {
    /// Returns the units of a strength, or `None` where there is no strength.
    fn of(strength: Strength) -> Option<Self> {
        match strength {
            Strength::LrScaled(_) => Some(Self::LrScaled),
            Strength::Independent(_) => Some(Self::Independent),
            Strength::Corrected(_) => Some(Self::Corrected),
            Strength::Fixed(_) => Some(Self::Fixed),
            Strength::Timescale(_) => Some(Self::Timescale),
            Strength::HalfLife(_) => Some(Self::HalfLife),
            // Adaptive strength is that of a coupled decay, and a wall's is of no decoupled one: neither has a share.
            Strength::None | Strength::Adaptive(_) | Strength::Hard => None,
        }
    }

    /// Returns with which power the schedule of the learning rate acts on the strength.
    fn power(self) -> i32 {
        match self {
            Self::Corrected => 2,
            Self::LrScaled | Self::Independent | Self::Timescale => 1,
            Self::Fixed | Self::HalfLife => 0,
        }
    }

    /// Returns the strength that removes the share `s` where the rate is at its peak.
    fn strength(self, s: f64, peak: f64) -> Strength {
        match self {
            Self::LrScaled => Strength::LrScaled(s / peak),
            Self::Corrected => Strength::Corrected(s / peak),
            Self::Independent => Strength::Independent(s),
            Self::Fixed => Strength::Fixed(s),
            Self::Timescale => Strength::Timescale(1.0 / s),
            // (1 − s)^h = 1/2; `ln_1p` keeps the digits of a small s.
            Self::HalfLife => Strength::HalfLife(-LN_2 / (-s).ln_1p()),
        }
    }
}

/// Returns the decay that removes the same share in every step of a run, in other units.
///
/// With η_peak = `peak` and s the [share at the peak](super::share_at_peak):
///
/// ```text
/// lr-scaled, corrected λ = s/η_peak     independent λ = s     fixed λ = s     τ = 1/s     h = −ln 2/ln(1 − s)
/// ```
///
/// Lr-scaled, independent and timescale decay follow the schedule of the learning rate, corrected decay
/// its square; fixed and half-life decay follow neither. From one kind to the next the decay's own
/// schedule has to make up for that: it becomes `lr_schedule` where it was constant, or constant where
/// it was `lr_schedule`. Another one is an error, and so is a way over two kinds, unless the rate is
/// constant.
///
/// | argument | allowed | else |
/// |---|---|---|
/// | `decay` | decoupled L2, also in the exact order, towards anything; or none, which stays none | [`Conflict`] |
/// | `units` | for a decay of strength 0: not timescale, not half-life | [`OutOfRange`] |
/// | `peak` | finite, > 0 | [`OutOfRange`] |
/// | `lr_schedule`, and the decay's own | see above, and [`Schedule`] | [`Conflict`] |
///
/// The share at the peak must be in [0, 1), else [`OutOfRange`]. Equal means equal but for
/// rounding: each share is off by a few units of its last place. A group's `lr_factor` or
/// [`set_learning_rate`](crate::Optimizer::set_learning_rate) acts on units each in its own way; the
/// result is equal where neither is used.
///
/// # Example
///
/// ```
/// use wane::plan::{Units, in_units};
/// use wane::{Decay, Schedule};
///
/// let lr = Schedule::cosine(1000, 0.0);
/// assert_eq!(in_units(&Decay::decoupled(0.5), Units::Independent, 0.25, &lr)?, Decay::independent(0.125));
/// let fixed = in_units(&Decay::decoupled(0.5), Units::Fixed, 0.25, &lr)?;
/// assert_eq!(fixed, Decay::fixed(0.125).schedule(lr.clone()));
/// assert_eq!(in_units(&fixed, Units::Timescale, 0.25, &lr)?, Decay::timescale(8.0));
/// // No schedule of this crate divides by a cosine.
/// assert!(in_units(&Decay::fixed(0.125), Units::LrScaled, 0.25, &lr).is_err());
/// # Ok::<(), wane::Error>(())
/// ```
///
/// # Source
///
/// Loshchilov & Hutter, arXiv 1711.05101 (lr-scaled, independent); Wang & Aitchison, arXiv 2405.13698
/// (timescale). The equations are those of the shares, solved for the number.
///
/// [`Conflict`]: Error::Conflict
/// [`OutOfRange`]: Error::OutOfRange
pub fn in_units(decay: &Decay, units: Units, peak: f64, lr_schedule: &Schedule) -> Result<Decay> {
    lr_schedule.check()?;
    let s = share_at_peak(decay, peak)?;
    let (penalty, place, strength) = decay.parts();
    let Some(from) = Units::of(strength).filter(|from| *from != units) else { return Ok(decay.clone()) };
    let schedule = schedule_between(from, units, decay.strength_schedule(), lr_schedule)
        .ok_or_else(|| Error::conflict("change of units", SCHEDULES, format!("`{decay}` in {units} units")))?;
    let converted = Decay::new(penalty, place, units.strength(s, peak)).towards(decay.anchor()).schedule(schedule);
    converted.check()?;
    Ok(converted)
}

const SCHEDULES: &str = "a learning rate without a schedule, or a decay whose own schedule makes up for it";

/// Returns the schedule of the decay in the new units, if there is one.
fn schedule_between(from: Units, to: Units, own: &Schedule, of_rate: &Schedule) -> Option<Schedule> {
    let constant = Schedule::constant();
    match from.power() - to.power() {
        _ if *of_rate == constant => Some(own.clone()),
        0 => Some(own.clone()),
        1 => (*own == constant).then(|| of_rate.clone()),
        -1 => (own == of_rate).then_some(constant),
        _ => None,
    }
}
