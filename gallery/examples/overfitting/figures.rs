//! What the figures show.

use std::ops::Range;

use wane_gallery::figure::{
    bars::{BarChart, BarGroup},
    curves::{Curve, CurveGrid, Panel, Row},
};

use crate::{
    experiment::Outcome,
    setting::{Setting, kind},
    statistics::{Measure, TEST_ACCURACY, TEST_LOSS, TRAIN_ACCURACY},
};

/// Test accuracy and test loss over the epochs: per optimizer, with and without decay.
pub(crate) fn curves(outcomes: &[Outcome]) -> CurveGrid {
    let row = |name: &str, measure, range| Row { measure: name.to_owned(), range, panels: panels(outcomes, measure) };
    CurveGrid {
        title: "Test accuracy and test loss with and without weight decay".to_owned(),
        counted: "epoch".to_owned(),
        rows: vec![
            row("test accuracy", TEST_ACCURACY, accuracy_range(outcomes)),
            row("test loss", TEST_LOSS, loss_range(outcomes)),
        ],
    }
}

/// Train and test accuracy after the last epoch.
pub(crate) fn accuracy(outcomes: &[Outcome]) -> BarChart {
    let group = |outcome: &Outcome| BarGroup {
        label: outcome.setting.name(),
        bars: [TRAIN_ACCURACY, TEST_ACCURACY].map(|measure| outcome.last(measure)).to_vec(),
    };
    BarChart {
        title: "Accuracy after training, with and without weight decay".to_owned(),
        measure: "accuracy".to_owned(),
        range: 0.0..1.0,
        series: vec!["training images, noisy labels".to_owned(), "test images".to_owned()],
        groups: outcomes.iter().map(group).collect(),
    }
}

/// One panel for all settings that differ in their decay only.
fn panels(outcomes: &[Outcome], measure: Measure) -> Vec<Panel> {
    outcomes
        .chunk_by(|a, b| a.setting.differs_in_decay_only(&b.setting))
        .map(|group| Panel {
            title: group[0].setting.without_decay(),
            curves: group.iter().map(|outcome| curve(outcome, pen(outcome, outcomes), measure)).collect(),
        })
        .collect()
}

/// The place of a decay's kind among those that its optimizer is tried with.
fn pen(outcome: &Outcome, outcomes: &[Outcome]) -> usize {
    let Setting { optimizer, decay, .. } = &outcome.setting;
    let mut settings = outcomes.iter().map(|outcome| &outcome.setting).filter(|setting| setting.optimizer == *optimizer);
    settings.position(|setting| kind(&setting.decay) == kind(decay)).unwrap_or(0)
}

fn curve(outcome: &Outcome, pen: usize, measure: Measure) -> Curve {
    Curve { name: outcome.setting.decay.to_string(), pen, estimates: outcome.course(measure) }
}

/// From the tenth below the worst epoch up to 1.
fn accuracy_range(outcomes: &[Outcome]) -> Range<f64> {
    let worst = means(outcomes, TEST_ACCURACY).fold(0.9, f64::min);
    (worst * 10.0).floor() / 10.0..1.0
}

fn loss_range(outcomes: &[Outcome]) -> Range<f64> {
    0.0..1.1 * means(outcomes, TEST_LOSS).filter(|mean| mean.is_finite()).fold(0.1, f64::max)
}

/// After every epoch of every setting.
fn means(outcomes: &[Outcome], measure: Measure) -> impl Iterator<Item = f64> {
    outcomes.iter().flat_map(move |outcome| outcome.course(measure)).map(|estimate| estimate.mean)
}
