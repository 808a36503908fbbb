//! The options.

use std::path::PathBuf;

use clap::{Parser, ValueEnum, builder::RangedU64ValueParser, value_parser};

use crate::moment::{self, Moment};

/// Trains a small network in a process that is killed and resumed, and compares it with one that was not.
#[derive(Debug, Clone, Parser)]
#[command(name = "resume")]
pub(crate) struct Options {
    /// How often the training is killed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = value_parser!(u64).range(0..=1000))]
    pub(crate) kills: u64,

    /// Steps of the training
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = count())]
    pub(crate) steps: u64,

    /// Steps from one checkpoint to the next
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = count())]
    pub(crate) every: u64,

    /// Draws the images, the first weights, and the moments of the kills
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,

    /// What a new process takes from the newest checkpoint
    #[arg(long, value_enum, default_value_t = Restore::All)]
    pub(crate) restore: Restore,

    /// Folder for checkpoints and the figure
    #[arg(long, value_name = "FOLDER", default_value = "target/resume")]
    pub(crate) out: PathBuf,

    /// Is the process that is killed; for the example itself
    #[arg(long, hide = true)]
    pub(crate) worker: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Restore {
    /// Weights and the optimizer's state
    All,
    /// Weights only: moments, counts, the schedule and the anchors begin anew
    Weights,
}

/// Options that do not go together.
#[derive(Debug, thiserror::Error)]
#[error("--kills {kills}: expected at most one for each of {steps} steps")]
pub(crate) struct TooManyKills {
    kills: u64,
    steps: u64,
}

impl Options {
    /// The moments of the kills, in the order in which a training comes to them.
    pub(crate) fn kills(&self) -> Result<Vec<Moment>, TooManyKills> {
        let Self { kills, steps, .. } = *self;
        if kills > steps {
            return Err(TooManyKills { kills, steps });
        }
        Ok(moment::draw(self))
    }

    /// Whether there is a checkpoint after this step.
    pub(crate) fn is_saved(&self, step: u64) -> bool {
        step.is_multiple_of(self.every) || step == self.steps
    }

    /// Where the training that is killed has its checkpoints.
    pub(crate) fn killed_folder(&self) -> PathBuf {
        self.out.join("killed")
    }

    /// The arguments of a process that goes on with the training.
    pub(crate) fn worker_arguments(&self) -> Vec<String> {
        let Self { steps, every, seed, .. } = self;
        let restore = self.restore.to_possible_value().expect("no value is skipped");
        let numbers = [("--steps", steps), ("--every", every), ("--seed", seed)];
        let numbers = numbers.into_iter().flat_map(|(name, number)| [name.to_owned(), number.to_string()]);
        numbers.chain(["--worker", "--restore", restore.get_name()].map(str::to_owned)).collect()
    }
}

fn count() -> RangedU64ValueParser {
    value_parser!(u64).range(1..=100_000)
}
