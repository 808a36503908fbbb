//! The moments at which a training may be killed, and what is said of them.

use std::{fmt, str::FromStr};

use rand::{SeedableRng, seq::index};
use rand_chacha::ChaCha8Rng;

use crate::{cli::Options, training::Stream};

/// Ordered as a training comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) step: u64,
    pub(crate) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The step is done; nothing of it is saved.
    Stepped,
    /// Its weights are saved, its state is not.
    HalfSaved,
}

impl Moment {
    pub(crate) fn stepped(step: u64) -> Self {
        Self { step, phase: Phase::Stepped }
    }

    pub(crate) fn half_saved(step: u64) -> Self {
        Self { step, phase: Phase::HalfSaved }
    }

    pub(crate) fn is_step(self) -> bool {
        self.phase == Phase::Stepped
    }
}

/// Draws distinct moments, in their order: each process then gets further than the one before. Every second kill falls between
/// the two files of a checkpoint, as long as there are so many; a chance of one in twenty would hardly ever bring it about.
pub(crate) fn draw(options: &Options) -> Vec<Moment> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    rng.set_stream(Stream::Kills as u64);
    let stepped: Vec<_> = (1..=options.steps).map(Moment::stepped).collect();
    let half_saved: Vec<_> = (1..=options.steps).filter(|&step| options.is_saved(step)).map(Moment::half_saved).collect();

    let kills = stepped.len().min(options.kills.try_into().unwrap_or(usize::MAX));
    let within = half_saved.len().min(kills / 2);
    let mut pick = |from: &[Moment], amount| -> Vec<_> {
        index::sample(&mut rng, from.len(), amount).into_iter().map(|i| from[i]).collect()
    };
    let mut drawn = [pick(&half_saved, within), pick(&stepped, kills - within)].concat();
    drawn.sort_unstable();
    drawn
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Phase::Stepped => write!(f, "after step {}", self.step),
            Phase::HalfSaved => write!(f, "between the files of step {}", self.step),
        }
    }
}

/// What the process that trains says at each moment, as one line of text: numbers keep their bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Report {
    pub(crate) moment: Moment,
    /// On the images of this step, before it.
    pub(crate) loss: f64,
}

impl Report {
    pub(crate) fn line(&self) -> String {
        let phase = match self.moment.phase {
            Phase::Stepped => "stepped",
            Phase::HalfSaved => "half-saved",
        };
        format!("{} {phase} {}", self.moment.step, self.loss)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the process that trains has said `{0}`, which is no report")]
pub(crate) struct NoReport(String);

impl FromStr for Report {
    type Err = NoReport;

    fn from_str(line: &str) -> Result<Self, NoReport> {
        let parse = || {
            let [step, phase, loss] = line.split(' ').collect::<Vec<_>>()[..] else { return None };
            let phase = match phase {
                "stepped" => Phase::Stepped,
                "half-saved" => Phase::HalfSaved,
                _ => return None,
            };
            Some(Self { moment: Moment { step: step.parse().ok()?, phase }, loss: loss.parse().ok()? })
        };
        parse().ok_or_else(|| NoReport(line.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn draw(arguments: &[&str]) -> Vec<Moment> {
        super::draw(&Options::parse_from(["resume"].iter().chain(arguments)))
    }

    #[test]
    fn kills_are_distinct_and_in_order_and_half_of_them_fall_into_a_checkpoint() {
        for seed in ["0", "1", "2"] {
            let kills = draw(&["--kills", "9", "--steps", "60", "--every", "7", "--seed", seed]);
            assert_eq!(kills.len(), 9);
            assert!(kills.is_sorted_by(|before, next| before < next), "{kills:?}");
            let half_saved: Vec<_> = kills.iter().filter(|kill| !kill.is_step()).map(|kill| kill.step).collect();
            assert_eq!(half_saved.len(), 4);
            assert!(half_saved.iter().all(|step| step % 7 == 0 || *step == 60), "{half_saved:?}");
        }
        assert_ne!(draw(&["--seed", "0"]), draw(&["--seed", "1"]));
    }

    #[test]
    fn there_are_as_many_kills_as_steps_even_with_a_single_checkpoint() {
        let kills = draw(&["--kills", "6", "--steps", "6", "--every", "100"]);
        assert_eq!(kills.len(), 6);
        assert_eq!(kills.iter().filter(|kill| !kill.is_step()).count(), 1);
    }

    #[test]
    fn a_report_survives_its_line() {
        for moment in [Moment::stepped(7), Moment::half_saved(40)] {
            let report = Report { moment, loss: 0.1 + 0.2 };
            assert_eq!(report.line().parse::<Report>().expect("a report"), report);
        }
        for line in ["", "7 stepped", "7 slept 0.5", "7 stepped 0.5 8"] {
            line.parse::<Report>().expect_err(line);
        }
    }
}
