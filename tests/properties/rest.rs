//! Where runs end: at rest the gradient of the loss is opposite to one of the penalty; what the steps before it can reach is bounded; and
//! what a little more decay does to the loss is known before the step.

use wane::{Anchor, Decay, Optimizer, Param, Penalty, Place, Schedule, Slices, Strength};

use crate::common::cells::{self, Cell, number};
use crate::common::data::{exact, matrix, noise, param, step_slice};
use crate::common::{Element, OPTIMIZERS, Reach, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(muon_stays_within_its_bound, adamw_stays_within_its_bound);

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// The loss ½·‖Fw − y‖², of more equations than weights.
struct Squares {
    features: Vec<Vec<f64>>,
    wanted: Vec<f64>,
}

impl Squares {
    const WEIGHTS: usize = 8;

    fn new() -> Self {
        let row = |i| (0..Self::WEIGHTS as u64).map(|j| noise([5, 0, i, j])).collect();
        Self { features: (0..20).map(row).collect(), wanted: (0..20).map(|i| 3.0 * noise([6, 0, 0, i])).collect() }
    }

    fn rests(&self, w: &[f64]) -> Vec<f64> {
        self.features.iter().zip(&self.wanted).map(|(row, wanted)| dot(row, w) - wanted).collect()
    }

    fn loss(&self, w: &[f64]) -> f64 {
        let rests = self.rests(w);
        dot(&rests, &rests) / 2.0
    }

    fn gradient(&self, w: &[f64]) -> Vec<f64> {
        let rests = self.rests(w);
        (0..w.len()).map(|j| self.features.iter().zip(&rests).map(|(row, rest)| row[j] * rest).sum()).collect()
    }
}

/// How far −g is from the subgradients λ·∂R(d) of a penalty, for each weight or row: 0 where both pulls are in balance.
fn imbalance(penalty: Penalty, lambda: f64, g: &[f64], d: &[f64]) -> Vec<f64> {
    let pull = |l1: f64, l2: f64, [g, d]: [f64; 2]| {
        // At 0 the pull of L1 is any number up to λ₁.
        if d == 0.0 { (g.abs() - l1).max(0.0) } else { (g + l1 * d.signum() + l2 * d).abs() }
    };
    let each = |pull: &dyn Fn([f64; 2]) -> f64| g.iter().zip(d).map(|(g, d)| pull([*g, *d])).collect();
    match penalty {
        Penalty::L2 => each(&|at| pull(0.0, lambda, at)),
        Penalty::L1 => each(&|at| pull(lambda, 0.0, at)),
        Penalty::ElasticNet { ratio } => each(&|at| pull(lambda * ratio, lambda * (1.0 - ratio), at)),
        Penalty::Huber { delta } => each(&|[g, d]| (g + lambda * d.clamp(-delta, delta)).abs()),
        Penalty::Norm { radius } => each(&|[g, d_i]| (g + lambda * (norm(d) - radius) * d_i / norm(d)).abs()),
        Penalty::Box { bound } => each(&|[g, d]| (g + lambda * (d - d.clamp(-bound, bound))).abs()),
        // At 0 the pull has no bound.
        Penalty::PNorm { p } => {
            each(&|[g, d]| if d == 0.0 { 0.0 } else { (g + lambda * d.signum() * d.abs().powf(p - 1.0)).abs() })
        }
        Penalty::GroupLasso { over } => {
            let [rows, columns] = matrix(d.len());
            let (slices, slice): (usize, &dyn Fn(usize) -> usize) = match over {
                Slices::Rows => (rows, &|i| i / columns),
                Slices::Columns => (columns, &|i| i % columns),
                _ => (1, &|_| 0),
            };
            let of_slice = |k: usize| {
                let of = |x: &[f64]| (0..x.len()).filter(|&i| slice(i) == k).map(|i| x[i]).collect::<Vec<_>>();
                let [g, d] = [g, d].map(of);
                let (most, length) = (lambda * (d.len() as f64).sqrt(), norm(&d));
                if length == 0.0 {
                    (norm(&g) - most).max(0.0)
                } else {
                    norm(&g.iter().zip(&d).map(|(g, d)| g + most * d / length).collect::<Vec<_>>())
                }
            };
            (0..slices).map(of_slice).collect()
        }
        other => panic!("say what the subgradients of {other:?} are"),
    }
}

/// Ridge regression, lasso and their kin, by full-batch gradient descent: the conditions of their optimum hold, whatever way led there. What
/// turns on and off (cautious and selective decay, L1 in the gradient, or a p-norm, which is as steep at 0) or follows gradients that are 0 in the end (AdaDecay, adaptive decay) does not rest.
#[test]
fn at_rest_gradient_and_penalty_are_in_balance() {
    let (loss, row) = (Squares::new(), optimizer("sgd"));
    let rests = |cell: &Cell| {
        let turns = cell.place == Place::Coupled
            && matches!(cell.penalty, Penalty::L1 | Penalty::ElasticNet { .. } | Penalty::PNorm { .. });
        let follows = matches!(cell.place, Place::Cautious | Place::AdaDecay { .. } | Place::Selective);
        // What goes of e^(−s)·d is not s·d, so it rests elsewhere.
        let flows = cell.place == Place::Exponential;
        // The first norm and the fan-in are those of other tests, and singular values move on by one power step at a time.
        let looks = matches!(cell.penalty, Penalty::StartNorm { .. } | Penalty::FanBox { .. } | Penalty::Spectral { .. });
        matches!(cell.strength, Strength::LrScaled(_)) && !turns && !follows && !flows && !looks
    };
    let mut zeros = 0;
    for cell in cells::plain().into_iter().filter(rests) {
        for (anchor, a) in [(Anchor::Origin, 0.0), (Anchor::Given, 0.5)] {
            // Strong enough that L1 has something to take to 0, and that Huber's penalty has weights on both sides of δ.
            for factor in [1.0, 4.0] {
                let lambda = factor * number(cell.strength);
                let decay = Decay::new(cell.penalty, cell.place, Strength::LrScaled(lambda)).towards(anchor);
                let mut opt = row.build::<f64>(&row.setup(decay.clone()));
                let (mut w, lent) = (vec![1.0; Squares::WEIGHTS], vec![a; Squares::WEIGHTS]);
                for _ in 0..1000 {
                    let g = loss.gradient(&w);
                    opt.step(&mut [param("w", &mut w, &g).anchor(&lent)]).expect("a step");
                }
                let d: Vec<_> = w.iter().map(|w| w - a).collect();
                let off = imbalance(cell.penalty, lambda, &loss.gradient(&w), &d);
                assert!(off.iter().all(|off| *off < 1e-12), "{decay}: {off:?} at {d:?}");
                zeros += d.iter().filter(|d| **d == 0.0).count();
            }
        }
    }
    assert!(zeros > 20, "{zeros} weights rest on an edge");
}

/// d f(w_t)/dλ = −η·⟨∇f(w_t), w_{t−1}⟩ for a loss f, by central differences: of a square they are exact.
#[test]
fn a_little_more_decay_changes_the_loss_as_foretold() {
    const H: f64 = 1e-3;
    let loss = Squares::new();
    let before: Vec<_> = (0..Squares::WEIGHTS as u64).map(|i| noise([7, 0, 0, i])).collect();
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for place in [Place::Decoupled, Place::Exact] {
            let after = |lambda| {
                let mut w = before.clone();
                let mut opt = row.build::<f64>(&row.setup(Decay::new(Penalty::L2, place, Strength::LrScaled(lambda))));
                step_slice(&mut *opt, &mut w, &loss.gradient(&before)).expect("a step");
                w
            };
            let found = (loss.loss(&after(0.5 + H)) - loss.loss(&after(0.5 - H))) / (2.0 * H);
            let foretold = -row.lr * dot(&loss.gradient(&after(0.5)), &before);
            // The difference of two losses, each rounded, over 2H.
            let tolerance = 100.0 * f64::EPSILON * loss.loss(&before) / H;
            assert!((found - foretold).abs() < tolerance, "{} {place:?}: {found} for {foretold}", row.name);
        }
    }
}

