//! Symmetry: before a normalisation, weights and steps twice as long are the same run, bit for bit; and decay is a learning rate that
//! grows.
//!
//! The loss is −⟨w/‖w‖, t⟩ with another t in each step. Its gradient at 2w is half the gradient at w, without a rounding error more. So a
//! run whose every number is multiplied by the power of two of its dimension has weights exactly twice as large, unless some number of the
//! crate is in no dimension at all.

use std::collections::BTreeMap;

use wane::{Anchor, Decay, Optimizer, Penalty, Place, Schedule, Sgd, Strength};

use crate::common::cells::{self, Cell, with_number};
use crate::common::data::{Tensor, exact, patterns, step_on, tensors};
use crate::common::{Element, Huge, OPTIMIZERS, Reach, Row, Setup, for_f32_and_f64};

for_f32_and_f64!(twice_the_weights_is_the_same_run);

const LENGTHS: [usize; 3] = [6, 11, 3];

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// w/‖w‖ and ‖w‖; there is no direction at 0.
fn direction(w: &[f64]) -> Option<(Vec<f64>, f64)> {
    let norm = dot(w, w).sqrt();
    (norm > 0.0).then(|| (w.iter().map(|w| w / norm).collect(), norm))
}

/// The gradient of −⟨w/‖w‖, t⟩, worked out in f64 and rounded once.
fn before_a_normalisation<T: Element>(w: &[T], target: &[f64]) -> Vec<T> {
    let Some((unit, norm)) = direction(&exact(w)) else { return vec![T::zero(); w.len()] };
    let along = dot(&unit, target);
    unit.iter().zip(target).map(|(unit, target)| T::near((along * unit - target) / norm)).collect()
}

/// What weights and gradients are multiplied by. All other factors here are made of these two.
const WEIGHT: f64 = 2.0;
const GRADIENT: f64 = 0.5;

/// The row's numbers in both runs, if all its numbers are settings: what is added to roots of squares of gradients, or is the least of
/// them, is a gradient, and so on.
fn numbers(row: &Row) -> Option<[Vec<f64>; 2]> {
    let has = |name| row.numbers.iter().any(|number| number.name == name);
    // Adafactor's ε₁ is the rounding error of the weights' type, unless it is set.
    (has("eps1") || !is_measured_by_weights(row)).then(|| {
        // It is the least root of a square and the least mean of squares, so that only 0 is both in both runs.
        let here = row.numbers.iter().map(|number| if number.name == "eps1" { 0.0 } else { number.at });
        let there = row.numbers.iter().zip(here.clone()).map(|(number, x)| match number.name {
            "eps" | "epsilon_hat" => x * GRADIENT,
            "initial accumulator" => x * GRADIENT * GRADIENT,
            "eps2" => x * WEIGHT,
            _ => x,
        });
        [here.clone().collect(), there.collect()]
    })
}

/// Does it have a least size of weights? Then its steps are as long as the weights, as those of a trust ratio are.
fn is_measured_by_weights(row: &Row) -> bool {
    row.numbers.iter().any(|number| number.name == "eps2")
}

/// The factor of the learning rate, which makes steps twice as long.
fn rate(row: &Row) -> f64 {
    let direction = match row.huge {
        _ if is_measured_by_weights(row) || row.reach == Reach::Displacement => WEIGHT,
        Huge::Moves | Huge::Overflows => GRADIENT,
        _ => 1.0,
    };
    WEIGHT / direction
}

/// The factors of what L1 and L2 take off, if there are such.
fn amounts(row: &Row, cell: &Cell) -> Option<[f64; 2]> {
    let metric = if row.has_plain_metric() { 1.0 } else { GRADIENT };
    match cell.place {
        Place::Coupled => Some([GRADIENT, GRADIENT / WEIGHT]),
        // The trust ratio looks at a displacement that is as long as before, and makes it twice as long. So a share is half of what it was;
        // and what looks at the weight after such a step sees 2d − η·u, which is no multiple of d − η·u.
        _ if row.reach == Reach::Displacement => {
            let looks_after = cell.parts(1.0)[0] > 0.0 || matches!(cell.place, Place::Proximal | Place::Selective);
            // 1 − e^(−s) of half an s is not half of it.
            (!looks_after && cell.place != Place::Exponential).then_some([f64::NAN, 1.0 / WEIGHT])
        }
        Place::Metric => Some([WEIGHT * metric, f64::NAN]),
        _ => Some([WEIGHT, 1.0]),
    }
}

