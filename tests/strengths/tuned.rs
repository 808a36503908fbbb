//! Strengths that follow the gradient of a validation loss.

use wane::state::{Aspect, Loading};
use wane::{Adam, Anchor, Decay, Error, Lamb, Optimizer, Param, Penalty, Place, Schedule, Sgd, Strength, Tuning};

use crate::common::data::{bits, noise, trained};
use crate::common::{Element, OPTIMIZERS, for_f32_and_f64};

for_f32_and_f64!(untuned_it_is_decoupled, the_sensitivity_follows_its_equation, order_changes_no_bit);

fn tuned_in(place: Place, lambda: f64, by: Tuning) -> Decay {
    Decay::new(Penalty::L2, place, Strength::Tuned { lambda, by })
}

/// Every optimizer, in both orders, at a λ and at 0.
fn untuned_it_is_decoupled<T: Element>() {
    for row in OPTIMIZERS {
        let run = |decay| {
            let mut opt = row.build::<T>(&row.setup(decay));
            let tensors = trained(&mut *opt, &[9, 4], 5);
            bits(row, &*opt, &tensors)
        };
        for place in [Place::Decoupled, Place::Exact] {
            let plain = |lambda| Decay::new(Penalty::L2, place, Strength::LrScaled(lambda));
            for anchor in [Anchor::Origin, Anchor::Start, Anchor::Given] {
                let found = run(tuned_in(place, 0.3, Tuning::Log(1.0)).towards(anchor));
                assert_eq!(found, run(plain(0.3).towards(anchor)), "{} {place:?} {anchor:?}", row.name);
            }
            let found = run(tuned_in(place, 0.0, Tuning::Log(1.0)));
            assert_eq!(found, run(Decay::none()), "{} {place:?}", row.name);
        }
    }
}

/// z ← (1 − s)·z − (ds/dλ)·d, with the decay's schedule in both.
fn the_sensitivity_follows_its_equation<T: Element>() {
    for place in [Place::Decoupled, Place::Exact] {
        let decay = tuned_in(place, 0.5, Tuning::Log(1.0)).towards(Anchor::Given).schedule(Schedule::linear(1.0, 0.5, 4));
        let mut opt = Sgd::new(0.25).weight_decay(decay).build::<T>().unwrap();
        let (mut w, mut z, mut x) = ([T::near(2.0)], 0.0, 2.0);
        for k in 0..5 {
            let slope = 0.25 * (1.0 - 0.125 * f64::from(k.min(4)));
            z = (1.0 - 0.5 * slope) * z - slope * (x - 0.5);
            x = 0.5 + (1.0 - 0.5 * slope) * (x - 0.5) - 0.25 * -0.75;
            opt.step(&mut [Param::slice(&mut w, &[T::near(-0.75)]).anchor(&[T::near(0.5)])]).unwrap();
            let found = opt.state("(slice)", "sensitivity").unwrap()[0].exact();
            assert!((found - z).abs() < 8.0 * T::EPS, "{found} for {z}");
            assert!((w[0].exact() - x).abs() < 8.0 * T::EPS);
        }
    }
}

/// Gradient of ½·Σ cᵢ(wᵢ − tᵢ)².
fn gradient(w: &[f64], target: &[f64], curvature: &[f64]) -> Vec<f64> {
    w.iter().zip(target).zip(curvature).map(|((w, t), c)| c * (w - t)).collect()
}

const VALIDATION: ([f64; 3], [f64; 3]) = ([0.5, -1.0, 0.25], [1.0, 2.0, 0.5]);

fn validation(w: &[f64]) -> f64 {
    w.iter().zip(VALIDATION.0).zip(VALIDATION.1).map(|((w, t), c)| 0.5 * c * (w - t) * (w - t)).sum()
}

/// The weights after steps on gradients that do not depend on the weights, and dL/dλ as a tuning sees it.
fn run(settings: wane::Settings<Adam>, lambda: f64, steps: u64) -> (Vec<f64>, f64) {
    let decay = Decay::tuned(lambda, Tuning::Linear(1e-3));
    let mut opt = settings.weight_decay(decay).build::<f64>().unwrap();
    let mut w = vec![1.0, -2.0, 3.0];
    for k in 0..steps {
        let g: Vec<_> = (0..3).map(|i| noise([5, k, i, 0])).collect();
        opt.step(&mut [Param::new("w", &mut w, &g)]).unwrap();
    }
    let g = gradient(&w, &VALIDATION.0, &VALIDATION.1);
    opt.tune_decay(&[Param::new("w", &mut w, &g)]).unwrap();
    (w, (lambda - opt.decay_strength("default").unwrap()) * 1e3)
}

