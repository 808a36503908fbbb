//! A step costs what it is given: not what is known besides, not how many step counts there are, and what denormal state adds.

use std::hint::black_box;

use wane::{AdamW, Optimizer, Param, Settings, Sgd};

use crate::duel::{Effort, by_turns};
use crate::report::{Spread, print};

const HEADER: [&str; 4] = ["what", "against", "ns per step", "times"];

/// One run of each, by turns.
fn row(effort: Effort, names: [&str; 2], weights: usize, runs: [&mut dyn FnMut(); 2]) -> [String; 4] {
    let rounds = by_turns(effort, runs, weights);
    let [what, against] = names.map(String::from);
    let time = Spread::of(rounds.iter().map(|[one, _]| *one));
    let times = Spread::of(rounds.iter().map(|[one, other]| one / other));
    [what, against, time.whole_nanoseconds(), times.times()]
}

pub(crate) fn costs(effort: Effort) {
    let (many, counts) = if effort.largest == usize::MAX { (100_000, 4_000) } else { (100, 40) };
    let rows = [known(effort, many), step_counts(effort, counts)];
    print("What a step costs beside what it is given", HEADER, rows);
    let mut rows = Vec::new();
    for len in [10_000, 1_000_000].into_iter().filter(|&len| len <= effort.largest) {
        rows.push(flushing(effort, &format!("momentum, {len} weights"), len, || Sgd::new(1e-6).momentum(0.9)));
        rows.push(flushing(effort, &format!("AdamW, {len} weights"), len, || AdamW::new(1e-6)));
        rows.extend(denormals(effort, len));
    }
    print("Denormal state, and what flushing it costs", HEADER, rows);
}

/// Parameters of one weight each.
struct Small {
    names: Vec<String>,
    weights: Vec<[f32; 1]>,
}

impl Small {
    fn new(n: usize) -> Self {
        Self { names: (0..n).map(|i| format!("layer.{i}")).collect(), weights: vec![[0.5]; n] }
    }

    fn params(&mut self) -> Vec<Param<'_, f32>> {
        self.weights.iter_mut().zip(&self.names).map(|(w, name)| Param::new(name, w, &[0.25])).collect()
    }
}

fn adamw() -> Box<dyn Optimizer<f32>> {
    AdamW::new(1e-6).build().expect("good settings").into()
}

fn step(opt: &mut dyn Optimizer<f32>, params: &mut [Param<'_, f32>]) {
    black_box(opt.step(black_box(params))).expect("a good step");
}

/// One parameter is given, and the optimizer knows many.
fn known(effort: Effort, many: usize) -> [String; 4] {
    let (mut all, mut one) = (Small::new(many), Small::new(1));
    let (mut crowded, mut lone) = (adamw(), adamw());
    step(&mut *crowded, &mut all.params());
    let (mut of_all, mut of_one) = (all.params(), one.params());
    let names = [&format!("one parameter given, {many} known")[..], "one parameter given, one known"];
    let runs: [&mut dyn FnMut(); 2] = [&mut || step(&mut *crowded, &mut of_all[..1]), &mut || step(&mut *lone, &mut of_one[..1])];
    row(effort, names, 1, runs)
}

/// Every parameter has been in one step more than the one before it.
fn step_counts(effort: Effort, n: usize) -> [String; 4] {
    let (mut drifted, mut even) = (Small::new(n), Small::new(n));
    let (mut apart, mut together) = (adamw(), adamw());
    let (mut of_drifted, mut of_even) = (drifted.params(), even.params());
    for k in 0..n {
        step(&mut *apart, &mut of_drifted[k..]);
    }
    step(&mut *together, &mut of_even);
    let names = [&format!("{n} parameters with {n} step counts")[..], &format!("{n} parameters with one step count")];
    let runs: [&mut dyn FnMut(); 2] = [&mut || step(&mut *apart, &mut of_drifted), &mut || step(&mut *together, &mut of_even)];
    row(effort, names, n, runs)
}

/// A step that flushes denormals, of which there are none, against one that does not.
fn flushing<A: wane::Algorithm>(effort: Effort, name: &str, len: usize, settings: impl Fn() -> Settings<A>) -> [String; 4] {
    let [mut with, mut without] = [true, false].map(|on| settings().flush_denormals(on).build::<f32>().expect("good settings"));
    let (mut v, mut w, g) = (vec![0.5; len], vec![0.5; len], vec![0.25; len]);
    let runs: [&mut dyn FnMut(); 2] = [
        &mut || {
            black_box(with.step_slice(&mut v, &g)).expect("a good step");
        },
        &mut || {
            black_box(without.step_slice(&mut w, &g)).expect("a good step");
        },
    ];
    row(effort, [&format!("{name}, denormals flushed"), "the same, kept; no state is denormal"], len, runs)
}

/// Momentum long after its last gradient, kept and flushed, against momentum with a gradient.
fn denormals(effort: Effort, len: usize) -> [[String; 4]; 2] {
    [false, true].map(|on| {
        let [mut stuck, mut usual] =
            [on, false].map(|on| Sgd::new(1e-6).momentum(0.9).flush_denormals(on).build::<f32>().expect("good settings"));
        let (mut v, mut w, zero, g) = (vec![0.5; len], vec![0.5; len], vec![0.0; len], vec![0.25; len]);
        stuck.step_slice(&mut v, &g).expect("a good step");
        for _ in 0..1_100 {
            stuck.step_slice(&mut v, &zero).expect("a good step");
        }
        let what = if on { "flushed" } else { "kept" };
        let runs: [&mut dyn FnMut(); 2] = [
            &mut || {
                black_box(stuck.step_slice(&mut v, &zero)).expect("a good step");
            },
            &mut || {
                black_box(usual.step_slice(&mut w, &g)).expect("a good step");
            },
        ];
        row(
            effort,
            [&format!("momentum, {len} weights, 1100 steps without a gradient, denormals {what}"), "with a gradient"],
            len,
            runs,
        )
    })
}
