//! The table: what an optimizer would do in its next step.

use wane::{
    AdamW, Clip, Decay, Lamb, Lion, NonFinite, Optimizer, Param, Penalty, Place, Schedule, Selector, Sgd, Status, Strength,
    TrustRatio,
};

#[test]
fn the_table_says_everything() {
    let mut opt = AdamW::new(0.5)
        .betas(0.9, 0.95)
        .weight_decay(Decay::independent(1e-4).schedule(Schedule::step(2, 0.5)))
        .lr_schedule(Schedule::linear(1.0, 0.5, 2))
        .clip(Clip::GlobalNorm(1.0))
        .non_finite(NonFinite::Skip)
        .group("head", |s| s.lr_factor(2.0).eps(1e-6).amsgrad(true))
        .group("body", |s| s.frozen(true).weight_decay(Decay::none()))
        .assign("body", Selector::name_starts_with("body."))
        .build()
        .unwrap();
    let (mut w, mut h, mut b, mut n) = ([0.5_f32; 6], [0.5; 2], [0.5; 4], [0.5; 3]);
    let g = [0.25; 6];
    opt.register(&[Param::without_grad("late", &mut n).no_decay()]).unwrap();
    opt.step(&mut [
        Param::new("fc.weight", &mut w, &g).shape(&[2, 3]),
        Param::new("head.weight", &mut h, &g[..2]).in_group("head"),
        Param::new("body.weight", &mut b, &g[..4]).shape(&[4, 1, 1]),
    ])
    .unwrap();
    assert_eq!(
        opt.describe().to_string(),
        "\
learning rate 0.375, peak 0.5, schedule linear:1,0.5,2, clip global-norm:1, non-finite gradients skip, 1 completed steps
group      params  weights  lr     decay                        next step   optimizer
default    1       6        0.375  independent:1e-4*step:2,0.5  s = 7.5e-5  adamw(betas 0.9 0.95, eps 1e-8)
undecayed  1       3        0.375  none                         none        adamw(betas 0.9 0.95, eps 1e-8)
head       1       2        0.75   independent:1e-4*step:2,0.5  s = 7.5e-5  adamw(betas 0.9 0.95, eps 1e-6, amsgrad)
body       1       4        0.375  none                         none        adamw(betas 0.9 0.95, eps 1e-8), frozen

parameter    shape      group      lr     decay                        updates  last step
late         3 weights  undecayed  0.375  none                         0        Registered
fc.weight    [2, 3]     default    0.375  independent:1e-4*step:2,0.5  1        Updated
head.weight  2 weights  head       0.75   independent:1e-4*step:2,0.5  1        Updated
body.weight  [4, 1, 1]  body       0.375  none                         0        Frozen
"
    );
}

#[test]
fn the_table_can_be_read_by_a_program() {
    let mut opt = Sgd::new(0.5).group("b", |s| s.lr_factor(0.5).weight_decay(Decay::l1(0.25)).frozen(true)).build().unwrap();
    let (mut v, mut w) = ([1.0_f64; 4], [1.0; 2]);
    opt.step(&mut [Param::new("v", &mut v, &[1.0; 4]).shape(&[2, 2]), Param::new("w", &mut w, &[1.0; 2]).in_group("b")]).unwrap();
    let table = opt.describe();
    let [default, b] = table.groups() else { panic!("{table}") };
    assert_eq!((default.name(), default.params(), default.weights(), default.learning_rate()), ("default", 1, 4, 0.5));
    assert_eq!((default.decay(), default.optimizer(), default.frozen()), ("none", "sgd(momentum 0, dampening 0)", false));
    assert_eq!((b.name(), b.params(), b.weights(), b.learning_rate()), ("b", 1, 2, 0.25));
    assert_eq!((b.decay(), b.optimizer(), b.frozen()), ("l1:0.25", "sgd(momentum 0, dampening 0)", true));
    let [v, w] = table.params() else { panic!("{table}") };
    assert_eq!((v.name(), v.shape(), v.weights(), v.group()), ("v", Some(&[2, 2][..]), 4, "default"));
    assert_eq!((v.learning_rate(), v.decay(), v.updates(), v.status()), (0.5, "none", 1, Status::Updated));
    assert_eq!((w.name(), w.shape(), w.weights(), w.group()), ("w", None, 2, "b"));
    assert_eq!((w.learning_rate(), w.decay(), w.updates(), w.status()), (0.25, "l1:0.25", 0, Status::Frozen));
}

