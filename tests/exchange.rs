//! State that PyTorch made and this crate goes on from, and the other way round: `tools/pytorch_state.py` moves it, `tools/exchange.py` made
//! the files in `tests/exchange/`, and describes them.

#![cfg(feature = "safetensors")]

mod common;
#[allow(dead_code, reason = "golden tests use the rest of it")]
#[path = "golden"]
mod golden {
    pub(crate) mod bounds;
    pub(crate) mod build;
    pub(crate) mod fixture;
    pub(crate) mod inputs;
    pub(crate) mod judge;
    pub(crate) mod play;
}

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;
use wane::state::{Column, Loading, ParameterState, State};
use wane::{Level, Optimizer};

use common::{Element, for_f32_and_f64};
use golden::bounds::{BFLOAT16, PRODUCT_IN_F32, adafactor, muon, nadam};
use golden::build::{How, torch};
use golden::fixture::{Case, cases, map, parse};
use golden::judge::{Near, as_it_is, states, weights};
use golden::play::{Absent, Trajectory};

/// The steps before the state changes hands, and in all.
const BEFORE: u64 = 5;
const AFTER: u64 = 10;

/// What `tools/exchange.py` has made.
struct Files {
    folder: PathBuf,
    cases: Vec<Case>,
}

impl Files {
    fn of(folder: PathBuf) -> Self {
        let text = fs::read_to_string(folder.join("exchange.json")).expect("tools/exchange.py made it");
        let json: &'static Value = Box::leak(Box::new(parse(&text)));
        Self { folder, cases: map(json).values().flat_map(cases).collect() }
    }

    fn in_git() -> Self {
        Self::of(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exchange"))
    }

    fn state<T: Element>(&self, case: Case) -> State<'static> {
        State::load(path::<T>(&self.folder, case, "safetensors")).unwrap()
    }
}

fn path<T: Element>(folder: &Path, case: Case, ending: &str) -> PathBuf {
    folder.join(format!("{}.{}.{ending}", case.name().replace(' ', "-"), T::NAME))
}

fn build<T: Element>(case: Case, level: Level) -> Box<dyn Optimizer<T>> {
    T::build(&*torch(case, How { level, ..How::default() })).unwrap()
}

fn from_the_start<T: Element>(case: Case, last: u64) -> Trajectory<T> {
    Trajectory::new(case, build(case, Level::best())).play(case, last, Absent::WithoutGradient).unwrap()
}

/// What PyTorch was: its fused kernel, where it has one.
fn implementation(case: Case) -> &'static str {
    match case.optimizer() {
        "NAdam" | "Adafactor" => "for-loop",
        "Muon" => "bfloat16",
        _ => "fused",
    }
}

/// How near weights are to PyTorch's, and state.
fn bounds<T: Element>(case: Case) -> [Near; 2] {
    let epsilons = |count: f64| Near::Within(count * T::EPS);
    match case.optimizer() {
        "NAdam" => [epsilons(nadam(case)); 2],
        "Adafactor" => [epsilons(adafactor(case)); 2],
        "Muon" => [Near::Within(BFLOAT16), epsilons(muon(case))],
        _ => [Near::Bits; 2],
    }
}

fn judge<T: Element>(case: Case, implementation: &str, trajectory: &Trajectory<T>) -> Result<(), String> {
    let run = case.run::<T>(implementation).expect("every case has every type");
    let [near_weights, near_state] = bounds::<T>(case);
    weights(case, run, trajectory, near_weights)?;
    states(case, run, trajectory, near_state, as_it_is)
}

/// Loads what PyTorch saved, and takes the next steps.
fn goes_on<T: Element>(files: &Files) {
    for (level, &case) in Level::all().flat_map(|level| files.cases.iter().map(move |case| (level, case))) {
        let mut optimizer = build::<T>(case, level);
        // Strict, so every setting is as PyTorch's, in the file and here.
        optimizer.import(files.state::<T>(case), &Loading::strict()).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        let run = case.run::<T>(implementation(case)).expect("every case has every type");
        let (_, start) = run.weights().find(|(step, _)| *step == BEFORE).expect("weights that belong to the state");
        let trajectory = Trajectory::from(BEFORE, start, optimizer).play(case, AFTER, Absent::WithoutGradient).unwrap();
        judge(case, implementation(case), &trajectory).unwrap_or_else(|error| panic!("{error} ({}, {level})", T::NAME));
    }
}

