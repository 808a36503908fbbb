//! Selectors: what they match, what is said of them, and what is left of one that panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wane::{AdamW, Clip, Decay, Optimizer, Param, Selector, Sgd, Stepper};

fn matched(selector: Selector, name: &str, shape: &[usize]) -> bool {
    let mut opt = Sgd::new(0.1).group("matched", |s| s).assign("matched", selector).build::<f32>().unwrap();
    let mut w = vec![0.0; shape.iter().product()];
    opt.register(&[Param::without_grad(name, &mut w).shape(shape)]).unwrap();
    opt.describe().params()[0].group() == "matched"
}

#[test]
fn vectors_are_vectors_in_every_rank() {
    for shape in [&[][..], &[5], &[1], &[0], &[1, 5], &[5, 1], &[1, 5, 1, 1], &[1, 1, 1]] {
        assert!(matched(Selector::vectors(), "w", shape), "{shape:?}");
    }
    for shape in [&[2, 2][..], &[2, 1, 2], &[64, 3, 1, 1]] {
        assert!(!matched(Selector::vectors(), "w", shape), "{shape:?}");
    }
    assert!(!matched(Selector::rank_below(2), "w", &[1, 5, 1, 1]));
}

/// Names as published models have them.
#[test]
fn what_transformers_leave_undecayed() {
    for name in [
        "transformer.wte.weight",
        "transformer.wpe.weight",
        "transformer.h.0.ln_1.weight",
        "transformer.h.0.attn.c_attn.bias",
        "transformer.ln_f.weight",
        "model.embed_tokens.weight",
        "model.layers.0.input_layernorm.weight",
        "model.norm.weight",
        "bert.embeddings.word_embeddings.weight",
        "bert.encoder.layer.0.output.LayerNorm.weight",
        "encoder/block/0/layer_norm/scale",
        "pos_embed",
        "cls_token",
        "blocks.0.norm1.weight",
        "ln.weight",
        "ln2.weight",
    ] {
        assert!(matched(Selector::transformer_undecayed(), name, &[2, 2]), "{name}");
    }
    for name in [
        "transformer.h.0.attn.c_attn.weight",
        "model.layers.0.self_attn.q_proj.weight",
        "patch_embed.proj.weight",
        "lm_head.weight",
        "blocks.0.mlp.fc1.weight",
        "biases.weight",
        "lnx.weight",
        "unbiased",
    ] {
        assert!(!matched(Selector::transformer_undecayed(), name, &[2, 2]), "{name}");
    }
}

#[test]
fn the_table_has_notes() {
    let mut opt = AdamW::new(0.1)
        .weight_decay(Decay::fixed(0.25))
        .group("still", |s| s.lr_factor(0.0))
        .group("frozen", |s| s.lr_factor(0.0).frozen(true))
        .group("undriven", |s| s.lr_factor(0.0).weight_decay(Decay::decoupled(0.1)))
        .group("twin", |s| s.lr_factor(1.0))
        .assign("still", Selector::name_ends_with("x"))
        .assign("twin", Selector::name_ends_with("y"))
        .build::<f32>()
        .unwrap();
    opt.step(&mut [Param::new("x", &mut [1.0], &[1.0])]).unwrap();
    let table = opt.describe();
    let notes = [
        "the selector `name ends with y` of group `twin` has matched no parameter",
        "group `still` is not frozen: its rate is 0, and its decay goes on (s = 0.25)",
        "group `twin` has the settings of group `default`",
    ];
    assert_eq!(table.notes(), notes);
    assert!(table.to_string().ends_with(&format!("\nnote: {}\nnote: {}\nnote: {}\n", notes[0], notes[1], notes[2])), "{table}");
}

/// There is a note for a rate of 0 where a decay moves weights all the same, and for no other.
#[test]
fn decays_that_go_on_without_a_rate_have_a_note() {
    let goes_on = [
        "fixed:0.25",
        "half-life-proximal:3",
        "independent-exponential:0.25",
        "fixed-cautious:0.25",
        "fixed-ada-decay:0.25,4",
        "fixed-l1:0.25",
        "fixed-elastic-net:0.25,1",
        "fixed-metric-l1:0.25",
        "fixed-huber:0.25,0.5",
        "fixed-p-norm:0.25,1.5",
        "fixed-tensor-lasso:0.25",
        "fixed-norm:0.25,1",
        "fixed-proximal-box:0.25,1",
        "hard-norm:1",
        "hard-box:1",
        "cpr:1,constant,0.25",
    ];
    let rests = [
        "none",
        "decoupled:0.25",
        "coupled-l2:0.25",
        "coupled-elastic-net:0.25,0.5",
        "adaptive:0.25",
        "l1:0.25",
        "fixed-selective:1",
        "hard-hyperball-norm:1",
        "tuned:0.25,log,1",
        "stable:0.25",
        "fixed:0",
        "fixed-l1:0",
    ];
    for (text, moves) in goes_on.map(|text| (text, true)).into_iter().chain(rests.map(|text| (text, false))) {
        let settings = Sgd::new(0.5).group("still", |s| s.lr_factor(0.0).weight_decay(text.parse().unwrap()));
        let mut opt = settings.assign("still", Selector::vectors()).build::<f64>().unwrap();
        let mut w = [2.0, -4.0];
        opt.step(&mut [Param::new("x", &mut w, &[1.0, 1.0]).shape(&[2])]).unwrap();
        assert_eq!(w != [2.0, -4.0], moves, "{text}: {w:?}");
        let table = opt.describe();
        assert_eq!(table.notes().iter().any(|note| note.contains("its decay goes on")), moves, "{text}: {:?}", table.notes());
    }
}

