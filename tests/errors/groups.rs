//! Groups and policies: unknown ones, doubled ones, and parameters that ask for another one.

use wane::{Adam, AdamW, Decay, Error, Lamb, Lion, Param, Policy, Settings, Sgd};

use super::scene::{Scene, assert_error};

/// `first` is in `plain`, by its policy; all others are in `default`.
fn scene() -> Scene<f64> {
    let settings =
        AdamW::new(0.1).group("plain", |s| s.weight_decay(Decay::none())).assign("plain", Policy::name_starts_with("fi"));
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
    for (policy, by) in [
        (Policy::rank_below(2), "rank below 2"),
        (Policy::name_starts_with("a."), "name starts with a."),
        (Policy::name_ends_with(".bias"), "name ends with .bias"),
        (Policy::when("norm layers", |_| true), "norm layers"),
    ] {
        assert_error!(
            Sgd::new(0.1).group("a", |s| s).assign("b", policy).build::<f32>().unwrap_err(),
            Error::UnknownGroup { .. },
            format!("the policy `{by}` names the group `b`, which is not defined; there are: `default`, `undecayed`, `a`")
        );
    }
}

#[test]
fn a_group_that_is_there_already() {
    let text = |name| format!("group `{name}` is defined already; `default` and `undecayed` belong to every optimizer");
    fn twice<A: wane::Algorithm<f32>>(settings: Settings<A>, name: &str) -> Error {
        settings.group("other", |s| s).group(name, |s| s).build().unwrap_err()
    }
    for name in ["default", "undecayed", "other"] {
        for error in
            [twice(Sgd::new(0.1), name), twice(Adam::new(0.1), name), twice(Lion::new(0.1), name), twice(Lamb::new(0.1), name)]
        {
            assert_error!(error, Error::GroupExists { .. }, text(name));
        }
    }
}

#[test]
fn another_group_than_before() {
    assert_error!(
        scene().refuses(|w, g| Param::new("last", w, g).in_group("plain")),
        Error::GroupChanged { .. },
        "parameter `last` is in group `default` and now asks for group `plain`; `forget` it first"
    );
    assert_error!(
        scene().refuses(|w, g| Param::new("last", w, g).no_decay()),
        Error::GroupChanged { .. },
        "parameter `last` is in group `default` and now asks for group `undecayed`; `forget` it first"
    );
}

/// `register` promises to refuse a bad group as a step does.
#[test]
fn another_group_than_before_at_registration() {
    assert_error!(
        scene().refuses_to_register(|w, g| Param::new("last", w, g).in_group("plain")),
        Error::GroupChanged { .. },
        "parameter `last` is in group `default` and now asks for group `plain`; `forget` it first"
    );
}

#[test]
fn a_policy_without_the_shape_it_needs() {
    let scene = || {
        let settings = Lamb::new(0.1).group("flat", |s| s.weight_decay(Decay::none())).assign("flat", Policy::rank_below(2));
        Scene::<f32>::new(settings.build().unwrap())
    };
    let text = "the policy `rank below 2` needs the shape of parameter `odd`, which was given without one";
    assert_error!(scene().refuses(|w, g| Param::new("odd", w, g)), Error::ShapeNeeded { .. }, text);
    assert_error!(scene().refuses_to_register(|w, g| Param::new("odd", w, g)), Error::ShapeNeeded { .. }, text);
}
