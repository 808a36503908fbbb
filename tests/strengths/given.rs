//! Decays that are given between steps.

use wane::state::{Aspect, Column, Loading, ParameterState};
use wane::{Adam, Anchor, Decay, Error, Kappa, Lamb, Optimizer, Param, Sgd, Tuning, Untouched};

use crate::common::data::{bits, step, tensors};
use crate::common::{Element, OPTIMIZERS, for_f32_and_f64};

for_f32_and_f64!(a_run_goes_on_as_one_that_was_built_so);

/// Steps under one decay and then another have the bits of steps that the state has been moved between.
fn a_run_goes_on_as_one_that_was_built_so<T: Element>() {
    for row in OPTIMIZERS {
        let (first, second) = (Decay::decoupled(0.3), Decay::cautious(0.1).towards(Anchor::Start));
        let mut opt = row.build::<T>(&row.setup(first.clone()));
        let mut whole = tensors::<T>(&[9, 4]);
        step(&mut *opt, &mut whole, 0);

        let mut other = row.build::<T>(&row.setup(second.clone()));
        let loading = Loading::strict().allow(Aspect::Setting).allow(Aspect::Column);
        other.import(opt.export().into_owned(), &loading).unwrap();
        let mut part = whole.clone();

        opt.set_weight_decay("default", second).unwrap();
        for k in 1..4 {
            step(&mut *opt, &mut whole, k);
            step(&mut *other, &mut part, k);
        }
        assert_eq!(bits(row, &*opt, &whole), bits(row, &*other, &part), "{}", row.name);
        // And back again, to what was built.
        opt.reset();
        assert_eq!(opt.describe().groups()[0].decay(), first.to_string());
    }
}

/// What both decays keep stays; what finds itself begins anew.
#[test]
fn columns_that_both_have_stay() {
    let mut opt = Sgd::new(1.0).weight_decay(Decay::cpr(Kappa::Constant(0.25)).towards(Anchor::Start)).build::<f64>().unwrap();
    let mut w = [1.0];
    opt.step_slice(&mut w, &[-1.0]).unwrap();
    opt.step_slice(&mut w, &[0.0]).unwrap();
    let lambda = opt.state("(slice)", "lambda").unwrap().to_vec();
    assert!(lambda[0] > 0.0);
    opt.set_weight_decay("default", Decay::cpr(Kappa::Constant(0.5)).towards(Anchor::Start)).unwrap();
    assert_eq!([opt.state("(slice)", "lambda"), opt.state("(slice)", "anchor")], [Some(&lambda[..]), Some(&[1.0][..])]);
    opt.set_weight_decay("default", Decay::tuned(0.125, Tuning::Log(1.0))).unwrap();
    assert_eq!((opt.columns("(slice)").unwrap(), opt.decay_strength("default")), (vec!["sensitivity"], Some(0.125)));
    opt.set_weight_decay("default", Decay::none()).unwrap();
    let before = w;
    opt.step_slice(&mut w, &[0.0]).unwrap();
    assert_eq!(w, before);
}

/// A group by just its name; the others stay as they are.
#[test]
fn one_group_is_given_another() {
    let mut opt = Sgd::new(0.5).weight_decay(Decay::decoupled(0.5)).group("head", |s| s).build::<f64>().unwrap();
    let (mut a, mut b) = ([4.0], [4.0]);
    let mut params = [Param::new("a", &mut a, &[0.0]), Param::new("b", &mut b, &[0.0]).in_group("head")];
    opt.step(&mut params).unwrap();
    opt.set_weight_decay("head", Decay::fixed(0.5)).unwrap();
    opt.step(&mut params).unwrap();
    assert_eq!((a, b), ([4.0 * 0.75 * 0.75], [4.0 * 0.75 * 0.5]));
    // A parameter that comes later has it as well.
    let mut c = [4.0];
    opt.step(&mut [Param::new("c", &mut c, &[0.0]).in_group("head")]).unwrap();
    assert_eq!(c, [2.0]);
}

#[test]
fn what_build_refuses_changes_nothing() {
    let mut opt = Lamb::new(0.1).weight_decay(Decay::decoupled(0.5)).group("head", |s| s).build::<f32>().unwrap();
    let mut w = [1.0];
    opt.step(&mut [Param::new("w", &mut w, &[1.0]).in_group("head")]).unwrap();
    let before = opt.export().into_owned();
    for (decay, expected) in [
        (Decay::decoupled(-1.0), "in group `head`: weight decay = -1 is out of range: it must be a finite number, at least 0"),
        (
            Decay::fixed(1.0),
            "the decay `fixed:1` of group `head` would remove the share 1 of each weight in step 0: it must be in [0, 1)",
        ),
        (
            Decay::stable(0.1),
            "in group `head`: stable weight decay needs second moments that are known before whole parameters are looked at, and lamb was given",
        ),
    ] {
        let error = opt.set_weight_decay("head", decay).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(opt.export(), before);
    }
    let error = opt.set_weight_decay("tail", Decay::none()).unwrap_err();
    assert!(matches!(error, Error::UnknownGroup { group, .. } if group == "tail"));

    // A rate that was set by hand counts, too.
    let mut opt = Adam::new(0.1).build::<f32>().unwrap();
    opt.set_learning_rate(10.0).unwrap();
    let error = opt.set_weight_decay("default", Decay::decoupled(0.5)).unwrap_err();
    assert!(matches!(error, Error::ShrinkOutOfRange { .. }), "{error}");
    assert_eq!(opt.describe().groups()[0].decay(), "none");
}

