//! The closed forms that schedules are joined from.

use std::f64::consts::PI;

use crate::error::{Error, Result, in_range};

/// One closed form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    Constant,
    Linear { from: f64, to: f64, steps: u64 },
    Cosine { steps: u64, floor: f64 },
    WarmupCosine { warmup: u64, steps: u64, floor: f64, start: f64 },
    Step { every: u64, factor: f64 },
    Polynomial { steps: u64, power: f64, floor: f64 },
    Exponential { factor: f64 },
    WarmupStableDecay { warmup: u64, stable: u64, decay: u64, floor: f64, start: f64 },
    CosineRestarts { steps: u64, growth: u64, floor: f64 },
    RestartSteps { steps: u64, growth: u64 },
    InverseTime { scale: f64 },
}

/// Returns k/T, held at 1 past the end (so 1 where T is 0). Step counts stay far below 2⁵³, so the
/// conversions are exact.
#[expect(clippy::cast_precision_loss, reason = "step counts")]
fn share(k: u64, steps: u64) -> f64 {
    if k < steps { k as f64 / steps as f64 } else { 1.0 }
}

/// Returns how far into its cycle step k is, and how long that is: the first one has so many steps,
/// each later one `growth` times as many.
fn cycle(mut k: u64, steps: u64, growth: u64) -> (u64, u64) {
    // `check` refuses 0.
    let mut length = steps.max(1);
    if growth <= 1 {
        return (k % length, length);
    }
    while k >= length {
        k -= length;
        length = length.saturating_mul(growth);
    }
    (k, length)
}

/// Returns a point on the line from `from` to `to`; exactly `to` at its end.
fn between(from: f64, to: f64, share: f64) -> f64 {
    if share == 1.0 { to } else { from + (to - from) * share }
}

impl Form {
    /// Returns m(k).
    pub(super) fn at(&self, k: u64) -> f64 {
        match *self {
            Self::Constant => 1.0,
            Self::Linear { from, to, steps } => between(from, to, share(k, steps)),
            Self::Cosine { steps, floor } => floor + (1.0 - floor) * (1.0 + (PI * share(k, steps)).cos()) / 2.0,
            Self::WarmupCosine { warmup, start, .. } if k < warmup => between(start, 1.0, share(k, warmup)),
            Self::WarmupCosine { warmup, steps, floor, .. } => {
                Self::Cosine { steps: steps.saturating_sub(warmup), floor }.at(k - warmup)
            }
            #[expect(clippy::cast_precision_loss, reason = "step counts")]
            Self::InverseTime { scale } => 1.0 / (1.0 + k as f64 / scale),
            Self::CosineRestarts { steps, growth, floor } => {
                let (k, steps) = cycle(k, steps, growth);
                Self::Cosine { steps, floor }.at(k)
            }
            #[expect(clippy::cast_precision_loss, reason = "step counts")]
            Self::RestartSteps { steps, growth } => (steps as f64 / cycle(k, steps, growth).1 as f64).sqrt(),
            #[expect(clippy::cast_precision_loss, reason = "step counts")]
            Self::Step { every, factor } => factor.powf(k.checked_div(every).unwrap_or(0) as f64),
            Self::Polynomial { steps, power, floor } => floor + (1.0 - floor) * (1.0 - share(k, steps)).powf(power),
            #[expect(clippy::cast_precision_loss, reason = "step counts")]
            Self::Exponential { factor } => factor.powf(k as f64),
            Self::WarmupStableDecay { warmup, start, .. } if k < warmup => between(start, 1.0, share(k, warmup)),
            Self::WarmupStableDecay { warmup, stable, .. } if k - warmup < stable => 1.0,
            Self::WarmupStableDecay { warmup, stable, decay, floor, .. } => {
                between(1.0, floor, share(k - warmup - stable, decay))
            }
        }
    }

    /// Checks that all its numbers are in range.
    pub(super) fn check(&self) -> Result<()> {
        match *self {
            Self::Constant => Ok(()),
            Self::Linear { from, to, .. } => {
                multiplier("schedule's from", from)?;
                multiplier("schedule's to", to)
            }
            Self::Cosine { floor, .. } => multiplier("schedule's floor", floor),
            Self::WarmupCosine { warmup, steps, floor, start } => {
                multiplier("schedule's floor", floor)?;
                multiplier("schedule's start", start)?;
                if steps >= warmup {
                    return Ok(());
                }
                let found = format!("{steps} steps with {warmup} of warm-up");
                Err(Error::conflict("warmup-cosine", "at least as many steps as its warm-up has", found))
            }
            Self::Step { every, factor } => {
                multiplier("schedule's factor", factor)?;
                in_range("schedule's every", 0.0, every > 0, "at least 1")
            }
            Self::InverseTime { scale } => in_range("schedule's scale", scale, scale > 0.0, "a finite number above 0"),
            Self::CosineRestarts { steps, growth, floor } => {
                Self::RestartSteps { steps, growth }.check()?;
                multiplier("schedule's floor", floor)
            }
            Self::RestartSteps { steps, growth } => {
                in_range("schedule's steps", 0.0, steps > 0, "at least 1")?;
                in_range("schedule's growth", 0.0, growth > 0, "at least 1")
            }
            Self::Polynomial { power, floor, .. } => {
                multiplier("schedule's power", power)?;
                multiplier("schedule's floor", floor)
            }
            Self::Exponential { factor } => multiplier("schedule's factor", factor),
            Self::WarmupStableDecay { floor, start, .. } => {
                multiplier("schedule's floor", floor)?;
                multiplier("schedule's start", start)
            }
        }
    }
}

fn multiplier(name: &'static str, value: f64) -> Result<()> {
    in_range(name, value, value >= 0.0, "a finite number, at least 0")
}
