//! CPR: λ ← max(0, λ + μ·(R − κ)), s = min(2λ, 1 − ε), R the mean of d² before the update.

use wane::{Adam, Anchor, Decay, Error, Kappa, Lamb, Optimizer, Param, Penalty, Place, Schedule, Sgd, Strength};

use crate::common::data::{Tensor, bits, step_slice, tensors, trained};
use crate::common::{Element, OPTIMIZERS, for_f32_and_f64};

for_f32_and_f64!(
    a_parameter_follows_the_equations,
    a_bound_that_is_never_reached_changes_no_bit,
    nothing_decays_before_the_bound_is_known,
    all_is_resumed,
    means_beyond_all_numbers_leave_finite_weights,
    under_a_trust_ratio_a_step_is_as_long_as_the_rate,
    under_a_trust_ratio_decay_alone_is_the_rate,
);

/// CPR over one tensor under plain SGD, in a few plain lines.
#[derive(Clone, Copy, Debug, Default)]
struct Plain {
    lambda: f64,
    kappa: Option<f64>,
    /// Whether κ falls.
    tightens: bool,
}

impl Plain {
    fn step(&mut self, d: &mut [f64], g: &[f64], (lr, mu): (f64, f64)) {
        let mean = mean(d);
        let before = self.lambda;
        self.lambda = self.kappa.map_or(0.0, |kappa| (self.lambda + mu * (mean - kappa)).max(0.0));
        if self.tightens && before > 0.0 && self.lambda == 0.0 {
            self.kappa = Some(mean);
        }
        let s = (2.0 * self.lambda).min(1.0 - f64::EPSILON);
        d.iter_mut().zip(g).for_each(|(d, g)| *d -= lr * g + s * *d);
    }
}

fn mean(d: &[f64]) -> f64 {
    d.iter().map(|d| d * d).sum::<f64>() / d.len() as f64
}

fn cpr(mu: f64, kappa: Kappa) -> Decay {
    Decay::new(Penalty::L2, Place::Exact, Strength::Cpr { mu, kappa })
}

fn ada_cpr(mu: f64, kappa: Kappa) -> Decay {
    Decay::new(Penalty::L2, Place::Exact, Strength::AdaCpr { mu, kappa })
}

/// Gradients that make weights grow, then shrink, and grow further.
fn gradient(k: u64, i: usize) -> f64 {
    let size = [-1.0, 1.5, -3.0][usize::try_from(k / 12 % 3).unwrap()];
    size * (0.5 + (i % 3) as f64 * 0.25)
}

/// The paper's choices, from the means at all updates so far.
fn known(kappa: Kappa, means: &[f64]) -> Option<f64> {
    let (last, count) = (means.len() - 1, |n: u64| usize::try_from(n).unwrap());
    match kappa {
        Kappa::Constant(kappa) => Some(kappa),
        Kappa::Initial { times } => Some(times * means[0]),
        Kappa::WarmStart { steps } => means.get(count(steps)).copied(),
        Kappa::Inflection { every } => {
            let n = count(every);
            let looks: Vec<_> = means.iter().step_by(n).copied().collect();
            let slows = |at: &[f64]| (at[2] - at[1]) - (at[1] - at[0]) < 0.0;
            let first = looks.windows(3).position(slows)?;
            assert!((first + 2) * n <= last);
            Some(looks[first + 2])
        }
        other => panic!("{other:?}"),
    }
}

