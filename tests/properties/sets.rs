//! Pulls towards sets: where they come to, what keeps them from it, and what they are equal to.

use wane::{Adam, Decay, Error, Lamb, Optimizer, Param, Penalty, Place, Schedule, Sgd, Strength};

use crate::common::cells::{self, Cell};
use crate::common::data::{Tensor, exact, matrix, noise, patterns, slice_after, step, step_on, tensors, trained};
use crate::common::{Element, OPTIMIZERS, Reach, Row, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    without_a_gradient_a_set_is_reached_by_shares,
    the_set_of_0_alone_is_exact_l2,
    a_set_of_everything_changes_no_bit,
    a_wall_is_never_left,
    a_norm_of_0_stays,
    not_a_number_stays_one,
    on_the_hyperball_the_norm_stays_and_the_rate_is_an_angle,
    on_the_hyperball_no_scale_is_seen,
    spectral_decay_shrinks_the_largest_singular_value_alone,
    a_spectral_cap_brings_all_singular_values_down,
    spectral_decay_lets_nothing_grow,
);

fn norm(x: &[f64]) -> f64 {
    x.iter().map(|x| x * x).sum::<f64>().sqrt()
}

const LENGTHS: [usize; 3] = [6, 12, 3];

/// What is left of the way after a step at a constant rate.
fn left(cell: &Cell, lr: f64) -> f64 {
    match (cell.strength, cell.place) {
        (Strength::Hard, _) => 0.0,
        (Strength::LrScaled(lambda), Place::Proximal) => 1.0 / (1.0 + lr * lambda),
        (Strength::LrScaled(lambda), _) => 1.0 - lr * lambda,
        (Strength::HalfLife(h), _) => 0.5_f64.powf(1.0 / h),
        other => panic!("{other:?}"),
    }
}

/// Where n steps come to: the norm for norms and for matrices of one row, each weight for boxes.
fn without_a_gradient_a_set_is_reached_by_shares<T: Element>() {
    const N: i32 = 10;
    let cells: Vec<_> = cells::plain().into_iter().filter(|cell| cell.is_to_a_set() && cell.place != Place::Hyperball).collect();
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for cell in &cells {
            let start = [0.6, -0.8, 1.5, 0.0, -0.01, 0.2].map(T::near);
            let (mut opt, mut weights) = (row.build::<T>(&row.setup(cell.decay())), start);
            for _ in 0..N {
                opt.step(&mut [Param::new("w", &mut weights, &[T::zero(); 6]).shape(&[1, 6])]).unwrap();
            }
            let (begun, kept) = (exact(&start), left(cell, row.lr).powi(N));
            let whole = norm(&begun);
            let pulled = |size: f64, bound: f64| bound + (size - bound) * kept;
            let onto = |radius: f64| begun.iter().map(|x| x * pulled(whole, radius) / whole).collect::<Vec<_>>();
            let into = |b: f64| begun.iter().map(|x| if x.abs() <= b { *x } else { x.signum() * pulled(x.abs(), b) }).collect();
            let expected = match cell.penalty {
                Penalty::Norm { radius } => onto(radius),
                Penalty::StartNorm { ratio } => onto(ratio * whole),
                Penalty::Box { bound } => into(bound),
                Penalty::FanBox { factor } => into(factor / 6.0_f64.sqrt()),
                Penalty::Spectral { bound } => onto(bound),
                other => panic!("{other:?}"),
            };
            for (found, expected) in weights.iter().zip(expected) {
                let tolerance = 6.0 * f64::from(N) * T::EPS;
                let off = (found.exact() - expected).abs();
                assert!(off <= tolerance, "{} with {}: {found} for {expected}", row.name, cell.decay());
            }
        }
    }
}

fn after<T: Element>(row: &Row, decay: Decay) -> Vec<u64> {
    trained(&mut *row.build::<T>(&row.setup(decay)), &LENGTHS, 6).iter().flat_map(|tensor| patterns(&tensor.value)).collect()
}

