//! Groups: which parameter is in which, and what a group's settings are.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wane::{Adam, AdamW, Algorithm, Anchor, Decay, Optimizer, Param, Schedule, Selector, Settings, Sgd, Stepper};

/// Weights of 1, no gradient to speak of, and a decay by which each group can be told from what it leaves.
const DEFAULT: f64 = 0.5;
const A: f64 = 0.75;
const B: f64 = 0.875;
const UNDECAYED: f64 = 1.0;

fn two_groups(selectors: impl FnOnce(Settings<Sgd>) -> Settings<Sgd>) -> Stepper<Sgd, f64> {
    let settings = Sgd::new(0.1)
        .weight_decay(Decay::fixed(1.0 - DEFAULT))
        .group("a", |s| s.weight_decay(Decay::fixed(1.0 - A)))
        .group("b", |s| s.weight_decay(Decay::fixed(1.0 - B)));
    selectors(settings).build().unwrap()
}

/// The weight that a parameter is left with, and the group that the table says it is in.
fn settled(
    opt: &mut dyn Optimizer<f64>,
    name: &'static str,
    say: impl for<'a> FnOnce(Param<'a, f64>) -> Param<'a, f64>,
) -> (f64, String) {
    let mut w = [1.0];
    opt.step(&mut [say(Param::new(name, &mut w, &[0.0]))]).unwrap();
    let table = opt.describe();
    let row = table.params().iter().find(|row| row.name() == name).unwrap();
    (w[0], row.group().to_string())
}

#[test]
fn four_levels_of_precedence() {
    let mut opt = two_groups(|s| s.assign("a", Selector::name_starts_with("fc.")).assign("b", Selector::name_ends_with(".bias")));
    let opt = &mut opt;
    // Nothing said, no selector: the default. A selector: its group, and both where two match; the last word about the decay is b's.
    assert_eq!(settled(opt, "embedding", |p| p), (DEFAULT, "default".into()));
    assert_eq!(settled(opt, "norm.bias", |p| p), (B, "b".into()));
    assert_eq!(settled(opt, "fc.weight", |p| p), (A, "a".into()));
    assert_eq!(settled(opt, "fc.bias", |p| p), (B, "a + b".into()));
    // The parameter's own word instead of all selectors, and `no_decay` on top of either, in whatever order they are said.
    assert_eq!(settled(opt, "fc.1.bias", |p| p.in_group("b")), (B, "b".into()));
    assert_eq!(settled(opt, "fc.2.bias", |p| p.in_group("default")), (DEFAULT, "default".into()));
    assert_eq!(settled(opt, "fc.3.bias", |p| p.in_group("undecayed")), (UNDECAYED, "undecayed".into()));
    assert_eq!(settled(opt, "fc.4.bias", |p| p.no_decay()), (UNDECAYED, "a + b + undecayed".into()));
    assert_eq!(settled(opt, "fc.5.bias", |p| p.no_decay().in_group("b")), (UNDECAYED, "b + undecayed".into()));
    assert_eq!(settled(opt, "fc.6.bias", |p| p.in_group("b").no_decay()), (UNDECAYED, "b + undecayed".into()));
    assert_eq!(settled(opt, "embedding.7", |p| p.no_decay()), (UNDECAYED, "undecayed".into()));
    assert_eq!(settled(opt, "fc.8", |p| p.in_group("b + a")), (A, "b + a".into()));
    assert_eq!(settled(opt, "lone", |p| p.in_group("a").in_group("b")), (B, "b".into()));
}

#[test]
fn all_policies_that_match_apply_and_the_last_word_wins() {
    let prefix = || Selector::name_starts_with("fc.");
    let suffix = || Selector::name_ends_with(".bias");
    let mut opt = two_groups(|s| s.assign("a", prefix()).assign("b", suffix()));
    assert_eq!(settled(&mut opt, "fc.bias", |p| p), (B, "a + b".into()));
    let mut opt = two_groups(|s| s.assign("b", suffix()).assign("a", prefix()));
    assert_eq!(settled(&mut opt, "fc.bias", |p| p), (A, "b + a".into()));
    // A group that two selectors assign to is in the name once, where it was assigned last; `default` changes nothing.
    let mut opt = two_groups(|s| s.assign("a", prefix()).assign("b", suffix()).assign("a", suffix()).assign("default", prefix()));
    assert_eq!(settled(&mut opt, "fc.bias", |p| p), (A, "b + a".into()));
    assert_eq!(settled(&mut opt, "fc.weight", |p| p), (A, "a".into()));
    let mut opt = two_groups(|s| s.assign("default", suffix()).assign("undecayed", Selector::rank_below(9)));
    assert_eq!(settled(&mut opt, "fc.bias", |p| p.shape(&[1])), (UNDECAYED, "undecayed".into()));
}

