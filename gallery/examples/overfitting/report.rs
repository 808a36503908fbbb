//! What the program says, and the folder it leaves.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use wane_gallery::{
    Estimate,
    figure::{self, FigureError},
};

use crate::{
    experiment::{Outcome, Plan},
    figures, numbers,
    optimizer::Kind,
    setting::{Trial, kind},
    statistics::{GAP, Measure, TEST_ACCURACY, TEST_LOSS, TRAIN_ACCURACY, WEIGHT_NORM},
    sweep::{Candidate, Row, STRENGTHS, Sweep},
};

pub(crate) const NOTES: &str = "\
Mean and standard deviation over the seeds, after the last epoch. Train accuracy counts the random labels as right;
gap is train accuracy minus test accuracy. Adam and AdamW are one rule, so equal decay gives equal numbers.";

pub(crate) const SWEEP_NOTES: &str = "\
No strength is known to suit this data, so each is chosen on training images: a fifth of them is held out, its labels as they
are, random ones too. Accuracy on these, mean over the seeds and the last tenth of the epochs; the test set is not looked at.";

/// A column of the table and of the summary.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) measure: Measure,
    /// How the table shows it.
    show: fn(&Estimate) -> String,
}

pub(crate) const COLUMNS: [Column; 5] = [
    Column { name: "train accuracy", measure: TRAIN_ACCURACY, show: |accuracy| accuracy.to_string() },
    Column { name: "test accuracy", measure: TEST_ACCURACY, show: |accuracy| accuracy.to_string() },
    Column { name: "test loss", measure: TEST_LOSS, show: |loss| format!("{:.3}", loss.mean) },
    Column { name: "weight norm", measure: WEIGHT_NORM, show: |norm| format!("{:.1}", norm.mean) },
    Column { name: "gap", measure: GAP, show: |gap| format!("{:.3}", gap.mean) },
];

#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("{file}: cannot be written: {source}", file = file.display())]
    File { file: PathBuf, source: io::Error },

    #[error(transparent)]
    Figure(#[from] FigureError),
}

pub(crate) fn heading(plan: &Plan, data: &str) -> String {
    let Plan { settings, epochs, seeds, hidden, train_size, label_noise } = plan;
    format!(
        "{data}\n{train_size} training images, a share of {label_noise} with a random label; {hidden} hidden units; \
         settings: {}, seeds: {seeds}, epochs: {epochs}",
        settings.len(),
    )
}

pub(crate) fn table(outcomes: &[Outcome]) -> Table {
    let keys = ["optimizer", "rate", "decay", "dropout"];
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(keys.into_iter().chain(COLUMNS.map(|column| column.name)));
    for outcome in outcomes {
        let numbers = COLUMNS.map(|column| (column.show)(&outcome.last(column.measure)));
        table.add_row(outcome.setting.keys().into_iter().chain(numbers));
    }
    for column in table.column_iter_mut().skip(keys.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// One line per learning rate and kind of decay: the accuracy on the held-out images, from the weakest decay to the strongest.
pub(crate) fn sweep_table(sweep: &Sweep, chosen: &[Trial]) -> Table {
    let keys = ["optimizer", "rate", "dropout", "none", "decay"].map(str::to_owned).into_iter();
    let strengths = (1..=STRENGTHS).map(|i| format!("strength {i}"));
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(keys.chain(strengths).chain(["chosen".to_owned()]));
    for row in &sweep.rows {
        let optimizers: Vec<_> = row.optimizers.iter().map(Kind::to_string).collect();
        for candidates in row.kinds() {
            let kind = kind(&candidates[0].setting.decay);
            let Row { learning_rate, dropout, .. } = row;
            let keys = [optimizers.join(", "), learning_rate.to_string(), dropout.to_string(), accuracy(row.without()), kind];
            let cells = candidates.iter().map(strength_and_accuracy);
            table.add_row(keys.into_iter().chain(cells).chain([chosen_decay(candidates, chosen)]));
        }
    }
    table
}

fn strength_and_accuracy(candidate: &Candidate) -> String {
    let decay = candidate.setting.decay.to_string();
    let strength = decay.split_once(':').map_or("", |(_, strength)| strength);
    format!("{strength} → {}", accuracy(candidate))
}

fn accuracy(candidate: &Candidate) -> String {
    candidate.accuracy.map_or_else(|| "failed".to_owned(), |accuracy| format!("{accuracy:.3}"))
}

/// The decay that was chosen out of these, if one was.
fn chosen_decay(candidates: &[Candidate], chosen: &[Trial]) -> String {
    let mut settings = candidates.iter().map(|candidate| &candidate.setting);
    let found = settings.find(|setting| chosen.iter().any(|trial| trial.settings().contains(setting)));
    found.map_or_else(String::new, |setting| setting.decay.to_string())
}

/// Makes the folder for the results, before anything is trained for it.
pub(crate) fn make_folder(folder: &Path) -> Result<(), WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError::File { file: folder.to_owned(), source })
}

/// Writes the numbers and the figures.
pub(crate) fn write(outcomes: &[Outcome], folder: &Path) -> Result<(), WriteError> {
    write_csv(outcomes, folder.join("summary.csv"), numbers::write_summary)?;
    write_csv(outcomes, folder.join("curves.csv"), numbers::write_curves)?;
    figure::save(&figures::curves(outcomes), &folder.join("curves"))?;
    figure::save(&figures::accuracy(outcomes), &folder.join("accuracy"))?;
    Ok(())
}

fn write_csv(
    outcomes: &[Outcome],
    file: PathBuf,
    write: fn(&[Outcome], &Path) -> Result<(), csv::Error>,
) -> Result<(), WriteError> {
    write(outcomes, &file).map_err(|error| WriteError::File { file, source: error.into() })
}
