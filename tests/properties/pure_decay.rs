//! Without a gradient, and from fresh state, an optimizer moves nothing and the decay stands alone: closed forms, half-lives, timescales,
//! and the sums of schedules.

use std::f64::consts::LN_2;

use wane::{Anchor, Decay, Optimizer, Param, Penalty, Place, Schedule, Strength, Untouched};

use crate::common::cells::{self, ADA, Cell};
use crate::common::data::{noise, patterns, slice_after, step_on, tensors};
use crate::common::{Element, OPTIMIZERS, Reach, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(
    a_zero_gradient_is_pure_decay,
    a_zero_gradient_takes_its_share_of_each_row,
    a_zero_gradient_and_coupled_decay_in_plain_sgd,
    adaptive_decay_follows_the_gradient_to_zero,
    the_trust_ratio_makes_any_shrinking_as_long_as_the_learning_rate,
    a_weight_is_halved_every_half_life,
    a_timescale_is_the_steps_to_one_eth,
    the_exponential_place_takes_any_share,
    schedules_add_up,
    schedules_of_rate_and_strength_multiply,
    soft_thresholds_leave_exact_zeros,
);

/// The share or amount that a step at a constant rate takes off.
fn amount(cell: &Cell, lr: f64) -> f64 {
    match cell.strength {
        Strength::LrScaled(lambda) | Strength::Corrected(lambda) => lr * lambda,
        Strength::Independent(lambda) | Strength::Fixed(lambda) => lambda,
        Strength::Timescale(tau) => 1.0 / tau,
        Strength::Normalized { lambda, steps } => lambda / (steps as f64).sqrt(),
        Strength::HalfLife(h) if cell.place == Place::Proximal => (2.0_f64).powf(1.0 / h) - 1.0,
        Strength::HalfLife(h) if cell.place == Place::Exponential => LN_2 / h,
        Strength::HalfLife(h) => 1.0 - (0.5_f64).powf(1.0 / h),
        _ => 0.0,
    }
}

/// The distance d after n steps of pure decay: a geometric sum, which stops at 0.
fn after(cell: &Cell, lr: f64, d: f64, n: i32) -> f64 {
    let [l1, l2] = cell.parts(amount(cell, lr));
    if cell.place == Place::Selective {
        // Nothing is added.
        return d;
    }
    if let Penalty::Huber { delta } = cell.penalty {
        return (0..n).fold(d, |d, _| if d.abs() > (1.0 + l1) * delta { d - l1 * delta * d.signum() } else { d / (1.0 + l1) });
    }
    if let Penalty::PNorm { p } = cell.penalty {
        return (0..n).fold(d, |d, _| d / (1.0 + l1 * d.abs().powf(p - 2.0)));
    }
    let proximal = cell.place == Place::Proximal;
    let keep = match cell.place {
        Place::Proximal => 1.0 / (1.0 + l2),
        Place::Exponential => (-l2).exp(),
        _ => 1.0 - l2,
    };
    let powers = if keep == 1.0 { f64::from(n) } else { (1.0 - keep.powi(n)) / (1.0 - keep) };
    let taken = l1 * powers * if proximal { keep } else { 1.0 };
    d.signum() * (d.abs() * keep.powi(n) - taken).max(0.0)
}

fn a_zero_gradient_is_pure_decay<T: Element>() {
    const N: i32 = 20;
    let cells: Vec<_> = cells::all().into_iter().filter(|cell| cell.place != Place::Coupled && !cell.is_scheduled()).collect();
    let by_weight = |cell: &&Cell| !matches!(cell.penalty, Penalty::GroupLasso { .. }) && !cell.is_to_a_set();
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for cell in cells.iter().filter(by_weight).filter(|cell| row.has_plain_metric() || cell.place != Place::Metric) {
            let start = tensors::<T>(&[6, 5, 4]);
            let mut tensors = start.clone();
            let mut opt = row.build::<T>(&row.setup(cell.decay()));
            for _ in 0..N {
                step_on(&mut *opt, &mut tensors, 1.0, |tensor| vec![T::zero(); tensor.value.len()]);
            }
            // Nothing has touched a row.
            let steps = if cell.untouched == Untouched::Stay { 0 } else { N };
            if cell.untouched == Untouched::CatchUp {
                let mut params: Vec<_> = tensors.iter_mut().map(|tensor| tensor.param(None)).collect();
                opt.catch_up(&mut params).unwrap();
            }
            for (before, tensor) in start.iter().zip(&tensors) {
                for ((x0, x), lent) in before.value.iter().zip(&tensor.value).zip(&tensor.anchor) {
                    let a = match cell.anchor {
                        // The average of a weight that stays is that weight.
                        Anchor::Start | Anchor::Average { .. } => x0.exact(),
                        Anchor::Given => lent.exact(),
                        _ => 0.0,
                    };
                    let expected = a + after(cell, row.lr, x0.exact() - a, steps);
                    let tolerance = 3.0 * f64::from(N) * T::EPS * (x0.exact().abs() + a.abs());
                    let found = x.exact();
                    assert!((found - expected).abs() <= tolerance, "{} with {}: {found} for {expected}", row.name, cell.decay());
                }
            }
        }
    }
}