/// A finite difference in λ, of runs whose gradients do not depend on the weights: then z is exact, however many steps there are.
#[test]
fn a_finite_difference_agrees() {
    for steps in [1, 2, 10] {
        let settings = || Adam::new(0.05);
        let (lambda, e) = (0.5, 1e-5);
        let [above, below] = [lambda + e, lambda - e].map(|lambda| validation(&run(settings(), lambda, steps).0));
        let (_, h) = run(settings(), lambda, steps);
        let expected = (above - below) / (2.0 * e);
        assert!(expected.abs() > 1e-3 && (h - expected).abs() < 1e-7, "{h} for {expected} after {steps}");
    }
}

/// One step between two tunings is the paper's rule, whatever the gradients of training: −η·⟨∇L(w_t), w_{t−1}⟩.
#[test]
fn one_step_is_the_rule_of_the_paper() {
    let mut opt = Sgd::new(0.125).weight_decay(Decay::tuned(0.5, Tuning::Linear(0.25))).build::<f64>().unwrap();
    let (mut w, mut lambda) = (vec![1.0, -2.0, 3.0], 0.5);
    for _ in 0..5 {
        let before = w.clone();
        let g = gradient(&w, &[2.0, 0.0, 1.0], &[1.0; 3]);
        opt.step(&mut [Param::new("w", &mut w, &g)]).unwrap();
        let g = gradient(&w, &VALIDATION.0, &VALIDATION.1);
        opt.tune_decay(&[Param::new("w", &mut w, &g)]).unwrap();
        lambda = f64::max(0.0, lambda + 0.25 * 0.125 * g.iter().zip(&before).map(|(g, w)| g * w).sum::<f64>());
        let found = opt.decay_strength("default").unwrap();
        assert!((found - lambda).abs() < 1e-14, "{found} for {lambda}");
        assert_eq!(opt.state("w", "sensitivity"), Some(&[0.0; 3][..]));
    }
}

/// Ridge regression in the basis where it is diagonal: the weights of λ are aᵢtᵢ/(aᵢ + λ), so the λ that is best for the validation loss is
/// found by a search on a line.
#[test]
fn ridge_regression_comes_near_the_best_strength() {
    let (a, t, truth) = ([2.0, 1.0, 0.5], [1.5, -1.25, 2.0], [1.0, -0.75, 1.0]);
    let loss = |lambda: f64| {
        let w = (0..3).map(|i| a[i] * t[i] / (a[i] + lambda));
        w.zip(truth).map(|(w, truth)| 0.5 * (w - truth) * (w - truth)).sum::<f64>()
    };
    let best = (1..4000).map(|i| f64::from(i) * 1e-3).min_by(|x, y| loss(*x).total_cmp(&loss(*y))).unwrap();
    assert!(best > 0.3 && best < 1.0, "an optimum inside: {best}");
    for (start, by) in
        [(0.05, Tuning::Log(0.5)), (3.0, Tuning::Log(0.5)), (0.05, Tuning::Linear(0.2)), (3.0, Tuning::Linear(0.2))]
    {
        let mut opt = Sgd::new(0.1).weight_decay(Decay::tuned(start, by)).build::<f64>().unwrap();
        let mut w = vec![0.0; 3];
        for k in 0..40_000 {
            let g = gradient(&w, &t, &a);
            opt.step(&mut [Param::new("w", &mut w, &g)]).unwrap();
            if k % 20 == 19 {
                let g = gradient(&w, &truth, &[1.0; 3]);
                opt.tune_decay(&[Param::new("w", &mut w, &g)]).unwrap();
            }
        }
        let found = opt.decay_strength("default").unwrap();
        let [reached, least, at_start] = [found, best, start].map(loss);
        assert!(reached - least < 0.02 * (at_start - least), "{by:?} from {start}: {found} for {best}");
    }
}

