//! Groups and selectors: unknown ones, doubled ones, and parameters that ask for another one.

use wane::{Adam, AdamW, Decay, Error, Lamb, Optimizer, Param, Penalty, Place, Selector, Sgd, Strength};

use super::scene::{Scene, assert_error};

/// `first` is in `plain`, by its selector; all others are in `default`.
fn scene() -> Scene<f64> {
    let settings =
        AdamW::new(0.1).group("plain", |s| s.weight_decay(Decay::none())).assign("plain", Selector::name_starts_with("fi"));
    Scene::new(settings.build().unwrap())
}

#[test]
fn a_parameter_in_an_unknown_group() {
    let text = "parameter `odd` names the group `palin`, which is not defined; there are: `default`, `undecayed`, `plain`";
    assert_error!(scene().refuses(|w, g| Param::new("odd", w, g).in_group("palin")), Error::UnknownGroup { .. }, text);
    assert_error!(
        scene().refuses_to_register(|w, g| Param::new("odd", w, g).in_group("palin")),
        Error::UnknownGroup { .. },
        text
    );
}

#[test]
fn a_policy_for_an_unknown_group() {
    for (selector, by) in [
        (Selector::rank_below(2), "rank below 2"),
        (Selector::name_starts_with("a."), "name starts with a."),
        (Selector::name_ends_with(".bias"), "name ends with .bias"),
        (Selector::when("norm layers", |_| true), "norm layers"),
    ] {
        assert_error!(
            Sgd::new(0.1).group("a", |s| s).assign("b", selector).build::<f32>().unwrap_err(),
            Error::UnknownGroup { .. },
            format!("the selector `{by}` names the group `b`, which is not defined; there are: `default`, `undecayed`, `a`")
        );
    }
}

#[test]
fn a_group_that_is_there_already() {
    let text = |name| format!("group `{name}` is defined already; `default` and `undecayed` belong to every optimizer");
    for name in ["default", "undecayed", "other"] {
        let twice = Sgd::new(0.1).group("other", |s| s).group(name, |s| s);
        assert_error!(twice.build::<f32>().unwrap_err(), Error::GroupExists { .. }, text(name));
    }
}

#[test]
fn another_group_than_before() {
    assert_error!(
        scene().refuses(|w, g| Param::new("last", w, g).in_group("plain")),
        Error::GroupChanged { .. },
        "parameter `last` is in group `default` and now asks for group `plain`; `assign` moves it"
    );
    assert_error!(
        scene().refuses(|w, g| Param::new("last", w, g).no_decay()),
        Error::GroupChanged { .. },
        "parameter `last` is in group `default` and now asks for group `undecayed`; `assign` moves it"
    );
}

/// `register` promises to refuse a bad group as a step does.
#[test]
fn another_group_than_before_at_registration() {
    assert_error!(
        scene().refuses_to_register(|w, g| Param::new("last", w, g).in_group("plain")),
        Error::GroupChanged { .. },
        "parameter `last` is in group `default` and now asks for group `plain`; `assign` moves it"
    );
}

/// In every group, with any strength; a parameter that is left alone is not looked at.
#[test]
fn a_decay_without_the_shape_it_needs() {
    for strength in [Strength::LrScaled(0.5), Strength::LrScaled(0.0)] {
        let decay = Decay::new(Penalty::GroupLasso { over: wane::Slices::Rows }, Place::Decoupled, strength);
        let text = format!("the decay `{decay}` needs the shape of parameter `odd`, which was given without one");
        let of_group = decay.clone();
        let settings = Adam::new(0.1).group("rows", move |s| s.weight_decay(of_group.clone()));
        let mut scene = Scene::<f32>::new(settings.build().unwrap());
        assert_error!(scene.refuses(|w, g| Param::new("odd", w, g).in_group("rows")), Error::ShapeNeeded { .. }, text);
        let mut w = [1.0, 2.0];
        let mut alone = Adam::new(0.1).weight_decay(decay).build::<f32>().unwrap();
        alone.step(&mut [Param::without_grad("odd", &mut w)]).unwrap();
        alone.step(&mut [Param::new("odd", &mut w, &[1.0; 2]).frozen(true)]).unwrap();
        alone.step(&mut [Param::new("odd", &mut w, &[1.0; 2])]).unwrap_err();
        assert_eq!((w, alone.steps_of("odd")), ([1.0, 2.0], Some(0)));
    }
}

