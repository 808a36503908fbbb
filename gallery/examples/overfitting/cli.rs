//! The options, and the plan that they make.

use std::path::PathBuf;

use clap::{Parser, builder::RangedU64ValueParser};
use wane::Decay;

use crate::{
    experiment::Plan,
    optimizer::Kind,
    setting::{Trial, usual_decays, usual_rate},
    sweep::PARTS,
};

/// Trains a small network on few digits with noisy labels, with and without weight decay, and shows what decay does.
#[derive(Debug, Parser)]
#[command(name = "overfitting", allow_negative_numbers = true)]
pub(crate) struct Options {
    /// Only this optimizer [default: all]
    #[arg(long, value_enum)]
    pub(crate) optimizer: Option<Kind>,

    /// This decay against none, as `decoupled:1.0`, `coupled-l2:0.01`, `half-life:500` ... [default: one coupled, one decoupled;
    /// with --data of the strength that does best on held-out training images]
    #[arg(long)]
    pub(crate) decay: Option<Decay>,

    /// The learning rate [default: 0.05 for SGD (chosen where decays are), 0.003 for Adam and AdamW]
    #[arg(long, value_name = "RATE", value_parser = number("a finite number above 0", |x| x.is_finite() && x > 0.0))]
    pub(crate) learning_rate: Option<f64>,

    /// Passes over the training set
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = count(1_000_000))]
    pub(crate) epochs: usize,

    /// How often each setting is trained, every time with other images, other noise and other first weights
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count(1000))]
    pub(crate) seeds: usize,

    /// Hidden units
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = count(65_536))]
    pub(crate) hidden: usize,

    /// The share of training images with a random label
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, value_parser = number("a number from 0 to 1", |x| (0.0..=1.0).contains(&x)))]
    pub(crate) label_noise: f64,

    /// Training images; all others are the test set, unless the data has one of its own
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = count(usize::MAX as u64))]
    pub(crate) train_size: usize,

    /// The share of hidden units that the settings with dropout drop; 0 leaves these settings out
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, value_parser = number("a number from 0 to below 1", |x| (0.0..1.0).contains(&x)))]
    pub(crate) dropout: f64,

    /// Exit with 1 unless decay gains this much test accuracy, and takes as much off the generalisation gap, in every setting
    /// [default: 0.03, and no judgement with --data]
    #[arg(long, value_name = "SHARE", value_parser = number("a number from 0 to 1", |x| (0.0..=1.0).contains(&x)))]
    pub(crate) expect_gain: Option<f64>,

    /// Folder for figures and numbers
    #[arg(long, value_name = "FOLDER", default_value = "target/overfitting")]
    pub(crate) out: PathBuf,

    /// A CSV file in the layout of gallery/data/digits.csv, or a folder with MNIST-style IDX files, plain or gzip
    /// [default: the digits]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
}

/// What decay must gain on the built-in digits.
const EXPECTED_GAIN: f64 = 0.03;

impl Options {
    /// The settings that suit the digits, unless others were asked for.
    pub(crate) fn plan(&self) -> Result<Plan, PlanError> {
        if self.decay == Some(Decay::none()) {
            return Err(PlanError::NothingToCompare);
        }
        if self.sweeps() && self.train_size < PARTS.get() {
            return Err(PlanError::TooFewToHoldOut(self.train_size));
        }
        Ok(Plan {
            settings: self.trials().iter().flat_map(Trial::settings).collect(),
            epochs: self.epochs,
            seeds: self.seeds,
            hidden: self.hidden,
            train_size: self.train_size,
            label_noise: self.label_noise,
        })
    }

    /// Whether decays must be chosen: nobody knows the strengths that suit foreign data.
    pub(crate) fn sweeps(&self) -> bool {
        self.data.is_some() && self.decay.is_none()
    }

    /// Foreign data is only judged if asked to.
    pub(crate) fn expected_gain(&self) -> Option<f64> {
        self.expect_gain.or(self.data.is_none().then_some(EXPECTED_GAIN))
    }

    /// Every optimizer with every decay; then the last one under dropout, with the last of its decays.
    pub(crate) fn trials(&self) -> Vec<Trial> {
        let optimizers = self.optimizer.map_or(vec![Kind::Sgd, Kind::Adam, Kind::AdamW], |only| vec![only]);
        let mut trials: Vec<_> = optimizers.into_iter().map(|optimizer| self.trial(optimizer)).collect();
        let companion = trials.last().filter(|_| self.dropout > 0.0).map(|last| Trial {
            dropout: self.dropout,
            decays: last.decays.last().cloned().into_iter().collect(),
            ..*last
        });
        trials.extend(companion);
        trials
    }

    fn trial(&self, optimizer: Kind) -> Trial {
        Trial {
            optimizer,
            learning_rate: self.learning_rate.unwrap_or_else(|| usual_rate(optimizer)),
            dropout: 0.0,
            decays: self.decay.clone().map_or_else(|| usual_decays(optimizer).to_vec(), |only| vec![only]),
        }
    }
}

/// Options that do not go together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    #[error("--decay none: expected a decay to compare with none")]
    NothingToCompare,

    #[error(
        "--train-size {0}: expected at least {PARTS} training images, to hold some out and choose decays on them, or --decay"
    )]
    TooFewToHoldOut(usize),
}

fn count(largest: u64) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..=largest)
}

fn number(
    expected: &'static str,
    is_allowed: fn(f64) -> bool,
) -> impl Fn(&str) -> Result<f64, String> + Clone + Send + Sync + 'static {
    move |text| match text.parse() {
        Ok(value) if is_allowed(value) => Ok(value),
        _ => Err(format!("expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> Options {
        Options::try_parse_from(["overfitting"].iter().chain(arguments)).expect("good options")
    }

    #[test]
    fn digits_are_judged_and_foreign_data_is_judged_if_asked_to() {
        assert_eq!(options(&[]).expected_gain(), Some(0.03));
        assert_eq!(options(&["--expect-gain", "0.1"]).expected_gain(), Some(0.1));
        assert_eq!(options(&["--data", "folder"]).expected_gain(), None);
        assert_eq!(options(&["--data", "folder", "--expect-gain", "0.1"]).expected_gain(), Some(0.1));
    }

    #[test]
    fn decays_are_chosen_for_foreign_data_unless_one_is_given() {
        assert!(options(&["--data", "folder"]).sweeps());
        assert!(!options(&["--data", "folder", "--decay", "decoupled:1"]).sweeps());
        assert!(!options(&[]).sweeps());
    }

    #[test]
    fn the_smallest_training_set_that_can_be_swept() {
        let plan = |size| options(&["--data", "folder", "--train-size", size]).plan();
        assert_eq!(plan("5").expect("one image per part").train_size, 5);
        let error = plan("4").expect_err("too few").to_string();
        assert!(error.starts_with("--train-size 4: expected at least 5 training images"), "{error}");
    }
}
