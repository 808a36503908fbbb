//! What the compiler knows of the public types.

use std::error::Error as StdError;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use wane::*;

use crate::common::OPTIMIZERS;
use crate::common::data::param;

fn shared<V: Debug + Send + Sync>() {}
fn value<V: Debug + Send + Sync + Clone>() {}
fn small<V: Debug + Send + Sync + Copy + PartialEq>() {}
fn word<V: Display + FromStr<Err = Error> + PartialEq + Default>() {}
fn key<V: Eq + Hash>() {}

/// For whichever optimizer this compiles.
fn of_every_optimizer<A: Algorithm>(_: fn(f64) -> Settings<A>) {
    value::<A>();
    value::<Settings<A>>();
    value::<Settings<A, GroupScope>>();
    value::<OptimizerScope<A>>();
    value::<Stepper<A, f32>>();
    value::<Stepper<A, f64>>();
}

#[test]
fn every_public_type_can_be_printed_cloned_and_sent() {
    value::<Box<dyn Optimizer<f32>>>();
    value::<Box<dyn Optimizer<f64>>>();
    of_every_optimizer(Adam::new);
    value::<Decay>();
    value::<Schedule>();
    value::<Selector>();
    value::<Error>();
    value::<Description>();
    value::<GroupRow>();
    value::<ParamRow>();
    value::<GroupScope>();
    small::<ParamInfo<'_>>();
    small::<AdamW>();
    small::<Lamb>();
    small::<TrustRatio>();
    small::<AdjustLr>();
    small::<Level>();
    small::<Clip>();
    small::<NonFinite>();
    small::<Penalty>();
    small::<Place>();
    small::<Strength>();
    small::<Anchor>();
    small::<Report>();
    small::<Status>();
    // A parameter holds its weights by `&mut`, so it cannot be cloned.
    shared::<Param<'_, f32>>();
    shared::<Param<'_, f64>>();
}

#[test]
fn small_types_are_what_collections_and_texts_need() {
    key::<AdjustLr>();
    key::<Level>();
    key::<NonFinite>();

    key::<Status>();
    word::<Clip>();
    word::<NonFinite>();
    word::<TrustRatio>();
    word::<AdjustLr>();
    word::<Schedule>();
}

#[test]
fn an_error_is_one_that_others_can_wrap() {
    fn wrapped() -> std::result::Result<(), Box<dyn StdError + Send + Sync>> {
        Sgd::new(-1.0).build::<f32>()?;
        Ok(())
    }
    assert!(wrapped().unwrap_err().is::<Error>());
    // An error in a group says all of it in one line, so it has no source that would say it again.
    let error = Adam::new(0.1).group("g", |s| s.eps(-1.0)).build::<f32>().unwrap_err();
    assert!(error.source().is_none() && error.to_string().starts_with("in group `g`: eps = -1"));
}

/// Optimizers of different types in one collection, used through a reference, through a box, and through a box of a box.
#[test]
fn optimizers_are_objects() {
    fn step(opt: &mut dyn Optimizer<f32>, w: &mut [f32]) -> Report {
        opt.step(&mut [param("w", w, &[0.5, -0.5])]).unwrap()
    }
    fn generic(opt: &mut impl Optimizer<f32>, w: &mut [f32]) -> Report {
        opt.step(&mut [param("w", w, &[0.5, -0.5])]).unwrap()
    }
    for row in OPTIMIZERS {
        let opt = row.build::<f32>(&row.setup(Decay::none()));
        let (mut by_reference, mut by_box, mut twice) = (opt.clone(), opt.clone(), Box::new(opt.clone()));
        let mut weights = [[1.0, 2.0]; 3];
        let [a, b, c] = &mut weights;
        assert_eq!(step(&mut *by_reference, a), generic(&mut by_box, b));
        generic(&mut twice, c);
        assert_eq!(weights[0].map(f32::to_bits), weights[1].map(f32::to_bits));
        assert_eq!(weights[0].map(f32::to_bits), weights[2].map(f32::to_bits));
        assert_eq!(by_reference.describe(), twice.describe());
    }
}

/// A box of a box passes every call on.
#[test]
fn a_box_is_the_optimizer_that_is_in_it() {
    let inner: Box<dyn Optimizer<f64>> = Box::new(AdamW::new(0.5).lr_schedule(Schedule::exponential(0.5)).build().unwrap());
    let mut opt = Box::new(inner);
    let opt: &mut dyn Optimizer<f64> = &mut opt;
    let mut w = [1.0, 2.0];
    opt.register(&[Param::without_grad("w", &mut w)]).unwrap();
    assert_eq!(opt.status("w"), Some(Status::Registered));
    opt.step_scaled(&mut [Param::new("w", &mut w, &[1.0, 1.0])], 0.5).unwrap();
    assert_eq!((opt.completed_steps(), opt.steps_of("w"), opt.learning_rate()), (1, Some(1), 0.25));
    assert!(opt.state("w", "exp_avg").is_some_and(|m| (m[0] - 0.05).abs() < 1e-15));
    opt.set_learning_rate(2.0).unwrap();
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate()), (2.0, 0.5));
    opt.resume_schedule();
    assert_eq!(opt.learning_rate(), 0.25);
    assert_eq!(opt.describe().params().len(), 1);
    assert_eq!(opt.boxed_clone().steps_of("w"), Some(1));
    assert!(opt.forget("w"));
    opt.reset();
    assert_eq!(opt.completed_steps(), 0);
    opt.step_slice(&mut w, &[1.0, 1.0]).unwrap();
}

/// A clone goes its own way, with all the state it was made with.
#[test]
fn a_clone_has_all_the_state_and_shares_none() {
    for (mut opt, _) in super::every::every() {
        let mut w = [1.0, -2.0, 3.0];
        (0..3).for_each(|k| super::every::step(&mut *opt, "w", &mut w, k));
        let (mut clone, mut v) = (opt.clone(), w);
        super::every::step(&mut *opt, "w", &mut w, 3);
        assert_eq!((clone.completed_steps(), clone.steps_of("w")), (3, Some(3)));
        super::every::step(&mut *clone, "w", &mut v, 3);
        assert_eq!(super::every::bits(&v), super::every::bits(&w), "{}", opt.describe());
        assert_eq!(super::every::state_of(&*clone, "w"), super::every::state_of(&*opt, "w"));
    }
}

/// Debug text tells what is there, not every number of it.
#[test]
fn debug_is_short() {
    let (mut w, g) = (vec![0.5_f32; 10_000], vec![0.25_f32; 10_000]);
    let mut opt = Adam::new(0.1).build().unwrap();
    let param = Param::new("w", &mut w, &g);
    assert!(format!("{param:?}").len() < 200);
    opt.step(&mut [param]).unwrap();
    let text = format!("{opt:?}");
    assert!(text.len() < 3000 && text.contains("10000 weights"), "{text}");
}
