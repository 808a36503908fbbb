//! What the program says, and its figure.

use std::{
    fmt, fs, iter,
    path::{Path, PathBuf},
};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use wane_gallery::{
    Estimate,
    figure::{
        self, AnyError,
        curves::{Curve, CurveGrid, Panel, Row},
    },
};

use crate::{
    checkpoint::Folder,
    cli::{Options, Restore},
    life::Life,
};

/// The training that was not killed.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) folder: Folder,
    /// Of each step.
    pub(crate) losses: Vec<f64>,
}

/// Whether the files that two trainings end with have equal bits.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// With the names of what they hold.
    pairs: [(&'static str, [PathBuf; 2]); 2],
    equal: [bool; 2],
}

pub(crate) fn heading(options: &Options) -> String {
    let Options { kills, steps, every, seed, .. } = options;
    let restored = match options.restore {
        Restore::All => "weights and state",
        Restore::Weights => "weights only",
    };
    format!("{steps} steps, a checkpoint every {every}; kills: {kills}, seed: {seed}; from a checkpoint come {restored}")
}

pub(crate) fn table(lives: &[Life]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["life", "checkpoints found", "weights alone", "goes on from step", "killed"]);
    for (number, life) in (1_u64..).zip(lives) {
        let killed = life.kill.map_or_else(|| "no".to_owned(), |moment| moment.to_string());
        let found = [steps(&life.found.whole), steps(&life.found.half), life.begin().to_string()];
        table.add_row(iter::once(number.to_string()).chain(found).chain([killed]));
    }
    for column in table.column_iter_mut().take(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn steps(steps: &[u64]) -> String {
    steps.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}

/// Writes the figure: the loss over the steps, of the training that was not killed and of each life of the other one.
pub(crate) fn save_figure(whole: &Whole, lives: &[Life], folder: &Path) -> Result<(), AnyError> {
    let whole_curve = Curve { name: "not killed".to_owned(), pen: 0, estimates: estimates(whole.losses.iter().copied()) };
    let life_curve = |(number, life): (usize, &Life)| {
        // A curve is drawn where it is a number.
        let before = (0..life.begin()).map(|_| f64::NAN);
        let losses = life.reports.iter().map(|report| report.loss);
        Curve { name: format!("life {number}"), pen: 1 + number % 2, estimates: estimates(before.chain(losses)) }
    };
    let curves: Vec<_> = iter::once(whole_curve).chain((1..).zip(lives).map(life_curve)).collect();
    let finite = curves.iter().flat_map(|curve| &curve.estimates).map(|loss| loss.mean).filter(|loss| loss.is_finite());
    let range = 0.0..1.05 * finite.fold(0.1, f64::max);
    let panel = Panel { title: "Loss on the images of each step".to_owned(), curves };
    let grid = CurveGrid {
        title: "A training that is killed, and goes on from its newest checkpoint".to_owned(),
        counted: "step".to_owned(),
        rows: vec![Row { measure: "loss".to_owned(), range, panels: vec![panel] }],
    };
    Ok(figure::save(&grid, &folder.join("loss"))?)
}

fn estimates(losses: impl Iterator<Item = f64>) -> Vec<Estimate> {
    losses.map(|mean| Estimate { mean, spread: None }).collect()
}

impl Comparison {
    pub(crate) fn of(whole: &Folder, killed: &Folder, step: u64) -> Result<Self, AnyError> {
        let pairs =
            [("weights", [whole.weights(step), killed.weights(step)]), ("state", [whole.state(step), killed.state(step)])];
        let read = |path: &PathBuf| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
        let mut equal = [false; 2];
        for (equal, (_, [a, b])) in equal.iter_mut().zip(&pairs) {
            *equal = read(a)? == read(b)?;
        }
        Ok(Self { pairs, equal })
    }

    pub(crate) fn is_equal(&self) -> bool {
        self.equal == [true; 2]
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((what, [a, b]), equal) in self.pairs.iter().zip(self.equal) {
            let verdict = if equal { "equal bits" } else { "NOT equal" };
            writeln!(f, "{what}: {verdict} in {} and {}", a.display(), b.display())?;
        }
        f.write_str(if self.is_equal() {
            "The training that was killed ends with the bits of the one that was not."
        } else {
            "The training that was killed does NOT end with the bits of the one that was not."
        })
    }
}
