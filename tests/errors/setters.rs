//! What is set during a run is checked as at the beginning: every method of `Optimizer` that takes something and can refuse it.

use wane::{AdamW, Anchor, Decay, Error, Muon, NonFinite, Optimizer, Param, Result, Sgd, Untouched};

use super::scene::{Scene, assert_error};
use super::settings::below_0;
use crate::common::{Element, OPTIMIZERS, for_f32_and_f64};

/// Learning rates that no optimizer takes, and those that the weights' type does not have.
fn bad_rates<T: Element>() -> impl Iterator<Item = f64> {
    let no_f32 = [1e39, 1e-46, f64::MAX, 5e-324];
    below_0().chain(no_f32.into_iter().filter(|_| size_of::<T>() == 4))
}

/// In the words of the constructor, for every optimizer.
fn a_learning_rate_that_is_set_is_checked_like_the_first<T: Element>() {
    for row in OPTIMIZERS {
        for lr in bad_rates::<T>() {
            let mut setup = row.setup(Decay::none());
            let mut opt = row.build::<T>(&setup);
            let before = opt.learning_rate();
            let found = opt.set_learning_rate(lr).unwrap_err();
            setup.lr = lr;
            assert_eq!(format!("{found:?}"), format!("{:?}", row.try_build::<T>(&setup).unwrap_err()), "{} {lr:e}", row.name);
            assert!(matches!(found, Error::OutOfRange { setting: "learning rate", .. }), "{found:?}");
            assert_eq!(opt.learning_rate(), before);
        }
        for lr in [0.0, 1e-20, 10.0] {
            row.build::<T>(&row.setup(Decay::none())).set_learning_rate(lr).unwrap();
        }
    }
}

for_f32_and_f64!(a_learning_rate_that_is_set_is_checked_like_the_first);

/// With what a decay makes of it, and a group's factor, and in the same words.
#[test]
fn a_learning_rate_that_is_set_is_checked_with_decays_and_groups() {
    let settings = |lr, decay: Decay| Sgd::new(lr).group("fast", move |s| s.lr_factor(1e30).weight_decay(decay.clone()));
    for (lr, decay, text) in [
        (
            1.0,
            Decay::decoupled(0.5),
            "the decay `decoupled:0.5` of group `fast` would remove the share 5e29 of each weight in step 0: it must be in [0, 1)",
        ),
        (
            1e10,
            Decay::none(),
            "in group `fast`: learning rate = 1e40 is out of range: it must be 0, or between 1.4e-45 and 3.4e38: a number of the weights' type, f32",
        ),
    ] {
        let built = settings(lr, decay.clone()).build::<f32>().unwrap_err();
        let set = settings(1e-31, decay).build::<f32>().unwrap().set_learning_rate(lr).unwrap_err();
        assert_eq!((built.to_string().as_str(), built), (text, set));
    }
}

#[test]
fn a_gradient_factor_is_checked_in_every_step() {
    for factor in below_0().chain([0.0, 1e39, 1e-46]) {
        let mut scene = Scene::<f32>::new(AdamW::new(0.1).build().unwrap());
        scene.factor = factor;
        let error = scene.refuses_numbers();
        assert!(matches!(error, Error::OutOfRange { setting: "gradient factor", .. }), "{factor:e}: {error}");
    }
}

/// The error of what is done to the parameter `last`, of four weights in two rows, which changes nothing.
fn refused(settings: impl Optimizer<f32> + 'static, set: impl FnOnce(&mut dyn Optimizer<f32>) -> Result<()>) -> Error {
    Scene::new(settings).unchanged_by(|scene| set(&mut *scene.opt))
}

fn adamw() -> impl Optimizer<f32> + 'static {
    AdamW::new(0.1).build().unwrap()
}

