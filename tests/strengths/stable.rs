//! Stable weight decay: s = η·λ·p/√v̄, v̄ the mean of the second moments over the group.

use std::collections::BTreeMap;

use wane::{
    Adafactor, Adagrad, Adam, Anchor, Decay, Error, Kappa, Lamb, Lion, Muon, NAdam, NonFinite, Optimizer, Param, Penalty, Place,
    Pool, Schedule, Sgd, Strength, Tuning,
};

use crate::common::data::{bits, patterns, trained};
use crate::common::{Element, OPTIMIZERS, Setup, for_f32_and_f64, optimizer};

for_f32_and_f64!(the_mean_is_that_of_the_group, order_and_threads_change_no_bit, a_decay_of_0_changes_no_bit);

/// Tensors of 3 and 2 weights, five steps.
fn five_steps(opt: &mut dyn Optimizer<f64>) -> [f64; 5] {
    let (mut a, mut b) = ([1.0, -2.0, 0.5], [0.25, 4.0]);
    for k in 1..=5 {
        let k = f64::from(k);
        let (ga, gb) = ([0.5 * k, -0.25, 0.125 * (k - 3.0)], [2.0 - 0.5 * k, -k]);
        opt.step(&mut [Param::new("a", &mut a, &ga), Param::new("b", &mut b, &gb)]).unwrap();
    }
    [a[0], a[1], a[2], b[0], b[1]]
}

/// `AdamS` and `SGDS` of zeke-xie/stable-weight-decay-regularization, run with PyTorch 2.15 in f64.
#[test]
#[rustfmt::skip]
fn the_authors_code_agrees() {
    let decay = Decay::stable(0.25);
    let adam = Adam::new(0.125).betas(0.5, 0.75).weight_decay(decay.clone());
    let sgd = Sgd::new(0.0625).weight_decay(decay);
    let cases: [(Box<dyn Optimizer<f64>>, [f64; 5]); 4] = [
        (adam.clone().eps(1e-8).build().unwrap().into(),
         [0.2505041510656031, -1.1550268198124418, 0.5866964223657871, -0.1437544752168691, 4.136794071776763]),
        (adam.eps(0.25).amsgrad(true).build().unwrap().into(),
         [0.37327093025408087, -1.4561860568097729, 0.5092142736608323, -0.0694667270630798, 4.070660043011792]),
        (sgd.clone().momentum(0.5).dampening(0.25).build().unwrap().into(),
         [0.37409457776811905, -1.6785832659807056, 0.46222860949637834, -0.04606014049932128, 4.580881362664513]),
        (sgd.momentum(0.75).nesterov(true).build().unwrap().into(),
         [-0.30833375453948975, -1.263881504535675, 0.3807327151298523, -0.26251161098480225, 4.961846113204956]),
    ];
    for (mut opt, expected) in cases {
        let found = five_steps(&mut *opt);
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-14, "{opt:?}: {found:?}");
    }
}

/// Adam's equations with the share, over two groups, parameters that are left out, another schedule and an anchor.
fn the_mean_is_that_of_the_group<T: Element>() {
    let (lr, lambda, eps, [b1, b2]) = (0.01, 0.5, 1e-3, [0.75, 0.9]);
    let ramp = |k: i32| 1.0 - 0.5 * f64::from(k) / 4.0;
    let decay = Decay::stable(lambda).schedule(Schedule::linear(1.0, 0.5, 4)).towards(Anchor::Given);
    let mut opt =
        Adam::new(lr).betas(b1, b2).eps(eps).weight_decay(decay).group("other", |s| s.lr_factor(2.0)).build::<T>().unwrap();
    let (mut a, mut b, mut c, mut idle) = ([T::near(1.0), T::near(-0.5)], [T::near(0.75)], [T::near(2.0)], [T::near(3.0)]);
    // Weight, m, v and the factor on the rate; the last is a group of its own.
    let mut x = [[1.0, 0.0, 0.0, 1.0], [-0.5, 0.0, 0.0, 1.0], [0.75, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 2.0]];
    for k in 0..4 {
        let g = [0.5, -0.25 * f64::from(k), 4.0, 0.125].map(|g| T::near(g).exact());
        let [ga, gb, gc] = [[g[0], g[1]], [g[2]; 2], [g[3]; 2]].map(|g| g.map(T::near));
        opt.step(&mut [
            Param::new("a", &mut a, &ga).anchor(&[T::near(0.25); 2]),
            Param::new("b", &mut b, &gb[..1]).anchor(&[T::near(0.25)]),
            Param::new("idle", &mut idle, &[T::near(1e6)]).anchor(&[T::near(0.25)]).frozen(true),
            Param::new("c", &mut c, &gc[..1]).anchor(&[T::near(0.25)]).in_group("other"),
        ])
        .unwrap();
        let [c1, c2] = [b1, b2].map(|b: f64| 1.0 - b.powi(k + 1));
        for ([_, m, v, _], g) in x.iter_mut().zip(g) {
            (*m, *v) = (b1 * *m + (1.0 - b1) * g, b2 * *v + (1.0 - b2) * g * g);
        }
        let mean = |x: &[[f64; 4]]| x.iter().map(|[_, _, v, _]| v / c2).sum::<f64>() / x.len() as f64;
        let means = [mean(&x[..3]); 3].into_iter().chain([mean(&x[3..])]);
        let means: Vec<_> = means.collect();
        for ([w, m, v, factor], mean) in x.iter_mut().zip(means) {
            let s = *factor * lr * lambda * ramp(k) / mean.sqrt();
            *w = 0.25 + (*w - 0.25) * (1.0 - s) - *factor * lr * (*m / c1) / ((*v / c2).sqrt() + eps);
        }
        for (found, [expected, ..]) in [a[0], a[1], b[0], c[0]].iter().zip(&x) {
            assert!((found.exact() - expected).abs() < 30.0 * T::EPS, "{found} for {expected} in step {k}");
        }
    }
    assert_eq!(idle[0].exact(), 3.0);
    let found = opt.decay_strength("other").unwrap();
    assert!((found - 1.0 / 0.125).abs() < 100.0 * T::EPS, "{found}");
}

