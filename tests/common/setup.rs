//! What an optimizer of the table is run with, and its settings before they are bound to an element type.

use std::fmt::Debug;

use wane::{Algorithm, Clip, Decay, Level, NonFinite, Optimizer, Pool, Result, Schedule, Settings};

/// What a row is run with: its numbers, and the settings that all optimizers share.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) lr: f64,
    pub(crate) numbers: Vec<f64>,
    pub(crate) decay: Decay,
    pub(crate) clip: Clip,
    pub(crate) non_finite: NonFinite,
    pub(crate) schedule: Schedule,
    pub(crate) level: Level,
    /// Whether denormals of the state become 0.
    pub(crate) flushed: bool,
    /// A group beside the default one.
    pub(crate) apart: Option<Apart>,
    pub(crate) goal: Goal,
    /// How many threads of which pool; the usual ones of the process, if nothing is said.
    pub(crate) threads: Option<(usize, Pool)>,
}

impl Setup {
    /// With a decay, and without an optimizer's rate and numbers.
    pub(crate) fn new(decay: Decay) -> Self {
        Self {
            lr: 0.0,
            numbers: vec![],
            decay,
            clip: Clip::Off,
            non_finite: NonFinite::Error,
            schedule: Schedule::constant(),
            level: Level::best(),
            flushed: false,
            apart: None,
            goal: Goal::Descend,
            threads: None,
        }
    }
}

/// How a group differs from the whole.
#[derive(Clone, Debug)]
pub(crate) struct Apart {
    pub(crate) lr_factor: f64,
    pub(crate) decay: Decay,
}

impl Apart {
    pub(crate) const NAME: &str = "apart";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    Descend,
    Climb,
}

/// Settings of whichever optimizer, not yet bound to an element type.
pub(crate) trait Recipe: Debug {
    /// With the settings that all optimizers share.
    fn with(&self, setup: &Setup) -> Box<dyn Recipe>;
    fn build_f32(&self) -> Result<Box<dyn Optimizer<f32>>>;
    fn build_f64(&self) -> Result<Box<dyn Optimizer<f64>>>;
}

impl<A: Algorithm> Recipe for Settings<A> {
    fn with(&self, setup: &Setup) -> Box<dyn Recipe> {
        let settings = self
            .clone()
            .weight_decay(setup.decay.clone())
            .lr_schedule(setup.schedule.clone())
            .clip(setup.clip)
            .non_finite(setup.non_finite)
            .level(setup.level)
            .flush_denormals(setup.flushed);
        let settings = match setup.apart.clone() {
            Some(Apart { lr_factor, decay }) => {
                settings.group(Apart::NAME, move |group| group.lr_factor(lr_factor).weight_decay(decay.clone()))
            }
            None => settings,
        };
        let settings = match &setup.threads {
            Some((most, pool)) => settings.threads(*most).pool(pool),
            None => settings,
        };
        Box::new(match setup.goal {
            Goal::Descend => settings,
            Goal::Climb => settings.maximize(true),
        })
    }
    fn build_f32(&self) -> Result<Box<dyn Optimizer<f32>>> {
        Ok(self.clone().build()?.into())
    }
    fn build_f64(&self) -> Result<Box<dyn Optimizer<f64>>> {
        Ok(self.clone().build()?.into())
    }
}
