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

#[cfg(test)]
mod tests {
    use super::*;

    /// A row of two kinds of decay, each with all strengths; the first accuracy is that without decay.
    fn row(optimizers: &[Kind], rate: f64, accuracies: [Option<f64>; 1 + 2 * STRENGTHS]) -> Row {
        let trial = Trial { optimizer: optimizers[0], learning_rate: rate, dropout: 0.0, decays: decays(optimizers[0]) };
        let candidates = trial.settings().into_iter().zip(accuracies);
        Row {
            optimizers: optimizers.to_vec(),
            learning_rate: rate,
            dropout: 0.0,
            candidates: candidates.map(|(setting, accuracy)| Candidate { setting, accuracy }).collect(),
        }
    }

    fn trial(optimizer: Kind, learning_rate: f64, decays: [Decay; 2]) -> Trial {
        Trial { optimizer, learning_rate, dropout: 0.0, decays: decays.to_vec() }
    }

    #[test]
    fn the_best_candidate_has_the_rate_and_the_best_of_each_kind_the_strength() {
        let low = [0.9, 0.1, 0.2, 0.3, 0.4, 0.5, 0.1, 0.2, 0.3, 0.4, 0.5].map(Some);
        let high = [0.1, 0.2, 0.95, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.6, 0.5].map(Some);
        let sweep = Sweep { rows: vec![row(&[Kind::Sgd], 0.005, low), row(&[Kind::Sgd], 0.05, high)] };
        let chosen = sweep.choose().expect("something is chosen");
        assert_eq!(chosen, [trial(Kind::Sgd, 0.05, [Decay::coupled_l2(0.01), Decay::decoupled(1.0)])]);
    }

    #[test]
    fn equals_go_to_the_weakest_and_what_failed_is_out() {
        let accuracies = [None, None, Some(0.5), Some(0.5), None, None, Some(0.1), None, Some(0.1), None, None];
        let sweep = Sweep { rows: vec![row(&[Kind::Adam, Kind::AdamW], 0.003, accuracies)] };
        let decays = || [Decay::coupled_l2(0.01), Decay::decoupled(0.3)];
        let chosen = sweep.choose().expect("something is chosen");
        assert_eq!(chosen, [trial(Kind::Adam, 0.003, decays()), trial(Kind::AdamW, 0.003, decays())]);
    }

    #[test]
    fn a_kind_that_fails_in_every_strength_is_named_with_its_optimizer() {
        let accuracies = [0.9, 0.1, 0.2, 0.3, 0.4, 0.5].map(Some).into_iter().chain([None; STRENGTHS]);
        let accuracies = accuracies.collect::<Vec<_>>().try_into().expect("the length of a row");
        let sweep = Sweep { rows: vec![row(&[Kind::Sgd], 0.05, accuracies)] };
        let error = sweep.choose().expect_err("no decoupled decay was trained").to_string();
        assert!(error.starts_with("SGD: expected a decay of each kind"), "{error}");
    }

    #[test]
    fn a_given_rate_is_the_only_one_and_only_the_kinds_of_the_trial_are_tried() {
        let dropout = Trial { dropout: 0.5, decays: vec![Decay::decoupled(0.1)], ..trial(Kind::Sgd, 0.2, usual()) };
        let variants = variants(&dropout, Some(0.2));
        assert_eq!(variants.len(), 1);
        assert_eq!((variants[0].learning_rate, variants[0].dropout), (0.2, 0.5));
        assert_eq!(variants[0].decays, [0.03, 0.1, 0.3, 1.0, 3.0].map(Decay::decoupled));
        assert_eq!(super::variants(&trial(Kind::Sgd, 0.05, usual()), None).len(), 3);
    }

    fn usual() -> [Decay; 2] {
        [Decay::coupled_l2(0.01), Decay::decoupled(0.1)]
    }
}
