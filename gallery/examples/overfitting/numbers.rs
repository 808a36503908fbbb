//! The numbers as CSV.

use std::path::Path;

use csv::{Error, Writer};

use crate::{
    experiment::Outcome,
    report::COLUMNS,
    statistics::{TEST_ACCURACY, TEST_LOSS, TRAIN_ACCURACY, TRAIN_LOSS, WEIGHT_NORM},
};

const KEYS: [&str; 4] = ["optimizer", "learning_rate", "decay", "dropout"];

/// The table in full precision: one line per setting.
pub(crate) fn write_summary(outcomes: &[Outcome], file: &Path) -> Result<(), Error> {
    let mut csv = Writer::from_path(file)?;
    let names = COLUMNS.map(|column| column.name.replace(' ', "_")).into_iter();
    let header = names.flat_map(|name| [format!("{name}_mean"), format!("{name}_spread")]);
    csv.write_record(KEYS.map(str::to_owned).into_iter().chain(header))?;
    for outcome in outcomes {
        let estimates = COLUMNS.map(|column| outcome.last(column.measure)).into_iter();
        let numbers = estimates.flat_map(|estimate| {
            [estimate.mean.to_string(), estimate.spread.map_or_else(String::new, |spread| spread.to_string())]
        });
        csv.write_record(outcome.setting.keys().into_iter().chain(numbers))?;
    }
    csv.flush()?;
    Ok(())
}

/// One line per setting, seed and epoch.
pub(crate) fn write_curves(outcomes: &[Outcome], file: &Path) -> Result<(), Error> {
    let mut csv = Writer::from_path(file)?;
    let header = ["seed", "epoch", "train_accuracy", "train_loss", "test_accuracy", "test_loss", "weight_norm"];
    let measures = [TRAIN_ACCURACY, TRAIN_LOSS, TEST_ACCURACY, TEST_LOSS, WEIGHT_NORM];
    csv.write_record(KEYS.into_iter().chain(header))?;
    for outcome in outcomes {
        let keys = outcome.setting.keys();
        for (seed, epochs) in outcome.seeds.iter().enumerate() {
            for (i, epoch) in epochs.iter().enumerate() {
                let place = [seed.to_string(), (i + 1).to_string()];
                let numbers = measures.map(|measure| measure(epoch).to_string());
                csv.write_record(keys.iter().chain(&place).chain(&numbers))?;
            }
        }
    }
    csv.flush()?;
    Ok(())
}