/// The two lines of the documentation, whatever the order of the groups.
#[test]
fn rates_and_decays_compose() {
    let mut opt = AdamW::new(0.01)
        .weight_decay(Decay::fixed(0.5))
        .group("no decay", |s| s.weight_decay(Decay::none()))
        .group("head", |s| s.lr_factor(10.0))
        .assign("head", Selector::name_starts_with("head."))
        .assign("no decay", Selector::vectors())
        .build::<f64>()
        .unwrap();
    let mut w = [[1.0; 4]; 4];
    let [a, b, c, d] = &mut w;
    opt.register(&[
        Param::without_grad("body.weight", a).shape(&[2, 2]),
        Param::without_grad("body.bias", b).shape(&[1, 4, 1, 1]),
        Param::without_grad("head.weight", c).shape(&[2, 1, 2]),
        Param::without_grad("head.bias", d).shape(&[4]),
    ])
    .unwrap();
    let table = opt.describe();
    let rows: Vec<_> = table.params().iter().map(|row| (row.group(), row.learning_rate(), row.decay())).collect();
    assert_eq!(rows[2..], [("head", 0.1, "fixed:0.5"), ("head + no decay", 0.1, "none")]);
    assert_eq!(rows[..2], [("default", 0.01, "fixed:0.5"), ("no decay", 0.01, "none")]);
}

#[test]
fn policies_look_at_names_and_shapes() {
    let mut opt = two_groups(|s| {
        let flat = Selector::when("long and flat", |p| p.shape().is_some_and(|shape| shape.len() == 1) && p.len() > 2);
        s.assign("a", flat).assign("b", Selector::rank_below(2))
    });
    let (mut w, g) = ([[1.0; 6]; 5], [0.0; 6]);
    let [matrix, long, short, scalar, cube] = &mut w;
    opt.step(&mut [
        Param::new("matrix", matrix, &g).shape(&[2, 3]),
        Param::new("long", long, &g).shape(&[6]),
        Param::new("short", &mut short[..2], &g[..2]).shape(&[2]),
        Param::new("scalar", &mut scalar[..1], &g[..1]).shape(&[]),
        Param::new("cube", cube, &g).shape(&[1, 2, 3]),
    ])
    .unwrap();
    let groups: Vec<_> = opt.describe().params().iter().map(|row| row.group().to_string()).collect();
    assert_eq!(groups, ["default", "a + b", "b", "b", "default"]);
}

