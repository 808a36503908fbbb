//! What happens to gradients before an optimizer sees them: factor, sign, norm, clipping.

use wane::{Clip, Decay, Lamb, NonFinite, Optimizer, Param, Report, Sgd};

use super::every::{Boxed, bits, every, grad, state_of};
use crate::common::data::param;
use crate::common::{Goal, OPTIMIZERS, Setup};

/// What SGD at rate 1 makes of gradients 3 and −4 in two parameters, under a gradient factor: the gradients it saw.
fn seen(clip: Clip, factor: f64) -> ([f64; 2], Report) {
    let mut opt = Sgd::new(1.0).clip(clip).build::<f64>().unwrap();
    let (mut a, mut b) = ([0.0], [0.0]);
    let report = opt.step_scaled(&mut [Param::new("a", &mut a, &[3.0]), Param::new("b", &mut b, &[-4.0])], factor).unwrap();
    ([-a[0], -b[0]], report)
}

fn close([a, b]: [f64; 2], [c, d]: [f64; 2]) -> bool {
    (a - c).abs() <= 1e-15 * c.abs() && (b - d).abs() <= 1e-15 * d.abs()
}

#[test]
fn clipping_by_value_bounds_each_element() {
    for (bound, expected) in [(5.0, [3.0, -4.0]), (3.5, [3.0, -3.5]), (0.25, [0.25, -0.25])] {
        let (gradients, report) = seen(Clip::Value(bound), 1.0);
        assert_eq!((gradients, report.grad_norm(), report.clip_factor()), (expected, Some(5.0), 1.0));
    }
    // The factor comes first.
    assert_eq!(seen(Clip::Value(1.75), 0.5).0, [1.5, -1.75]);
}

/// `clip_grad_norm_`: the factor min(1, c/(‖g‖ + 1e-6)).
#[test]
fn clipping_by_norm_as_in_pytorch() {
    for (bound, factor) in [(1.0, 1.0 / 5.000_001), (5.0, 5.0 / 5.000_001), (5.1, 1.0), (100.0, 1.0)] {
        let (gradients, report) = seen(Clip::GlobalNorm(bound), 1.0);
        assert!(close(gradients, [3.0 * factor, -4.0 * factor]), "{gradients:?}");
        assert_eq!((report.grad_norm(), report.clip_factor()), (Some(5.0), factor));
    }
    // The norm is taken after the gradient factor.
    let (gradients, report) = seen(Clip::GlobalNorm(1.0), 0.5);
    assert!(close(gradients, [1.5 / 2.500_001, -2.0 / 2.500_001]), "{gradients:?}");
    assert_eq!((report.grad_norm(), report.clip_factor()), (Some(2.5), 1.0 / 2.500_001));
}

/// `clip_by_global_norm`: the factor c/‖g‖ where ‖g‖ > c.
#[test]
fn clipping_by_norm_as_in_optax() {
    for (bound, factor) in [(1.0, 0.2), (4.0, 0.8), (5.0, 1.0), (100.0, 1.0)] {
        let (gradients, report) = seen(Clip::OptaxGlobalNorm(bound), 1.0);
        assert!(close(gradients, [3.0 * factor, -4.0 * factor]), "{gradients:?}");
        assert_eq!((report.grad_norm(), report.clip_factor()), (Some(5.0), factor));
    }
    let (gradients, report) = seen(Clip::OptaxGlobalNorm(1.0), 0.5);
    assert!(close(gradients, [0.6, -0.8]), "{gradients:?}");
    assert_eq!((report.grad_norm(), report.clip_factor()), (Some(2.5), 0.4));
}

/// At norms near 1e-6 the two formulas are far apart.
#[test]
fn the_two_formulas_differ() {
    let (torch, _) = seen(Clip::GlobalNorm(1e-6), 1e-6);
    let (optax, _) = seen(Clip::OptaxGlobalNorm(1e-6), 1e-6);
    assert!((torch[0] - 3e-6 / 6.0).abs() < 1e-18 && (optax[0] - 3e-6 / 5.0).abs() < 1e-18, "{torch:?} {optax:?}");
}

#[test]
fn a_norm_is_over_what_is_updated() {
    let mut opt = Sgd::new(1.0).clip(Clip::OptaxGlobalNorm(1.0)).group("off", |s| s.frozen(true)).build::<f64>().unwrap();
    let mut w = [[0.0]; 5];
    let [a, b, c, d, e] = &mut w;
    let report = opt
        .step(&mut [
            Param::new("a", a, &[3.0]),
            Param::new("b", b, &[1e9]).frozen(true),
            Param::new("c", c, &[-4.0]).no_decay(),
            Param::new("d", d, &[1e9]).in_group("off"),
            Param::without_grad("e", e),
        ])
        .unwrap();
    assert_eq!((report.grad_norm(), report.clip_factor()), (Some(5.0), 0.2));
    assert_eq!((report.updated(), report.left_alone()), (2, 3));
}

/// A norm is reported where the gradients were read anyway.
#[test]
fn a_norm_is_reported_where_there_is_one() {
    for (policy, clip, expected) in [
        (NonFinite::Error, Clip::Off, Some(5.0)),
        (NonFinite::Skip, Clip::Value(1.0), Some(5.0)),
        (NonFinite::Propagate, Clip::GlobalNorm(9.0), Some(5.0)),
        (NonFinite::Propagate, Clip::Value(1.0), None),
        (NonFinite::Propagate, Clip::Off, None),
    ] {
        let mut opt = Sgd::new(1.0).clip(clip).non_finite(policy).build::<f32>().unwrap();
        let report = opt.step_slice(&mut [0.0, 0.0], &[3.0, -4.0]).unwrap();
        assert_eq!((report.grad_norm(), report.clip_factor()), (expected, 1.0), "{policy}, {clip}");
    }
}

