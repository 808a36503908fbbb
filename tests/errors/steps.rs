//! Names, lengths, shapes and anchors: what a step or a registration refuses before it looks at a number.

use wane::{AdamW, Anchor, Decay, Error, Lamb, Muon, Optimizer, Param, Selector, Sgd, Untouched};

use super::scene::{Scene, assert_error};

fn scene() -> Scene<f32> {
    Scene::new(AdamW::new(0.1).build().unwrap())
}

/// A step and a registration must refuse it in the same words.
macro_rules! assert_refused {
    ($bad:expr, $variant:pat, $text:expr) => {
        assert_error!(scene().refuses($bad), $variant, $text);
        assert_error!(scene().refuses_to_register($bad), $variant, $text);
    };
}

#[test]
fn an_empty_name() {
    assert_refused!(
        |w, g| Param::new("", w, g),
        Error::EmptyName { position: 3 },
        "the parameter at position 3 has an empty name"
    );
}

#[test]
fn a_name_twice() {
    assert_refused!(|w, g| Param::new("first", w, g), Error::DuplicateName { .. }, "the name `first` stands twice");
    assert_refused!(|w, g| Param::new("fresh", w, g), Error::DuplicateName { .. }, "the name `fresh` stands twice");
}

/// A first step of two good matrices and a parameter that is none: nothing is written, and no name stays.
#[test]
fn a_shape_that_the_optimizer_cannot_update() {
    for (shape, text) in
        [(None, "no shape"), (Some(&[4][..]), "shape [4]"), (Some(&[2, 2, 1]), "shape [2, 2, 1]"), (Some(&[]), "shape []")]
    {
        let mut opt = Muon::new(0.1).build::<f32>().unwrap();
        let (mut good, mut bad, g) = ([1.0; 4], vec![1.0; if text == "shape []" { 1 } else { 4 }], [0.5; 4]);
        let param = |bad| match shape {
            Some(shape) => Param::new("bias", bad, &g[..if shape.is_empty() { 1 } else { 4 }]).shape(shape),
            None => Param::new("bias", bad, &g),
        };
        let text =
            format!("parameter `bias` has {text}, and its optimizer needs a matrix, a shape of two axes: give it to another one");
        let mut params = [Param::new("weight", &mut good, &g).shape(&[2, 2]), param(&mut bad)];
        assert_error!(opt.register(&params).unwrap_err(), Error::ShapeRefused { .. }, text);
        assert_error!(opt.step(&mut params).unwrap_err(), Error::ShapeRefused { .. }, text);
        assert_eq!((good, bad[0]), ([1.0; 4], 1.0));
        assert!(opt.names().is_empty());
    }
    let error = Muon::new(0.1).build::<f32>().unwrap().step_slice(&mut [1.0; 4], &[0.5; 4]).unwrap_err();
    assert!(matches!(&error, Error::ShapeRefused { name, found: None, .. } if name == "(slice)"), "{error}");
}

#[test]
fn gradients_of_another_length() {
    assert_refused!(
        |w, g| Param::new("last", w, &g[1..]),
        Error::GradientLength { weights: 4, gradients: 3, .. },
        "parameter `last` has 4 weights and 3 gradients"
    );
    assert_refused!(
        |w, _| Param::new("odd", w, &[]),
        Error::GradientLength { weights: 4, gradients: 0, .. },
        "parameter `odd` has 4 weights and 0 gradients"
    );
    assert_refused!(
        |w, g| Param::new("last", w, &g[2..]).frozen(true),
        Error::GradientLength { weights: 4, gradients: 2, .. },
        "parameter `last` has 4 weights and 2 gradients"
    );
}

#[test]
fn another_length_than_before() {
    let text = "parameter `last` has length 3, and had length 4 before; `forget` it first if it is a new one";
    assert_refused!(|w, g| Param::new("last", &mut w[1..], &g[1..]), Error::LengthChanged { known: 4, found: 3, .. }, text);
    assert_refused!(|w, _| Param::without_grad("last", &mut w[1..]), Error::LengthChanged { known: 4, found: 3, .. }, text);
}

