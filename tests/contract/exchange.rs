//! State out of an optimizer and back: what is taken, what is refused, and that a refusal changes nothing.

use wane::state::{Aspect, Column, Difference, FORMAT, Loading, Numbers, ParameterState, State};
use wane::{Adafactor, AdamW, Anchor, Decay, Error, NonFinite, Optimizer, Param, Selector, Sgd, Status};

use super::every::{every, step};
use crate::common::data::still;

/// An optimizer that has made a step on `w` of shape [2, 3] and `b`, and its state.
fn trained() -> (Box<dyn Optimizer<f32>>, State<'static>) {
    let mut opt: Box<dyn Optimizer<f32>> = groups(AdamW::new(0.1)).into();
    let (mut w, mut b) = ([1.0; 6], [1.0; 2]);
    opt.step(&mut [
        Param::new("w", &mut w, &[0.5; 6]).shape(&[2, 3]),
        Param::new("b", &mut b, &[0.25; 2]).shape(&[2]).in_group("slow"),
    ])
    .unwrap();
    let state = opt.export().into_owned();
    (opt, state)
}

fn groups(settings: wane::Settings<AdamW>) -> wane::Stepper<AdamW, f32> {
    settings.group("slow", |s| s.lr_factor(0.1)).build().unwrap()
}

/// An optimizer that knows the parameters, and has made no step.
fn registered(mut opt: Box<dyn Optimizer<f32>>) -> Box<dyn Optimizer<f32>> {
    opt.register(&[
        Param::without_grad("w", &mut [1.0; 6]).shape(&[2, 3]),
        Param::without_grad("b", &mut [1.0; 2]).shape(&[2]).in_group("slow"),
    ])
    .unwrap();
    opt
}

fn fresh() -> Box<dyn Optimizer<f32>> {
    registered(groups(AdamW::new(0.1)).into())
}

fn with(state: &ParameterState<'static>, change: impl FnOnce(&mut ParameterState<'static>)) -> ParameterState<'static> {
    let mut state = state.clone();
    change(&mut state);
    state
}