/// The largest singular value, by power iteration on WᵀW.
fn spectral_norm(w: &[f64], [rows, columns]: [usize; 2]) -> f64 {
    let (mut x, mut value) = (vec![1.0; columns], 0.0);
    for _ in 0..200 {
        let length = norm(&x);
        let image: Vec<_> = w.chunks(columns).map(|row| dot(row, &x) / length).collect();
        value = norm(&image);
        x = (0..columns).map(|j| (0..rows).map(|i| w[i * columns + j] * image[i]).sum()).collect();
    }
    value
}

/// The largest number that Newton and Schulz's steps make of one in (0, 1].
fn largest_singular_value() -> f64 {
    let step = |s: f64| 3.4445 * s - 4.775 * s.powi(3) + 2.0315 * s.powi(5);
    (1..=100_000).map(|i| (0..5).fold(f64::from(i) / 1e5, |s, _| step(s))).fold(0.0, f64::max)
}

/// ‖W‖₂ ≤ max(‖W₀‖₂, c·φ/λ) as long as η·λ ≤ 1, with c the largest singular value of a direction and φ the factor of the rate. Gradients
/// that stay bring it near; with half the decay they would leave it.
fn muon_stays_within_its_bound<T: Element>() {
    let (row, shape, c) = (optimizer("muon"), [6, 4], largest_singular_value());
    let gradients: [fn(u64, usize) -> f64; 2] = [|_, i| noise([8, 0, 0, i as u64]), |k, i| noise([9, 0, k, i as u64])];
    let factor = (shape[0] as f64 / shape[1] as f64).sqrt();
    for lambda in [0.5, 4.0] {
        let mut nearest = 0.0_f64;
        for (gradient, start) in gradients.into_iter().flat_map(|gradient| [(gradient, 0.01), (gradient, 10.0)]) {
            let decay = Decay::decoupled(lambda);
            let mut opt = row.build::<T>(&Setup { lr: 0.1, ..row.setup(decay) });
            let mut w: Vec<_> = (0..24).map(|i| T::near(start * noise([10, 0, 0, i]))).collect();
            let bound = spectral_norm(&exact(&w), shape).max(c * factor / lambda) * (1.0 + 100.0 * T::EPS);
            for k in 0..150 {
                let g: Vec<_> = (0..24).map(|i| T::near(gradient(k, i))).collect();
                opt.step(&mut [Param::new("w", &mut w, &g).shape(&shape)]).expect("a step");
                let found = spectral_norm(&exact(&w), shape);
                assert!(found <= bound, "‖W‖ = {found} in step {k}, λ {lambda}, bound {bound}");
                if start < 1.0 {
                    nearest = nearest.max(found / bound);
                }
            }
        }
        assert!(nearest > 0.55, "{nearest} of the bound with λ {lambda}");
    }
}