/// Decays that keep a column beside what they capture, without and with that.
fn with_and_without_what_is_captured() -> Vec<[Decay; 2]> {
    let towards = |decay: Decay| [decay.clone(), decay.towards(Anchor::Start)];
    vec![
        towards(Decay::cpr(Kappa::Constant(0.25))),
        towards(Decay::tuned(0.25, Tuning::Log(1.0))),
        towards(Decay::spectral(0.5)),
        towards(Decay::exact(0.5).untouched(Untouched::CatchUp)),
        [Decay::exact(0.5).towards(Anchor::Start), Decay::start_norm(0.5, 1.0).towards(Anchor::Start)],
    ]
}

/// A step on two rows, of which one is not touched.
fn step_on_rows(opt: &mut dyn Optimizer<f64>, w: &mut [f64], first: f64) -> wane::Result<wane::Report> {
    opt.step(&mut [Param::new("w", w, &[first, -0.25, 0.0, 0.0]).shape(&[2, 2])])
}

/// The columns of a parameter that are there.
fn columns(opt: &dyn Optimizer<f64>) -> Vec<(&'static str, Vec<f64>)> {
    let names = opt.columns("w").unwrap().into_iter();
    names.filter_map(|name| Some((name, opt.state("w", name)?.to_vec()))).collect()
}

/// What both decays keep stays where another column starts from weights. That one is captured in the next step,
/// or in the one after it, if that fails; and a state has what is there.
#[test]
fn what_starts_from_weights_is_captured_beside_what_stays() {
    for [before, now] in with_and_without_what_is_captured() {
        let build = || {
            let (before, now) = (before.clone(), now.clone());
            Sgd::new(0.25).weight_decay(before).group("now", move |s| s.weight_decay(now.clone())).build::<f64>().unwrap()
        };
        let (mut opt, mut loaded, mut w) = (build(), build(), [2.0, -1.0, 0.5, 1.0]);
        step_on_rows(&mut opt, &mut w, 0.5).unwrap();
        let kept = columns(&opt);
        opt.assign("w", "now").unwrap();
        assert_eq!(columns(&opt), kept, "{now}");
        w = [3.0, 4.0, 0.0, 12.0];
        step_on_rows(&mut opt, &mut w, f64::NAN).unwrap_err();
        assert_eq!(columns(&opt), kept, "{now}");
        loaded.import(opt.export().into_owned(), &Loading::strict()).unwrap();
        assert_eq!(loaded.export(), opt.export());

        let (mut other, expected) = (w, w);
        step_on_rows(&mut opt, &mut w, 0.5).unwrap();
        step_on_rows(&mut loaded, &mut other, 0.5).unwrap();
        assert_eq!((w, loaded.export()), (other, opt.export()), "{now}");
        let captured = |name| kept.iter().all(|(kept, _)| *kept != name).then(|| opt.state("w", name)).flatten();
        for (name, expected) in [("anchor", &expected[..]), ("start_norm", &[13.0])] {
            assert!(captured(name).is_none_or(|found| found == expected), "{name} of {now}");
        }
        assert!(["anchor", "start_norm"].into_iter().any(|name| captured(name).is_some()), "{now}");
    }
}

/// A column that is put back before what starts from weights is captured stays, and so does a lone column of a
/// state; nothing is made of a length that no weights stand for.
#[test]
fn a_column_may_come_before_the_weights() {
    let build =
        || Sgd::new(0.25).weight_decay(Decay::cpr(Kappa::Constant(0.0625)).towards(Anchor::Start)).build::<f64>().unwrap();
    let mut state = ParameterState::new("w", 1 << 60);
    state.columns = ["anchor", "lambda"].map(|name| Column::new(name, Vec::<f64>::new())).into();
    let mut opt = build();
    opt.import_parameter(state.clone()).unwrap();
    opt.restore_state("w", "lambda", &[0.125]).unwrap();
    assert_eq!([opt.state("w", "anchor"), opt.state("w", "lambda")], [None, Some(&[0.125][..])]);

    (state.len, state.columns[1]) = (64, Column::new("lambda", vec![0.125]));
    let mut opt = build();
    opt.import_parameter(state).unwrap();
    let mut w = [1.0; 64];
    opt.step(&mut [Param::new("w", &mut w, &[0.0; 64])]).unwrap();
    // κ is 0.0625 above R = 0.
    assert_eq!([opt.state("w", "anchor"), opt.state("w", "lambda")], [Some(&[1.0; 64][..]), Some(&[0.0625][..])]);
    assert_eq!(w, [1.0; 64]);
}