#[test]
fn state_that_is_put_back() {
    let set = |name, column, values: &[f32]| refused(adamw(), |opt| opt.restore_state(name, column, values));
    assert_error!(set("odd", "exp_avg", &[0.0; 4]), Error::UnknownParameter { .. }, "there is no parameter `odd`");
    let known = "it has: `exp_avg` (4), `exp_avg_sq` (4)";
    for (column, values) in [("momentum_buffer", 4), ("exp_avg", 3), ("exp_avg", 5), ("exp_avg_sq", 0), ("", 4), ("anchor", 4)] {
        let text = format!("parameter `last` has no column `{column}` of {values} numbers; {known}");
        assert_error!(set("last", column, &vec![0.0; values]), Error::NoSuchColumn { .. }, text);
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let text = format!("number 2 of column `exp_avg` of parameter `last` is {bad}: state is finite");
        assert_error!(set("last", "exp_avg", &[0.0, 1.0, bad, bad]), Error::NonFiniteState { index: 2, .. }, text);
        let pulled = Sgd::new(0.1).weight_decay(Decay::fixed(0.1).towards(Anchor::Start)).build().unwrap();
        let error = refused(pulled, |opt| opt.restore_state("last", "anchor", &[0.0, 1.0, bad, 0.0]));
        assert_error!(error, Error::NonFiniteState { .. }, text.replace("exp_avg", "anchor"));
    }
}

#[test]
fn a_new_length() {
    let set = |param: &Param<'_, f32>| refused(adamw(), |opt| opt.resize(param));
    let g = [0.5; 6];
    let error = set(&Param::new("last", &mut [1.0; 4], &g).shape(&[2, 2]));
    assert_error!(error, Error::GradientLength { .. }, "parameter `last` has 4 weights and 6 gradients");
    let error = set(&Param::without_grad("last", &mut [1.0; 4]).shape(&[2, 2]).anchor(&g));
    assert_error!(error, Error::AnchorLength { .. }, "parameter `last` has 4 weights and an anchor of length 6");
    let error = set(&Param::without_grad("last", &mut [1.0; 4]).shape(&[2, 2]).undecayed(&[true; 3]));
    assert!(matches!(error, Error::MaskLength { mask: 3, weights: 4, rows: Some(2), .. }), "{error}");
    let error = set(&Param::without_grad("last", &mut [1.0; 4]).shape(&[2, 3]));
    assert_error!(error, Error::ShapeLength { .. }, "parameter `last` has shape [2, 3], which is not 4 weights");
    let error = set(&Param::without_grad("last", &mut [1.0; 1]).shape(&[1; 9]));
    assert_error!(error, Error::RankTooHigh { rank: 9, .. }, "parameter `last` has 9 axes: at most 8 are kept");
    let error = set(&Param::without_grad("", &mut [1.0; 4]));
    assert_error!(error, Error::UnknownParameter { .. }, "there is no parameter ``");
    let error = set(&Param::without_grad("last", &mut [1.0; 4]).shape(&[2, 2, 1]));
    assert!(matches!(error, Error::AxesChanged { .. }), "{error}");
}

#[test]
fn another_group() {
    let set = |name, group| refused(adamw(), |opt| opt.assign(name, group));
    assert_error!(set("odd", "default"), Error::UnknownParameter { .. }, "there is no parameter `odd`");
    for group in ["", "none", "default + none", " + ", "Default"] {
        let text = format!("`assign` names the group `{group}`, which is not defined; there are: `default`, `undecayed`");
        assert_error!(set("last", group), Error::UnknownGroup { .. }, text);
    }
    let joined = Sgd::new(0.1).momentum(0.9).group("still", |s| s.momentum(0.0)).group("ahead", |s| s.nesterov(true));
    let error = refused(joined.build().unwrap(), |opt| opt.assign("last", "still + ahead"));
    assert!(matches!(&error, Error::InGroup { group, .. } if group == "still + ahead"), "{error}");
}

