//! What becomes of a parameter that moves to another group, grows, or is pulled to other weights; and who can be asked for names.

use wane::{Adam, AdamW, Anchor, Decay, Optimizer, Param, Sgd};

#[test]
fn a_parameter_that_moves_keeps_its_moments() {
    let settings = || {
        Adam::new(0.1)
            .group("decayed", |s| s.weight_decay(Decay::fixed(0.5)))
            .group("max", |s| s.amsgrad(true))
            .group("head", |s| s.lr_factor(10.0))
    };
    let (mut moved, mut plain) = (settings().build::<f64>().unwrap(), settings().build::<f64>().unwrap());
    let (mut v, mut w) = ([1.0, 2.0], [1.0, 2.0]);
    for _ in 0..3 {
        moved.step_slice(&mut v, &[0.5, -0.25]).unwrap();
        plain.step_slice(&mut w, &[0.5, -0.25]).unwrap();
    }
    moved.assign("(slice)", "decayed").unwrap();
    let before = v;
    moved.step_slice(&mut v, &[0.5, -0.25]).unwrap();
    plain.step_slice(&mut w, &[0.5, -0.25]).unwrap();
    assert_eq!(moved.steps_of("(slice)"), Some(4));
    for column in ["exp_avg", "exp_avg_sq"] {
        assert_eq!(moved.state("(slice)", column), plain.state("(slice)", column));
    }
    for i in 0..2 {
        assert!((v[i] - (w[i] - 0.5 * before[i])).abs() < 1e-15, "{v:?} {w:?}");
    }
    // A column that was not there begins with 0; one that is not there any more is gone.
    moved.assign("(slice)", "max").unwrap();
    assert_eq!(moved.state("(slice)", "max_exp_avg_sq"), Some(&[0.0, 0.0][..]));
    assert_eq!(moved.columns("(slice)").unwrap().len(), 3);
    moved.assign("(slice)", "head + decayed").unwrap();
    assert_eq!(moved.state("(slice)", "max_exp_avg_sq"), None);
    assert_eq!(moved.describe().params()[0].group(), "head + decayed");
    assert_eq!(moved.describe().params()[0].learning_rate(), 1.0);
    moved.step_slice(&mut v, &[0.5, -0.25]).unwrap();
}

#[test]
fn a_parameter_that_moves_before_its_first_step() {
    let mut opt = Sgd::new(0.1).group("fast", |s| s.lr_factor(2.0).momentum(0.5)).build::<f64>().unwrap();
    let mut w = [1.0];
    opt.register(&[Param::without_grad("w", &mut w)]).unwrap();
    opt.assign("w", "fast").unwrap();
    opt.step(&mut [Param::new("w", &mut w, &[1.0])]).unwrap();
    assert_eq!((w, opt.state("w", "momentum_buffer")), ([0.8], Some(&[1.0][..])));
}

/// Into a group that pulls to the start: the anchor is the weights of the next step. Out of it and back: captured anew.
#[test]
fn an_anchor_is_captured_when_a_parameter_comes_to_it() {
    let pull = || Decay::fixed(0.5).towards(Anchor::Start);
    let mut opt = Sgd::new(10.0).group("pulled", move |s| s.weight_decay(pull())).build::<f64>().unwrap();
    let mut w = [8.0];
    let step = |opt: &mut dyn Optimizer<f64>, w: &mut [f64; 1], g: f64| opt.step(&mut [Param::new("w", w, &[g])]).map(drop);
    step(&mut opt, &mut w, 0.0).unwrap();
    opt.assign("w", "pulled").unwrap();
    w = [4.0];
    // A step that fails captures nothing.
    step(&mut opt, &mut w, f64::MAX).unwrap_err();
    w = [2.0];
    step(&mut opt, &mut w, 0.0).unwrap();
    assert_eq!(w, [2.0]);
    w = [6.0];
    step(&mut opt, &mut w, 0.0).unwrap();
    assert_eq!(w, [4.0]);
    opt.assign("w", "default").unwrap();
    opt.assign("w", "pulled").unwrap();
    step(&mut opt, &mut w, 0.0).unwrap();
    assert_eq!(w, [4.0]);
    // And again, by name.
    w = [16.0];
    opt.capture_anchors(&[Param::without_grad("w", &mut w)]).unwrap();
    step(&mut opt, &mut w, 0.0).unwrap();
    assert_eq!(w, [16.0]);
}

