//! Whether decay closed the gap, or what it did where nothing is required of it.

use std::fmt;

use crate::{
    experiment::Outcome,
    statistics::{GAP, TEST_ACCURACY},
};

/// One comparison per decayed setting, with the setting that differs from it in the decay only.
#[derive(Debug)]
pub(crate) struct Verdict {
    comparisons: Vec<Comparison>,
    /// `None`: the comparisons are reported, not judged.
    required: Option<f64>,
}

/// Means over the seeds, after the last epoch.
#[derive(Debug)]
struct Comparison {
    name: String,
    accuracy: Change,
    gap: Change,
}

#[derive(Debug, Clone, Copy)]
struct Change {
    without: f64,
    with: f64,
}

impl Verdict {
    pub(crate) fn of(outcomes: &[Outcome], required: Option<f64>) -> Self {
        let comparisons = outcomes
            .iter()
            .filter(|with| with.setting.is_decayed())
            .filter_map(|with| {
                let without = outcomes
                    .iter()
                    .find(|without| !without.setting.is_decayed() && without.setting.differs_in_decay_only(&with.setting))?;
                let change = |measure| Change { without: without.last(measure).mean, with: with.last(measure).mean };
                Some(Comparison { name: with.setting.name(), accuracy: change(TEST_ACCURACY), gap: change(GAP) })
            })
            .collect();
        Self { comparisons, required }
    }

    pub(crate) fn passed(&self) -> bool {
        self.failed().next().is_none()
    }

    fn failed(&self) -> impl Iterator<Item = &Comparison> {
        let failed = |comparison: &&Comparison| self.required.is_some_and(|required| !comparison.closes_gap(required));
        self.comparisons.iter().filter(failed)
    }
}

impl Comparison {
    /// Decay closes the gap if it gains the required test accuracy and takes at least as much off the generalisation gap.
    fn closes_gap(&self, required: f64) -> bool {
        self.accuracy.with - self.accuracy.without >= required && self.gap.without - self.gap.with >= required
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(required) = self.required else {
            f.write_str("A report, not a judgement (--expect-gain SHARE judges):")?;
            return self.comparisons.iter().try_for_each(|comparison| write!(f, "\n  {comparison}"));
        };
        let (all, failed) = (self.comparisons.len(), self.failed().count());
        write!(f, "Decay closes the gap in {} of {all} comparisons", all - failed)?;
        write!(f, ": at least {required} more test accuracy, and at least as much off the generalisation gap.")?;
        self.failed().try_for_each(|comparison| write!(f, "\n  NOT {comparison}"))
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, accuracy, gap } = self;
        write!(f, "{name}: test accuracy {:.3}, without decay {:.3}; ", accuracy.with, accuracy.without)?;
        write!(f, "gap {:.3}, without decay {:.3}", gap.with, gap.without)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.05 more accuracy and 0.02 off the gap.
    fn verdict(required: Option<f64>) -> Verdict {
        let (accuracy, gap) = (Change { without: 0.75, with: 0.8 }, Change { without: 0.2, with: 0.18 });
        Verdict { comparisons: vec![Comparison { name: "SGD".to_owned(), accuracy, gap }], required }
    }

    #[test]
    fn accuracy_and_gap_must_both_gain_what_is_required() {
        assert!(verdict(Some(0.01)).passed());
        assert!(!verdict(Some(0.03)).passed());
        assert!(verdict(Some(0.03)).to_string().contains("\n  NOT SGD: test accuracy 0.800, without decay 0.750; gap 0.180"));
    }

    #[test]
    fn nothing_fails_where_nothing_is_required() {
        assert!(verdict(None).passed());
        let text = verdict(None).to_string();
        assert!(text.starts_with("A report, not a judgement") && !text.contains("NOT"), "{text}");
    }
}