/// A sphere of radius 0, a box of bound 0; in the exact order, bit for bit.
fn the_set_of_0_alone_is_exact_l2<T: Element>() {
    for row in OPTIMIZERS {
        for strength in [Strength::LrScaled(0.7), Strength::Fixed(0.02), Strength::HalfLife(25.0)] {
            let exact = after::<T>(row, Decay::new(Penalty::L2, Place::Exact, strength));
            for penalty in [Penalty::Norm { radius: 0.0 }, Penalty::StartNorm { ratio: 0.0 }, Penalty::Box { bound: 0.0 }] {
                let found = after::<T>(row, Decay::new(penalty, Place::Decoupled, strength));
                assert!(found == exact, "{} with {penalty:?} {strength:?}", row.name);
            }
            assert!(after::<T>(row, Decay::new(Penalty::Norm { radius: 0.1 }, Place::Decoupled, strength)) != exact);
        }
    }
}

fn a_set_of_everything_changes_no_bit<T: Element>() {
    for row in OPTIMIZERS {
        let free = after::<T>(row, Decay::none());
        for wide in [1e30, 0.02] {
            for penalty in [Penalty::Box { bound: wide }, Penalty::FanBox { factor: wide }, Penalty::Spectral { bound: wide }] {
                for strength in [Strength::Hard, Strength::LrScaled(0.7)] {
                    let found = after::<T>(row, Decay::new(penalty, Place::Proximal, strength));
                    assert_eq!(found == free, wide == 1e30, "{} with {penalty:?} {strength:?}", row.name);
                }
            }
        }
    }
}

/// Whatever the gradients do: boxes to the bit, norms to a few roundings.
fn a_wall_is_never_left<T: Element>() {
    for row in OPTIMIZERS {
        for (decay, place) in [
            (Decay::clip(0.3), Place::Proximal),
            (Decay::clip_to_start(0.5), Place::Proximal),
            (Decay::new(cells::NORM, Place::Proximal, Strength::Hard), Place::Proximal),
            (Decay::new(cells::NORM, Place::Hyperball, Strength::Hard), Place::Hyperball),
        ] {
            let (mut opt, mut tensors) = (row.build::<T>(&row.setup(decay.clone())), tensors::<T>(&LENGTHS));
            for k in 0..10 {
                step(&mut *opt, &mut tensors, k);
                for Tensor { value, .. } in &tensors {
                    let fan_in = matrix(value.len())[1] as f64;
                    let text = decay.to_string();
                    let held = match &*text {
                        "hard-box:0.3" => value.iter().all(|x| x.abs() <= T::near(0.3)),
                        "hard-fan-box:0.5" => value.iter().all(|x| x.abs() <= T::near(0.5 / fan_in.sqrt())),
                        _ => (norm(&exact(value)) / 0.9 - 1.0).abs() < 4.0 * T::EPS,
                    };
                    assert!(held, "{} with {text} {place:?}: {value:?}", row.name);
                }
            }
        }
    }
}

/// It has no direction to grow in; and −0 within a box stays −0.
fn a_norm_of_0_stays<T: Element>() {
    let (minus, zero) = (T::near(-0.0), T::zero());
    for cell in cells::plain().into_iter().filter(Cell::is_to_a_set) {
        let row = optimizer("sgd");
        let found = slice_after(&mut *row.build::<T>(&row.setup(cell.decay())), &[minus, zero], &[zero; 2], 3);
        assert_eq!(exact(&found), [0.0, 0.0], "{}", cell.decay());
        if matches!(cell.penalty, Penalty::Box { .. } | Penalty::FanBox { .. }) {
            assert_eq!(patterns(&found), patterns(&[minus, zero]), "{}", cell.decay());
        }
        let tiny = [T::near(T::TINY), zero];
        let grown = slice_after(&mut *row.build::<T>(&row.setup(cell.decay())), &tiny, &[zero; 2], 3);
        assert!(grown[0].is_finite() && grown[1] == zero, "{}: {grown:?}", cell.decay());
    }
}