/// Rows of one axis are its weights; columns it has none.
#[test]
fn a_decay_over_columns_without_a_second_axis() {
    let settings = || Adam::new(0.1).weight_decay(Decay::column_lasso(0.5));
    for shape in [&[2][..], &[]] {
        let (mut good, mut bad, g) = ([1.0; 2], vec![1.0; shape.iter().product()], [0.5; 2]);
        let mut opt = settings().build::<f32>().unwrap();
        let bad_grad = &g[..bad.len()];
        let mut params = [Param::new("w", &mut good, &g).shape(&[1, 2]), Param::new("odd", &mut bad, bad_grad).shape(shape)];
        assert_error!(
            opt.step(&mut params).unwrap_err(),
            Error::ShapeRefused { by: "decay", .. },
            format!("parameter `odd` has shape {shape:?}, and its decay needs a second axis: give it to another one")
        );
        assert_eq!((good, bad[0], opt.completed_steps()), ([1.0; 2], 1.0, 0));
    }
    let error = settings().build::<f32>().unwrap().step_slice(&mut [1.0; 2], &[0.5; 2]).unwrap_err();
    assert!(matches!(error, Error::ShapeNeeded { .. }), "{error}");
}

/// Boxes by the fan-in and singular values come from the shape; the latter need two axes.
#[test]
fn a_set_without_the_shape_it_needs() {
    for decay in [Decay::clip_to_start(1.0), Decay::spectral(0.1), Decay::spectral_cap(1.0)] {
        let mut scene = Scene::<f32>::new(Adam::new(0.1).weight_decay(decay.clone()).build().unwrap());
        let text = format!("the decay `{decay}` needs the shape of parameter `odd`, which was given without one");
        assert_error!(scene.refuses(|w, g| Param::new("odd", w, g)), Error::ShapeNeeded { .. }, text);
    }
    for decay in [Decay::spectral(0.1), Decay::spectral_cap(1.0)] {
        let mut opt = Adam::new(0.1).weight_decay(decay).build::<f32>().unwrap();
        let mut w = [1.0, 2.0];
        let error = opt.step(&mut [Param::new("odd", &mut w, &[1.0; 2]).shape(&[2])]).unwrap_err();
        let text = "parameter `odd` has shape [2], and its decay needs a shape of two axes or more: give it to another one";
        assert_error!(error, Error::ShapeRefused { by: "decay", .. }, text);
        opt.step(&mut [Param::new("odd", &mut w, &[1.0; 2]).shape(&[2]).no_decay()]).unwrap();
    }
}

#[test]
fn a_policy_without_the_shape_it_needs() {
    let scene = || {
        let settings = Lamb::new(0.1).group("flat", |s| s.weight_decay(Decay::none())).assign("flat", Selector::rank_below(2));
        Scene::<f32>::new(settings.build().unwrap())
    };
    let text = "the selector `rank below 2` needs the shape of parameter `odd`, which was given without one";
    assert_error!(scene().refuses(|w, g| Param::new("odd", w, g)), Error::ShapeNeeded { .. }, text);
    assert_error!(scene().refuses_to_register(|w, g| Param::new("odd", w, g)), Error::ShapeNeeded { .. }, text);
}