/// The cell in the other run, if it has the symmetry.
fn doubled(row: &Row, cell: &Cell) -> Option<Cell> {
    let [threshold, share] = amounts(row, cell)?;
    let (penalty, amount) = match cell.penalty {
        Penalty::L2 => (Penalty::L2, share),
        Penalty::L1 | Penalty::GroupLasso { .. } => (cell.penalty, threshold),
        // 2^(2 − p) is no power of two, and a power is rounded as its library likes.
        Penalty::PNorm { .. } => return None,
        // There the rate is an angle.
        _ if cell.place == Place::Hyperball => return None,
        Penalty::Norm { radius } => (Penalty::Norm { radius: WEIGHT * radius }, share),
        Penalty::StartNorm { .. } => (cell.penalty, share),
        Penalty::Box { bound } => (Penalty::Box { bound: WEIGHT * bound }, share),
        Penalty::FanBox { factor } => (Penalty::FanBox { factor: WEIGHT * factor }, share),
        Penalty::Spectral { bound } => (Penalty::Spectral { bound: WEIGHT * bound }, share),
        Penalty::Huber { delta } => (Penalty::Huber { delta: WEIGHT * delta }, share),
        Penalty::ElasticNet { ratio } => {
            let amount = threshold * ratio + share * (1.0 - ratio);
            (Penalty::ElasticNet { ratio: threshold * ratio / amount }, amount)
        }
        other => panic!("say which powers of two the numbers of {other:?} take"),
    };
    let factor = match cell.strength {
        Strength::LrScaled(_) if cell.place == Place::Coupled => amount,
        Strength::LrScaled(_) | Strength::Corrected(_) => amount / rate(row),
        Strength::Timescale(_) => 1.0 / amount,
        // Half of a share is not the share of another half-life, to the last bit.
        Strength::HalfLife(_) => (amount == 1.0).then_some(1.0)?,
        // It measures both norms itself.
        Strength::Adaptive(_) | Strength::Hard | Strength::None => 1.0,
        _ => amount,
    };
    Some(Cell { penalty, strength: with_number(cell.strength, factor * cells::number(cell.strength)), ..cell.clone() })
}

/// Elastic nets whose parts are exact in both runs: the ratio 1/4 becomes 2/5, and numbers have few bits.
fn of_few_bits(cell: Cell) -> Cell {
    match cell.penalty {
        Penalty::ElasticNet { .. } => {
            let number = (cells::number(cell.strength) * 1024.0).round() / 1024.0;
            Cell { penalty: Penalty::ElasticNet { ratio: 0.25 }, strength: with_number(cell.strength, number), ..cell }
        }
        _ => cell,
    }
}

/// Both runs, if the cell has the symmetry.
fn setups(row: &Row, cell: &Cell, schedule: &Schedule) -> Option<[Setup; 2]> {
    let (other, numbers) = (doubled(row, cell)?, numbers(row)?);
    let [(here, lr), (there, faster)] = [(cell, row.lr), (&other, rate(row) * row.lr)];
    let [small, large] = numbers;
    let setup = |cell: &Cell, lr, numbers| Setup { lr, numbers, schedule: schedule.clone(), ..Setup::new(cell.decay()) };
    Some([setup(here, lr, small), setup(there, faster, large)])
}

fn double<T: Element>(x: &[T]) -> Vec<T> {
    x.iter().map(|x| *x + *x).collect()
}

/// Every rule with every law that has the symmetry, over hundreds of steps in which any difference would grow. Without optimisation, where
/// that takes minutes, fewer.
fn twice_the_weights_is_the_same_run<T: Element>() {
    let steps = if cfg!(debug_assertions) { 10 } else { 500 };
    let (start, schedule) = (tensors::<T>(&LENGTHS), Schedule::cosine(steps, 0.1));
    let of_step = |k| start.iter().map(|tensor| (tensor.seed, exact(&tensor.gradient(k)))).collect();
    let targets: Vec<_> = (0..steps).map(of_step).collect();
    for row in OPTIMIZERS {
        let anchored = cells::loops().into_iter().filter(|cell| cell.anchor != Anchor::Origin);
        for cell in cells::plain().into_iter().chain(anchored).map(of_few_bits) {
            if let Some(setups) = setups(row, &cell, &schedule) {
                runs_alike(row, &setups, &start, &targets);
            }
        }
    }
}

/// The targets of a step, by the seeds of the tensors.
type Targets = BTreeMap<u64, Vec<f64>>;

/// Asserts that the second run, from weights twice as large, always has such.
fn runs_alike<T: Element>(row: &Row, setups: &[Setup; 2], start: &[Tensor<T>], targets: &[Targets]) {
    let mut opts = setups.each_ref().map(|setup| row.build::<T>(setup));
    let mut runs = [start.to_vec(), start.to_vec()];
    runs[1].iter_mut().for_each(|tensor| (tensor.value, tensor.anchor) = (double(&tensor.value), double(&tensor.anchor)));
    for (k, targets) in targets.iter().enumerate() {
        for (opt, tensors) in opts.iter_mut().zip(&mut runs) {
            step_on(&mut **opt, tensors, 1.0, |tensor| before_a_normalisation(&tensor.value, &targets[&tensor.seed]));
        }
        for (small, large) in runs[0].iter().zip(&runs[1]) {
            let same = patterns(&large.value) == patterns(&double(&small.value));
            assert!(same, "step {k} of {} with {} and {}", row.name, setups[0].decay, setups[1].decay);
        }
    }
}

