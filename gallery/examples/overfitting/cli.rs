//! The options, and the plan that they make.

use std::path::PathBuf;

use clap::{Parser, builder::RangedU64ValueParser};
use wane::Decay;

use crate::{
    experiment::Plan,
    optimizer::Kind,
    setting::{Setting, usual_decays, usual_rate},
};

/// Trains a small network on few digits with noisy labels, with and without weight decay, and shows what decay does.
#[derive(Debug, Parser)]
#[command(name = "overfitting", allow_negative_numbers = true)]
pub(crate) struct Options {
    /// Only this optimizer [default: all]
    #[arg(long, value_enum)]
    pub(crate) optimizer: Option<Kind>,

    /// This decay against none, as `decoupled:1.0`, `coupled-l2:0.01`, `half-life:500` ... [default: one coupled, one decoupled]
    #[arg(long)]
    pub(crate) decay: Option<Decay>,

    /// The learning rate [default: 0.05 for SGD, 0.003 for Adam and AdamW]
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

    /// How much test accuracy decay must gain, and how much it must take off the generalisation gap, in every setting, for success
    #[arg(long, value_name = "SHARE", default_value_t = 0.03, value_parser = number("a number from 0 to 1", |x| (0.0..=1.0).contains(&x)))]
    pub(crate) gain: f64,

    /// Folder for figures and numbers
    #[arg(long, value_name = "FOLDER", default_value = "target/overfitting")]
    pub(crate) out: PathBuf,

    /// A CSV file in the layout of gallery/data/digits.csv, or a folder with MNIST-style IDX files, plain or gzip
    /// [default: the digits]
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Option<PathBuf>,
}

impl Options {
    pub(crate) fn plan(&self) -> Result<Plan, NothingToCompare> {
        if self.decay == Some(Decay::none()) {
            return Err(NothingToCompare);
        }
        Ok(Plan {
            settings: self.settings(),
            epochs: self.epochs,
            seeds: self.seeds,
            hidden: self.hidden,
            train_size: self.train_size,
            label_noise: self.label_noise,
        })
    }

    /// Every optimizer with every decay; then dropout alone, and with the last of these decays.
    fn settings(&self) -> Vec<Setting> {
        let optimizers = self.optimizer.map_or(vec![Kind::Sgd, Kind::Adam, Kind::AdamW], |only| vec![only]);
        let mut settings = Vec::new();
        for &optimizer in &optimizers {
            settings.push(self.setting(optimizer, Decay::none(), 0.0));
            settings.extend(self.decays(optimizer).into_iter().map(|decay| self.setting(optimizer, decay, 0.0)));
        }
        if self.dropout > 0.0 {
            let companion = self.optimizer.unwrap_or(Kind::AdamW);
            settings.push(self.setting(companion, Decay::none(), self.dropout));
            settings.extend(self.decays(companion).pop().map(|decay| self.setting(companion, decay, self.dropout)));
        }
        settings
    }

    fn decays(&self, optimizer: Kind) -> Vec<Decay> {
        self.decay.clone().map_or_else(|| usual_decays(optimizer).to_vec(), |only| vec![only])
    }

    fn setting(&self, optimizer: Kind, decay: Decay, dropout: f64) -> Setting {
        let learning_rate = self.learning_rate.unwrap_or_else(|| usual_rate(optimizer));
        Setting { optimizer, learning_rate, decay, dropout }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("--decay none: expected a decay to compare with none")]
pub(crate) struct NothingToCompare;

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
