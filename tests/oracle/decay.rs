//! The decays, from their equations; d is the distance from the anchor.

use wane::{Penalty, Place, Slices, Strength, Untouched};

use crate::common::cells::Cell;

/// A decay in one step: how much, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Law {
    penalty: Penalty,
    place: Place,
    l1: f64,
    l2: f64,
    untouched: Untouched,
    /// Nothing decays in this step.
    free: bool,
    /// Where a set pulls: the point that is pulled, and the one of the set that is nearest to it.
    pulled: [f64; 2],
    /// On the hyperball: what the direction is multiplied by, and what the sum of both.
    along: f64,
    stretch: f64,
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
            Strength::Hard if ramp == 0.0 => 0.0,
            // The angle.
            Strength::Hard if cell.place == Place::Hyperball => rates.now,
            Strength::Hard => f64::INFINITY,
            Strength::Adaptive(_) => ramp * running,
            Strength::LrScaled(lambda) if cell.place == Place::Coupled => ramp * lambda,
            Strength::LrScaled(lambda) => ramp * rates.now * lambda,
            Strength::Independent(lambda) => ramp * lambda * rates.now / rates.peak,
            Strength::Corrected(lambda) => ramp * lambda * rates.now * rates.now / rates.peak,
            Strength::Fixed(lambda) => ramp * lambda,
            Strength::Timescale(tau) => ramp * rates.now / (rates.peak * tau),
            Strength::Normalized { lambda, steps } => ramp * lambda * rates.now / rates.peak / (steps as f64).sqrt(),
            // d/(1 + s) halves in h steps where (1 + s)^h = 2.
            Strength::HalfLife(h) if cell.place == Place::Proximal => ramp * (2.0_f64.powf(1.0 / h) - 1.0),
            Strength::HalfLife(h) if cell.place == Place::Exponential => ramp * std::f64::consts::LN_2 / h,
            Strength::HalfLife(h) => ramp * (1.0 - 0.5_f64.powf(1.0 / h)),
            other => panic!("{other:?} has no oracle"),
        };
        // What goes of e^(−x)·d.
        let amount = if cell.place == Place::Exponential { 1.0 - (-amount).exp() } else { amount };
        let [l1, l2] = cell.parts(amount);
        // What looks out for rows has the exact order.
        let place = if cell.untouched == Untouched::Decay { cell.place } else { Place::Exact };
        Self {
            penalty: cell.penalty,
            place,
            l1,
            l2,
            untouched: cell.untouched,
            free: l1 == 0.0 && l2 == 0.0,
            pulled: [0.0; 2],
            along: 0.0,
            stretch: 1.0,
        }
    }

    /// The law of each weight of a parameter, for decays that look at the whole of it.
    pub(crate) fn each(self, seen: &Seen) -> Vec<Self> {
        let (n, soft) = (seen.g.len(), |l1| Self { place: Place::Proximal, l1, ..self });
        match (self.penalty, self.place) {
            _ if self.untouched != Untouched::Decay => seen.touched().map(|row| self.of_row(row)).collect(),
            _ if self.free => vec![self; n],
            (Penalty::Norm { .. } | Penalty::StartNorm { .. }, Place::Hyperball) => {
                let radius = seen.radius(self.penalty);
                let along = if norm(seen.u) == 0.0 { 0.0 } else { self.l2 * radius / norm(seen.u) };
                let y: Vec<_> = seen.before.iter().zip(seen.u).map(|(w, u)| w - along * u).collect();
                vec![Self { along, stretch: if norm(&y) == 0.0 { 1.0 } else { radius / norm(&y) }, ..self }; n]
            }
            (_, Place::Decoupled | Place::Proximal) if self.pulls() => {
                let point = self.point(seen);
                let nearest = seen.nearest(self.penalty, point);
                point.iter().zip(nearest).map(|(point, nearest)| Self { pulled: [*point, nearest], ..self }).collect()
            }
            (Penalty::GroupLasso { over }, _) => seen.slices(over, self.l1).into_iter().map(|l1| Self { l1, ..self }).collect(),
            (_, Place::Metric) => (0..n).map(|i| soft(self.l1 / (seen.metric)(i))).collect(),
            (_, Place::AdaDecay { alpha }) => {
                let decoupled = |theta| Self { place: Place::Decoupled, l2: theta * self.l2, ..self };
                thetas(seen.g, alpha).into_iter().map(decoupled).collect()
            }
            (_, Place::Selective) => vec![Self { l2: self.l2 * seen.added(), ..self }; n],
            _ => vec![self; n],
        }
    }

    /// The law of a row: what is not touched is free, what is touched loses all but what earlier steps should have kept of it.
    fn of_row(self, (is_touched, kept): (bool, f64)) -> Self {
        let l2 = if is_touched { 1.0 - kept * (1.0 - self.l2) } else { 0.0 };
        Self { l2, free: l2 == 0.0, ..self }
    }

    /// What is still to be kept of each row after this step, as a share.
    pub(crate) fn owes(self, seen: &Seen) -> Vec<f64> {
        let after =
            |(is_touched, kept)| if is_touched || self.untouched != Untouched::CatchUp { 1.0 } else { kept * (1.0 - self.l2) };
        seen.touched().map(after).collect()
    }

    /// Everything `factor` times as long: the step of a layer with another learning rate.
    pub(crate) fn times(self, factor: f64) -> Self {
        // An angle stays, and so does a share of what a move has added.
        let stays = matches!(self.place, Place::Coupled | Place::Selective | Place::Hyperball);
        let scaled = |amount: f64| if stays || amount == 0.0 { amount } else { factor * amount };
        Self { l1: scaled(self.l1), l2: scaled(self.l2), ..self }
    }

    /// The largest number that goes into a weight. Where a pull multiplies the weight, it multiplies the errors, too.
    pub(crate) fn size(&self, x: f64, anchor: f64, u: f64, lr: f64) -> f64 {
        let [point, nearest] = self.pulled;
        let stretch = match self.place {
            _ if self.free || !self.pulls() => 1.0,
            Place::Hyperball => return x.abs().max((self.along * u).abs()) * self.stretch.max(1.0),
            Place::Decoupled => 1.0 - self.l2 * (1.0 - nearest / point),
            _ => 1.0 - (1.0 - nearest / point) / (1.0 / self.l2 + 1.0),
        };
        x.abs().max(anchor.abs()).max((lr * u).abs()) * stretch.max(1.0)
    }

    fn pulls(&self) -> bool {
        is_set(self.penalty)
    }

    /// The point that a set pulls.
    pub(crate) fn point<'s>(&self, seen: &Seen<'s>) -> &'s [f64] {
        if self.place == Place::Decoupled { seen.before } else { seen.after }
    }

    /// Does it keep a singular vector, and act?
    pub(crate) fn is_spectral(&self) -> bool {
        matches!(self.penalty, Penalty::Spectral { .. }) && !self.free
    }

    pub(crate) fn is_free(&self) -> bool {
        self.free
    }

    /// The gradient that the optimizer sees.
    pub(crate) fn gradient(&self, g: f64, d: f64) -> f64 {
        if self.place != Place::Coupled || self.free {
            return g;
        }
        if let Penalty::Huber { delta } = self.penalty {
            return g + self.l1 * if d.is_nan() { d } else { d.clamp(-delta, delta) };
        }
        if let Penalty::PNorm { p } = self.penalty {
            return g + if d == 0.0 { 0.0 } else { self.l1 * d.signum() * d.abs().powf(p - 1.0) };
        }
        let sign = if d == 0.0 { 0.0 } else { d.signum() };
        g + self.l2 * d + if self.l1 == 0.0 { 0.0 } else { self.l1 * sign }
    }

    /// Outmezguine & Levi (2024): w ← (w − α·u)/(1 + α·λ·|w|^(p−2)), w the old weight on the right; the divisor.
    fn divisor(&self, d: f64) -> f64 {
        if let Penalty::PNorm { p } = self.penalty { 1.0 + self.l1 * d.abs().powf(p - 2.0) } else { 1.0 }
    }

    /// By how much an error of a weight grows: the derivative of the new one, which near 0 has no bound under a p-norm.
    pub(crate) fn growth(&self, d: f64, u: f64, lr: f64) -> f64 {
        let (divisor, y) = (self.divisor(d), d - lr * u);
        match self.penalty {
            Penalty::PNorm { p } if self.place != Place::Coupled && divisor.is_finite() && divisor > 1.0 => {
                (1.0 / divisor - (p - 2.0) * (divisor - 1.0) * y / (d * divisor * divisor)).abs().max(1.0)
            }
            _ => 1.0,
        }
    }

    /// Where Huber's penalty goes on straight.
    fn delta(&self) -> f64 {
        if let Penalty::Huber { delta } = self.penalty { delta } else { f64::INFINITY }
    }

    /// What its exact step takes off y.
    fn huber(&self, y: f64) -> f64 {
        let (s, delta) = (self.l1, self.delta());
        if y.abs() > (1.0 + s) * delta { s * delta * y.signum() } else { y - y / (1.0 + s) }
    }

    /// The new weight, where the optimizer would make it x − η·u.
    pub(crate) fn settle(&self, x: f64, anchor: f64, u: f64, lr: f64) -> f64 {
        let d = x - anchor;
        match self.place {
            _ if self.free => x - lr * u,
            // Wen et al. (2026): W ← R·N(W − η·R·N(u)).
            Place::Hyperball => (x - self.along * u) * self.stretch,
            _ if self.pulls() => {
                let [point, nearest] = self.pulled;
                anchor
                    + match self.place {
                        Place::Decoupled => d - (lr * u + self.l2 * (point - nearest)),
                        _ if self.l2 == f64::INFINITY => nearest,
                        _ => point - self.l2 / (1.0 + self.l2) * (point - nearest),
                    }
            }
            // What a row has lost, as a share.
            _ if matches!(self.penalty, Penalty::GroupLasso { .. }) => anchor + (1.0 - self.l1) * (d - lr * u),
            Place::Coupled => x - lr * u,
            _ if self.divisor(d) > 1.0 => anchor + (d - lr * u) / self.divisor(d),
            _ if self.delta() < f64::INFINITY => anchor + (d - lr * u) - self.huber(d - lr * u),
            Place::Exact | Place::Exponential => anchor + (d - (lr * u + self.l2 * d)),
            Place::Decoupled => anchor + soft((1.0 - self.l2) * d - lr * u, self.l1),
            Place::Proximal => anchor + soft(d - lr * u, self.l1) / (1.0 + self.l2),
            // What was added, as a share.
            Place::Selective => anchor + (1.0 - self.l2) * (d - lr * u),
            Place::Cautious => anchor + (1.0 - self.l2 * towards(u, d)) * d - lr * u,
            other => panic!("{other:?} has no oracle"),
        }
    }

    /// How far that is from the old one, without the cancellation of a difference.
    pub(crate) fn displacement(&self, x: f64, anchor: f64, u: f64, lr: f64) -> f64 {
        let d = x - anchor;
        let threshold = |y: f64| if y.is_nan() { y } else { y.clamp(-self.l1, self.l1) };
        match self.place {
            _ if self.free || self.place == Place::Hyperball => lr * u,
            // A wall is none of it.
            Place::Proximal if self.pulls() && self.l2 == f64::INFINITY => lr * u,
            Place::Proximal if self.pulls() => lr * u + self.l2 / (1.0 + self.l2) * (self.pulled[0] - self.pulled[1]),
            Place::Decoupled if self.pulls() => lr * u + self.l2 * (self.pulled[0] - self.pulled[1]),
            _ if matches!(self.penalty, Penalty::GroupLasso { .. }) => lr * u + self.l1 * (d - lr * u),
            Place::Decoupled | Place::Proximal if self.divisor(d) > 1.0 => d - (d - lr * u) / self.divisor(d),
            Place::Decoupled | Place::Proximal if self.delta() < f64::INFINITY => lr * u + self.huber(d - lr * u),
            Place::Decoupled | Place::Exact | Place::Exponential => {
                lr * u + self.l2 * d + threshold((1.0 - self.l2) * d - lr * u)
            }
            Place::Proximal => {
                let y = d - lr * u;
                lr * u + threshold(y) + soft(y, self.l1) * self.l2 / (1.0 + self.l2)
            }
            Place::Selective => lr * u + self.l2 * (d - lr * u),
            Place::Cautious => lr * u + self.l2 * towards(u, d) * d,
            _ => lr * u,
        }
    }
}