/// Twenty parameters in two orders, where the sum of twenty numbers in another order is another.
fn order_changes_no_bit<T: Element>() {
    let run = |turned: bool| {
        let mut opt = Sgd::new(0.1).weight_decay(Decay::tuned(0.0, Tuning::Linear(1e-4))).build::<T>().unwrap();
        let numbers = |key: u64| (0..20).map(|i| T::near(noise([key, i, 0, 0]))).collect::<Vec<_>>();
        let names: Vec<_> = (0..20).map(|i| format!("w{i}")).collect();
        let (mut w, g) = (numbers(1), numbers(2));
        // Of one sign, so that λ rises.
        let validation: Vec<_> = w.iter().map(|w| *w * T::near(0.3)).collect();
        let mut params: Vec<_> =
            w.iter_mut().zip(&g).zip(&names).map(|((w, g), name)| Param::new(name, slice(w), std::slice::from_ref(g))).collect();
        opt.step(&mut params).unwrap();
        let mut params: Vec<_> = w
            .iter_mut()
            .zip(&validation)
            .zip(&names)
            .map(|((w, g), name)| Param::new(name, slice(w), std::slice::from_ref(g)))
            .collect();
        if turned {
            params.reverse();
        }
        opt.tune_decay(&params).unwrap();
        opt.decay_strength("default").unwrap()
    };
    assert!(run(false) > 0.0);
    assert_eq!(run(false).to_bits(), run(true).to_bits());
}

fn slice<T>(number: &mut T) -> &mut [T] {
    std::slice::from_mut(number)
}

/// Only the share and its slope are numbers of the weights' type.
#[test]
fn a_strength_without_a_rate_may_be_of_any_size() {
    let mut opt = Sgd::new(0.0).weight_decay(Decay::tuned(1e60, Tuning::Log(1.0))).build::<f32>().unwrap();
    let mut w = [2.0];
    opt.step_slice(&mut w, &[1.0]).unwrap();
    assert_eq!(w, [2.0]);
}

/// λ of each group moves on its own parameters; what waits keeps its sensitivity; climbing turns the sign.
#[test]
fn groups_and_those_that_wait() {
    let settings = Sgd::new(0.25).weight_decay(Decay::tuned(0.5, Tuning::Linear(1.0))).group("other", |s| s);
    let mut opt = settings.clone().group("plain", |s| s.weight_decay(Decay::decoupled(0.5))).build::<f64>().unwrap();
    let (mut a, mut b, mut c, mut d) = ([4.0], [4.0], [8.0], [1.0]);
    opt.step(&mut [
        Param::new("a", &mut a, &[0.0]),
        Param::new("b", &mut b, &[0.0]),
        Param::new("c", &mut c, &[0.0]).in_group("other"),
        Param::new("d", &mut d, &[0.0]).in_group("plain"),
    ])
    .unwrap();
    let params = [
        Param::new("a", &mut a, &[0.125]),
        Param::without_grad("b", &mut b),
        Param::new("c", &mut c, &[-0.125]),
        Param::new("d", &mut d, &[1e3]),
    ];
    opt.tune_decay(&params).unwrap();
    assert_eq!([opt.decay_strength("default"), opt.decay_strength("other")], [Some(0.625), Some(0.25)]);
    assert_eq!([opt.decay_strength("plain"), opt.decay_strength("none")], [None, None]);
    assert_eq!([opt.state("a", "sensitivity"), opt.state("b", "sensitivity")], [Some(&[0.0][..]), Some(&[-1.0][..])]);

    let mut climbing = settings.maximize(true).build::<f64>().unwrap();
    let mut a = [4.0];
    climbing.step(&mut [Param::new("a", &mut a, &[0.0])]).unwrap();
    climbing.tune_decay(&[Param::new("a", &mut a, &[0.125])]).unwrap();
    assert_eq!(climbing.decay_strength("default"), Some(0.375));
    climbing.reset();
    assert_eq!(climbing.decay_strength("default"), Some(0.5));
}

/// λ and the sensitivities are state, and only that of the same units is taken.
#[test]
fn all_is_resumed() {
    let settings = Sgd::new(0.25).weight_decay(Decay::tuned(0.5, Tuning::Linear(1.0)));
    let mut first = settings.clone().build::<f64>().unwrap();
    let mut w = [4.0];
    let mut tune = |opt: &mut dyn Optimizer<f64>| {
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
        opt.tune_decay(&[Param::new("w", &mut w, &[0.125])]).unwrap();
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    };
    tune(&mut first);
    let state = first.export().into_owned();
    let mut second = settings.clone().build::<f64>().unwrap();
    second.import(state.clone(), &Loading::strict()).unwrap();
    assert_eq!(second.export(), state);
    assert_eq!(second.decay_strength("default"), Some(0.625));

    let mut plain = Sgd::new(0.25).weight_decay(Decay::decoupled(0.5)).build::<f64>().unwrap();
    plain.step(&mut [Param::new("w", &mut [4.0], &[0.0])]).unwrap();
    let mut third = settings.build::<f64>().unwrap();
    third.import(plain.export().into_owned(), &Loading::strict().allow(Aspect::Setting).allow(Aspect::Column)).unwrap();
    assert_eq!(third.decay_strength("default"), Some(0.5));
}