fn a_parameter_follows_the_equations<T: Element>() {
    const STEPS: u64 = 60;
    let kappas = [
        Kappa::Constant(0.5),
        Kappa::Initial { times: 1.5 },
        Kappa::WarmStart { steps: 0 },
        Kappa::WarmStart { steps: 5 },
        Kappa::Inflection { every: 1 },
        Kappa::Inflection { every: 4 },
    ];
    let mut tightened = 0;
    for kappa in kappas {
        for (decay, tightens) in [(cpr(0.25, kappa), false), (ada_cpr(0.25, kappa), true)] {
            let mut opt = Sgd::new(0.125).weight_decay(decay.clone()).build::<T>().unwrap();
            let mut weights = [T::near(0.5), T::near(-0.25), T::near(0.75), T::near(0.125)];
            let mut plain = Plain { tightens, ..Plain::default() };
            let (mut x, mut means, mut worst) = (weights.map(Element::exact), vec![], 0.0_f64);
            for k in 0..STEPS {
                let g: [f64; 4] = std::array::from_fn(|i| gradient(k, i));
                means.push(mean(&x));
                plain.kappa = plain.kappa.or_else(|| known(kappa, &means));
                let before = plain.kappa;
                plain.step(&mut x, &g, (0.125, 0.25));
                tightened += usize::from(plain.kappa != before);
                opt.step_slice(&mut weights, &g.map(T::near)).unwrap();
                let error = weights.iter().zip(&x).map(|(w, x)| (w.exact() - x).abs()).fold(0.0, f64::max);
                worst = worst.max(error);
                let found = opt.state("(slice)", "lambda").unwrap()[0].exact();
                assert!((found - plain.lambda).abs() <= 400.0 * T::EPS, "{decay} at {k}: {found} for {}", plain.lambda);
                if let Some(is_set) = opt.state("(slice)", "kappa_is_set") {
                    assert_eq!(is_set[0].exact() == 1.0, plain.kappa.is_some(), "{decay} at {k}");
                }
            }
            assert!(worst <= 400.0 * T::EPS, "{decay}: {worst:e}");
            assert!(plain.kappa.is_some(), "{decay}: the bound is known in the end");
        }
    }
    assert!(tightened > 2, "a bound has tightened");
}

/// Every optimizer; the constraint looks on, and the step is the one without decay.
fn a_bound_that_is_never_reached_changes_no_bit<T: Element>() {
    for row in OPTIMIZERS {
        let run = |decay| {
            let mut opt = row.build::<T>(&row.setup(decay));
            let tensors = trained(&mut *opt, &[9, 4], 5);
            bits(row, &*opt, &tensors)
        };
        let expected = run(Decay::none());
        for kappa in [Kappa::Constant(1e30), Kappa::WarmStart { steps: 6 }, Kappa::Initial { times: 1e6 }] {
            for decay in [cpr(1.0, kappa), ada_cpr(1.0, kappa), cpr(1.0, kappa).towards(Anchor::Given)] {
                assert_eq!(run(decay.clone()), expected, "{} with {decay}", row.name);
            }
        }
    }
}

fn nothing_decays_before_the_bound_is_known<T: Element>() {
    let mut opt = Sgd::new(0.5).weight_decay(cpr(1.0, Kappa::WarmStart { steps: 3 })).build::<T>().unwrap();
    let mut w = [T::near(8.0)];
    let mut lambda = vec![];
    for _ in 0..6 {
        opt.step_slice(&mut w, &[T::near(-2.0)]).unwrap();
        lambda.push(opt.state("(slice)", "lambda").unwrap()[0].exact());
    }
    // 8, 9, 10, 11: the bound is 121.
    assert_eq!(opt.state("(slice)", "kappa").unwrap()[0].exact(), 121.0);
    assert_eq!(opt.state("(slice)", "kappa_is_set").unwrap()[0].exact(), 1.0);
    assert_eq!(lambda[..5], [0.0, 0.0, 0.0, 0.0, 144.0 - 121.0]);
}

/// λ, κ and the counts are state: a run that is taken apart anywhere goes on with the same bits.
fn all_is_resumed<T: Element>() {
    for kappa in [Kappa::Constant(0.1), Kappa::WarmStart { steps: 4 }, Kappa::Inflection { every: 2 }] {
        for at in [1, 3, 6, 8] {
            let settings = Adam::new(0.1).weight_decay(ada_cpr(1.0, kappa));
            let run = |from: u64, to: u64, opt: &mut dyn Optimizer<T>, tensor: &mut Tensor<T>| {
                for k in from..to {
                    let g = tensor.gradient(k);
                    step_slice(opt, &mut tensor.value, &g).unwrap();
                }
            };
            let (mut first, mut whole) = (settings.clone().build::<T>().unwrap(), tensors::<T>(&[6]).remove(0));
            run(0, at, &mut first, &mut whole);
            let mut second = settings.build::<T>().unwrap();
            second.import(first.export().into_owned(), &wane::state::Loading::strict()).unwrap();
            let mut part = tensors::<T>(&[6]).remove(0);
            part.value.clone_from(&whole.value);
            run(at, 12, &mut first, &mut whole);
            run(at, 12, &mut second, &mut part);
            assert_eq!(first.export(), second.export());
            assert!(whole.value == part.value);
        }
    }
}

