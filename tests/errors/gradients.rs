//! Gradients and norms that are not finite.

use wane::{AdamW, Anchor, Clip, Decay, Error, Lamb, Optimizer, Param, Penalty, Place, Sgd, Strength, TrustRatio};

use super::scene::{Scene, assert_error};
use crate::common::data::param;
use crate::common::{Element, OPTIMIZERS, Row, Setup};

/// One scene for each optimizer with each kind of decay that looks at the numbers before it writes.
fn scenes<T: Element>() -> impl Iterator<Item = Scene<T>> {
    let start = Decay::fixed(0.1).towards(Anchor::Start);
    let kinds = [
        (Clip::Off, Decay::l1(0.1)),
        (Clip::Off, Decay::adaptive(0.1)),
        (Clip::Value(1.0), start),
        (Clip::GlobalNorm(1.0), Decay::decoupled(0.1)),
    ];
    let scene = |row: &Row, (clip, decay)| Scene::new(row.build::<T>(&Setup { clip, ..row.setup(decay) }));
    OPTIMIZERS.iter().flat_map(move |row| kinds.clone().map(|kind| scene(row, kind)))
}

/// Beyond one block of the reduction, so that the middle and the end are in a block and in its rest.
const LONG: usize = 150;

#[test]
fn a_gradient_that_is_not_finite_anywhere() {
    for (bad, text) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        for index in [0, LONG / 2, LONG - 1] {
            non_finite_gradient(index, bad, text);
            #[expect(clippy::cast_possible_truncation, reason = "NaN and infinities have no digits to lose")]
            non_finite_gradient(index, bad as f32, text);
        }
    }
}

fn non_finite_gradient<T: Element>(index: usize, bad: T, text: &str) {
    let text = format!("the gradient of parameter `last` at index {index} is {text}, with the gradient factor 0.5");
    for mut scene in scenes::<T>() {
        scene.opt.forget("last");
        scene.last.shape = &[2, LONG / 2];
        scene.last.value = vec![T::near(0.5); LONG];
        scene.last.grad = vec![T::near(0.25); LONG];
        scene.factor = 0.5;
        scene.opt.register(&[Param::without_grad("last", &mut scene.last.value).shape(&[2, LONG / 2])]).unwrap();
        scene.last.grad[index] = bad;
        let error = scene.refuses_numbers();
        assert!(matches!(&error, Error::NonFiniteGradient { index: at, factor: 0.5, .. } if *at == index), "{error:?}");
        assert_eq!(error.to_string(), text);
    }
}

/// The first one in the order of the step is named, and a new parameter's gradient is looked at as well.
#[test]
fn a_bad_gradient_of_a_new_parameter() {
    for mut scene in scenes::<f32>() {
        scene.last.grad[2..].fill(f32::NAN);
        assert_error!(
            scene.refuses(|w, g| param("odd", w, g)),
            Error::NonFiniteGradient { index: 2, value, .. } if value.is_nan(),
            "the gradient of parameter `odd` at index 2 is NaN, with the gradient factor 1"
        );
    }
}

#[test]
fn the_gradient_factor_may_overflow_a_gradient() {
    for mut scene in scenes::<f32>() {
        scene.last.grad[3] = -2e38;
        scene.factor = 2.0;
        assert_error!(
            scene.refuses_numbers(),
            Error::NonFiniteGradient { index: 3, factor: 2.0, .. },
            "the gradient of parameter `last` at index 3 is -1.9999999360571385e38, with the gradient factor 2"
        );
    }
    for mut scene in scenes::<f64>() {
        scene.last.grad[0] = 1e300;
        scene.factor = 1e9;
        let text = "the gradient of parameter `last` at index 0 is 1e300, with the gradient factor 1e9";
        assert_error!(scene.refuses_numbers(), Error::NonFiniteGradient { index: 0, factor: 1e9, .. }, text);
    }
}