/// What an optimizer divides by nothing, or by: 1 for Lion; the sum for Adagrad; v̂ for NAdam.
#[test]
fn other_optimizers() {
    let (mut w, decay) = ([2.0_f64], Decay::stable(0.5));
    let mut lion = Lion::new(0.25).weight_decay(decay.clone()).build().unwrap();
    lion.step_slice(&mut w, &[0.0]).unwrap();
    assert_eq!(w, [2.0 * (1.0 - 0.125)]);
    let first = |mut opt: Box<dyn Optimizer<f64>>, root: f64| {
        let mut w = [2.0];
        opt.step_slice(&mut w, &[4.0]).unwrap();
        let found = opt.decay_strength("default").unwrap();
        assert!((found * root - 1.0).abs() < 1e-12, "{opt:?}: {found}");
    };
    first(Adagrad::new(0.1).eps(0.5).weight_decay(decay.clone()).build().unwrap().into(), 4.0);
    first(Adagrad::new(0.1).initial_accumulator(9.0).weight_decay(decay.clone()).build().unwrap().into(), 5.0);
    first(NAdam::new(0.1).eps(0.5).weight_decay(decay.clone()).build().unwrap().into(), 4.0);
    first(Adam::new(0.1).epsilon_hat(0.5).weight_decay(decay).build().unwrap().into(), 4.0);
}

/// A share of 1 is an error of the step; and where there was no gradient yet nothing decays.
#[test]
fn vanishing_gradients() {
    let mut opt = Adam::new(0.1).weight_decay(Decay::stable(0.5)).build::<f64>().unwrap();
    let (mut w, before) = ([2.0], opt.export().into_owned());
    opt.step_slice(&mut w, &[0.0]).unwrap();
    assert_eq!((w, opt.decay_strength("default")), ([2.0], Some(0.0)));
    assert_eq!(before.parameters.len(), 0);

    let mut opt = Adam::new(0.1).weight_decay(Decay::stable(0.5)).build::<f64>().unwrap();
    let error = opt.step_slice(&mut w, &[0.04]).unwrap_err();
    let Error::ShrinkOutOfRange { share, step: 0, .. } = error else { panic!("{error:?}") };
    assert!((share - 1.25).abs() < 1e-12);
    assert_eq!((w, opt.names().len()), ([2.0], 0));
    opt.step_slice(&mut w, &[0.0625]).unwrap();
    assert!((w[0] - (2.0 * (1.0 - 0.8) - 0.1)).abs() < 1e-6);
    // What the last mean was binds no later step.
    opt.set_learning_rate(10.0).unwrap();
    assert!(opt.step_slice(&mut w, &[0.0625]).is_err());
    opt.step_slice(&mut w, &[1e4]).unwrap();
}

/// What is let through reaches the mean of all.
#[test]
fn a_nan_is_an_error_of_the_step() {
    let mut opt = Adam::new(0.1).weight_decay(Decay::stable(0.5)).non_finite(NonFinite::Propagate).build::<f64>().unwrap();
    let mut w = [2.0, 3.0];
    let error = opt.step_slice(&mut w, &[f64::NAN, 1.0]).unwrap_err();
    assert!(matches!(error, Error::ShrinkOutOfRange { share, .. } if share.is_nan()), "{error}");
    assert_eq!(w, [2.0, 3.0]);
}