/// Neither factor nor clipping nor `maximize` writes a gradient, and the factor is as good as gradients that were scaled before.
#[test]
fn a_gradient_factor_is_as_good_as_scaled_gradients() {
    for factor in [0.5, 0.1, 1.0 / 3.0, 7.0] {
        for (mut opt, _) in every() {
            let mut scaled = opt.clone();
            // Clipping by norm folds two factors into one, which is rounded once.
            let exact = !opt.describe().to_string().contains("global-norm");
            let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
            for k in 0..3 {
                let gradient = grad(k);
                opt.step_scaled(&mut [param("w", &mut v, &gradient)], factor).unwrap();
                scaled.step(&mut [param("w", &mut w, &gradient.map(|g| g * factor))]).unwrap();
            }
            let near = v.iter().zip(&w).all(|(v, w)| (v - w).abs() <= 1e-14);
            assert!(near, "factor {factor}: {v:?}, {w:?}, {}", opt.describe());
            let adaptive = opt.describe().to_string().contains("adaptive");
            if exact && !adaptive {
                assert_eq!((bits(&v), state_of(&*opt, "w")), (bits(&w), state_of(&*scaled, "w")), "factor {factor}");
            }
        }
    }
}

#[test]
fn maximizing_is_descending_on_negated_gradients() {
    for row in OPTIMIZERS {
        for decay in [Decay::none(), Decay::coupled_l2(0.5), Decay::fixed(0.25), Decay::adaptive(0.1)] {
            let setup = Setup { clip: Clip::Value(1.25), ..row.setup(decay) };
            let (mut up, mut down) = (row.build(&Setup { goal: Goal::Climb, ..setup.clone() }), row.build(&setup));
            let (mut v, mut w) = ([1.0, -2.0, 0.5], [1.0, -2.0, 0.5]);
            for k in 0..4 {
                let report = up.step_scaled(&mut [param("w", &mut v, &grad(k))], 0.5).unwrap();
                let other = down.step_scaled(&mut [param("w", &mut w, &grad(k).map(|g| -g))], 0.5).unwrap();
                assert_eq!(report, other);
            }
            assert_eq!((bits(&v), state_of(&*up, "w")), (bits(&w), state_of(&*down, "w")), "{}", row.name);
        }
    }
}

/// Climbing, and the decay still shrinks.
#[test]
fn maximizing_climbs() {
    let mut opt = Sgd::new(0.5).weight_decay(Decay::fixed(0.25)).maximize(true).build::<f64>().unwrap();
    let mut w = [4.0];
    opt.step_slice(&mut w, &[2.0]).unwrap();
    assert_eq!(w, [4.0 * 0.75 + 0.5 * 2.0]);
}

/// One optimizer for each norm that a step depends on, with weights and gradients that make this norm overflow.
fn overflowing(policy: NonFinite) -> Vec<(Boxed, [f64; 2], [f64; 2])> {
    let sgd = || Sgd::new(0.1).non_finite(policy);
    vec![
        (Box::new(sgd().clip(Clip::GlobalNorm(1.0)).build().unwrap()), [1.0; 2], [1.5e308; 2]),
        (Box::new(sgd().clip(Clip::OptaxGlobalNorm(1.0)).build().unwrap()), [1.0; 2], [1.5e308; 2]),
        (Box::new(sgd().weight_decay(Decay::adaptive(0.1)).build().unwrap()), [1.0; 2], [1.5e308; 2]),
        (Box::new(sgd().weight_decay(Decay::adaptive(0.1)).build().unwrap()), [1.5e308; 2], [1.0; 2]),
        (Box::new(Lamb::new(0.1).non_finite(policy).build().unwrap()), [1.5e308; 2], [1.0; 2]),
    ]
}

#[test]
fn a_norm_that_overflows_skips_the_step_as_well() {
    for (mut opt, mut w, g) in overflowing(NonFinite::Skip) {
        let before = bits(&w);
        let report = opt.step(&mut [Param::new("w", &mut w, &g)]).unwrap();
        assert!(report.skipped(), "{}", opt.describe());
        assert_eq!((bits(&w), opt.completed_steps(), opt.steps_of("w")), (before, 0, Some(0)));
    }
    for (mut opt, mut w, g) in overflowing(NonFinite::Error) {
        opt.step(&mut [Param::new("w", &mut w, &g)]).unwrap_err();
    }
}

/// `Skip` is about gradients and norms: what is wrong with a decay is an error as ever, here in the step in which a schedule without end has
/// brought it too far.
#[test]
fn a_share_out_of_range_is_not_skipped() {
    let decay = Decay::decoupled(0.5).schedule(wane::Schedule::exponential(3.0));
    let mut opt = Sgd::new(1.0).non_finite(NonFinite::Skip).weight_decay(decay).build::<f32>().unwrap();
    opt.step_slice(&mut [1.0], &[1.0]).unwrap();
    opt.step_slice(&mut [1.0], &[1.0]).unwrap_err();
}