/// A rate that was set by hand is the rate of the next step.
#[test]
fn the_table_shows_the_rate_by_hand() {
    let mut opt = Sgd::new(0.5).group("g", |s| s.lr_factor(0.5)).build::<f32>().unwrap();
    opt.set_learning_rate(2.0).unwrap();
    let table = opt.describe();
    assert_eq!(table.groups().iter().map(wane::GroupRow::learning_rate).collect::<Vec<_>>(), [2.0, 1.0]);
    assert!(table.to_string().starts_with("learning rate 2 (set by hand), peak 0.5,"));
}

/// In the order in which names were first seen, whatever the order of the last step.
#[test]
fn parameters_stand_in_the_order_of_first_sight() {
    let mut opt = Sgd::new(0.1).build::<f32>().unwrap();
    let mut w = [[0.0]; 4];
    let [a, b, c, d] = &mut w;
    let names = |opt: &dyn Optimizer<f32>| opt.describe().params().iter().map(|row| row.name().to_string()).collect::<Vec<_>>();
    opt.step(&mut [Param::new("b", b, &[1.0]), Param::new("a", a, &[1.0])]).unwrap();
    opt.step(&mut [Param::new("a", a, &[1.0]), Param::new("d", d, &[1.0]), Param::new("b", b, &[1.0])]).unwrap();
    opt.step(&mut [Param::new("c", c, &[1.0]), Param::new("d", d, &[1.0])]).unwrap();
    assert_eq!(names(&opt), ["b", "a", "d", "c"]);
    opt.forget("a");
    assert_eq!(names(&opt), ["b", "d", "c"]);
    opt.step(&mut [Param::new("a", a, &[1.0])]).unwrap();
    assert_eq!(names(&opt), ["b", "d", "c", "a"]);
}

#[test]
fn every_optimizer_says_its_options() {
    let said = |table: wane::Description| table.groups()[0].optimizer().to_string();
    assert_eq!(
        said(Sgd::new(0.1).momentum(0.9).nesterov(true).build::<f32>().unwrap().describe()),
        "sgd(momentum 0.9, dampening 0, nesterov)"
    );
    assert_eq!(said(Lion::new(0.1).build::<f32>().unwrap().describe()), "lion(betas 0.9 0.99)");
    let lamb = said(Lamb::new(0.1).build::<f32>().unwrap().describe());
    assert_eq!(lamb, "lamb(betas 0.9 0.999, eps 1e-6, trust_ratio lamb)");
    let adam = said(wane::Adam::new(0.1).epsilon_hat(1e-7).trust_ratio(TrustRatio::Off).build::<f32>().unwrap().describe());
    assert_eq!(adam, "adam(betas 0.9 0.999, epsilon_hat 1e-7)");
}

/// Before the first step there is a table as well.
#[test]
fn an_optimizer_without_parameters_has_a_table() {
    let opt = Sgd::new(0.1).group("g", |s| s).build::<f64>().unwrap();
    let table = opt.describe();
    assert!(table.params().is_empty());
    assert_eq!(
        table.groups().iter().map(|row| (row.name(), row.params(), row.weights())).collect::<Vec<_>>(),
        [("default", 0, 0), ("g", 0, 0)]
    );
}