#[test]
fn a_shape_that_is_not_the_length() {
    assert_refused!(
        |w, g| Param::new("odd", w, g).shape(&[2, 3]),
        Error::ShapeLength { len: 4, .. },
        "parameter `odd` has shape [2, 3], which is not 4 weights"
    );
    assert_refused!(
        |w, g| Param::new("odd", w, g).shape(&[usize::MAX, 4]),
        Error::ShapeLength { len: 4, .. },
        format!("parameter `odd` has shape [{}, 4], which is not 4 weights", usize::MAX)
    );
    assert_refused!(
        |w, g| Param::new("odd", w, g).shape(&[]),
        Error::ShapeLength { len: 4, .. },
        "parameter `odd` has shape [], which is not 4 weights"
    );
}

#[test]
fn another_shape_than_before() {
    assert_refused!(
        |w, g| Param::new("last", w, g).shape(&[4]),
        Error::ShapeChanged { .. },
        "parameter `last` has shape [4], and had shape [2, 2] before; `forget` it first if it is a new one"
    );
}

#[test]
fn more_axes_than_are_kept() {
    assert_refused!(
        |w, g| Param::new("odd", w, g).shape(&[1, 1, 1, 1, 1, 1, 1, 2, 2]),
        Error::RankTooHigh { rank: 9, .. },
        "parameter `odd` has 9 axes: at most 8 are kept"
    );
}

#[test]
fn an_anchor_of_another_length() {
    assert_refused!(
        |w, g| Param::new("last", w, g).anchor(&[0.5; 3]),
        Error::AnchorLength { weights: 4, anchor: 3, .. },
        "parameter `last` has 4 weights and an anchor of length 3"
    );
}

#[test]
fn a_mask_of_another_length() {
    for mask in [&[][..], &[true; 1], &[true; 3], &[true; 5]] {
        let text = format!(
            "parameter `last` has a mask of length {}: it must have 4 flags, one for each weight, or 2, one for each row",
            mask.len()
        );
        // The shape is the one that the parameter has had before, too.
        assert_refused!(
            |w, g| Param::new("last", w, g).undecayed(mask),
            Error::MaskLength { weights: 4, rows: Some(2), .. },
            text
        );
    }
    assert_refused!(
        |w, g| Param::new("odd", w, g).undecayed(&[true; 2]),
        Error::MaskLength { weights: 4, rows: None, mask: 2, .. },
        "parameter `odd` has a mask of length 2: it must have 4 flags, one for each weight, or one for each row, which needs the shape"
    );
}

#[test]
fn rows_that_wait_and_no_shape() {
    let settings = Sgd::new(0.1).group("waits", |s| s.weight_decay(Decay::exact(0.1).untouched(Untouched::Stay)));
    assert_error!(
        Scene::<f64>::new(settings.build().unwrap()).refuses(|w, g| Param::new("odd", w, g).in_group("waits")),
        Error::ShapeNeeded { .. },
        "the decay `exact:0.1~stay` needs the shape of parameter `odd`, which was given without one"
    );
}

#[test]
fn a_lent_anchor_that_is_missing() {
    let lent = |decay: Decay| decay.towards(Anchor::Given);
    let missing = "parameter `last` lends no anchor, and the decay of its group `default` pulls towards one";
    for decay in [Decay::fixed(0.1), Decay::coupled_l1(0.1), Decay::adaptive(0.1)] {
        let mut scene = Scene::<f64>::new(Sgd::new(0.1).momentum(0.9).weight_decay(lent(decay)).build().unwrap());
        assert_error!(scene.refuses(|w, g| Param::new("last", w, g)), Error::AnchorMissing { .. }, missing);
        assert_error!(scene.refuses_to_register(|w, g| Param::new("last", w, g)), Error::AnchorMissing { .. }, missing);
    }
    let settings = Lamb::new(0.1)
        .group("pulled", move |s| s.weight_decay(lent(Decay::cautious(0.1))))
        .assign("pulled", Selector::name_starts_with("odd"));
    assert_error!(
        Scene::<f32>::new(settings.build().unwrap()).refuses(|w, g| Param::new("odd", w, g)),
        Error::AnchorMissing { .. },
        "parameter `odd` lends no anchor, and the decay of its group `pulled` pulls towards one"
    );
}