/// Under a norm it would reach all weights: the step is refused. A box leaves it alone.
fn not_a_number_stays_one<T: Element>() {
    for cell in cells::plain().into_iter().filter(Cell::is_to_a_set) {
        let mut opt = Sgd::new(0.1).weight_decay(cell.decay()).build::<T>().unwrap();
        let mut weights = [T::nan(), T::one()];
        let stepped = opt.step(&mut [Param::new("w", &mut weights, &[T::zero(); 2]).shape(&[1, 2])]);
        assert_eq!(stepped.is_err(), cell.joins_weights(), "{}: {stepped:?}", cell.decay());
        assert!(weights[0].is_nan() && weights[1].is_finite(), "{}: {weights:?}", cell.decay());
    }
}

/// tan of the angle is η where update and weights are orthogonal.
fn on_the_hyperball_the_norm_stays_and_the_rate_is_an_angle<T: Element>() {
    for lr in [0.01, 0.5] {
        let mut opt = Sgd::new(lr).weight_decay(Decay::hyperball()).build::<T>().unwrap();
        let mut w = [3.0, 4.0].map(T::near);
        for k in 1..=20 {
            let before = exact(&w);
            // At right angles, in any length.
            let grad = [-before[1], before[0]].map(|x| T::near(x * 3.0_f64.powi(k - 10)));
            opt.step(&mut [Param::new("w", &mut w, &grad)]).unwrap();
            let found = exact(&w);
            let sine = (before[0] * found[1] - before[1] * found[0]) / 25.0;
            assert!((norm(&found) / 5.0 - 1.0).abs() < 4.0 * T::EPS, "{w:?}");
            assert!((-sine / lr.atan().sin() - 1.0).abs() < 20.0 * T::EPS / lr, "{sine} for {}", lr.atan().sin());
        }
    }
}

/// Not that of gradients in SGD, where it is a power of two, and not LAMB's trust ratio: LAMB is Adam.
fn on_the_hyperball_no_scale_is_seen<T: Element>() {
    let run = |opt: &mut dyn Optimizer<T>, scale: f64| {
        let mut tensors = tensors::<T>(&LENGTHS);
        for k in 0..6 {
            step_on(opt, &mut tensors, 1.0, |tensor| tensor.gradient(k).into_iter().map(|g| g * T::near(scale)).collect());
        }
        tensors.iter().flat_map(|tensor| patterns(&tensor.value)).collect::<Vec<_>>()
    };
    let sgd = || Sgd::new(0.1).momentum(0.9).weight_decay(Decay::hyperball()).build().unwrap();
    assert_eq!(run(&mut sgd(), 1.0), run(&mut sgd(), 0.0625));
    let mut lamb = Lamb::new(0.1).weight_decay(Decay::hyperball()).build().unwrap();
    let mut adam = Adam::new(0.1).eps(1e-6).weight_decay(Decay::hyperball()).build().unwrap();
    assert_eq!(run(&mut lamb, 1.0), run(&mut adam, 1.0));
}

/// H·D·H', with H and H' reflections: a matrix of these singular values.
fn with_singular_values<T: Element>(values: [f64; 3], seed: u64) -> Vec<T> {
    let reflection = |key: u64| {
        let a: [f64; 3] = std::array::from_fn(|i| noise([seed, key, i as u64, 5]));
        let square = a.iter().map(|a| a * a).sum::<f64>();
        move |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * a[i] * a[j] / square
    };
    let (left, right) = (reflection(1), reflection(2));
    (0..9).map(|at| (0..3).map(|k| left(at / 3, k) * values[k] * right(k, at % 3)).sum()).map(T::near).collect()
}

/// The largest singular value, by many plain steps.
fn largest(matrix: &[f64]) -> f64 {
    let mut v = vec![1.0, 0.5, -0.25];
    for _ in 0..2000 {
        let u: Vec<f64> = (0..3).map(|i| (0..3).map(|j| matrix[3 * i + j] * v[j]).sum()).collect();
        let product: Vec<f64> = (0..3).map(|j| (0..3).map(|i| matrix[3 * i + j] * u[i]).sum()).collect();
        let length = norm(&product);
        v = product.iter().map(|x| x / length).collect();
    }
    norm(&(0..3).map(|i| (0..3).map(|j| matrix[3 * i + j] * v[j]).sum()).collect::<Vec<f64>>())
}