/// What was captured without a step is not a failed step's to take back.
#[test]
fn a_captured_anchor_survives_a_step_that_fails() {
    let pull = || Decay::fixed(0.5).towards(Anchor::Start);
    for fails in [false, true] {
        let mut opt = Sgd::new(0.1).group("s", move |s| s.weight_decay(pull())).build::<f64>().unwrap();
        let mut w = [8.0];
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
        opt.assign("w", "s").unwrap();
        opt.capture_anchors(&[Param::without_grad("w", &mut w)]).unwrap();
        w = [2.0];
        if fails {
            opt.step(&mut [Param::new("w", &mut w, &[f64::NAN])]).unwrap_err();
        }
        opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
        assert_eq!(w, [5.0], "fails: {fails}");
    }
}

/// Rows and columns that were there keep their state and anchor; new ones begin with 0, and with their weights.
#[test]
fn a_parameter_that_grows() {
    let decay = Decay::fixed(0.5).towards(Anchor::Start);
    let mut opt = Sgd::new(1.0).momentum(0.5).weight_decay(decay).build::<f64>().unwrap();
    let g = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let mut w = vec![0.0; 6];
    opt.step(&mut [Param::new("w", &mut w, &g).shape(&[2, 3])]).unwrap();
    let mut w = vec![7.0; 12];
    opt.resize(&Param::without_grad("w", &mut w).shape(&[3, 4])).unwrap();
    let grown = [1.0, 2.0, 3.0, 0.0, 4.0, 5.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(opt.state("w", "momentum_buffer").unwrap(), grown);
    // b ← b/2 and w ← a + (w − a)/2 − b, with a = 0 where the anchor is old and 7 where it is new.
    opt.step(&mut [Param::new("w", &mut w, &[0.0; 12]).shape(&[3, 4])]).unwrap();
    let expected: Vec<_> = grown.iter().map(|&b| if b == 0.0 { 7.0 } else { 3.5 - b / 2.0 }).collect();
    assert_eq!(w, expected);
    // Smaller again, and without a shape.
    let mut w = vec![0.0; 2];
    opt.resize(&Param::without_grad("w", &mut w).shape(&[1, 2])).unwrap();
    assert_eq!(opt.state("w", "momentum_buffer").unwrap(), [0.5, 1.0]);
    let (mut flat, mut opt) = (vec![1.0], AdamW::new(0.1).build::<f32>().unwrap());
    opt.step_slice(&mut flat, &[1.0]).unwrap();
    flat.extend([1.0, 1.0]);
    opt.resize(&Param::slice(&mut flat, &[0.0; 3])).unwrap();
    opt.step_slice(&mut flat, &[1.0; 3]).unwrap();
    assert!(opt.state("(slice)", "exp_avg").unwrap()[0] > 0.15 && opt.steps_of("(slice)") == Some(2));
}

#[test]
fn names_and_columns_can_be_asked_for() {
    let mut opt = Adam::new(0.1).group("max", |s| s.amsgrad(true)).build::<f32>().unwrap();
    assert_eq!((opt.names(), opt.columns("b")), (vec![], None));
    let (mut a, mut b) = ([1.0], [1.0]);
    opt.step(&mut [Param::new("b", &mut b, &[1.0]), Param::without_grad("a", &mut a).in_group("max")]).unwrap();
    opt.step(&mut [Param::new("a", &mut a, &[1.0]), Param::new("b", &mut b, &[1.0])]).unwrap();
    assert_eq!(opt.names(), ["b", "a"]);
    assert_eq!(opt.columns("b"), Some(vec!["exp_avg", "exp_avg_sq"]));
    for name in opt.names() {
        for column in opt.columns(name).unwrap() {
            assert_eq!(opt.state(name, column).map(<[f32]>::len), Some(1), "{name} {column}");
        }
    }
}