#[test]
fn a_slice_among_names() {
    assert_refused!(
        |w, g| Param::slice(w, g),
        Error::SliceAmongNames { .. },
        "`(slice)` cannot join: a slice and named parameters never share an optimizer; use named parameters only, or an optimizer for each slice"
    );
    let mut scene = scene();
    let error = scene.unchanged_by(|scene| scene.opt.step_slice(&mut scene.last.value, &scene.last.grad).map(|_| ()));
    assert_error!(
        error,
        Error::SliceAmongNames { .. },
        "`(slice)` cannot join: a slice and named parameters never share an optimizer; use named parameters only, or an optimizer for each slice"
    );
}

#[test]
fn names_beside_a_slice() {
    let mut scene = scene();
    scene.opt.reset();
    for _ in 0..2 {
        scene.opt.step_slice(&mut scene.last.value, &scene.last.grad).unwrap();
    }
    let text = "`odd` cannot join: a slice and named parameters never share an optimizer; use named parameters only, or an optimizer for each slice";
    let error = scene.unchanged_by(|scene| {
        let last = &mut scene.last;
        scene.opt.step(&mut [Param::new("odd", &mut last.value, &last.grad)]).map(|_| ())
    });
    assert_error!(error, Error::SliceAmongNames { .. }, text);
    let error = scene.unchanged_by(|scene| {
        let (w, g) = (&mut scene.last.value, &scene.last.grad);
        scene.opt.step(&mut [Param::slice(w, g), Param::without_grad("odd", &mut [])]).map(|_| ())
    });
    assert_error!(error, Error::SliceAmongNames { .. }, text);
}

#[test]
fn a_slice_of_another_length() {
    let mut scene = scene();
    scene.opt.reset();
    scene.opt.step_slice(&mut scene.last.value, &scene.last.grad).unwrap();
    let error = scene.unchanged_by(|scene| scene.opt.step_slice(&mut scene.last.value[1..], &scene.last.grad[1..]).map(|_| ()));
    assert_error!(
        error,
        Error::LengthChanged { known: 4, found: 3, .. },
        "parameter `(slice)` has length 3, and had length 4 before; `forget` it first if it is a new one"
    );
    let error = scene.unchanged_by(|scene| scene.opt.step_slice(&mut scene.last.value, &scene.last.grad[1..]).map(|_| ()));
    assert_error!(
        error,
        Error::GradientLength { weights: 4, gradients: 3, .. },
        "parameter `(slice)` has 4 weights and 3 gradients"
    );
}

/// What stands in the way is not kept: the same parameter, put right, is taken.
#[test]
fn a_refused_step_can_be_put_right() {
    let mut scene = scene();
    let _ = scene.refuses(|w, g| Param::new("odd", w, g).shape(&[3]));
    let (w, g) = (&mut scene.last.value, &scene.last.grad);
    let report = scene.opt.step(&mut [Param::new("odd", w, g).shape(&[4])]).unwrap();
    assert_eq!((report.updated(), scene.opt.steps_of("odd")), (1, Some(1)));
}

/// An anchor is captured in the first step that is taken, not in one that was refused before it.
#[test]
fn a_refused_step_captures_no_anchor() {
    let mut opt = Sgd::new(0.0).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build::<f64>().unwrap();
    let mut w = [64.0];
    opt.step(&mut [Param::new("w", &mut w, &[f64::NAN])]).unwrap_err();
    w = [8.0];
    opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    w = [4.0];
    opt.step(&mut [Param::new("w", &mut w, &[0.0])]).unwrap();
    assert_eq!(w, [6.0]);
}