#[test]
fn what_is_wrong_changes_nothing() {
    let mut opt = Sgd::new(0.25).weight_decay(Decay::tuned(0.5, Tuning::Linear(1.0))).build::<f64>().unwrap();
    let (mut w, mut v) = ([4.0, 4.0], [1.0]);
    opt.step(&mut [Param::new("w", &mut w, &[0.0; 2]), Param::new("v", &mut v, &[0.0])]).unwrap();
    let before = opt.export().into_owned();
    let mut refused = |params: &[Param<'_, f64>]| {
        let error = opt.tune_decay(params).unwrap_err();
        assert_eq!(opt.export(), before);
        error
    };
    let error = refused(&[Param::new("w", &mut w.clone(), &[0.1; 2]), Param::new("x", &mut v.clone(), &[0.1])]);
    assert_eq!(error, Error::UnknownParameter { name: "x".into() });
    let error = refused(&[Param::new("v", &mut v.clone(), &[0.1]), Param::new("v", &mut v.clone(), &[0.1])]);
    assert_eq!(error, Error::DuplicateName { name: "v".into() });
    let error = refused(&[Param::new("w", &mut w.clone(), &[0.1])]);
    assert!(matches!(error, Error::GradientLength { weights: 2, gradients: 1, .. }));
    let error = refused(&[Param::new("w", &mut [1.0], &[0.1])]);
    assert!(matches!(error, Error::LengthChanged { known: 2, found: 1, .. }));
    let error = refused(&[Param::new("v", &mut v.clone(), &[0.1]), Param::new("w", &mut w.clone(), &[0.1, f64::INFINITY])]);
    assert!(matches!(error, Error::NonFiniteGradient { index: 1, .. }));
    let error = refused(&[Param::without_grad("w", &mut w.clone())]);
    assert!(matches!(error, Error::Conflict { setting: "tuning a decay", .. }));
    // h = −1e3·2: λ would be 2000, and remove everything.
    let error = refused(&[Param::new("w", &mut w.clone(), &[1e3; 2])]);
    assert!(matches!(error, Error::ShrinkOutOfRange { .. }), "{error}");
    let error = refused(&[Param::new("w", &mut w.clone(), &[f64::MAX; 2])]);
    assert!(matches!(error, Error::OutOfRange { setting: "tuned weight decay", .. }), "{error}");

    for decay in [
        tuned_in(Place::Cautious, 0.1, Tuning::Log(1.0)),
        tuned_in(Place::Coupled, 0.1, Tuning::Log(1.0)),
        Decay::tuned(0.1, Tuning::Log(1.0)).towards(Anchor::Average { beta: 0.5 }),
    ] {
        let error = Adam::new(0.1).weight_decay(decay.clone()).build::<f32>().unwrap_err();
        let reason = "a tuned strength is defined for decoupled L2, towards what does not follow the weights";
        assert_eq!(error, Error::NoSuchDecay { decay: decay.to_string(), reason });
    }
}

/// Without a gradient LAMB's displacement is decay alone, and is made η·‖w‖ long: every weight loses the share η, in both orders.
#[test]
fn under_a_trust_ratio_decay_alone_is_the_rate() {
    for place in [Place::Decoupled, Place::Exact] {
        let decay = Decay::new(Penalty::L2, place, Strength::Tuned { lambda: 0.5, by: Tuning::Log(1.0) });
        let mut opt = Lamb::new(0.125).weight_decay(decay).build::<f64>().unwrap();
        let mut w = [3.0, -4.0, 12.0];
        for k in 1..=5 {
            opt.step_slice(&mut w, &[0.0; 3]).unwrap();
            for (w, start) in w.iter().zip([3.0, -4.0, 12.0]) {
                assert!((w / (start * 0.875_f64.powi(k)) - 1.0).abs() < 1e-14, "{place:?} {k}: {w}");
            }
        }
    }
}
