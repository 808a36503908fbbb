//! Chooses decays, and SGD's learning rate, on training images that are held out: the test set is never looked at.

use std::num::NonZero;

use wane::Decay;
use wane_gallery::{Estimate, data::Source};

use crate::{
    experiment::{self, Failure, Outcome, Plan},
    optimizer::Kind,
    setting::{Setting, Trial, kind, usual_rate},
    statistics::TEST_ACCURACY,
};

/// One part in so many of the training images is held out, another one for each seed.
pub(crate) const PARTS: NonZero<usize> = NonZero::new(5).expect("5 is not 0");

/// How many strengths each kind of decay is tried with.
pub(crate) const STRENGTHS: usize = 5;

/// Candidates for decays and learning rates, one row for each rate of a rule.
#[derive(Debug)]
pub(crate) struct Sweep {
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug)]
pub(crate) struct Row {
    /// These take equal steps, so one stands for all.
    pub(crate) optimizers: Vec<Kind>,
    pub(crate) learning_rate: f64,
    pub(crate) dropout: f64,
    /// No decay; then each kind of decay, from weak to strong.
    candidates: Vec<Candidate>,
}

#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) setting: Setting,
    /// On the held-out images, mean over the seeds and late epochs; `None` if it could not be trained to the end.
    pub(crate) accuracy: Option<f64>,
}

#[derive(Debug, thiserror::Error)]
#[error("{optimizer}: expected a decay of each kind that can be trained to the end, found none; give --learning-rate or --decay")]
pub(crate) struct NothingFound {
    optimizer: Kind,
}

impl Sweep {
    /// Trains all candidates for these trials on what is not held out; with a `rate`, none other is tried.
    pub(crate) fn run(trials: &[Trial], rate: Option<f64>, plan: &Plan, source: &Source) -> Result<Self, Failure> {
        let rules = trials.chunk_by(|a, b| a.optimizer.is_same_rule(b.optimizer) && a.dropout == b.dropout);
        let grid: Vec<_> = rules.flat_map(|rule| variants(&rule[0], rate).into_iter().map(move |trial| (rule, trial))).collect();
        let settings = grid.iter().flat_map(|(_, trial)| trial.settings()).collect();
        let plan = Plan { settings, ..plan.clone() };
        let results: Vec<_> = experiment::run(&plan, |seed| Ok(plan.split(source, seed)?.train.hold_out(seed, PARTS)));

        let mut candidates = plan.settings.into_iter().zip(results).map(|(setting, result)| Candidate::new(setting, result));
        let row = |(rule, Trial { learning_rate, dropout, decays, .. }): (&[Trial], Trial)| -> Result<Row, Failure> {
            let candidates = candidates.by_ref().take(1 + decays.len()).collect::<Result<_, _>>()?;
            Ok(Row { optimizers: rule.iter().map(|trial| trial.optimizer).collect(), learning_rate, dropout, candidates })
        };
        Ok(Self { rows: grid.into_iter().map(row).collect::<Result<_, _>>()? })
    }

    /// For each trial the rate of its best candidate, and the best decay of each kind at that rate.
    pub(crate) fn choose(&self) -> Result<Vec<Trial>, NothingFound> {
        let rules = self.rows.chunk_by(|a, b| a.optimizers == b.optimizers && a.dropout == b.dropout);
        let chosen = rules.map(|rows| {
            let best_row = rows.iter().reduce(|best, next| if next.best() > best.best() { next } else { best });
            best_row.map_or(Ok(vec![]), Row::choose)
        });
        Ok(chosen.collect::<Result<Vec<_>, _>>()?.concat())
    }
}

impl Row {
    pub(crate) fn without(&self) -> &Candidate {
        &self.candidates[0]
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = &[Candidate]> {
        self.candidates[1..].chunks(STRENGTHS)
    }

    fn best(&self) -> Option<f64> {
        best(&self.candidates).and_then(|best| best.accuracy)
    }

    fn choose(&self) -> Result<Vec<Trial>, NothingFound> {
        let decays = self.kinds().map(|kind| Some(best(kind)?.setting.decay.clone()));
        let decays: Vec<_> = decays.collect::<Option<_>>().ok_or(NothingFound { optimizer: self.optimizers[0] })?;
        let Self { learning_rate, dropout, .. } = *self;
        let trial = |&optimizer| Trial { optimizer, learning_rate, dropout, decays: decays.clone() };
        Ok(self.optimizers.iter().map(trial).collect())
    }
}

impl Candidate {
    /// Too strong a decay is refused, and too high a rate leaves the finite numbers: such a candidate is out, the others go on.
    fn new(setting: Setting, result: Result<Outcome, Failure>) -> Result<Self, Failure> {
        let accuracy = match result {
            Ok(outcome) => Some(late_accuracy(&outcome)),
            Err(Failure::Settings { .. } | Failure::Step { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { setting, accuracy })
    }
}

/// Over the last tenth of the epochs: few images are held out, and a single epoch tells little about a candidate.
fn late_accuracy(outcome: &Outcome) -> f64 {
    let course = outcome.course(TEST_ACCURACY);
    let late = &course[course.len() - course.len().div_ceil(10)..];
    Estimate::of(late.iter().map(|epoch| epoch.mean)).mean
}

/// The most accurate of these; of equals the first, the weakest decay.
fn best(candidates: &[Candidate]) -> Option<&Candidate> {
    let trained = candidates.iter().filter(|candidate| candidate.accuracy.is_some());
    trained.reduce(|best, next| if next.accuracy > best.accuracy { next } else { best })
}

/// The trial with each of the rates, and with each kind of its decays in every strength.
fn variants(trial: &Trial, rate: Option<f64>) -> Vec<Trial> {
    let usual = usual_rate(trial.optimizer);
    let rates = match (rate, trial.optimizer) {
        (Some(rate), _) => vec![rate],
        (None, Kind::Sgd) => vec![0.005, 0.015, usual],
        (None, Kind::Adam | Kind::AdamW) => vec![usual],
    };
    let kinds: Vec<_> = trial.decays.iter().map(kind).collect();
    let decays: Vec<_> = decays(trial.optimizer).into_iter().filter(|decay| kinds.contains(&kind(decay))).collect();
    rates.into_iter().map(|learning_rate| Trial { learning_rate, decays: decays.clone(), ..*trial }).collect()
}

/// Around the strengths that suit the digits, and beyond: more pixels give stronger gradients, which stronger decay matches.
fn decays(optimizer: Kind) -> Vec<Decay> {
    const COUPLED: [f64; STRENGTHS] = [0.003, 0.01, 0.03, 0.1, 0.3];
    let decoupled = match optimizer {
        Kind::Sgd => [0.03, 0.1, 0.3, 1.0, 3.0],
        Kind::Adam | Kind::AdamW => [0.3, 1.0, 3.0, 10.0, 30.0],
    };
    COUPLED.map(Decay::coupled_l2).into_iter().chain(decoupled.map(Decay::decoupled)).collect()
}