/// Once, when a name is first seen, and not at all where the parameter names a group itself.
#[test]
fn policies_are_asked_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut opt = two_groups(|s| {
        let selector = Selector::when("counted", move |p| {
            count.fetch_add(1, Ordering::Relaxed);
            assert!(!p.is_empty() && p.name() != "x");
            true
        });
        s.assign("a", selector)
    });
    for _ in 0..3 {
        settled(&mut opt, "w", |p| p);
        settled(&mut opt, "x", |p| p.in_group("b"));
        settled(&mut opt, "y", |p| p.no_decay());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// A parameter stays in its group when it is given without a word later.
#[test]
fn a_group_is_kept() {
    let mut opt = two_groups(|s| s);
    assert_eq!(settled(&mut opt, "w", |p| p.in_group("a")), (A, "a".into()));
    assert_eq!(settled(&mut opt, "w", |p| p), (A, "a".into()));
    opt.forget("w");
    assert_eq!(settled(&mut opt, "w", |p| p), (DEFAULT, "default".into()));
}

/// A group is an edited copy of the settings as they are in the end, wherever in the chain it stands.
#[test]
fn a_group_is_a_copy_of_the_final_settings() {
    let before = Adam::new(0.1).group("g", |s| s.eps(0.5)).betas(0.25, 0.75).amsgrad(true).weight_decay(Decay::l1(0.25));
    let after = Adam::new(0.1).betas(0.25, 0.75).amsgrad(true).weight_decay(Decay::l1(0.25)).group("g", |s| s.eps(0.5));
    let run = |settings: Settings<Adam>| {
        let mut opt = settings.build::<f64>().unwrap();
        let mut w = [1.0, -1.0];
        for _ in 0..3 {
            opt.step(&mut [Param::new("w", &mut w, &[0.5, 0.25]).in_group("g")]).unwrap();
        }
        let group = opt.describe().groups()[1].clone();
        (w.map(f64::to_bits), group.optimizer().to_string(), group.decay().to_string())
    };
    assert_eq!(run(before.clone()), run(after));
    let (_, optimizer, decay) = run(before);
    assert_eq!((optimizer.as_str(), decay.as_str()), ("adam(betas 0.25 0.75, eps 0.5, amsgrad)", "l1:0.25"));
}

#[test]
fn groups_do_not_touch_each_other() {
    let opt = Sgd::new(0.1)
        .momentum(0.5)
        .group("a", |s| s.momentum(0.25).lr_factor(2.0))
        .group("b", |s| s.dampening(0.5))
        .build::<f32>()
        .unwrap();
    let table = opt.describe();
    let rows: Vec<_> = table.groups().iter().map(|row| (row.name(), row.optimizer(), row.learning_rate())).collect();
    assert_eq!(
        rows,
        [
            ("default", "sgd(momentum 0.5, dampening 0)", 0.1),
            ("a", "sgd(momentum 0.25, dampening 0)", 0.2),
            ("b", "sgd(momentum 0.5, dampening 0.5)", 0.1),
        ]
    );
}

/// `undecayed` is the default but for its decay.
#[test]
fn undecayed_parameters_keep_all_other_settings() {
    fn check<A: Algorithm>(settings: Settings<A>) {
        let mut with = settings.clone().weight_decay(Decay::coupled_l2(0.5).towards(Anchor::Start)).build::<f64>().unwrap();
        let mut without = settings.weight_decay(Decay::none()).build::<f64>().unwrap();
        let (mut v, mut w) = ([1.0, 2.0], [1.0, 2.0]);
        for _ in 0..3 {
            with.step(&mut [Param::new("w", &mut v, &[0.5, -0.5]).no_decay()]).unwrap();
            without.step(&mut [Param::new("w", &mut w, &[0.5, -0.5])]).unwrap();
        }
        assert_eq!(v.map(f64::to_bits), w.map(f64::to_bits));
    }
    check(Sgd::new(0.1).momentum(0.9).nesterov(true));
    check(AdamW::new(0.1).betas(0.5, 0.5).lr_schedule(Schedule::exponential(0.5)).maximize(true));
}

/// SGD at rate 1, gradient 1: what is gone is the rate. Independent decay without a gradient: what is gone is the share.
#[test]
fn a_factor_scales_the_rate_and_its_peak() {
    let mut opt = Sgd::new(0.5)
        .lr_schedule(Schedule::linear(1.0, 0.5, 1))
        .weight_decay(Decay::none())
        .group("fast", |s| s.lr_factor(4.0))
        .group("still", |s| s.lr_factor(0.0))
        .build::<f64>()
        .unwrap();
    let (mut usual, mut fast, mut still) = ([0.0], [0.0], [0.0]);
    for _ in 0..2 {
        opt.step(&mut [
            Param::new("usual", &mut usual, &[1.0]),
            Param::new("fast", &mut fast, &[1.0]).in_group("fast"),
            Param::new("still", &mut still, &[1.0]).in_group("still"),
        ])
        .unwrap();
    }
    assert_eq!((usual, fast, still), ([-0.75], [-3.0], [0.0]));
    assert_eq!((opt.learning_rate(), opt.peak_learning_rate()), (0.25, 0.5));
    let rates: Vec<_> = opt.describe().params().iter().map(wane::ParamRow::learning_rate).collect();
    assert_eq!(rates, [0.25, 1.0, 0.0]);
}

/// By bits: the factor cancels out of η/η_peak, for every factor and at every step of a schedule.
#[test]
fn independent_decay_does_not_see_a_factor() {
    for decay in [Decay::independent(0.25), Decay::timescale(3.0)] {
        for factor in [0.1, 1.0 / 3.0, 0.7, 3.0, 1e-3] {
            let mut opt = Sgd::new(0.3)
                .lr_schedule(Schedule::cosine(20, 0.01))
                .weight_decay(decay.clone())
                .group("other", move |s| s.lr_factor(factor))
                .build::<f64>()
                .unwrap();
            let (mut usual, mut other) = ([1.0], [1.0]);
            for k in 0..20 {
                opt.step(&mut [
                    Param::new("usual", &mut usual, &[0.0]),
                    Param::new("other", &mut other, &[0.0]).in_group("other"),
                ])
                .unwrap();
                assert_eq!(usual[0].to_bits(), other[0].to_bits(), "{decay}, factor {factor}, step {k}: {usual:?}, {other:?}");
            }
        }
    }
}

#[test]
fn decay_sees_a_factor_where_its_units_do() {
    for (decay, usual, slow) in [
        (Decay::decoupled(0.5), 0.75, 0.875),
        (Decay::independent(0.25), 0.75, 0.75),
        (Decay::timescale(4.0), 0.75, 0.75),
        (Decay::fixed(0.25), 0.75, 0.75),
    ] {
        let mut opt = Sgd::new(0.5).weight_decay(decay.clone()).group("slow", |s| s.lr_factor(0.5)).build::<f64>().unwrap();
        let (mut v, mut w) = ([1.0], [1.0]);
        opt.step(&mut [Param::new("v", &mut v, &[0.0]), Param::new("w", &mut w, &[0.0]).in_group("slow")]).unwrap();
        assert_eq!((v, w), ([usual], [slow]), "{decay}");
    }
}