/// The largest |m̂|/√v̂ that any gradients can bring about, by Cauchy and Schwarz step by step: |m| ≤ √v·√Σ a_k²/b_k with the weights a and b of
/// the averages.
fn longest_direction(beta1: f64, beta2: f64, steps: u32) -> f64 {
    let mut sum = 0.0;
    let directions = (1..=steps).map(|t| {
        let t = f64::from(t);
        sum += ((1.0 - beta1) * beta1.powf(t - 1.0)).powi(2) / ((1.0 - beta2) * beta2.powf(t - 1.0));
        f64::sqrt(sum * (1.0 - beta2.powf(t))) / (1.0 - beta1.powf(t))
    });
    directions.fold(0.0, f64::max)
}

/// |w| ≤ max(|w₀|, c/λ) as long as η·λ ≤ 1, with c the longest direction. Gradients that grow as β₂/β₁ turn Cauchy and Schwarz's bound into
/// an equation.
fn adamw_stays_within_its_bound<T: Element>() {
    const STEPS: u32 = 300;
    let (row, betas) = (optimizer("adamw"), [0.9, 0.95]);
    let c = longest_direction(betas[0], betas[1], STEPS);
    let gradients: [fn(u64, usize) -> f64; 3] =
        [|_, _| 1.0, |k, i| noise([11, 0, k, i as u64]), |k, i| (0.9_f64 / 0.95).powf(-(k as f64)) * (1.0 + i as f64)];
    for (lr, lambda) in [(0.05, 2.0), (0.9, 1.1)] {
        let mut nearest = 0.0_f64;
        for gradient in gradients {
            let numbers = vec![betas[0], betas[1], 0.0];
            let setup = Setup { lr, numbers, schedule: Schedule::constant(), ..row.setup(Decay::decoupled(lambda)) };
            let (mut opt, start) = (row.build::<T>(&setup), [0.0, 0.01, -1.0 / lambda, 5.0].map(T::near));
            let mut weights = start;
            for k in 0..u64::from(STEPS) {
                let grad: [T; 4] = std::array::from_fn(|i| T::near(gradient(k, i)));
                step_slice(&mut *opt, &mut weights, &grad).unwrap();
                for (w, start) in weights.iter().zip(start) {
                    let bound = start.exact().abs().max(c / lambda) * (1.0 + 100.0 * T::EPS);
                    assert!(w.exact().abs() <= bound, "at rate {lr}, λ {lambda}: {w} in step {k} from {start}, bound {bound}");
                }
                nearest = nearest.max(weights[0].exact().abs() * lambda / c);
            }
        }
        assert!(nearest > 0.99, "{nearest} of the bound at rate {lr}, λ {lambda}");
    }
}