fn goes_on_from_pytorch<T: Element>() {
    goes_on::<T>(&Files::in_git());
}

/// Takes the same steps from the start, and has the state that PyTorch saved.
fn exports<T: Element>(files: &Files) {
    for &case in &files.cases {
        let (want, trajectory) = (files.state::<T>(case), from_the_start::<T>(case, BEFORE));
        let own = trajectory.optimizer.export();
        let counts = |state: &State<'_>| (state.format, state.optimizer.clone(), state.completed_steps, state.learning_rate);
        assert_eq!(counts(&own), counts(&want), "{}", case.name());
        assert_eq!(own.parameters.len(), want.parameters.len(), "{}", case.name());
        for (own, want) in own.parameters.iter().zip(&want.parameters) {
            let about = |of: &ParameterState<'_>| (of.name.clone(), of.shape.clone(), of.len, of.group.clone(), of.steps);
            assert_eq!(about(own), about(want), "{}", case.name());
            assert_eq!(own.columns.len(), want.columns.len(), "columns of {} in {}", own.name, case.name());
            for (own, want) in own.columns.iter().zip(&want.columns) {
                same_column::<T>(case, own, want).unwrap_or_else(|error| panic!("{} in {}: {error}", own.name, case.name()));
            }
        }
    }
}

fn same_column<T: Element>(case: Case, own: &Column<'_>, want: &Column<'_>) -> Result<(), String> {
    assert_eq!(own.name, want.name, "{}", case.name());
    let [_, near] = bounds::<T>(case);
    // PyTorch rounds the product of NAdam's factors to f32 in every step, and its weights and state follow.
    let near = match (case.optimizer(), &*want.name) {
        ("NAdam", "mu_product") => Near::Within(BEFORE as f64 * f64::from(f32::EPSILON) / 2.0),
        ("NAdam", _) => Near::Within(PRODUCT_IN_F32.max(nadam(case) * T::EPS)),
        _ => near,
    };
    near.judge(own.numbers.get::<T>().expect("the type"), want.numbers.get::<T>().expect("the type"))
}

fn exports_what_pytorch_saved<T: Element>() {
    exports::<T>(&Files::in_git());
}

for_f32_and_f64!(goes_on_from_pytorch, exports_what_pytorch_saved);

/// Saves the state after some steps, and the weights.
fn save<T: Element>(folder: &Path) {
    for case in Files::in_git().cases {
        let trajectory = from_the_start::<T>(case, BEFORE);
        trajectory.optimizer.export().save(path::<T>(folder, case, "wane.safetensors")).unwrap();
        let hex = |tensor: &Vec<T>| tensor.iter().map(|x| format!("{:0digits$x}", x.bits(), digits = T::DIGITS)).collect();
        let weights: Vec<String> = trajectory.weights[&BEFORE].iter().map(hex).collect();
        fs::write(path::<T>(folder, case, "wane.json"), serde_json::to_string(&weights).unwrap()).unwrap();
    }
}

/// PyTorch has gone on from the state that was saved.
fn pytorch_went_on<T: Element>(files: &Files) {
    for &case in &files.cases {
        judge(case, "continued", &from_the_start::<T>(case, AFTER)).unwrap_or_else(|error| panic!("{error} ({})", T::NAME));
    }
}

/// Both ways, with PyTorch as it is installed:
///
/// ```console
/// pip install -r tools/requirements.txt
/// cargo test -p wane --features safetensors --test exchange -- --ignored
/// ```
///
/// `PYTHON` names another Python than `python3`.
#[test]
#[ignore = "needs Python with PyTorch"]
fn live() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("exchange");
    fs::create_dir_all(&folder).unwrap();
    save::<f32>(&folder);
    save::<f64>(&folder);
    let python = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/exchange.py");
    let status = Command::new(python).arg(tool).arg("--live").arg(&folder).status().expect("Python starts");
    assert!(status.success(), "tools/exchange.py: {status}");
    let files = Files::of(folder);
    goes_on::<f32>(&files);
    goes_on::<f64>(&files);
    exports::<f32>(&files);
    exports::<f64>(&files);
    pytorch_went_on::<f32>(&files);
    pytorch_went_on::<f64>(&files);
}