/// At rest under a steady gradient the mean of the squares is the bound.
#[test]
fn at_rest_the_bound_is_held() {
    for (kappa, mu) in [(0.25, 1.0), (4.0, 0.1), (1e-4, 10.0)] {
        let mut opt = Sgd::new(0.01).weight_decay(cpr(mu, Kappa::Constant(kappa))).build::<f64>().unwrap();
        let mut w = [0.3, -0.1, 0.2];
        for _ in 0..20_000 {
            opt.step_slice(&mut w, &[-1.0, 0.5, -0.25]).unwrap();
        }
        assert!((mean(&w) / kappa - 1.0).abs() < 1e-6, "{} for {kappa}", mean(&w));
        assert!(opt.state("(slice)", "lambda").unwrap()[0] > 0.0);
    }
}

/// One weight under a steady gradient rests at √κ where μ·κ < 1 − s/2, as the linearised equations have it, and swings beyond.
#[test]
fn the_rest_is_stable_up_to_its_limit() {
    for (mu, kappa, stable) in [(1.0, 0.9, true), (1.0, 1.1, false), (0.1, 9.0, true), (0.1, 11.0, false)] {
        let rate = 0.01;
        let s = rate / f64::sqrt(kappa);
        let mut opt = Sgd::new(rate).weight_decay(cpr(mu, Kappa::Constant(kappa))).build::<f64>().unwrap();
        let mut w = [kappa.sqrt() * 1.0001];
        opt.register(&[Param::slice(&mut w, &[0.0])]).unwrap();
        opt.restore_state("(slice)", "lambda", &[0.5 * s]).unwrap();
        for _ in 0..10_000 {
            opt.step_slice(&mut w, &[-1.0]).unwrap();
        }
        assert_eq!((w[0] * w[0] / kappa - 1.0).abs() < 1e-6, stable, "{w:?} for {kappa} with {mu}");
    }
}

/// However far weights are above the bound, they do not turn round.
#[test]
fn a_share_stays_below_1() {
    for size in [10.0_f32, 1e10, 1e18, 1e25] {
        let mut opt = Sgd::new(0.1).weight_decay(Decay::cpr(Kappa::Constant(0.01))).build().unwrap();
        let mut w = [size, -size];
        for _ in 0..5 {
            opt.step_slice(&mut w, &[0.0, 0.0]).unwrap();
            assert!(w[0] >= 0.0 && w[0] < size && w[1] == -w[0], "{w:?}");
            assert!(opt.state("(slice)", "lambda").unwrap()[0].is_finite());
        }
    }
}

/// A trust ratio scales the share with the rest.
#[test]
fn under_a_trust_ratio() {
    let mut opt = Lamb::new(0.1).eps(0.0).weight_decay(cpr(0.01, Kappa::Constant(1.0))).build::<f64>().unwrap();
    let mut w = [3.0, 4.0];
    opt.step_slice(&mut w, &[1.0, 1.0]).unwrap();
    // λ = 0.01·(12.5 − 1), and the displacement η·1 + 2λ·w is made η·‖w‖ long.
    let (s, lr) = (0.02 * 11.5, 0.1);
    let r = [lr + s * 3.0, lr + s * 4.0];
    let ratio = lr * 5.0 / f64::hypot(r[0], r[1]);
    assert!((w[0] - (3.0 - ratio * r[0])).abs() < 1e-13 && (w[1] - (4.0 - ratio * r[1])).abs() < 1e-13, "{w:?}");
}