#[test]
fn a_policy_without_a_match() {
    let settings =
        || AdamW::new(0.1).group("none", |s| s.weight_decay(Decay::none())).assign("none", Selector::name_starts_with("norm"));
    let mut opt = settings().strict_selectors(true).build::<f64>().unwrap();
    let mut w = [1.0];
    assert_error!(
        opt.step(&mut [Param::new("w", &mut w, &[1.0])]).unwrap_err(),
        Error::SelectorWithoutMatch { .. },
        "the selector `name starts with norm`, which assigns to the group `none`, matches no parameter"
    );
    assert_eq!((w, opt.completed_steps(), opt.names()), ([1.0], 0, Vec::<&str>::new()));
    // What was registered before counts, one by one.
    opt.register(&[Param::without_grad("v", &mut [1.0])]).unwrap();
    opt.register(&[Param::without_grad("norm.1", &mut [1.0])]).unwrap();
    opt.step(&mut [Param::new("w", &mut w, &[1.0])]).unwrap();
    let mut lenient = settings().build::<f64>().unwrap();
    lenient.step(&mut [Param::new("w", &mut w, &[1.0])]).unwrap();
    assert_eq!(lenient.describe().notes(), ["the selector `name starts with norm` of group `none` has matched no parameter"]);
    assert!(opt.describe().notes().is_empty());
}

#[test]
fn a_group_with_the_name_of_joined_ones() {
    assert_error!(
        AdamW::new(0.1).group("a + b", |s| s).build::<f32>().unwrap_err(),
        Error::Conflict { .. },
        "a group needs a name without ` + `, which joins groups, and `a + b` was given"
    );
}

#[test]
fn moving_what_is_not_there_or_where_nothing_is() {
    let mut scene = Scene::<f32>::new(AdamW::new(0.1).build().unwrap());
    let error = scene.unchanged_by(|scene| scene.opt.assign("odd", "undecayed"));
    assert_error!(error, Error::UnknownParameter { .. }, "there is no parameter `odd`");
    let error = scene.unchanged_by(|scene| scene.opt.assign("first", "none"));
    assert_error!(
        error,
        Error::UnknownGroup { .. },
        "`assign` names the group `none`, which is not defined; there are: `default`, `undecayed`"
    );
    let error = scene.unchanged_by(|scene| scene.opt.resize(&Param::without_grad("odd", &mut [1.0])));
    assert_error!(error, Error::UnknownParameter { .. }, "there is no parameter `odd`");
}

#[test]
fn resizing_to_other_axes() {
    let mut scene = Scene::<f32>::new(AdamW::new(0.1).build().unwrap());
    for (shape, text) in [(&[4][..], "shape [4]"), (&[2, 2, 1], "shape [2, 2, 1]")] {
        let error = scene.unchanged_by(|scene| scene.opt.resize(&Param::without_grad("last", &mut [1.0; 4]).shape(shape)));
        let text =
            format!("parameter `last` cannot be resized from shape [2, 2] to {text}: only the lengths of its axes may change");
        assert_error!(error, Error::AxesChanged { .. }, text);
    }
    let error = scene.unchanged_by(|scene| scene.opt.resize(&Param::without_grad("last", &mut [1.0; 4])));
    let text = "parameter `last` cannot be resized from shape [2, 2] to no shape: only the lengths of its axes may change";
    assert_error!(error, Error::AxesChanged { .. }, text);
    let error = scene.unchanged_by(|scene| scene.opt.resize(&Param::without_grad("last", &mut [1.0; 4]).shape(&[2, 3])));
    assert!(matches!(error, Error::ShapeLength { .. }), "{error:?}");
}

/// Two edits that are each right, and contradict each other: nobody can know before a parameter has both.
#[test]
fn groups_that_cannot_be_joined() {
    let mut opt = Sgd::new(0.1)
        .momentum(0.9)
        .group("still", |s| s.momentum(0.0))
        .group("ahead", |s| s.nesterov(true))
        .assign("still", Selector::name_starts_with("s"))
        .assign("ahead", Selector::name_ends_with("a"))
        .build::<f64>()
        .unwrap();
    let before = opt.describe();
    assert_error!(
        opt.step(&mut [Param::new("s", &mut [1.0], &[1.0]), Param::new("s.a", &mut [1.0], &[1.0])]).unwrap_err(),
        Error::InGroup { .. },
        "in group `still + ahead`: nesterov needs a momentum above 0, and momentum = 0 was given"
    );
    assert_eq!(opt.describe(), before);
}