/// Group lasso: the norm of a row falls by λ√n in every step, and where its distance points does not change.
fn a_zero_gradient_takes_its_share_of_each_row<T: Element>() {
    const N: u64 = 20;
    let (rows, width) = (3, 2);
    let start = [3.0, 4.0, -0.3, 0.4, 0.01, -0.01].map(T::near);
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for cell in cells::plain().into_iter().filter(|cell| cell.penalty == cells::ROWS) {
            let (mut opt, mut weights) = (row.build::<T>(&row.setup(cell.decay())), start);
            for _ in 0..N {
                opt.step(&mut [Param::new("w", &mut weights, &[T::zero(); 6]).shape(&[rows, width])]).unwrap();
            }
            for (found, before) in weights.chunks(width).zip(start.chunks(width)) {
                let norm = before.iter().map(|x| x.exact().powi(2)).sum::<f64>().sqrt();
                let lost = N as f64 * amount(&cell, row.lr) * (width as f64).sqrt();
                let kept = (norm - lost).max(0.0) / norm;
                for (found, before) in found.iter().zip(before) {
                    let tolerance = if kept == 0.0 { 0.0 } else { 4.0 * N as f64 * T::EPS * before.exact().abs() };
                    assert!(
                        (found.exact() - kept * before.exact()).abs() <= tolerance,
                        "{} with {}: {found} from {before}",
                        row.name,
                        cell.decay()
                    );
                }
            }
        }
    }
}

fn a_zero_gradient_and_coupled_decay_in_plain_sgd<T: Element>() {
    const N: u64 = 20;
    let row = optimizer("sgd");
    let after =
        |decay: Decay, w: f64| slice_after(&mut *row.build::<T>(&row.setup(decay)), &[T::near(w)], &[T::zero()], N)[0].exact();
    let (lr, lambda, n) = (row.lr, 0.3, N as f64);
    for w in [2.0, -1.0] {
        let shrunk = w * (1.0 - lr * lambda).powf(n);
        let moved = w - w.signum() * n * lr * lambda;
        let tolerance = 3.0 * n * T::EPS * w.abs();
        assert!((after(Decay::coupled_l2(lambda), w) - shrunk).abs() < tolerance);
        assert!((after(Decay::coupled_l1(lambda), w) - moved).abs() < tolerance);
        let (keep, l1) = (1.0 - lr * lambda * 0.7, lr * lambda * 0.3);
        let both = w * keep.powf(n) - w.signum() * l1 * (1.0 - keep.powf(n)) / (1.0 - keep);
        assert!((after(Decay::coupled_elastic_net(lambda, 0.3), w) - both).abs() < tolerance);
    }
}

fn adaptive_decay_follows_the_gradient_to_zero<T: Element>() {
    for row in OPTIMIZERS {
        let start = [T::near(0.3), T::near(-2.0)];
        let found = slice_after(&mut *row.build::<T>(&row.setup(Decay::adaptive(0.5))), &start, &[T::zero(); 2], 5);
        assert_eq!(patterns(&found), patterns(&start), "{}", row.name);
    }
}