/// Two matrices in one parameter, each with its own vectors. While the decay is next to nothing the iteration converges.
fn spectral_decay_shrinks_the_largest_singular_value_alone<T: Element>() {
    let begins = Schedule::linear(1e-30, 1e-30, 1).then(40, Schedule::constant());
    let start = [with_singular_values::<T>([3.0, 1.0, 0.5], 1), with_singular_values([2.0, 0.5, 0.25], 2)].concat();
    for (bound, to) in [(0.0, [3.0 * 0.9_f64.powi(5), 2.0 * 0.9_f64.powi(5)]), (2.5, [2.5 + 0.5 * 0.9_f64.powi(5), 2.0])] {
        let decay = Decay::new(Penalty::Spectral { bound }, Place::Decoupled, Strength::Fixed(0.1)).schedule(begins.clone());
        let (mut opt, mut weights) = (Sgd::new(0.1).weight_decay(decay).build::<T>().unwrap(), start.clone());
        for _ in 0..45 {
            opt.step(&mut [Param::new("w", &mut weights, &[T::zero(); 18]).shape(&[2, 3, 3])]).unwrap();
        }
        let expected = [with_singular_values::<T>([to[0], 1.0, 0.5], 1), with_singular_values([to[1], 0.5, 0.25], 2)].concat();
        for (found, expected) in weights.iter().zip(expected) {
            assert!((found.exact() - expected.exact()).abs() < 60.0 * T::EPS, "{found} for {expected} with bound {bound}");
        }
        assert_eq!(opt.state("w", "singular_vector").map(<[T]>::len), Some(6));
    }
}

/// One in each step; the largest one is that of many plain steps.
fn a_spectral_cap_brings_all_singular_values_down<T: Element>() {
    for seed in 0..10 {
        let mut weights = with_singular_values::<T>([3.0, 2.0, 0.5], seed);
        let mut opt = Sgd::new(0.1).weight_decay(Decay::spectral_cap(1.0)).build::<T>().unwrap();
        assert!((largest(&exact(&weights)) - 3.0).abs() < 20.0 * T::EPS);
        for _ in 0..200 {
            opt.step(&mut [Param::new("w", &mut weights, &[T::zero(); 9]).shape(&[3, 3])]).unwrap();
        }
        let found = largest(&exact(&weights));
        assert!(found < 1.0 + 1e-5 && found > 0.95, "{found} from seed {seed}");
    }
}

/// Converged or not.
fn spectral_decay_lets_nothing_grow<T: Element>() {
    for seed in 0..20 {
        let mut weights: Vec<T> = (0..12).map(|i| T::near(noise([seed, i, 3, 9]))).collect();
        let mut opt = Sgd::new(0.1).weight_decay(Decay::spectral(3.0)).build::<T>().unwrap();
        for _ in 0..20 {
            let before = norm(&exact(&weights));
            opt.step(&mut [Param::new("w", &mut weights, &[T::zero(); 12]).shape(&[3, 4])]).unwrap();
            let now = norm(&exact(&weights));
            assert!(now < before, "{now} after {before}");
        }
    }
}

/// What a small share multiplies may be beyond all numbers, and the product is not; then the step is refused.
#[test]
fn a_pull_whose_way_is_no_number_is_refused() {
    for (text, lr, w) in [
        ("start-norm:1e-20,3e38", 0.1, 1e8),
        ("proximal-start-norm:1e-20,3e38", 0.1, 1e8),
        ("spectral:1,0", 1e-38, 3e38),
        ("proximal-spectral:1,0", 1e-38, 3e38),
    ] {
        let decay: Decay = text.parse().expect("a decay");
        let (mut opt, mut weights) =
            (Sgd::new(lr).weight_decay(decay).build::<f32>().expect("an optimizer"), [w, -w / 2.0, 0.0, w]);
        // The power iteration comes to the largest singular value in the second step.
        let steps = (0..3).try_for_each(|_| opt.step(&mut [Param::new("w", &mut weights, &[1e-38; 4]).shape(&[2, 2])]).map(drop));
        let error = steps.expect_err(text);
        assert!(matches!(error, Error::Overflow { .. }), "{text}: {error}");
        assert!(weights.iter().all(|w| w.is_finite()), "{text}: {weights:?}");
    }
}