/// A change of the state, the aspect in which it then differs, and what is said of it.
type Case = (fn(&mut State<'static>), Aspect, &'static str);

const CASES: &[Case] = &[
    (|s| s.optimizer = "adam".into(), Aspect::Optimizer, "optimizer: adam in the state, adamw here"),
    (
        |s| drop(s.settings.insert("clip".into(), "value:1".into())),
        Aspect::Setting,
        "setting `clip`: value:1 in the state, off here",
    ),
    (
        |s| drop(s.settings.insert("maximize".into(), "on".into())),
        Aspect::Setting,
        "setting `maximize`: on in the state, none here",
    ),
    (|s| drop(s.settings.remove("lr_schedule")), Aspect::Setting, "setting `lr_schedule`: none in the state, constant here"),
    (
        |s| drop(s.groups[2].settings.insert("betas".into(), "0.9 0.99".into())),
        Aspect::Setting,
        "setting `betas` of group `slow`: 0.9 0.99 in the state, 0.9 0.999 here",
    ),
    (
        |s| {
            s.groups.push(s.groups[2].clone());
            s.groups[3].name = "fast".into();
        },
        Aspect::Setting,
        "group `fast`: defined in the state, none here",
    ),
    (|s| drop(s.groups.remove(2)), Aspect::Setting, "group `slow`: none in the state, defined here"),
    (|s| s.parameters[1].group = "default".into(), Aspect::Group, "group of parameter `b`: default in the state, slow here"),
    (|s| s.parameters[1].group = "lost".into(), Aspect::Group, "group of parameter `b`: lost in the state, slow here"),
    (|s| drop(s.parameters.remove(0)), Aspect::Missing, "parameter `w` is missing in the state"),
    (|s| s.parameters.push(ParameterState::new("v", 1)), Aspect::Unexpected, "parameter `v` of the state is not known here"),
    (|s| s.parameters[0].shape = Some(vec![3, 2]), Aspect::Shape, "shape of parameter `w`: [3, 2] in the state, [2, 3] here"),
    (
        |s| (s.parameters[1].shape, s.parameters[1].len) = (None, 3),
        Aspect::Shape,
        "shape of parameter `b`: [3] in the state, [2] here",
    ),
    (
        |s| s.parameters[1].columns[1].numbers = Numbers::of(vec![0.5_f64, 0.25].into()),
        Aspect::Type,
        "type of column `exp_avg_sq` of parameter `b`: f64 in the state, f32 here",
    ),
    (
        |s| drop(s.parameters[1].columns.remove(0)),
        Aspect::Column,
        "column `exp_avg` of parameter `b`: none in the state, 2 numbers here",
    ),
    (
        |s| s.parameters[1].columns.push(Column::new("sum", vec![0.5_f32])),
        Aspect::Column,
        "column `sum` of parameter `b`: 1 numbers in the state, none here",
    ),
    (
        |s| s.parameters[1].columns[0] = Column::new("exp_avg", vec![0.5_f32; 3]),
        Aspect::Column,
        "column `exp_avg` of parameter `b`: 3 numbers in the state, 2 numbers here",
    ),
];

#[test]
fn every_difference_is_refused_by_name_and_changes_nothing() {
    for (change, aspect, text) in CASES {
        let (_, mut state) = trained();
        change(&mut state);
        let mut opt = fresh();
        let before = opt.export().into_owned();
        let all_others = CASES.iter().filter(|(_, other, _)| other != aspect).fold(Loading::strict(), |l, case| l.allow(case.1));
        for loading in [Loading::strict(), all_others] {
            let error = opt.import(state.clone(), &loading).unwrap_err();
            assert_eq!(error.to_string(), format!("the state does not fit: {text}"));
            let Error::StateDiffers { differences } = error else { panic!("{error:?}") };
            assert_eq!(differences.iter().map(|difference| difference.aspect).collect::<Vec<_>>(), [*aspect]);
            assert_eq!(opt.export(), before);
        }
    }
}

#[test]
fn what_is_allowed_is_reported_and_the_rest_is_taken() {
    for (change, aspect, text) in CASES {
        let (_, mut state) = trained();
        change(&mut state);
        for loading in [Loading::lenient(), Loading::strict().allow(*aspect)] {
            let mut opt = fresh();
            let loaded = opt.import(state.clone(), &loading).unwrap();
            assert_eq!(loaded.differences().iter().map(Difference::to_string).collect::<Vec<_>>(), [*text]);
            let taken = match aspect {
                Aspect::Missing | Aspect::Shape | Aspect::Type => 1,
                _ => 2,
            };
            assert_eq!((loaded.parameters(), opt.completed_steps()), (taken, 1), "{text}");
            assert_eq!(loaded.to_string(), format!("{taken} parameters from the state\n{text}"));
            assert_eq!(opt.names(), ["w", "b"]);
            // Groups and settings are those of the optimizer.
            let mut found = opt.export().into_owned();
            let (_, plain) = trained();
            assert_eq!((&found.settings, &found.groups), (&plain.settings, &plain.groups));
            let expected = match *aspect {
                Aspect::Missing => [with(&found.parameters[0], |s| s.steps = 0), plain.parameters[1].clone()],
                Aspect::Shape if state.parameters[0].shape == Some(vec![3, 2]) => {
                    [with(&found.parameters[0], |s| s.steps = 0), plain.parameters[1].clone()]
                }
                Aspect::Shape | Aspect::Type => [plain.parameters[0].clone(), with(&found.parameters[1], |s| s.steps = 0)],
                Aspect::Column if state.parameters[1].columns.len() < 3 => {
                    // The first moment starts anew.
                    assert_eq!(found.parameters[1].columns[0], Column::new("exp_avg", vec![0.0_f32; 2]));
                    found.parameters[1].columns[0] = plain.parameters[1].columns[0].clone();
                    [plain.parameters[0].clone(), plain.parameters[1].clone()]
                }
                _ => [plain.parameters[0].clone(), plain.parameters[1].clone()],
            };
            assert_eq!(found.parameters, expected, "{text}");
        }
    }
}

/// What is wrong with a state, and what is said of it.
type Flaw = (fn(&mut State<'static>), &'static str);

#[test]
fn a_state_that_no_optimizer_can_have_is_refused() {
    let cases: &[Flaw] = &[
        (|s| s.format = FORMAT + 1, "the state has format 2, and this version reads formats up to 1"),
        (|s| s.parameters[1].name = "w".into(), "the name `w` stands twice"),
        (|s| s.groups[1].name = "slow".into(), "the name `slow` stands twice"),
        (|s| s.parameters[1].name = String::new(), "the parameter at position 1 has an empty name"),
        (
            |s| s.parameters[1].name = "(slice)".into(),
            "`(slice)` cannot join: a slice and named parameters never share an optimizer; use named parameters only, or an optimizer for each slice",
        ),
        (|s| s.parameters[0].shape = Some(vec![2, 2]), "parameter `w` has shape [2, 2], which is not 6 weights"),
        (
            |s| s.parameters[0].shape = Some(vec![usize::MAX, usize::MAX]),
            "parameter `w` has shape [18446744073709551615, 18446744073709551615], which is not 6 weights",
        ),
        (|s| s.parameters[0].shape = Some(vec![1; 9]), "parameter `w` has 9 axes: at most 8 are kept"),
        (
            |s| s.parameters[1].columns[1].name = "exp_avg".into(),
            "the column `exp_avg` of parameter `b` stands twice in the state",
        ),
        (
            |s| s.parameters[0].columns[1].numbers = Numbers::of(vec![1.0, 2.0, f32::NAN, 0.0, 0.0, 0.0].into()),
            "number 2 of column `exp_avg_sq` of parameter `w` is NaN: state is finite",
        ),
        (|s| s.learning_rate = Some(-1.0), "learning rate = -1 is out of range: it must be a finite number, at least 0"),
        (|s| s.learning_rate = Some(f64::NAN), "learning rate = NaN is out of range: it must be a finite number, at least 0"),
        (
            |s| s.learning_rate = Some(200.0),
            "the decay `decoupled:0.01` of group `default` would remove the share 2 of each weight in step 1: it must be in [0, 1)",
        ),
        (
            |s| s.groups[0].average = f64::INFINITY,
            "average of an adaptive decay = inf is out of range: it must be a finite number, at least 0",
        ),
    ];
    for (change, text) in cases {
        let (_, mut state) = trained();
        change(&mut state);
        for mut opt in [fresh(), groups(AdamW::new(0.1)).into()] {
            let before = opt.export().into_owned();
            assert_eq!(opt.import(state.clone(), &Loading::lenient()).unwrap_err().to_string(), *text);
            assert_eq!(opt.export(), before, "{text}");
        }
    }
}

/// Into an optimizer that knows no parameters come those of the state, into the groups of the state, or of the selectors.
#[test]
fn an_optimizer_without_parameters_takes_those_of_the_state() {
    let (mut trained, state) = trained();
    let mut opt: Box<dyn Optimizer<f32>> = groups(AdamW::new(0.1)).into();
    assert_eq!(opt.import(state.clone(), &Loading::strict()).unwrap().parameters(), 2);
    assert_eq!(opt.export(), trained.export());
    assert_eq!((opt.names(), opt.status("w")), (vec!["w", "b"], Some(Status::Registered)));

    let settings = AdamW::new(0.1).group("short", |s| s.lr_factor(0.5)).assign("short", Selector::vectors());
    let mut opt: Box<dyn Optimizer<f32>> = settings.build().unwrap().into();
    let error = opt.import(state.clone(), &Loading::strict()).unwrap_err().to_string();
    assert!(error.contains("group of parameter `b`: slow in the state, short here"), "{error}");
    let _ = opt.import(state, &Loading::lenient()).unwrap();
    assert_eq!(opt.describe().params().iter().map(|row| row.group().to_string()).collect::<Vec<_>>(), ["default", "short"]);
    assert_eq!(opt.describe().notes(), [""; 0], "the selector has matched");
    let (mut w, mut b) = ([1.0; 6], [1.0; 2]);
    for opt in [&mut opt, &mut trained] {
        opt.step(&mut [Param::new("w", &mut w, &[0.5; 6]), Param::new("b", &mut b, &[0.5; 2])]).unwrap();
    }
}

/// Groups that selectors have joined come back, with the selectors' word that they have matched.
#[test]
fn joined_groups_come_back() {
    let settings = || {
        AdamW::new(0.1)
            .group("slow", |s| s.lr_factor(0.1))
            .group("bare", |s| s.weight_decay(Decay::none()))
            .assign("slow", Selector::name_starts_with("w"))
            .assign("bare", Selector::name_ends_with("b"))
            .strict_selectors(true)
    };
    let mut first = settings().build::<f64>().unwrap();
    first.step(&mut [Param::new("w.b", &mut [1.0], &[0.5])]).unwrap();
    let mut second = settings().build::<f64>().unwrap();
    let _ = second.import(first.export(), &Loading::strict()).unwrap();
    assert_eq!(second.describe().params()[0].group(), "slow + bare");
    assert_eq!(second.export(), first.export());
    assert!(second.describe().notes().is_empty());
}

#[test]
fn parameters_are_renamed_by_name_and_by_prefix() {
    let state = |names: [&str; 3]| {
        let mut opt = Sgd::new(0.1).momentum(0.5).build::<f32>().unwrap();
        for (i, name) in (1_u8..).zip(names) {
            opt.step(&mut [Param::new(name, &mut [0.0], &[f32::from(i)])]).unwrap();
        }
        opt.export().into_owned()
    };
    let loading = Loading::strict().rename("a", "x").rename_prefix("a.", "y.").rename_prefix("a", "never");
    let mut opt = Sgd::new(0.1).momentum(0.5).build::<f32>().unwrap();
    let _ = opt.import(state(["a", "a.b", "b.a"]), &loading).unwrap();
    assert_eq!(opt.names(), ["x", "y.b", "b.a"]);
    assert_eq!(["x", "y.b", "b.a"].map(|name| opt.state(name, "momentum_buffer").unwrap()[0]), [1.0, 2.0, 3.0]);
    let error = opt.import(state(["a", "b", "x"]), &loading).unwrap_err();
    assert_eq!(error, Error::DuplicateName { name: "x".into() });
}

/// The start that a decay pulls to is the one of the first run, not the weights that were loaded.
#[test]
fn a_start_survives_a_resumed_run() {
    let build = || Sgd::new(0.5).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build::<f64>().unwrap();
    let (mut first, mut w) = (build(), [8.0]);
    first.step(&mut [Param::new("w", &mut w, &[8.0])]).unwrap();
    assert_eq!(w, [4.0]);
    let mut resumed = build();
    resumed.register(&[Param::without_grad("w", &mut w)]).unwrap();
    let _ = resumed.import(first.export(), &Loading::strict()).unwrap();
    resumed.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    assert_eq!(w, [6.0], "half the way back to 8");

    let mut lost = first.export().into_owned();
    lost.parameters[0].columns.clear();
    let error = build().import(lost, &Loading::strict()).unwrap_err().to_string();
    assert_eq!(error, "the state does not fit: column `anchor` of parameter `w`: none in the state, 1 numbers here");
}

/// Moved to a group that pulls to the start, and saved before a step could capture it.
#[test]
fn an_anchor_that_is_still_to_be_captured_is_so_after_loading() {
    let build = || {
        let settings = Sgd::new(0.5).group("pulled", |s| s.weight_decay(Decay::fixed(0.5).towards(Anchor::Start)));
        settings.build::<f64>().unwrap()
    };
    let (mut first, mut w) = (build(), [8.0]);
    first.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    first.assign("w", "pulled").unwrap();
    let mut resumed = build();
    let _ = resumed.import(first.export(), &Loading::strict()).unwrap();
    assert_eq!(resumed.export(), first.export());
    for grad in [8.0, 0.0] {
        resumed.step(&mut [Param::new("w", &mut w, &[grad])]).unwrap();
    }
    assert_eq!(w, [6.0]);
}

#[test]
fn what_a_policy_lets_through_is_exported_and_let_in() {
    let build = |policy| Sgd::new(0.5).momentum(0.5).non_finite(policy).build::<f64>().unwrap();
    let mut first = build(NonFinite::Propagate);
    first.step(&mut [Param::new("w", &mut [1.0, 1.0], &[f64::INFINITY, 1.0])]).unwrap();
    let mut second = build(NonFinite::Propagate);
    let _ = second.import(first.export(), &Loading::strict()).unwrap();
    assert_eq!(second.state("w", "momentum_buffer"), Some(&[f64::INFINITY, 1.0][..]));
    let error = build(NonFinite::Error).import(first.export(), &Loading::lenient()).unwrap_err();
    assert!(matches!(error, Error::NonFiniteState { index: 0, .. }), "{error}");
}

/// One parameter, for every optimizer: out, and into another one.
#[test]
fn the_state_of_one_parameter_goes_over() {
    for ((mut first, columns), (mut second, _)) in every().into_iter().zip(every()) {
        let (mut w, mut v) = ([1.0, -2.0, 0.5], [3.0, 1.0, 2.0]);
        step(&mut *first, "w", &mut w, 0);
        step(&mut *second, "v", &mut v, 0);
        second.import_parameter(first.export_parameter("w").unwrap()).unwrap();
        assert_eq!((second.names(), second.completed_steps()), (vec!["v", "w"], 1));
        assert_eq!(second.export_parameter("w"), first.export_parameter("w"));
        assert_eq!(second.export_parameter("w").unwrap().columns.len(), columns.len());
        if first.export().groups[0].average > 0.0 {
            continue; // Its decay depends on all parameters of the group.
        }
        let mut again = w;
        step(&mut *first, "w", &mut w, 1);
        step(&mut *second, "w", &mut again, 1);
        assert_eq!(again, w, "{first:?}");
        assert_eq!(first.export_parameter("v"), None);
    }
}

#[test]
fn one_parameter_is_refused_where_it_does_not_fit() {
    let (mut opt, state) = trained();
    let before = opt.export().into_owned();
    let [w, b] = &state.parameters[..] else { panic!("two parameters") };
    let mut refused = |state: ParameterState<'static>| {
        let error = opt.import_parameter(state).unwrap_err().to_string();
        assert_eq!(opt.export(), before, "{error}");
        error
    };
    for (state, text) in [
        (
            with(w, |s| s.name = "b".into()),
            "the state does not fit: group of parameter `b`: default in the state, slow here; shape of parameter `b`: [2, 3] in the state, [2] here",
        ),
        (
            with(w, |s| (s.name, s.group) = ("new".into(), "lost".into())),
            "the state does not fit: group of parameter `new`: lost in the state, default here",
        ),
        (
            with(w, |s| s.name = "(slice)".into()),
            "`(slice)` cannot join: a slice and named parameters never share an optimizer; use named parameters only, or an optimizer for each slice",
        ),
        (with(b, |s| s.name = "".into()), "the parameter at position 0 has an empty name"),
        (
            with(b, |s| s.columns = vec![]),
            "the state does not fit: column `exp_avg` of parameter `b`: none in the state, 2 numbers here; column `exp_avg_sq` of parameter `b`: none in the state, 2 numbers here",
        ),
    ] {
        assert_eq!(refused(state), text);
    }
}

/// A parameter whose gradients are unknown is rehearsed for overflow: it is refused and not made infinite.
#[test]
fn numbers_of_unknown_origin_do_not_overflow_unseen() {
    let mut state = ParameterState::new("w", 2);
    state.steps = 1;
    // No gradients leave a first moment beside a second one that is 0.
    state.columns = vec![Column::new("exp_avg", vec![1e18_f32; 2]), Column::new("exp_avg_sq", vec![0.0_f32; 2])];
    for bound in [None, Some(f64::INFINITY), Some(f64::NAN)] {
        let mut opt = AdamW::new(1.0).eps(1e-30).build().unwrap();
        opt.import_parameter(with(&state, |s| s.gradient_bound = bound)).unwrap();
        let mut w = [1.0_f32; 2];
        let error = opt.step(&mut [Param::new("w", &mut w, &[0.0; 2])]).unwrap_err();
        assert!(matches!(error, Error::Overflow { what: "weight", .. }), "{error}");
        assert_eq!(w, [1.0; 2]);
    }
}

/// A bound that is claimed is not believed in the first step, nor numbers of a parameter without steps.
#[test]
fn columns_that_no_run_has_made_do_not_overflow_unseen() {
    for (m, v, steps) in [(1.0_f32, -1.0_f32, 1), (1e14, 0.0, 1), (1e14, 0.0, 0)] {
        let mut state = ParameterState::new("w", 2);
        (state.steps, state.gradient_bound) = (steps, Some(1.0));
        state.columns = vec![Column::new("exp_avg", vec![m; 2]), Column::new("exp_avg_sq", vec![v; 2])];
        let mut opt = AdamW::new(1.0).eps(1e-30).build().unwrap();
        opt.import_parameter(state).unwrap();
        let mut w = [1.0_f32; 2];
        for _ in 0..2 {
            let error = opt.step(&mut [Param::new("w", &mut w, &[0.0; 2])]).unwrap_err();
            assert!(matches!(error, Error::Overflow { what: "weight", .. }), "{error}");
            assert_eq!(w, [1.0; 2]);
        }
    }
}

/// They are used by the next step, so they are part of the state.
#[test]
fn numbers_of_a_parameter_without_steps_are_kept() {
    let mut state = ParameterState::new("w", 1);
    state.gradient_bound = Some(1.0);
    state.columns = vec![Column::new("exp_avg", vec![4.0]), Column::new("exp_avg_sq", vec![1.0])];
    let mut opts = [(); 2].map(|()| AdamW::new(1.0).build::<f64>().unwrap());
    opts[0].import_parameter(state).unwrap();
    assert_eq!(opts[0].state("w", "exp_avg"), Some(&[4.0][..]));
    let [first, second] = &mut opts;
    let _ = second.import(first.export(), &Loading::strict()).unwrap();
    let step = |opt: &mut dyn Optimizer<f64>| {
        let mut w = [1.0];
        opt.step(&mut [Param::new("w", &mut w, &[0.5])]).unwrap();
        w
    };
    assert_eq!(step(first), step(second));
}

/// Between `assign` and the next step, columns that the new group has are not made yet.
#[test]
fn columns_that_are_still_to_be_made_are_so_after_loading() {
    let build = || Sgd::new(0.5).group("heavy", |s| s.momentum(0.5)).build::<f64>().unwrap();
    let (mut first, mut second, mut w) = (build(), build(), [8.0]);
    first.step(&mut [Param::new("w", &mut w, &[2.0])]).unwrap();
    first.assign("w", "heavy").unwrap();
    let _ = second.import(first.export(), &Loading::strict()).unwrap();
    assert_eq!(second.export(), first.export());
    let mut again = w;
    for _ in 0..2 {
        first.step(&mut [Param::new("w", &mut w, &[2.0])]).unwrap();
        second.step(&mut [Param::new("w", &mut again, &[2.0])]).unwrap();
    }
    assert_eq!(again, w);
}

/// A shape that is known here counts where the state has none: as adapters leave it out.
#[test]
fn the_shape_that_is_known_here_counts() {
    let build = || {
        let mut opt = Adafactor::new(0.1).build::<f64>().unwrap();
        opt.register(&[Param::without_grad("w", &mut [1.0; 6]).shape(&[2, 3])]).unwrap();
        opt
    };
    let mut first = build();
    first.step(&mut [Param::new("w", &mut [1.0; 6], &[0.5; 6])]).unwrap();
    let mut state = first.export_parameter("w").unwrap();
    state.shape = None;
    let mut second = build();
    second.import_parameter(state).unwrap();
    assert_eq!(second.export_parameter("w"), first.export_parameter("w"));

    let mut flat = Adafactor::new(0.1).build::<f64>().unwrap();
    flat.step(&mut [Param::new("w", &mut [1.0; 6], &[0.5; 6])]).unwrap();
    let error = build().import(flat.export(), &Loading::strict()).unwrap_err().to_string();
    assert!(error.contains("column `row_var` of parameter `w`: none in the state, 2 numbers here"), "{error}");
}

#[test]
fn an_anchor_of_another_length_is_captured_anew() {
    let build = || Sgd::new(0.5).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build::<f64>().unwrap();
    let mut state = ParameterState::new("w", 3);
    state.columns = vec![Column::new("anchor", vec![1.0])];
    let mut all = build().export().into_owned();
    all.parameters.push(state);
    let mut opt = build();
    let loaded = opt.import(all, &Loading::lenient()).unwrap();
    assert_eq!(loaded.differences().len(), 1);
    let mut w = [2.0, 4.0, 8.0];
    opt.step(&mut [Param::new("w", &mut w, &[0.0; 3])]).unwrap();
    assert_eq!(opt.state("w", "anchor"), Some(&[2.0, 4.0, 8.0][..]));
}

/// A refused state leaves no groups behind that would be checked from then on, and all groups are checked.
#[test]
fn groups_that_are_joined_are_checked_and_leave_no_trace() {
    let build = || {
        let settings = Sgd::new(0.1).group("a", |s| s.lr_factor(10.0)).group("b", |s| s.weight_decay(Decay::decoupled(0.5)));
        settings.build::<f64>().unwrap()
    };
    let mut joined = build();
    joined.register(&[Param::without_grad("w", &mut [1.0]).in_group("a + b")]).unwrap();
    let mut state = joined.export().into_owned();
    state.settings.insert("clip".into(), "value:1".into());
    let mut opt = build();
    opt.import(state.clone(), &Loading::strict()).unwrap_err();
    opt.set_learning_rate(0.3).unwrap();

    state.settings.insert("clip".into(), "off".into());
    state.learning_rate = Some(0.3);
    state.groups.retain(|group| group.name != "a + b");
    let error = build().import(state.clone(), &Loading::strict()).unwrap_err().to_string();
    assert_eq!(error, "the state does not fit: group `a + b`: none in the state, defined here");
    let error = build().import(state, &Loading::lenient()).unwrap_err();
    assert!(error.to_string().contains("would remove the share 1.5 of each weight"), "{error}");
}

#[test]
fn an_average_without_an_adaptive_decay_is_a_difference() {
    let (_, mut state) = trained();
    state.groups[0].average = 0.5;
    let error = fresh().import(state.lent(), &Loading::strict()).unwrap_err().to_string();
    assert_eq!(error, "the state does not fit: setting `average` of group `default`: 0.5 in the state, none here");
    let mut opt = fresh();
    let _ = opt.import(state, &Loading::lenient()).unwrap();
    assert_eq!(opt.export().groups[0].average, 0.0);
}

/// Time goes with the size of a state, and not with its square: else this takes minutes.
#[test]
fn large_states_are_no_burden() {
    let mut wide = ParameterState::new("w", 1);
    wide.columns = (0..100_000).map(|i| Column::new(format!("c{i}"), vec![0.0_f32])).collect();
    let (_, mut state) = trained();
    assert!(matches!(fresh().import_parameter(wide), Err(Error::StateDiffers { .. })));
    state.parameters = (0..100_000).map(|i| ParameterState::new(format!("w{i}"), 1)).collect();
    let loading = (0..100_000).fold(Loading::strict(), |l, i| l.rename(format!("w{i}"), format!("v{i}")));
    let mut opt: Box<dyn Optimizer<f32>> = groups(AdamW::new(0.1)).into();
    assert_eq!(opt.import(state, &loading).unwrap().parameters(), 100_000);
}

/// A length that no numbers stand for takes no memory, and a step costs what it is given.
#[test]
fn a_length_is_no_memory() {
    for (mut opt, _) in every() {
        for shape in [None, Some(vec![1 << 20, 1 << 40])] {
            let mut state = ParameterState::new("huge", 1 << 60);
            state.shape = shape;
            if let Err(error) = opt.import_parameter(state) {
                assert!(matches!(error, Error::ShapeRefused { .. }), "{error}");
                continue;
            }
            let mut w = [1.0, -2.0, 0.5];
            step(&mut *opt, "w", &mut w, 0);
            assert!(opt.describe().to_string().contains("huge"));
            let one = opt.restore_state("huge", "mu_product", &[0.5]).unwrap_err();
            assert!(matches!(one, Error::NoSuchColumn { .. }), "{one}");
            let error = opt.register(&[still("huge", &mut w)]).unwrap_err();
            assert!(matches!(error, Error::LengthChanged { .. }), "{error}");
            assert!(opt.forget("huge"));
        }
    }
}

#[test]
fn a_state_of_no_parameters_is_one() {
    let first = Sgd::new(0.1).build::<f32>().unwrap();
    let mut second = Sgd::new(0.1).build::<f32>().unwrap();
    assert_eq!(second.import(first.export(), &Loading::strict()).unwrap().parameters(), 0);
    second.step_slice(&mut [1.0], &[0.5]).unwrap();
    let mut third = Sgd::new(0.1).build::<f32>().unwrap();
    let _ = third.import(second.export(), &Loading::strict()).unwrap();
    third.step_slice(&mut [1.0], &[0.5]).unwrap();
    assert_eq!(third.steps_of("(slice)"), Some(2));
}

/// An optimizer that adapts its decay goes on from its average, and one that lost it does not.
#[test]
fn averages_and_rates_by_hand_are_taken() {
    let build = || Sgd::new(0.5).weight_decay(Decay::adaptive(0.5)).build::<f64>().unwrap();
    let mut first = build();
    first.step(&mut [Param::new("w", &mut [4.0], &[2.0])]).unwrap();
    first.set_learning_rate(0.125).unwrap();
    let state = first.export().into_owned();
    // 0.9 · 0.5 · 2/4
    assert_eq!((state.groups[0].average, state.learning_rate), (0.225, Some(0.125)));
    let mut second = build();
    let _ = second.import(state.clone(), &Loading::strict()).unwrap();
    assert_eq!((second.learning_rate(), second.peak_learning_rate()), (0.125, 0.5));
    second.resume_schedule();
    assert_eq!(second.learning_rate(), 0.5);
    let average = |opt: &dyn Optimizer<f64>| opt.export().groups[0].average;
    assert_eq!(average(&second), 0.225);
    second.reset();
    assert_eq!((average(&second), second.completed_steps()), (0.0, 0));
}

/// An export copies nothing; owned numbers are moved where a parameter has one column, and so are anchors.
#[test]
fn numbers_are_lent_and_moved_and_not_copied() {
    let build = || Sgd::new(0.5).momentum(0.5).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build::<f32>().unwrap();
    let mut first = build();
    first.step(&mut [Param::new("w", &mut [1.0; 4], &[0.5; 4])]).unwrap();
    let places =
        |state: &ParameterState<'_>| state.columns.iter().map(|c| c.numbers.get::<f32>().unwrap().as_ptr()).collect::<Vec<_>>();
    let columns = ["momentum_buffer", "anchor"];
    assert_eq!(places(&first.export_parameter("w").unwrap()), columns.map(|column| first.state("w", column).unwrap().as_ptr()));
    let state = first.export_parameter("w").unwrap().into_owned();
    let before = places(&state);
    assert_ne!(before, places(&first.export_parameter("w").unwrap()));
    let mut second = build();
    second.import_parameter(state).unwrap();
    assert_eq!(places(&second.export_parameter("w").unwrap()), before);
}

#[test]
fn one_setting_may_differ_and_others_not() {
    let (_, mut state) = trained();
    state.settings.insert("learning_rate".into(), "0.05".into());
    let loading = Loading::strict().allow_setting("learning_rate").allow_setting("betas");
    let loaded = fresh().import(state.clone(), &loading).unwrap();
    assert_eq!(loaded.to_string(), "2 parameters from the state\nsetting `learning_rate`: 0.05 in the state, 0.1 here");
    for group in &mut state.groups {
        group.settings.insert("betas".into(), "0.9 0.99".into());
    }
    let loaded = fresh().import(state.clone(), &loading).unwrap();
    assert_eq!(loaded.differences().len(), 3, "the group `undecayed` has no parameters");
    state.groups[2].settings.insert("weight_decay".into(), "none".into());
    let error = fresh().import(state, &loading).unwrap_err().to_string();
    assert_eq!(error, "the state does not fit: setting `weight_decay` of group `slow`: none in the state, decoupled:0.01 here");
}

/// A run that moves parameters between groups goes on in the groups of the state.
#[test]
fn known_parameters_may_move_to_the_groups_of_the_state() {
    let (mut first, _) = trained();
    first.assign("w", "slow").unwrap();
    let loading = Loading::strict();
    assert!(matches!(fresh().import(first.export(), &loading), Err(Error::StateDiffers { .. })));
    let mut opt = fresh();
    let _ = opt.import(first.export(), &loading.groups_of_state()).unwrap();
    assert_eq!(opt.export(), first.export());
    let groups: Vec<_> = opt.describe().params().iter().map(|row| row.group().to_string()).collect();
    assert_eq!(groups, ["slow", "slow"]);
    let mut lost = first.export();
    lost.parameters[0].group = "lost".into();
    let error = fresh().import(lost, &Loading::strict().groups_of_state()).unwrap_err().to_string();
    assert_eq!(error, "the state does not fit: group of parameter `w`: lost in the state, default here");
}