/// LAMB steps η·‖x‖ far whatever the displacement; where that is all shrinking, the share is η whatever λ.
fn the_trust_ratio_makes_any_shrinking_as_long_as_the_learning_rate<T: Element>() {
    const N: u64 = 10;
    for row in OPTIMIZERS.iter().filter(|row| row.reach == Reach::Displacement) {
        for cell in cells::plain().into_iter().filter(|cell| cell.penalty == Penalty::L2 && amount(cell, row.lr) > 0.0) {
            let keep = match cell.place {
                Place::Decoupled | Place::Exact | Place::Exponential | Place::Cautious | ADA => 1.0 - row.lr,
                _ => continue,
            };
            let start = [0.3, -2.0, 1.0].map(T::near);
            let found = slice_after(&mut *row.build::<T>(&row.setup(cell.decay())), &start, &[T::zero(); 3], N);
            for (found, start) in found.iter().zip(start) {
                let expected = start.exact() * f64::powf(keep, N as f64);
                let tolerance = 40.0 * T::EPS * expected.abs();
                assert!((found.exact() - expected).abs() < tolerance, "{} with {}: {found}", row.name, cell.decay());
            }
        }
    }
}

fn a_weight_is_halved_every_half_life<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for place in [Place::Decoupled, Place::Exact, Place::Exponential, Place::Proximal, Place::Cautious, ADA] {
            for half_life in [2_u32, 3, 50] {
                let decay = Decay::new(Penalty::L2, place, Strength::HalfLife(f64::from(half_life)));
                // Whatever the learning rate does.
                let setup = Setup { schedule: Schedule::exponential(0.5), ..row.setup(decay) };
                let found = slice_after(&mut *row.build::<T>(&setup), &[T::one()], &[T::zero()], u64::from(2 * half_life));
                let tolerance = 2.0 * f64::from(half_life) * T::EPS;
                assert!((found[0].exact() - 0.25).abs() < tolerance, "{} {place:?} {half_life}: {}", row.name, found[0]);
            }
        }
    }
}

/// (1 − 1/τ)^τ is e⁻¹·(1 − 1/(2τ) + O(τ⁻²)).
fn a_timescale_is_the_steps_to_one_eth<T: Element>() {
    let tau = 200.0;
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        let found =
            slice_after(&mut *row.build::<T>(&row.setup(Decay::timescale(tau))), &[T::one()], &[T::zero()], 200)[0].exact();
        assert!((found * std::f64::consts::E - (1.0 - 0.5 / tau)).abs() < 3e-5, "{}: {found}", row.name);
    }
}

/// e^(−s), and what is left of it beside the last place of the weight.
fn the_exponential_place_takes_any_share<T: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        for share in [1.0, 2.5, 36.0, 40.0, 1e6, 1e300] {
            let decay = Decay::new(Penalty::L2, Place::Exponential, Strength::Fixed(share));
            let found = slice_after(&mut *row.build::<T>(&row.setup(decay)), &[T::one()], &[T::zero()], 1)[0];
            assert!((found.exact() - (-share).exp()).abs() <= T::EPS / 2.0, "{} by {share}: {found}", row.name);
        }
    }
}

/// Schedules with the closed form of their sum over k = 0 .. T.
fn sums() -> Vec<(Schedule, f64)> {
    let n = T as f64;
    let powers = |base: f64, n: i32| (1.0 - base.powi(n)) / (1.0 - base);
    vec![
        (Schedule::constant(), n),
        (Schedule::linear(1.0, 0.0, T), (n + 1.0) / 2.0),
        (Schedule::linear(0.2, 0.6, T), 0.4 * n - 0.2),
        (Schedule::cosine(T, 0.0), (n + 1.0) / 2.0),
        (Schedule::cosine(T, 0.2), 0.2 * n + 0.8 * (n + 1.0) / 2.0),
        (Schedule::cosine(T / 2, 0.2), 0.2 * n + 0.8 * (n / 2.0 + 1.0) / 2.0),
        (Schedule::polynomial(T, 2.0, 0.0), (n + 1.0) * (2.0 * n + 1.0) / (6.0 * n)),
        (Schedule::exponential(0.9), powers(0.9, 40)),
        (Schedule::step(10, 0.5), 10.0 * powers(0.5, 4)),
        (Schedule::warmup_cosine(10, T, 0.0), 4.5 + 31.0 / 2.0),
        (Schedule::warmup_stable_decay(10, 10, 20, 0.0), 4.5 + 10.0 + 21.0 / 2.0),
        (Schedule::constant().then(10, Schedule::linear(1.0, 0.0, 30)), 10.0 + 31.0 / 2.0),
    ]
}