/// A factor beyond the element type's range turns a zero gradient into NaN, and a small one into infinity.
#[test]
fn a_gradient_factor_beyond_the_range_of_f32() {
    for (grad, factor) in [(0.0, 1e39), (1e-30, 1e39)] {
        let mut opt = Sgd::new(0.5).build::<f32>().unwrap();
        let mut w = [1.0, 2.0];
        // Refusing it is one way, and getting it right is another.
        match opt.step_scaled(&mut [Param::new("w", &mut w, &[grad; 2])], factor) {
            Err(_) => assert_eq!(w, [1.0, 2.0]),
            Ok(_) => assert!(w.iter().all(|x| x.is_finite()), "gradient {grad:e} × {factor:e} has made the weights {w:?}"),
        }
    }
}

#[test]
fn a_norm_of_all_gradients_that_overflows() {
    for clip in [Clip::GlobalNorm(1.0), Clip::OptaxGlobalNorm(1.0)] {
        let mut scene = Scene::<f64>::new(AdamW::new(0.1).clip(clip).build().unwrap());
        scene.last.grad.fill(1.5e308);
        assert_error!(
            scene.refuses_numbers(),
            Error::NonFiniteNorm { value: f64::INFINITY, .. },
            "the norm of all gradients is inf"
        );
    }
}

#[test]
fn a_norm_of_a_group_that_overflows() {
    let scene = || Scene::<f64>::new(Sgd::new(0.1).momentum(0.9).weight_decay(Decay::adaptive(0.1)).build().unwrap());
    let mut gradients = scene();
    gradients.last.grad.fill(1.5e308);
    assert_error!(
        gradients.refuses_numbers(),
        Error::NonFiniteNorm { value: f64::INFINITY, .. },
        "the norm of the gradients of group `default` is inf"
    );
    let mut weights = scene();
    weights.last.value.fill(-1.5e308);
    assert_error!(
        weights.refuses_numbers(),
        Error::NonFiniteNorm { value: f64::INFINITY, .. },
        "the norm of the weights of group `default` is inf"
    );
    weights.last.value.fill(f64::NAN);
    assert_error!(
        weights.refuses_numbers(),
        Error::NonFiniteNorm { value, .. } if value.is_nan(),
        "the norm of the weights of group `default` is NaN"
    );
}

#[test]
fn a_trust_ratio_that_overflows() {
    for (weight, value) in [(1.5e308, "inf"), (f64::NAN, "NaN")] {
        for new in [false, true] {
            let mut scene = Scene::<f64>::new(Lamb::new(0.1).build().unwrap());
            scene.last.value.fill(weight);
            let name = if new { "odd" } else { "last" };
            assert_error!(
                scene.refuses(|w, g| Param::new(name, w, g)),
                Error::NonFiniteNorm { .. },
                format!("the trust ratio of parameter `{name}` is {value}")
            );
        }
    }
}

/// A displacement whose norm overflows makes the ratio 0, which is finite and still no ratio.
#[test]
fn a_trust_ratio_over_a_displacement_that_overflows() {
    let settings = Lamb::new(0.1).weight_decay(Decay::fixed(0.9).towards(Anchor::Given));
    let mut scene = Scene::<f64>::new(settings.build().unwrap());
    let error = scene.refuses(|w, g| Param::new("last", w, g).anchor(&[1.7e308; 4]));
    assert!(matches!(error, Error::NonFiniteNorm { .. }), "{error:?}");
}

/// The square of the gradient vanishes and nothing is added to its root: the displacement is infinite, and no weight becomes NaN.
#[test]
fn a_trust_ratio_over_a_division_by_0() {
    let mut scene = Scene::<f64>::new(Lamb::new(0.1).eps(0.0).build().unwrap());
    scene.last.grad.fill(1e-200);
    let error = scene.refuses(|w, g| Param::new("odd", w, g));
    assert!(matches!(error, Error::NonFiniteNorm { .. }), "{error:?}");
}