/// Each parameter has a strength of its own, and a group without decay none.
#[test]
fn each_parameter_has_its_own() {
    let mut opt = Sgd::new(0.1)
        .weight_decay(Decay::cpr(Kappa::Constant(1.0)))
        .group("plain", |s| s.weight_decay(Decay::none()))
        .build::<f64>()
        .unwrap();
    let (mut a, mut b, mut c) = ([2.0], [0.5], [2.0]);
    let mut params =
        [Param::new("a", &mut a, &[0.0]), Param::new("b", &mut b, &[0.0]), Param::new("c", &mut c, &[0.0]).in_group("plain")];
    opt.step(&mut params).unwrap();
    assert_eq!([opt.state("a", "lambda"), opt.state("b", "lambda")], [Some(&[3.0][..]), Some(&[0.0][..])]);
    assert_eq!(opt.columns("c").unwrap(), [""; 0]);
    assert_eq!((b, c), ([0.5], [2.0]));
}

/// What anchors capture begins again, and nothing else.
#[test]
fn capturing_an_anchor_keeps_the_strength() {
    let decay = cpr(0.125, Kappa::Constant(0.25)).towards(Anchor::Start);
    let mut opt = Sgd::new(1.0).weight_decay(decay).build::<f64>().unwrap();
    let mut w = [1.0];
    opt.step_slice(&mut w, &[-1.0]).unwrap();
    opt.step_slice(&mut w, &[0.0]).unwrap();
    assert_eq!(opt.state("(slice)", "lambda"), Some(&[0.125 * 0.75][..]));
    opt.capture_anchors(&[Param::slice(&mut w, &[0.0])]).unwrap();
    assert_eq!(opt.state("(slice)", "lambda"), Some(&[0.125 * 0.75][..]));
    assert_eq!(opt.state("(slice)", "anchor"), Some(&w[..]));
}

#[test]
fn a_step_that_fails_keeps_the_strength() {
    let mut opt = Sgd::new(0.1).weight_decay(ada_cpr(1.0, Kappa::WarmStart { steps: 1 })).build::<f32>().unwrap();
    let mut w = [1.0, 2.0];
    opt.step_slice(&mut w, &[-1.0, 0.0]).unwrap();
    let before = opt.export().into_owned();
    assert!(opt.step_slice(&mut w, &[f32::NAN, 0.0]).is_err());
    assert_eq!(opt.export(), before);
}

/// The mean of squares of such weights is no number of their type, and neither is a multiple of it.
fn means_beyond_all_numbers_leave_finite_weights<T: Element>() {
    let kappas = [Kappa::Constant(0.25), Kappa::Initial { times: 2.0 }, Kappa::Initial { times: f64::MAX }];
    let kappas = kappas.into_iter().chain([Kappa::WarmStart { steps: 1 }, Kappa::Inflection { every: 1 }]);
    for decay in kappas.flat_map(|kappa| [0.0, 1.0, 1e30, f64::MAX].map(|mu| [cpr(mu, kappa), ada_cpr(mu, kappa)])).flatten() {
        let mut opt = Sgd::new(0.1).weight_decay(decay.clone()).build::<T>().unwrap();
        let mut w = [0.3 * T::HUGE, -0.1 * T::HUGE, 1.0, 0.0].map(T::near);
        for _ in 0..5 {
            step_slice(&mut opt, &mut w, &[0.5, -0.5, 0.0, 0.25].map(T::near)).unwrap();
            assert!(w.iter().all(|w| w.is_finite()), "{decay}: {w:?}");
        }
        let lambda = opt.state("(slice)", "lambda").unwrap()[0].exact();
        assert!((0.0..=T::HUGE).contains(&lambda), "{decay}: λ = {lambda}");
    }
}

#[test]
fn what_does_not_go_with_it_is_refused() {
    let constant = Strength::Cpr { mu: 1.0, kappa: Kappa::Constant(1.0) };
    for (decay, reason) in [
        (Decay::new(Penalty::L2, Place::Coupled, constant), "CPR is defined for L2 in the exact order"),
        (Decay::new(Penalty::L2, Place::Decoupled, constant), "CPR is defined for L2 in the exact order"),
        (Decay::new(Penalty::L1, Place::Exact, constant), "CPR is defined for L2 in the exact order"),
        (
            Decay::cpr(Kappa::Constant(1.0)).schedule(Schedule::cosine(5, 0.0)),
            "CPR finds the strength that its bound needs, and would undo a schedule",
        ),
        (
            Decay::cpr(Kappa::Initial { times: 8.0 }).towards(Anchor::Start),
            "the distance from the start is 0 at first, and would be bound to that; use a warm start or a constant kappa",
        ),
        (
            Decay::cpr(Kappa::Constant(1.0)).towards(Anchor::Average { beta: 0.5 }),
            "the running average follows the weights, and binds none; pull to 0, the start or what is given",
        ),
    ] {
        let error = Adam::new(0.1).weight_decay(decay.clone()).build::<f32>().unwrap_err();
        assert_eq!(error, Error::NoSuchDecay { decay: decay.to_string(), reason });
    }
}