/// A parameter as a decay sees it that looks at the whole of it.
pub(crate) struct Seen<'a> {
    /// The gradient that the optimizer sees: unscaled and clipped.
    pub(crate) g: &'a [f64],
    /// The optimizer's direction.
    pub(crate) u: &'a [f64],
    /// Distances from the anchor before the update: x − a.
    pub(crate) before: &'a [f64],
    /// Distances from the anchor after the update: x − η·u − a.
    pub(crate) after: &'a [f64],
    pub(crate) rows: usize,
    /// For each weight what decay that is still owed would have kept of it.
    pub(crate) kept: &'a [f64],
    pub(crate) metric: &'a dyn Fn(usize) -> f64,
    /// ‖w₀‖
    pub(crate) start_norm: f64,
    /// What the power iteration has come to.
    pub(crate) vector: &'a [f64],
}

impl Seen<'_> {
    /// For each weight whether its row has a gradient, and what is owed.
    fn touched(&self) -> impl Iterator<Item = (bool, f64)> {
        let n = (self.g.len() / self.rows.max(1)).max(1);
        let rows = self.g.chunks(n).flat_map(|row| std::iter::repeat_n(row.iter().any(|g| *g != 0.0), row.len()));
        rows.zip(self.kept.iter().copied())
    }

    /// Selective projection, after Tian et al. (2024), algorithm 1: the share (‖y‖ − ‖d‖)/‖y‖ of y that the update has added, between 0 and 1,
    /// if c = −⟨g, d⟩ < 0; else nothing.
    fn added(&self) -> f64 {
        let norm = |x: &[f64]| x.iter().map(|x| x * x).sum::<f64>().sqrt();
        let c = -self.g.iter().zip(self.before).map(|(g, d)| g * d).sum::<f64>();
        let [d, y] = [self.before, self.after].map(norm);
        match c {
            _ if c.is_nan() => c,
            _ if c < 0.0 => (1.0 - d / y).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }

    /// Group lasso: which share of it each weight loses. A slice loses λ·√n of its norm, at most all. A NaN joins all of its slice.
    fn slices(&self, over: Slices, amount: f64) -> Vec<f64> {
        let len = self.after.len();
        let columns = (len / self.rows.max(1)).max(1);
        let slice = |i: usize| match over {
            Slices::Rows => i / columns,
            Slices::Columns => i % columns,
            _ => 0,
        };
        let lost = |k: usize| {
            let of: Vec<_> = (0..len).filter(|&i| slice(i) == k).map(|i| self.after[i]).collect();
            let (norm, threshold) = (of.iter().map(|d| d * d).sum::<f64>().sqrt(), amount * (of.len() as f64).sqrt());
            if norm <= threshold { 1.0 } else { threshold / norm }
        };
        (0..len).map(|i| lost(slice(i))).collect()
    }
}