const T: u64 = 40;

/// The soft threshold takes off η·λ·m(k) at each step, so the loss of a weight is the sum of the schedule; a logarithm of what shrinking
/// leaves is that sum up to its squares (formula: ln(1 − s) = −s − s²/2).
fn schedules_add_up<E: Element>() {
    let row = optimizer("sgd");
    let start = 4.0;
    for (schedule, sum) in sums() {
        for by_rate in [true, false] {
            let left = |decay: Decay| {
                let (rate, strength) =
                    if by_rate { (schedule.clone(), Schedule::constant()) } else { (Schedule::constant(), schedule.clone()) };
                let setup = Setup { schedule: rate, ..row.setup(decay.schedule(strength)) };
                slice_after(&mut *row.build::<E>(&setup), &[E::near(start)], &[E::zero()], T)[0].exact()
            };
            let lost = row.lr * 0.1 * sum;
            let tolerance = 2.0 * T as f64 * E::EPS * start;
            assert!((start - left(Decay::l1(0.1)) - lost).abs() < tolerance, "{schedule}: lost {}", start - left(Decay::l1(0.1)));
            let shares = -(left(Decay::decoupled(0.1)) / start).ln();
            assert!(shares - lost > -tolerance && shares - lost < lost * 0.003 + tolerance, "{schedule}: {shares} for {lost}");
            if by_rate {
                let shares = -(left(Decay::independent(0.005)) / start).ln();
                assert!(
                    shares - lost > -tolerance && shares - lost < lost * 0.003 + tolerance,
                    "{schedule}: {shares} for {lost}"
                );
            }
        }
    }
}

/// In lr-scaled units both act; Σ (1 − k/T)² is the polynomial's sum.
fn schedules_of_rate_and_strength_multiply<E: Element>() {
    let row = optimizer("sgd");
    let line = || Schedule::linear(1.0, 0.0, T);
    let setup = Setup { schedule: line(), ..row.setup(Decay::l1(0.1).schedule(line())) };
    let found = slice_after(&mut *row.build::<E>(&setup), &[E::one()], &[E::zero()], T)[0].exact();
    let n = T as f64;
    let expected = 1.0 - row.lr * 0.1 * (n + 1.0) * (2.0 * n + 1.0) / (6.0 * n);
    assert!((found - expected).abs() < 2.0 * n * E::EPS, "{found} for {expected}");
}

/// What is within the threshold becomes 0 and stays there; nothing ever changes its sign or grows.
fn soft_thresholds_leave_exact_zeros<E: Element>() {
    for row in OPTIMIZERS.iter().filter(|row| row.reach != Reach::Displacement) {
        // Huber's penalty is a square near 0, and a p-norm falls to 0 without an edge.
        let has_edge = |cell: &Cell| matches!(cell.penalty, Penalty::L1 | Penalty::ElasticNet { .. });
        let is_soft = |cell: &Cell| has_edge(cell) && cell.place != Place::Coupled && !cell.joins_weights();
        for cell in
            cells::plain().into_iter().filter(|cell| is_soft(cell) && (row.has_plain_metric() || cell.place != Place::Metric))
        {
            let theta = cell.parts(amount(&cell, row.lr))[0];
            let start = [0.9 * theta, -0.9 * theta, 1.5 * theta, -1.5 * theta, 1.0].map(E::near);
            let mut opt = row.build::<E>(&row.setup(cell.decay()));
            let once = slice_after(&mut *opt, &start, &[E::zero(); 5], 1);
            let name = || format!("{} with {}: {once:?}", row.name, cell.decay());
            assert!(once[0] == E::zero() && once[1] == E::zero(), "{}", name());
            assert!(once[2] > E::zero() && once[3] < E::zero(), "{}", name());
            assert!(once.iter().zip(start).all(|(now, before)| now.abs() <= before.abs()), "{}", name());
            let twice = slice_after(&mut *opt, &once, &[E::zero(); 5], 1);
            assert!(twice[..4].iter().all(|x| *x == E::zero()), "{}", name());
        }
    }
}

