//! The settings and counts of the whole optimizer, and how a step ends before it writes.

use super::hyperparameters::{Setting, numbers, switch};
use super::share::Threads;
use crate::clip::{Clip, NonFinite};
use crate::error::{Error, Result, in_range};
use crate::float::{Real, rounded};
use crate::kernel::Level;
use crate::schedule::Schedule;
use crate::state::State;
use crate::task::Denormals;

/// The settings and counts of the whole optimizer.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// What the user calls the optimizer.
    pub(crate) name: &'static str,
    pub(crate) peak: f64,
    pub(crate) schedule: Schedule,
    /// The learning rate that was set by hand.
    pub(crate) manual: Option<f64>,
    pub(crate) clip: Clip,
    pub(crate) non_finite: NonFinite,
    pub(crate) maximize: bool,
    pub(crate) denormals: Denormals,
    pub(crate) strict_selectors: bool,
    pub(crate) level: Level,
    pub(crate) threads: Threads,
    /// k, the completed steps.
    pub(crate) completed: u64,
    /// The steps that ended without an error: completed and skipped ones.
    pub(crate) ended: u64,
}

impl Run {
    pub(crate) fn check<T: Real>(&self) -> Result<()> {
        in_range("learning rate", self.peak, self.peak >= 0.0, "a finite number, at least 0")?;
        self.schedule.check()?;
        self.clip.check()?;
        #[expect(clippy::cast_precision_loss, reason = "a number for people")]
        in_range("threads", self.threads.most as f64, self.threads.most > 0, "at least 1")?;
        // Only clipping by value has a bound that a kernel compares with.
        if self.clip.bound().is_finite() {
            rounded::<T>("clipping bound", self.clip.bound())?;
        }
        Ok(())
    }

    /// Returns the settings as a [state](crate::state) keeps them.
    pub(crate) fn list(&self) -> Vec<Setting> {
        let mut list = vec![
            numbers("learning_rate", &[self.peak]),
            ("lr_schedule", self.schedule.to_string()),
            ("clip", self.clip.to_string()),
            ("non_finite", self.non_finite.to_string()),
        ];
        list.extend(switch("maximize", self.maximize));
        list.extend(switch("flush_denormals", self.denormals == Denormals::Flush));
        list
    }

    /// Returns the same where a state has left off.
    pub(crate) fn resumed(&self, state: &State<'_>) -> Self {
        Self { completed: state.completed_steps, manual: state.learning_rate, ..self.clone() }
    }

    pub(crate) fn rate(&self) -> f64 {
        self.manual.unwrap_or_else(|| self.peak * self.schedule.multiplier(self.completed))
    }

    pub(crate) fn reset(&mut self) {
        (self.manual, self.completed, self.ended) = (None, 0, 0);
    }

    /// Returns how a step ends that met something that is not finite.
    pub(crate) fn refuse(&self, error: impl FnOnce() -> Error) -> Refusal {
        if self.non_finite == NonFinite::Skip { Refusal::Skip } else { Refusal::Error(error()) }
    }

    /// Checks that a norm, or what is made of norms, is a number no larger than `largest`.
    pub(crate) fn require(&self, value: f64, largest: f64, norm: impl FnOnce() -> String) -> Result<(), Refusal> {
        // Written so that a NaN does not pass. A strength is below 0 where a schedule of huge multipliers was rounded.
        if value.abs() <= largest || self.non_finite == NonFinite::Propagate {
            return Ok(());
        }
        Err(self.refuse(|| Error::NonFiniteNorm { norm: norm(), value }))
    }
}

/// Why a step ends before it writes.
pub(crate) enum Refusal {
    Error(Error),
    Skip,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}