/// How far the directions of two vectors are apart.
fn apart(a: &[f64], b: &[f64]) -> f64 {
    let [a, b] = [a, b].map(|x| direction(x).expect("weights before a normalisation are not 0").0);
    a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// SGD with a decay, and without it at a rate that grows.
struct Growth {
    decay: fn(f64) -> Decay,
    momentum: f64,
    dampening: f64,
}

impl Growth {
    const LR: f64 = 0.05;
    const LAMBDA: f64 = 0.04;
    const STEPS: u64 = 400;

    fn is_coupled(&self) -> bool {
        (self.decay)(1.0) == Decay::coupled_l2(1.0)
    }

    /// a, by which weights shrink where there is no gradient: 1 − ηλ, and where momentum carries the decay, the larger root of
    /// a² − (1 + μ − η(1 − δ)λ)·a + μ.
    fn shrinks(&self) -> f64 {
        let Self { momentum, dampening, .. } = *self;
        if self.is_coupled() && momentum > 0.0 {
            let half = (1.0 + momentum - Self::LR * (1.0 - dampening) * Self::LAMBDA) / 2.0;
            half + (half * half - momentum).sqrt()
        } else {
            1.0 - Self::LR * Self::LAMBDA
        }
    }

    /// Directions and norms of the weights in each step: of decayed ones at a constant rate η, and of free ones at η·a^−(2t+1).
    ///
    /// Momentum that carries the decay is the same μ in both; what is decoupled is no part of it, and there it is a·μ. A buffer that
    /// starts from the gradient has not forgotten the steps before: the first gradient makes up for it, which is 0 without momentum.
    fn follow(&self, growth: f64, mut each: impl FnMut(&[f64], &[f64])) {
        let (a, &Self { momentum, dampening, .. }) = (self.shrinks(), self);
        let sgd = |lr, momentum| Sgd::new(lr).momentum(momentum).dampening(dampening);
        let mut decayed = sgd(Self::LR, momentum).weight_decay((self.decay)(Self::LAMBDA)).build::<f64>().expect("an optimizer");
        let carried = if self.is_coupled() { momentum } else { a * momentum };
        let grows = Schedule::exponential(growth);
        let mut free = sgd(Self::LR / a, carried).lr_schedule(grows).build::<f64>().expect("an optimizer");
        let start = Tensor::<f64>::new(0, 12);
        let (mut w, mut x) = (start.value.clone(), start.value.clone());
        for k in 0..Self::STEPS {
            let target = exact(&start.gradient(k));
            let [of_decayed, mut of_free] = [&w, &x].map(|w| before_a_normalisation(w, &target));
            if k == 0 && self.is_coupled() {
                of_free.iter_mut().zip(&x).for_each(|(g, x)| *g += ((a - 1.0) / Self::LR + Self::LAMBDA) * x);
            }
            decayed.step_slice(&mut w, &of_decayed).expect("a step");
            free.step_slice(&mut x, &of_free).expect("a step");
            each(&w, &x);
        }
    }
}

/// Li & Arora, arXiv 1910.07454: with w = aᵗ·x, the decayed w at the rate η is the free x at the rate η·a^−(2t+1).
#[test]
fn decay_is_a_rate_that_grows() {
    for decay in [Decay::coupled_l2, Decay::decoupled as fn(f64) -> Decay] {
        for (momentum, dampening, tolerance) in [(0.0, 0.0, 1e-12), (0.5, 0.0, 1e-9), (0.7, 0.3, 1e-9), (0.9, 0.0, 1e-9)] {
            let run = Growth { decay, momentum, dampening };
            let a = run.shrinks();
            let name = format!("{} with momentum {momentum}, dampening {dampening}", decay(Growth::LAMBDA));
            let mut t = 0;
            run.follow(a.powi(-2), |w, x| {
                t += 1;
                let (distance, norms) = (apart(w, x), dot(w, w).sqrt() / (dot(x, x).sqrt() * a.powi(t)));
                assert!(distance < tolerance, "{name}: {distance} apart in step {t}");
                assert!((norms - 1.0).abs() < tolerance, "{name}: norms by {norms} in step {t}");
            });
            // A rate that does not grow leads elsewhere.
            let mut farthest = 0.0_f64;
            run.follow(1.0, |w, x| farthest = farthest.max(apart(w, x)));
            assert!(farthest > 1e-2, "{name}: {farthest} apart at a constant rate");
        }
    }
}