/// Shares from what a number cannot hold to half of it, under updates that come and go: the decay that happened is that of the promise,
/// and PyTorch's order loses the small ones. Without optimisation, where it takes a minute, fewer weights, which say nothing of the smallest.
#[test]
fn the_exact_order_loses_no_share() {
    const STEPS: u64 = 1000;
    let (weights, skip) = if cfg!(debug_assertions) { (1 << 12, 1) } else { (1 << 16, 0) };
    let numbers = |key: u64, step: u64, scale: f64, shift: f64| -> Vec<f32> {
        (0..weights).map(|i| f32::near(shift + scale * noise([key, i, step, 0]))).collect()
    };
    let sum = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>();
    // All units that PyTorch lacks have that order.
    let units: [fn(f64) -> Decay; 7] = [
        Decay::exact,
        Decay::independent,
        Decay::corrected,
        Decay::fixed,
        |s| Decay::timescale(1.0 / s),
        |s| Decay::half_life(-LN_2 / (-s).ln_1p()),
        |s| Decay::normalized(20.0 * s, 400),
    ];
    let shares = [1e-9, 1e-8, 4e-8, 1e-6, 1e-3, 0.5].into_iter().skip(skip);
    let exact = shares.flat_map(|s| units.map(|units| (units(s), s, 1.0, 0.01)));
    // Nothing, nothing, and twice what it says, of weights between a half and 1.
    let lossy = [(1e-9, 0.0), (1e-8, 0.0), (4e-8, 2.0)].map(|(s, times)| (Decay::decoupled(s), s, times, 0.1));
    let cases: Vec<_> = exact.chain(lossy.into_iter().skip(skip)).collect();
    let start = numbers(1, 0, 0.2, 0.75);
    let run = |decay: &Decay| (wane::Sgd::new(1.0).weight_decay(decay.clone()).build::<f32>().unwrap(), start.clone());
    let mut free = run(&Decay::none());
    let mut runs: Vec<_> = cases.iter().map(|(decay, ..)| run(decay)).collect();
    for k in 0..STEPS {
        let grads = numbers(2, k / 2, [1e-3, -1e-3][(k % 2) as usize], 0.0);
        for (opt, w) in runs.iter_mut().chain([&mut free]) {
            opt.step_slice(w, &grads).unwrap();
        }
    }
    for ((_, w), (decay, share, times, tolerance)) in runs.iter().zip(cases) {
        // What updates and rounding have left behind is in the run without decay too.
        let (removed, promised) = (1.0 - sum(w) / sum(&free.1), -(STEPS as f64 * (-share).ln_1p()).exp_m1());
        let found = removed / promised;
        assert!((found - times).abs() < tolerance, "{decay} removes {found} times what it says");
    }
}

/// The distance from an average that stays behind shrinks by just its share, of which PyTorch's order would make 1.19 times as much.
#[test]
fn the_pull_to_the_average_loses_no_share() {
    const WEIGHTS: usize = 1 << 12;
    const STEPS: u32 = 1000;
    const SHARE: f64 = 1e-7;
    const MOVE: f64 = 0.125;
    let behind = Anchor::Average { beta: 1.0 - f64::EPSILON };
    let [mut pulled, mut free] = [Decay::fixed(SHARE).towards(behind), Decay::none()].map(|decay| {
        let mut opt = wane::Sgd::new(1.0).weight_decay(decay).build::<f32>().unwrap();
        let mut w = vec![0.75; WEIGHTS];
        opt.step_slice(&mut w, &[f32::near(MOVE); WEIGHTS]).unwrap();
        (opt, w)
    });
    for k in 0..STEPS {
        let sign = [1e-3, -1e-3][(k % 2) as usize];
        let grads: Vec<_> = (0..WEIGHTS as u64).map(|i| f32::near(sign * noise([3, i, u64::from(k / 2), 0]))).collect();
        for (opt, w) in [&mut pulled, &mut free] {
            opt.step_slice(w, &grads).unwrap();
        }
    }
    let mean = |x: &[f32]| x.iter().map(|&x| f64::from(x)).sum::<f64>() / WEIGHTS as f64;
    let removed = (mean(&pulled.1) - mean(&free.1)) / MOVE;
    let promised = -(f64::from(STEPS) * (-SHARE).ln_1p()).exp_m1();
    assert!((removed / promised - 1.0).abs() < 0.01, "{removed} for {promised}");
}