/// An optimizer with a selector that panics at the name `p` as long as it is armed.
fn fragile() -> (Stepper<Sgd, f64>, Arc<AtomicBool>) {
    let armed = Arc::new(AtomicBool::new(true));
    let trigger = Arc::clone(&armed);
    let selector = Selector::when("fragile", move |p| {
        assert!(p.name() != "p" || !trigger.load(Ordering::Relaxed), "as it was told");
        p.name() < "b"
    });
    let settings = Sgd::new(0.1).momentum(0.5).clip(Clip::GlobalNorm(1.0));
    let settings = settings.group("early", |s| s.lr_factor(2.0)).assign("early", selector);
    (settings.build().unwrap(), armed)
}

/// Weights of all names after a step in this order, and what the step said.
fn step(opt: &mut Stepper<Sgd, f64>, w: &mut [[f64; 1]; 4], order: [usize; 4]) -> Option<f64> {
    const NAMES: [&str; 4] = ["a", "p", "c", "d"];
    let mut params: Vec<_> = w.iter_mut().zip(NAMES).map(|(w, name)| Some(Param::new(name, w, &[3.0]))).collect();
    let mut params: Vec<_> = order.iter().map(|&i| params[i].take().unwrap()).collect();
    opt.step(&mut params).unwrap().grad_norm()
}

#[test]
fn a_policy_that_panics_leaves_nothing_behind() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let (mut opt, armed) = fragile();
        opt.register(&[Param::without_grad("d", &mut [1.0])]).unwrap();
        let before = opt.describe();
        let mut w = [[1.0]; 4];
        let panicked = catch_unwind(AssertUnwindSafe(|| step(&mut opt, &mut w, order)));
        assert!(panicked.is_err() && w == [[1.0]; 4] && opt.names() == ["d"] && opt.describe() == before);
        armed.store(false, Ordering::Relaxed);
        let (mut fresh, calm) = fragile();
        calm.store(false, Ordering::Relaxed);
        fresh.register(&[Param::without_grad("d", &mut [1.0])]).unwrap();
        let mut v = [[1.0]; 4];
        for order in [order, [1, 0, 2, 3], order] {
            assert_eq!(step(&mut opt, &mut w, order), step(&mut fresh, &mut v, order));
            assert_eq!(w, v);
        }
        assert_eq!(opt.describe(), fresh.describe());
    }
}

/// The same where the panic comes after names have been swapped.
#[test]
fn a_refused_step_leaves_no_name_behind_wherever_it_stood() {
    let (mut opt, armed) = fragile();
    armed.store(false, Ordering::Relaxed);
    let mut w = [[1.0]; 4];
    step(&mut opt, &mut w, [0, 1, 2, 3]);
    let names = opt.names().join(" ");
    for at in 0..5 {
        let (mut v, mut new, mut odd) = ([[1.0]; 4], [[1.0]; 2], [1.0]);
        let [a, p, c, d] = &mut v;
        let [n, m] = &mut new;
        let mut params = vec![
            Param::new("d", d, &[1.0]),
            Param::new("new", n, &[1.0]),
            Param::new("a", a, &[1.0]),
            Param::new("other", m, &[1.0]),
            Param::new("c", c, &[1.0]),
            Param::new("p", p, &[1.0]),
        ];
        params.insert(at, Param::new("odd", &mut odd, &[f64::NAN]));
        opt.step(&mut params).unwrap_err();
        assert_eq!(opt.names().join(" "), names);
        assert_eq!(opt.steps_of("odd"), None);
    }
    step(&mut opt, &mut w, [3, 2, 1, 0]);
    assert!(["a", "p", "c", "d"].iter().all(|name| opt.steps_of(name) == Some(2)));
}
