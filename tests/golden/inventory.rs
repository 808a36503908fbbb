//! The fixtures hold what the tests believe they hold: an empty or thinned-out file is an error.

use std::collections::BTreeSet;

use serde_json::Value;

use super::element::Element;
use super::fixture::{Case, KERAS, OPTAX, SCHEDULES, TORCH, case, cases, list};
use super::play::{SNAPSHOTS, STEPS};

fn cases_of(file: &'static Value, optimizer: &str) -> usize {
    cases(file).filter(|case| case.optimizer() == optimizer).count()
}

#[test]
fn every_file_has_its_cases() {
    assert_eq!(["SGD", "Adam", "AdamW"].map(|name| cases_of(&TORCH, name)), [13, 14, 14]);
    assert_eq!(["SGD", "Adam", "AdamW"].map(|name| cases_of(&TORCH["special"], name)), [2, 3, 1]);
    assert_eq!(["SGD", "Adam", "AdamW"].map(|name| cases_of(&TORCH["tail"], name)), [6, 3, 2]);
    assert_eq!(["lion", "lamb", "adamw"].map(|name| cases_of(&OPTAX, name)), [4, 4, 3]);
    assert_eq!(["SGD", "Adam"].map(|name| cases_of(&KERAS, name)), [4, 4]);
    for (file, count) in [(&*TORCH, 41), (&TORCH["special"], 6), (&TORCH["tail"], 11), (&*OPTAX, 11), (&*KERAS, 8)] {
        let names: BTreeSet<_> = cases(file).map(|case| case.name()).collect();
        assert_eq!((names.len(), cases(file).count()), (count, count), "{names:?}");
    }
    assert_eq!(list(&SCHEDULES["cases"]).len(), 12);
}

#[test]
fn the_versions_are_the_pinned_ones() {
    for file in [&TORCH, &OPTAX, &KERAS, &SCHEDULES] {
        let versions = ["torch", "optax", "keras"].map(|library| &file["made_with"][library]);
        assert_eq!(versions, ["2.15.0", "0.2.8", "3.15.1"]);
    }
}

/// PyTorch's kernels send what fills no vector through another path: a section of its own.
#[test]
fn every_tensor_is_whole_vectors_but_the_one_with_a_tail() {
    for case in [&TORCH, &OPTAX, &KERAS].into_iter().flat_map(|file| cases(file)) {
        let lengths: Vec<_> = case.tensors().iter().map(|tensor| tensor.len()).collect();
        assert_eq!(lengths, [32, 16, 16], "{}", case.name());
    }
    for case in cases(&TORCH["tail"]) {
        assert_eq!(case.tensors().iter().map(|tensor| tensor.len()).collect::<Vec<_>>(), [16 + 3], "{}", case.name());
    }
}

#[test]
fn every_option_of_pytorch_is_varied() {
    let options = |names: &[&str]| {
        let all = cases(&TORCH).filter(|case| names.contains(&case.optimizer()));
        all.map(|case| case.options()).collect::<Vec<_>>()
    };
    for (optimizers, names) in [
        (&["SGD"][..], &["momentum", "dampening", "weight_decay", "nesterov", "maximize"][..]),
        (&["Adam", "AdamW"], &["lr", "betas", "eps", "weight_decay", "amsgrad", "maximize"]),
    ] {
        for name in names {
            let values: BTreeSet<_> = options(optimizers).iter().map(|options| options.text(name)).collect();
            assert!(values.len() >= 2, "{name} of {optimizers:?} is always {values:?}");
        }
    }
}

#[test]
fn every_scenario_of_pytorch_is_there() {
    for optimizer in ["SGD", "Adam", "AdamW"] {
        let count = |is: &dyn Fn(&Case) -> bool| cases(&TORCH).filter(|case| case.optimizer() == optimizer && is(case)).count();
        assert_eq!(count(&|case| (1..=STEPS).any(|step| case.new_rate(step).is_some())), 1, "learning-rate changes");
        assert_eq!(count(&|case| case.groups().count() == 2), 1, "groups");
        assert_eq!(count(&|case| case.misses(0, 2) && !case.misses(0, 1)), 1, "missing gradients");
        assert_eq!(count(&|case| (1..5).all(|step| case.misses(2, step)) && !case.misses(2, 5)), 1, "a late tensor");
    }
}

/// Weights at every snapshot, and the state of every tensor; PyTorch's for-loop without clipping has only its last weights.
fn every_run_is_whole<T: Element>(file: &'static Value, implementation: &str, runs: usize) {
    let mut seen = 0;
    for case in cases(file) {
        let Some(run) = case.run::<T>(implementation) else { continue };
        let steps: BTreeSet<_> = run.weights::<T>().map(|(step, _)| step).collect();
        let brief = implementation == "default" && case.clip().is_none();
        let wanted = if brief { &SNAPSHOTS[3..] } else { &SNAPSHOTS };
        assert_eq!(steps, wanted.iter().copied().collect(), "{}", case.name());
        for tensor in 0..case.tensors().len() {
            let columns: BTreeSet<_> = run.state::<T>(tensor).0.into_iter().map(|(name, _)| name).collect();
            let wanted = if brief { BTreeSet::new() } else { columns_of(case) };
            assert_eq!(columns, wanted, "{}", case.name());
        }
        let norms = run.norms::<T>().map_or(0, |norms| norms.len() as u64);
        let by_torch = implementation == "default" && case.clip().is_some_and(|clip| clip.optional("max_norm").is_some());
        assert_eq!(norms, if by_torch { STEPS } else { 0 }, "{}", case.name());
        seen += 1;
    }
    assert_eq!(seen, runs, "{implementation} in {}", T::NAME);
}

fn columns_of(case: Case) -> BTreeSet<&'static str> {
    let columns: &[&str] = match case.optimizer() {
        "SGD" if case.options().number("momentum") == 0.0 => &[],
        "SGD" if case.is_from(&KERAS) => &["momentum"],
        "SGD" => &["momentum_buffer"],
        "Adam" if case.is_from(&KERAS) => &["momentum", "velocity"],
        "lion" => &["mu"],
        "lamb" | "adamw" => &["mu", "nu"],
        _ if case.options().flag("amsgrad") => &["exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
        _ => &["exp_avg", "exp_avg_sq"],
    };
    columns.iter().copied().collect()
}

#[test]
fn every_run_has_its_snapshots_and_its_state() {
    for (implementation, runs) in [("fused", 37), ("default", 41)] {
        every_run_is_whole::<f32>(&TORCH, implementation, runs);
        every_run_is_whole::<f64>(&TORCH, implementation, runs);
    }
    every_run_is_whole::<f32>(&TORCH["tail"], "fused", 11);
    every_run_is_whole::<f64>(&TORCH["tail"], "fused", 11);
    every_run_is_whole::<f32>(&OPTAX, "optax", 8);
    every_run_is_whole::<f64>(&OPTAX, "optax", 11);
    every_run_is_whole::<f32>(&KERAS, "keras", 7);
    every_run_is_whole::<f64>(&KERAS, "keras", 8);
}

/// PyTorch's Adam and AdamW count a tensor's own steps.
#[test]
fn a_late_tensor_has_its_own_count() {
    for (name, counts) in [("Adam late tensor", [100, 100, 96]), ("AdamW missing gradients", [97, 100, 100])] {
        let run = case(&TORCH, name).run::<f64>("fused").unwrap();
        assert_eq!([0, 1, 2].map(|tensor| run.state::<f64>(tensor).1), counts.map(Some), "{name}");
    }
}