/// No decay is none, whatever is let through.
#[test]
fn a_nan_passes_a_decay_of_0() {
    for decay in [Decay::stable(0.0), Decay::stable(0.5).schedule(Schedule::linear(0.0, 0.0, 1))] {
        let mut opt = Adam::new(0.1).weight_decay(decay).non_finite(NonFinite::Propagate).build::<f64>().unwrap();
        let mut w = [2.0, 3.0];
        opt.step_slice(&mut w, &[f64::NAN, 1.0]).unwrap();
        assert!(w[0].is_nan() && w[1] < 3.0, "{w:?}");
    }
}

/// Each worker looks at its own parameters; the mean of all is in the order of names.
fn order_and_threads_change_no_bit<T: Element>() {
    let lengths = [700, 3, 16, 5000, 1, 40_000];
    let cpr = || Decay::cpr(Kappa::WarmStart { steps: 1 });
    let tuned = Decay::tuned(0.1, Tuning::Log(1.0));
    for (name, decay) in [
        ("adam", Decay::stable(1e-4)),
        ("sgd", Decay::stable(1e-4)),
        ("nadam", Decay::stable(1e-4)),
        ("adam", cpr()),
        ("lamb", cpr()),
        ("adam", tuned),
    ] {
        let row = optimizer(name);
        let run = |threads: usize, turned: bool| {
            let setup = Setup { threads: Some((threads, Pool::new(threads).unwrap())), ..row.setup(decay.clone()) };
            let mut opt = row.build::<T>(&setup);
            let mut tensors = crate::common::data::tensors::<T>(&lengths);
            for k in 0..3 {
                if turned {
                    tensors.reverse();
                }
                crate::common::data::step(&mut *opt, &mut tensors, k);
            }
            let found: BTreeMap<_, _> = ["lambda", "sensitivity"]
                .into_iter()
                .flat_map(|column| tensors.iter().map(move |tensor| (tensor.name.clone(), column)))
                .map(|(name, column)| ((name.clone(), column), opt.state(&name, column).map(patterns)))
                .collect();
            (bits(row, &*opt, &tensors), found)
        };
        let alone = run(1, false);
        assert!(run(1, true) == alone && run(3, false) == alone && run(3, true) == alone, "{name}");
    }
}

fn a_decay_of_0_changes_no_bit<T: Element>() {
    for row in OPTIMIZERS {
        let run = |decay| {
            let mut opt = row.try_build::<T>(&row.setup(decay)).ok()?;
            let tensors = trained(&mut *opt, &[9, 4], 5);
            Some(bits(row, &*opt, &tensors))
        };
        if let Some(found) = run(Decay::stable(0.0)) {
            assert_eq!(Some(found), run(Decay::none()), "{}", row.name);
        }
    }
}

#[test]
fn what_does_not_go_with_it_is_refused() {
    let text = |needs: &str, found: &str| format!("stable weight decay needs {needs}, and {found} was given");
    let whole = |name| text("second moments that are known before whole parameters are looked at", name);
    let stable = Decay::stable(0.1);
    for (error, expected) in [
        (Lamb::new(0.1).weight_decay(stable.clone()).build::<f32>().unwrap_err(), whole("lamb")),
        (Adafactor::new(0.1).weight_decay(stable.clone()).build::<f32>().unwrap_err(), whole("adafactor")),
        (Muon::new(0.1).weight_decay(stable.clone()).build::<f32>().unwrap_err(), whole("muon")),
        (
            Sgd::new(0.1).momentum(1.0).weight_decay(stable.clone()).build::<f32>().unwrap_err(),
            text("a momentum below 1, and a dampening of at most 1", "a pace of inf"),
        ),
        (
            Sgd::new(0.1).momentum(0.5).dampening(2.0).weight_decay(stable).build::<f32>().unwrap_err(),
            text("a momentum below 1, and a dampening of at most 1", "a pace of -2"),
        ),
    ] {
        assert!(matches!(error, Error::Conflict { setting: "stable weight decay", .. }), "{error:?}");
        assert_eq!(error.to_string(), expected);
    }
    for place in [Place::Coupled, Place::Proximal, Place::Cautious] {
        let decay = Decay::new(Penalty::L2, place, Strength::Stable(0.1));
        let error = Adam::new(0.1).weight_decay(decay.clone()).build::<f32>().unwrap_err();
        let reason = "stable weight decay is defined for decoupled L2";
        assert_eq!(error, Error::NoSuchDecay { decay: decay.to_string(), reason });
    }
}