impl Seen<'_> {
    fn radius(&self, penalty: Penalty) -> f64 {
        match penalty {
            Penalty::Norm { radius } => radius,
            Penalty::StartNorm { ratio } => ratio * self.start_norm,
            other => panic!("{other:?} has no radius"),
        }
    }

    /// The point of a set that is nearest to this one.
    fn nearest(&self, penalty: Penalty, point: &[f64]) -> Vec<f64> {
        let columns = point.len() / self.rows.max(1);
        let boxed = |bound: f64| point.iter().map(|d| if d.is_nan() { *d } else { d.clamp(-bound, bound) }).collect();
        match penalty {
            Penalty::Box { bound } => boxed(bound),
            Penalty::FanBox { factor } => boxed(factor / (columns as f64).sqrt()),
            Penalty::Spectral { bound } => {
                let (sigma, u, v) = power_step(point, self.rows, self.vector);
                let over = if sigma <= bound { 0.0 } else { sigma - bound };
                point.iter().enumerate().map(|(i, d)| d - over * u[i / columns] * v[i % columns]).collect()
            }
            _ => on_sphere(point, self.radius(penalty)),
        }
    }
}

fn is_set(penalty: Penalty) -> bool {
    use Penalty::{Box, FanBox, Norm, Spectral, StartNorm};
    matches!(penalty, Norm { .. } | StartNorm { .. } | Box { .. } | FanBox { .. } | Spectral { .. })
}

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// r·x/‖x‖; 0 has no direction, and stays.
fn on_sphere(x: &[f64], radius: f64) -> Vec<f64> {
    let norm = norm(x);
    x.iter().map(|x| if norm == 0.0 { *x } else { x * (radius / norm) }).collect()
}