/// Towards a lent anchor, which may be missing or too far away.
#[test]
fn what_is_owed() {
    let decay = || Decay::fixed(0.1).towards(Anchor::Given).untouched(Untouched::CatchUp);
    let owes = |settings: wane::Settings<Sgd>| {
        let mut opt = settings.weight_decay(decay()).build::<f32>().unwrap();
        let mut w = [1.0; 4];
        opt.step(&mut [Param::new("w", &mut w, &[0.0; 4]).shape(&[2, 2]).anchor(&[0.5; 4])]).unwrap();
        (opt, w)
    };
    let (mut opt, mut w) = owes(Sgd::new(0.1));
    for (anchor, new) in [(None, "a"), (Some([f32::NAN; 4]), "b"), (Some([f32::INFINITY; 4]), "c"), (Some([f32::MAX; 4]), "d")] {
        let mut fresh = [1.0];
        let param = Param::without_grad("w", &mut w);
        let param = if let Some(anchor) = &anchor { param.anchor(anchor) } else { param };
        let error = opt.catch_up(&mut [Param::without_grad(new, &mut fresh).anchor(&[0.0]), param]).unwrap_err();
        match anchor {
            None => assert_error!(
                error,
                Error::AnchorMissing { .. },
                "parameter `w` lends no anchor, and the decay of its group `default` pulls towards one"
            ),
            Some(_) => assert!(matches!(error, Error::NonFiniteNorm { .. }), "{error}"),
        }
        assert_eq!((w, opt.names()), ([1.0; 4], vec!["w"]));
        assert_eq!(opt.state("w", "owed").map(|owed| owed[0] > 0.0), Some(true));
    }
    let (mut opt, mut w) = owes(Sgd::new(0.1).non_finite(NonFinite::Skip));
    opt.catch_up(&mut [Param::without_grad("w", &mut w).anchor(&[f32::NAN; 4])]).unwrap();
    assert_eq!((w, opt.state("w", "owed").map(|owed| owed[0] > 0.0)), ([1.0; 4], Some(true)));
}

type Introduce = fn(&mut dyn Optimizer<f32>, &[Param<'_, f32>]) -> Result<()>;

/// A registration, with and without anchors, is refused as a step is.
#[test]
fn parameters_that_are_registered() {
    let (g, nine) = ([0.5; 4], [1; 9]);
    let both: [Introduce; 2] = [|opt, params| opt.register(params), |opt, params| opt.capture_anchors(params)];
    for set in both {
        let pulled = || Sgd::new(0.1).weight_decay(Decay::fixed(0.1).towards(Anchor::Start)).build::<f32>().unwrap();
        let error = |param: Param<'_, f32>| refused(pulled(), |opt| set(opt, &[param]));
        let w = || [1.0; 4];
        assert!(matches!(error(Param::new("", &mut w(), &g)), Error::EmptyName { position: 0 }));
        assert!(matches!(error(Param::slice(&mut w(), &g)), Error::SliceAmongNames { .. }));
        assert!(matches!(error(Param::new("last", &mut w(), &g[1..])), Error::GradientLength { .. }));
        assert!(matches!(error(Param::new("last", &mut [1.0; 3], &g[1..])), Error::LengthChanged { .. }));
        assert!(matches!(error(Param::new("last", &mut w(), &g).anchor(&g[1..])), Error::AnchorLength { .. }));
        assert!(matches!(error(Param::new("last", &mut w(), &g).shape(&[4])), Error::ShapeChanged { .. }));
        assert!(matches!(error(Param::new("odd", &mut w(), &g).shape(&[5])), Error::ShapeLength { .. }));
        assert!(matches!(error(Param::new("odd", &mut [1.0], &g[..1]).shape(&nine)), Error::RankTooHigh { .. }));
        assert!(matches!(error(Param::new("odd", &mut w(), &g).in_group("none")), Error::UnknownGroup { .. }));
        assert!(matches!(error(Param::new("last", &mut w(), &g).no_decay()), Error::GroupChanged { .. }));
    }
    let mut matrices = Muon::new(0.1).build::<f32>().unwrap();
    assert!(matches!(matrices.register(&[Param::new("b", &mut [1.0], &[1.0])]).unwrap_err(), Error::ShapeRefused { .. }));
}