/// A threshold that is a number of f32, and infinite under the trust ratio.
#[test]
fn an_amount_that_overflows_under_its_trust_ratio() {
    let l1 = Decay::new(Penalty::L1, Place::Decoupled, Strength::Fixed(1e38));
    let settings = Lamb::new(0.1).weight_decay(l1).trust_ratio(TrustRatio::clamped(1e3, 1e3));
    let mut scene = Scene::<f32>::new(settings.clone().trust_ratio(TrustRatio::clamped(0.5, 0.5)).build().unwrap());
    scene.refuses(|w, _| Param::without_grad("", w));
    let mut opt = settings.build::<f32>().unwrap();
    let mut w = [1.0, 2.0];
    assert_error!(
        opt.step(&mut [Param::new("odd", &mut w, &[0.5, 0.5])]).unwrap_err(),
        Error::InParameter { .. },
        "in parameter `odd`: weight decay = 1e41 is out of range: it must be 0, or between 1.4e-45 and 3.4e38: a number of the weights' type, f32"
    );
    assert_eq!((w, opt.steps_of("odd")), ([1.0, 2.0], None));
}

#[test]
fn a_lent_anchor_that_is_not_finite() {
    let mut scene = Scene::<f64>::new(Sgd::new(0.1).weight_decay(Decay::fixed(0.5).towards(Anchor::Given)).build().unwrap());
    assert_error!(
        scene.refuses(|w, g| Param::new("odd", w, g).anchor(&[0.0, 1.0, f64::NAN, f64::INFINITY])),
        Error::NonFiniteAnchor { index: 2, .. },
        "the anchor of parameter `odd` at index 2 is NaN"
    );
}

#[test]
fn a_gradient_whose_square_is_infinite() {
    let mut scene = Scene::<f32>::new(AdamW::new(0.1).build().unwrap());
    scene.last.grad[3] = -6e20;
    assert_error!(
        scene.refuses_numbers(),
        Error::Overflow { what: "exp_avg_sq", index: 3, .. },
        "the step would leave no finite `exp_avg_sq` of parameter `last` at index 3, where the gradient is -6.000000120245264e20"
    );
}

/// The clip factor is a number and so is the gradient; their product with the gradient factor is none.
#[test]
fn a_clipped_gradient_that_would_vanish() {
    let settings = Sgd::new(1e10).clip(Clip::OptaxGlobalNorm(1e-8));
    let mut scene = Scene::<f32>::new(settings.build().unwrap());
    scene.last.grad.fill(1e38);
    assert_error!(
        scene.refuses_numbers(),
        Error::OutOfRange { setting: "gradient factor times clip factor", value, .. } if *value < 1e-45,
        "gradient factor times clip factor = 5.000000159857159e-47 is out of range: it must be above 0 in the weights' type"
    );
}

/// The same in f64, where the product is 0 before it is rounded.
#[test]
fn a_clipped_gradient_that_would_vanish_in_f64() {
    let mut scene = Scene::<f64>::new(Sgd::new(0.1).clip(Clip::OptaxGlobalNorm(1e-200)).build().unwrap());
    scene.last.grad.fill(1e300);
    scene.factor = 1e-200;
    assert_error!(
        scene.refuses_numbers(),
        Error::OutOfRange { setting: "gradient factor times clip factor", .. },
        "gradient factor times clip factor = 0 is out of range: it must be above 0 in the weights' type"
    );
}

/// Weights that the decay alone makes shorter by half of their length more than they are.
#[test]
fn a_trust_ratio_that_turns_weights_round() {
    let mut opt = Lamb::new(1.5).weight_decay(Decay::decoupled(0.125)).build::<f64>().unwrap();
    let mut w = [1.0];
    assert_error!(
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap_err(),
        Error::ShrinkUnderTrust { .. },
        "the decay `decoupled:0.125` would remove the share 1.5 of each weight of parameter `w` under the trust ratio 8: it must be in [0, 1)"
    );
    assert_eq!(w, [1.0]);
    // Where the update holds against the decay, the share is no harm: in all the weight moves by a hundredth.
    let mut opt = Lamb::new(0.01).weight_decay(Decay::decoupled(1.0)).build::<f64>().unwrap();
    let mut w = [0.999];
    opt.step(&mut [Param::new("w", &mut w, &[-1.0])]).unwrap();
    assert!((w[0] / 0.999 - 1.01).abs() < 1e-12, "{w:?}");
}