/// What a decay amounts to in the next step, for every place.
#[test]
fn strengths_are_shown() {
    let ratio = Penalty::ElasticNet { ratio: 0.25 };
    for (decay, strength) in [
        (Decay::none(), "none"),
        (Decay::decoupled(0.0), "none"),
        (Decay::coupled_l2(0.01), "λ = 0.01"),
        (Decay::coupled_l1(0.01), "λ₁ = 0.01"),
        (Decay::coupled_elastic_net(0.4, 0.25), "λ = 0.3, λ₁ = 0.1"),
        (Decay::decoupled(0.01), "s = 0.005"),
        (Decay::half_life(1.0), "s = 0.5"),
        (Decay::new(Penalty::L2, Place::Exponential, Strength::HalfLife(2.0)), "s = 0.2929"),
        (Decay::cautious(0.5), "s = 0.25"),
        (Decay::l1(0.5), "θ = 0.25"),
        (Decay::elastic_net(0.4, 0.25), "s = 0.15, θ = 0.05"),
        (Decay::new(ratio, Place::Proximal, Strength::Fixed(0.4)), "θ = 0.1, s = 0.3"),
    ] {
        let opt = Sgd::new(0.5).weight_decay(decay.clone()).build::<f32>().unwrap();
        assert_eq!(opt.describe().groups()[0].strength(), strength, "{decay}");
    }
}

/// What the weights' type leaves of a share stands beside it, where that is more than 1 % off.
#[test]
fn what_rounding_makes_of_a_strength_is_shown() {
    fn strength<T: wane::Float>(decay: &Decay) -> String {
        let opt: Box<dyn Optimizer<T>> = Sgd::new(0.5).weight_decay(decay.clone()).build().unwrap().into();
        opt.describe().groups()[0].strength().to_string()
    }
    let of = |place, share| Decay::new(Penalty::L2, place, Strength::Fixed(share));
    let ratio = Penalty::ElasticNet { ratio: 0.5 };
    for (decay, in_f32, in_f64) in [
        (Decay::decoupled(2e-8), "s = 1e-8 (removes 0 in f32)", "s = 1e-8"),
        (Decay::decoupled(8e-8), "s = 4e-8 (removes 5.96e-8 in f32)", "s = 4e-8"),
        // 5.960e-7 is ten times the distance of numbers below 1.
        (Decay::decoupled(2.0 * 5.960e-7), "s = 5.96e-7", "s = 5.96e-7"),
        (of(Place::Exact, 1e-8), "s = 1e-8", "s = 1e-8"),
        (of(Place::Cautious, 1e-8), "s = 1e-8 (removes 0 in f32)", "s = 1e-8"),
        (of(Place::AdaDecay { alpha: 4.0 }, 1e-8), "s = 1e-8, α = 4 (removes 0 in f32)", "s = 1e-8, α = 4"),
        (of(Place::Proximal, 1e-8), "s = 1e-8 (removes 0 in f32)", "s = 1e-8"),
        (Decay::elastic_net(4e-8, 0.5), "s = 1e-8, θ = 1e-8 (removes 0 in f32)", "s = 1e-8, θ = 1e-8"),
        (
            Decay::new(ratio, Place::Proximal, Strength::Fixed(2e-8)),
            "θ = 1e-8, s = 1e-8 (removes 0 in f32)",
            "θ = 1e-8, s = 1e-8",
        ),
        (Decay::l1(2e-8), "θ = 1e-8", "θ = 1e-8"),
        (Decay::coupled_l2(1e-8), "λ = 1e-8", "λ = 1e-8"),
        (of(Place::Decoupled, 1e-17), "s = 1e-17 (removes 0 in f32)", "s = 1e-17 (removes 0 in f64)"),
    ] {
        assert_eq!(strength::<f32>(&decay), in_f32, "{decay}");
        assert_eq!(strength::<f64>(&decay), in_f64, "{decay}");
    }
}

/// The largest number is not infinity, also where it is shown to four digits.
#[test]
fn the_largest_strength_is_shown_as_a_number() {
    let opt = Sgd::new(0.1).weight_decay(Decay::coupled_l2(f64::MAX)).build::<f64>().unwrap();
    assert_eq!(opt.describe().groups()[0].strength(), "λ = 1.7976931348623157e308");
}
