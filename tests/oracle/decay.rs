//! The decays, from their equations; d is the distance from the anchor.

use wane::{Place, Strength};

use crate::common::cells::Cell;

/// A decay in one step: how much, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Law {
    place: Place,
    l1: f64,
    l2: f64,
}

/// What a decay's strength may depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    pub(crate) now: f64,
    pub(crate) peak: f64,
}

impl Law {
    /// λ, in the units of the step: the share, or the amount, that is taken off.
    pub(crate) fn of(cell: &Cell, rates: Rates, k: u64, running: f64) -> Self {
        let ramp = (cell.ramp.at)(k);
        let amount = match cell.strength {
            Strength::None => 0.0,
            Strength::Adaptive(_) => ramp * running,
            Strength::LrScaled(lambda) if cell.place == Place::Coupled => ramp * lambda,
            Strength::LrScaled(lambda) => ramp * rates.now * lambda,
            Strength::Independent(lambda) => ramp * lambda * rates.now / rates.peak,
            Strength::Fixed(lambda) => ramp * lambda,
            Strength::Timescale(tau) => ramp * rates.now / (rates.peak * tau),
            // d/(1 + s) halves in h steps where (1 + s)^h = 2.
            Strength::HalfLife(h) if cell.place == Place::Proximal => ramp * (2.0_f64.powf(1.0 / h) - 1.0),
            Strength::HalfLife(h) => ramp * (1.0 - 0.5_f64.powf(1.0 / h)),
            other => panic!("{other:?} has no oracle"),
        };
        let [l1, l2] = cell.parts(amount);
        Self { place: cell.place, l1, l2 }
    }

    /// Everything `factor` times as long: the step of a layer with another learning rate.
    pub(crate) fn times(self, factor: f64) -> Self {
        let scaled = |amount: f64| if self.place == Place::Coupled || amount == 0.0 { amount } else { factor * amount };
        Self { l1: scaled(self.l1), l2: scaled(self.l2), ..self }
    }

    /// The gradient that the optimizer sees.
    pub(crate) fn gradient(&self, g: f64, d: f64) -> f64 {
        if self.place != Place::Coupled || self.is_nothing() {
            return g;
        }
        let sign = if d == 0.0 { 0.0 } else { d.signum() };
        g + self.l2 * d + if self.l1 == 0.0 { 0.0 } else { self.l1 * sign }
    }

    /// The new weight, where the optimizer would make it x − η·u.
    pub(crate) fn settle(&self, x: f64, anchor: f64, u: f64, lr: f64) -> f64 {
        let d = x - anchor;
        match self.place {
            _ if self.is_nothing() => x - lr * u,
            Place::Coupled => x - lr * u,
            Place::Decoupled => anchor + soft((1.0 - self.l2) * d - lr * u, self.l1),
            Place::Proximal => anchor + soft(d - lr * u, self.l1) / (1.0 + self.l2),
            Place::Cautious => anchor + (1.0 - self.l2 * towards(u, d)) * d - lr * u,
            other => panic!("{other:?} has no oracle"),
        }
    }

    /// How far that is from the old one, without the cancellation of a difference.
    pub(crate) fn displacement(&self, x: f64, anchor: f64, u: f64, lr: f64) -> f64 {
        let d = x - anchor;
        let threshold = |y: f64| if y.is_nan() { y } else { y.clamp(-self.l1, self.l1) };
        match self.place {
            _ if self.is_nothing() => lr * u,
            Place::Decoupled => lr * u + self.l2 * d + threshold((1.0 - self.l2) * d - lr * u),
            Place::Proximal => {
                let y = d - lr * u;
                lr * u + threshold(y) + soft(y, self.l1) * self.l2 / (1.0 + self.l2)
            }
            Place::Cautious => lr * u + self.l2 * towards(u, d) * d,
            _ => lr * u,
        }
    }

    fn is_nothing(&self) -> bool {
        self.l1 == 0.0 && self.l2 == 0.0
    }
}

/// S(y, θ) = sign(y)·max(|y| − θ, 0), for numbers; for a NaN a NaN.
fn soft(y: f64, threshold: f64) -> f64 {
    if y.is_nan() { y } else { y.signum() * (y.abs() - threshold).max(0.0) }
}

/// 1 where u·d ≥ 0, else 0; by signs, as a product may underflow.
fn towards(u: f64, d: f64) -> f64 {
    if u == 0.0 || d == 0.0 || (u > 0.0) == (d > 0.0) { 1.0 } else { 0.0 }
}