/// One step of power iteration with a matrix: u = N(W·v), then σ = ‖Wᵀ·u‖ and v = N(Wᵀ·u).
pub(crate) fn power_step(matrix: &[f64], rows: usize, vector: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let columns = vector.len();
    let row = |i: usize| &matrix[i * columns..][..columns];
    let u: Vec<f64> = (0..rows).map(|i| row(i).iter().zip(vector).map(|(w, v)| w * v).sum()).collect();
    let u = on_sphere(&u, 1.0);
    let product: Vec<f64> = (0..columns).map(|j| (0..rows).map(|i| row(i)[j] * u[i]).sum()).collect();
    let sigma = norm(&product);
    (sigma, u, if sigma == 0.0 { vector.to_vec() } else { on_sphere(&product, 1.0) })
}

/// The numbers that a singular vector begins with: multiples of the golden ratio, without what stands before the point.
pub(crate) fn first_vector(columns: usize) -> Vec<f64> {
    (1..=columns).map(|i| (i as f64 * (5.0_f64.sqrt() - 1.0) / 2.0).fract()).collect()
}

#[test]
fn power_steps_come_to_the_largest_singular_value() {
    // Of [[3, 0], [4, 5]] the singular values are 3√5 and √5; v₁ is along (1, 1), u₁ along (1, 3).
    let mut vector = first_vector(2);
    for _ in 0..20 {
        let (sigma, u, v) = power_step(&[3.0, 0.0, 4.0, 5.0], 2, &vector);
        assert!(sigma <= 45.0_f64.sqrt() + 1e-14);
        (vector, _) = (v, u);
    }
    let (sigma, u, v) = power_step(&[3.0, 0.0, 4.0, 5.0], 2, &vector);
    assert!((sigma - 45.0_f64.sqrt()).abs() < 1e-14);
    assert!((v[0] - 0.5_f64.sqrt()).abs() < 1e-14 && (u[1] - 3.0 * u[0]).abs() < 1e-14);
}