/// The tensors of the tests have names, lengths and gradients of many kinds.
#[test]
fn every_optimizer_stays_finite() {
    for row in OPTIMIZERS {
        for kappa in [Kappa::Constant(0.01), Kappa::Inflection { every: 1 }] {
            let mut opt = row.build::<f32>(&row.setup(ada_cpr(1.0, kappa)));
            let tensors = trained(&mut *opt, &[9, 4], 30);
            assert!(tensors.iter().all(|tensor| tensor.value.iter().all(|x| x.is_finite())), "{}", row.name);
        }
    }
}

/// Where the mean of squares is more than the largest number, so is no bound: nothing becomes a NaN, and nothing decays.
#[test]
fn squares_may_be_more_than_the_largest_number() {
    let bounds =
        [(1.0, Kappa::WarmStart { steps: 0 }), (1.0, Kappa::Initial { times: 1.0 }), (0.0, Kappa::Initial { times: 1e300 })];
    for (mu, kappa) in bounds {
        for decay in [cpr(mu, kappa), ada_cpr(mu, kappa)] {
            let mut opt = Sgd::new(1.0).weight_decay(decay.clone()).build::<f32>().unwrap();
            let mut w = [1e20];
            opt.step_slice(&mut w, &[0.0]).unwrap();
            assert_eq!((w, opt.state("(slice)", "lambda")), ([1e20], Some(&[0.0][..])), "{decay}");
            assert_eq!(opt.state("(slice)", "kappa"), Some(&[f32::MAX][..]), "{decay}");

            let mut opt = Sgd::new(1.0).weight_decay(decay.clone()).build::<f64>().unwrap();
            let mut w = [1e200];
            opt.step_slice(&mut w, &[0.0]).unwrap();
            assert_eq!((w, opt.state("(slice)", "lambda")), ([1e200], Some(&[0.0][..])), "{decay}");
        }
    }
}

/// LAMB's displacement, decay included, is η·‖w‖ long, however strong CPR is by then.
fn under_a_trust_ratio_a_step_is_as_long_as_the_rate<T: Element>() {
    let decay = Decay::cpr(Kappa::Constant(0.01));
    let mut opt = Lamb::new(0.125).weight_decay(decay).build::<T>().unwrap();
    let mut w = [3.0, -4.0, 12.0].map(T::near);
    for k in 0..5 {
        let before = w;
        opt.step_slice(&mut w, &[1.0, 0.5 + f64::from(k), -2.0].map(T::near)).unwrap();
        let moved: Vec<_> = w.iter().zip(before).map(|(after, before)| (after.exact() - before.exact()).powi(2)).collect();
        let [moved, length] = [moved.iter().sum::<f64>(), before.iter().map(|w| w.exact().powi(2)).sum()].map(f64::sqrt);
        assert!((moved / length / 0.125 - 1.0).abs() < 100.0 * T::EPS, "{k}: {moved} of {length}");
    }
}

/// Without a gradient the displacement is decay alone: every weight loses the share η.
fn under_a_trust_ratio_decay_alone_is_the_rate<T: Element>() {
    let decay = Decay::cpr(Kappa::Constant(0.01));
    let mut opt = Lamb::new(0.125).weight_decay(decay).build::<T>().unwrap();
    let mut w = [3.0, -4.0, 12.0].map(T::near);
    for k in 1..=5 {
        opt.step_slice(&mut w, &[T::near(0.0); 3]).unwrap();
        for (w, start) in w.iter().zip([3.0, -4.0, 12.0]) {
            let expected = start * 0.875_f64.powi(k);
            assert!((w.exact() / expected - 1.0).abs() < 20.0 * T::EPS, "{k}: {w} for {expected}");
        }
    }
}
