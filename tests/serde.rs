//! State in a format of serde.
#![cfg(feature = "serde")]

mod common;

use common::data::trained;
use common::{Element, OPTIMIZERS, for_f32_and_f64};
use wane::state::{Loading, State};
use wane::{Anchor, Decay, Optimizer, Param, Sgd};

for_f32_and_f64!(every_state_comes_back_from_json);

fn every_state_comes_back_from_json<T: Element>() {
    for row in OPTIMIZERS {
        for decay in [Decay::none(), Decay::adaptive(0.1), Decay::fixed(0.02).towards(Anchor::Start)] {
            let mut opt = row.build::<T>(&row.setup(decay));
            trained(&mut *opt, &[6, 9], 3);
            opt.set_learning_rate(row.lr / 3.0).unwrap();
            let text = serde_json::to_string(&opt.export()).unwrap();
            let state: State<'static> = serde_json::from_str(&text).unwrap();
            assert_eq!(state, opt.export());
        }
    }
}

#[test]
fn a_state_reads_as_what_it_is() {
    let mut opt = Sgd::new(0.5).momentum(0.5).build::<f32>().unwrap();
    opt.step(&mut [Param::new("w", &mut [1.0, 2.0], &[0.5, -0.25]).shape(&[1, 2])]).unwrap();
    let group = |name| {
        serde_json::json!({
            "name": name,
            "settings": {"weight_decay": "none", "lr_factor": "1", "momentum": "0.5", "dampening": "0"},
            "average": 0.0,
        })
    };
    let mut found = serde_json::to_value(opt.export()).unwrap();
    let bound = found["parameters"][0]["gradient_bound"].take();
    assert!(bound.as_f64().unwrap() >= 0.5, "{bound}");
    let expected = serde_json::json!({
        "format": 1,
        "crate_version": env!("CARGO_PKG_VERSION"),
        "optimizer": "sgd",
        "completed_steps": 1,
        "learning_rate": null,
        "settings": {"learning_rate": "0.5", "lr_schedule": "constant", "clip": "off", "non_finite": "error"},
        "groups": [group("default"), group("undecayed")],
        "parameters": [{
            "name": "w",
            "shape": [1, 2],
            "len": 2,
            "group": "default",
            "steps": 1,
            "gradient_bound": null,
            "columns": [{"name": "momentum_buffer", "numbers": {"f32": [0.5, -0.25]}}],
        }],
    });
    assert_eq!(found, expected);
    let state: State<'static> = serde_json::from_value(found).unwrap();
    let mut other = Sgd::new(0.5).momentum(0.5).build::<f32>().unwrap();
    assert_eq!(other.import(state, &Loading::strict()).unwrap().parameters(), 1);
}

/// A misspelt field is not a field that is left out.
#[test]
fn unknown_fields_are_refused() {
    let state = serde_json::to_string(&Sgd::new(0.5).build::<f32>().unwrap().export()).unwrap();
    for (field, other) in [("\"learning_rate\":null", "\"learning_rat\":null"), ("\"average\"", "\"avarage\"")] {
        assert!(state.contains(field), "{state}");
        let error = serde_json::from_str::<State<'_>>(&state.replacen(field, other, 1)).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}