/// AdaDecay, after Nakamura & Hong (2019), section 3: θ = 2/(1 + exp(−α·(|g| − μ)/σ)), in (0, 2), with the mean and the deviation of |g| in
/// the parameter; 1 if all |g| are equal. σ divides by n, so that of a single weight is 0.
fn thetas(g: &[f64], alpha: f64) -> Vec<f64> {
    let n = g.len() as f64;
    let mean = g.iter().map(|g| g.abs()).sum::<f64>() / n;
    let deviation = (g.iter().map(|g| (g.abs() - mean).powi(2)).sum::<f64>() / n).sqrt();
    let theta = |g: &f64| 2.0 / (1.0 + (-alpha * (g.abs() - mean) / deviation).exp());
    g.iter().map(|g| if deviation == 0.0 { 1.0 } else { theta(g) }).collect()
}

#[test]
fn thetas_are_those_of_the_paper() {
    // |g| is 1 or 3: mean 2, deviation 1.
    let theta = |z: f64| 2.0 / (1.0 + (-4.0 * z).exp());
    assert_eq!(thetas(&[1.0, -3.0, 3.0, -1.0], 4.0), [theta(-1.0), theta(1.0), theta(1.0), theta(-1.0)]);
    assert_eq!([thetas(&[-2.0, 2.0], 4.0), thetas(&[1.0, 9.0], 0.0)], [[1.0; 2]; 2]);
    assert_eq!(thetas(&[5.0], 4.0), [1.0]);
}

#[test]
fn slices_shrink_as_one() {
    // ‖(3, 4)‖ = 5.
    let after = &[3.0, 4.0, 0.1, -0.1];
    let (kept, metric) = (&[1.0; 4], &|_| 1.0);
    let seen = Seen { g: &[], u: &[], before: after, after, rows: 2, kept, metric, start_norm: 0.0, vector: &[] };
    let lost = 0.25 * 2.0_f64.sqrt() / 5.0;
    assert_eq!(seen.slices(Slices::Rows, 0.25), [lost, lost, 1.0, 1.0]);
    let seen = Seen { after: &[3.0, 0.1, 4.0, -0.1], ..seen };
    assert_eq!(seen.slices(Slices::Columns, 0.25), [lost, 1.0, lost, 1.0]);
    let seen = Seen { after: &[3.0, 0.0, 4.0, 0.0], ..seen };
    assert_eq!(seen.slices(Slices::Whole, 0.25), [0.25 * 2.0 / 5.0; 4]);
}

/// S(y, θ) = sign(y)·max(|y| − θ, 0), for numbers; for a NaN a NaN.
fn soft(y: f64, threshold: f64) -> f64 {
    if y.is_nan() { y } else { y.signum() * (y.abs() - threshold).max(0.0) }
}

/// 1 where u·d ≥ 0, else 0; by signs, as a product may underflow.
fn towards(u: f64, d: f64) -> f64 {
    if u == 0.0 || d == 0.0 || (u > 0.0) == (d > 0.0) { 1.0 } else { 0.0 }
}
