//! Any file of state, and any state that JSON can say: it is refused, or loaded whole; an optimizer imports it, or refuses it and is as it was.

use wane::state::{Loading, State};
use wane::{Adafactor, AdamW, Anchor, Decay, Kappa, Muon, NAdam, Optimizer, Param, Result, Selector, Settings, Sgd, Untouched};

use crate::memory::bounded;

/// The bytes that a state may take for each of its own, and at least. A JSON value of a few letters becomes maps and texts.
const EACH: usize = 256;
const LEAST: usize = 1 << 18;

pub(crate) fn run(input: &[u8]) {
    let bound = EACH * input.len() + LEAST;
    if let Ok(state) = bounded(bound, || State::read(&mut &*input)) {
        let mut bytes = Vec::new();
        state.write(&mut bytes).expect("memory takes all");
        assert_eq!(State::read(&mut &*bytes).expect("what was read can be written").parameters.len(), state.parameters.len());
        import(&state, bound);
    }
    if let Ok(state) = bounded(bound, || serde_json::from_slice(input)) {
        import(&state, bound);
    }
}

/// Into optimizers of every kind of column, with and without parameters of their own.
fn import(state: &State<'_>, bound: usize) {
    let settings = Sgd::new(0.5).momentum(0.5).weight_decay(Decay::fixed(0.25).towards(Anchor::Start));
    let adamw = AdamW::new(0.25).group("kept", |s| s.weight_decay(Decay::none())).assign("kept", Selector::name_ends_with("b"));
    each(adamw, state, bound);
    each(settings, state, bound);
    each(NAdam::new(0.25).weight_decay(Decay::adaptive(0.1)), state, bound);
    each(Adafactor::new(0.25), state, bound);
    each(Muon::new(0.25).weight_decay(Decay::spectral(0.25)), state, bound);
    let cpr = Decay::cpr(Kappa::Inflection { every: 1 }).towards(Anchor::Start);
    each(Sgd::new(0.5).weight_decay(cpr), state, bound);
    each(Sgd::new(0.5).weight_decay(Decay::exact(0.25).untouched(Untouched::CatchUp)), state, bound);
}

fn each<A: wane::Algorithm>(settings: Settings<A>, state: &State<'_>, bound: usize) {
    for loading in [Loading::strict(), Loading::lenient()] {
        let mut opt: Box<dyn Optimizer<f32>> = settings.clone().build().expect("good settings").into();
        try_import(&mut *opt, state, &loading, bound);
        let mut opt: Box<dyn Optimizer<f32>> = settings.clone().build().expect("good settings").into();
        opt.register(&[Param::without_grad("w", &mut [0.5; 6]).shape(&[2, 3])]).expect("a matrix");
        try_import(&mut *opt, state, &loading, bound);
    }
}

fn try_import(opt: &mut dyn Optimizer<f32>, state: &State<'_>, loading: &Loading, bound: usize) {
    let before = opt.export().into_owned();
    let copy = state.clone();
    match bounded(bound, || opt.import(copy, loading)) {
        Ok(loaded) => {
            assert!(!loaded.to_string().is_empty());
            assert!(!opt.describe().to_string().is_empty());
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(opt.export() == before, "{error}");
        }
    }
    // Every parameter by itself, as adapters do.
    for parameter in state.parameters.iter().take(8) {
        let before = opt.export().into_owned();
        let copy = parameter.clone();
        if let Err(error) = bounded(bound, || opt.import_parameter(copy)) {
            assert!(opt.export() == before, "{error}");
        }
    }
    if let Err(error) = step(opt) {
        assert!(!error.to_string().is_empty());
    }
}

fn step(opt: &mut dyn Optimizer<f32>) -> Result<()> {
    let mut w = [0.5; 6];
    for _ in 0..2 {
        opt.step(&mut [Param::new("w", &mut w, &[0.25; 6]).shape(&[2, 3])])?;
        assert!(w.iter().all(|w| w.is_finite()), "{w:?}");
    }
    Ok(())
}
