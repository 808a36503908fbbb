//! Schedules: dimensionless multipliers of a learning rate or a decay strength, as
//! functions of the step.

mod course;
mod form;
mod text;

pub(crate) use course::first_step;
use form::Form;

use crate::error::{Error, Result};

/// A multiplier m(k) of the peak learning rate, or of a decay's strength; k counts the optimizer's
/// completed steps from 0.
///
/// | schedule | text form | m(k) |
/// |---|---|---|
/// | [`constant`](Self::constant) | `constant` | 1 |
/// | [`linear`](Self::linear) | `linear:from,to,steps` | from + (to − from)·min(k, T)/T |
/// | [`cosine`](Self::cosine) | `cosine:steps,floor` | f + (1 − f)·(1 + cos(π·min(k, T)/T))/2 |
/// | [`warmup_cosine`](Self::warmup_cosine) | `warmup-cosine:warmup,steps,floor[,start]` | s + (1 − s)·k/W before step W, then cosine over T − W |
/// | [`step`](Self::step) | `step:every,factor` | γ^⌊k/every⌋ |
/// | [`polynomial`](Self::polynomial) | `polynomial:steps,power,floor` | f + (1 − f)·(1 − min(k, T)/T)^p |
/// | [`exponential`](Self::exponential) | `exponential:factor` | γᵏ |
/// | [`warmup_stable_decay`](Self::warmup_stable_decay) | `warmup-stable-decay:warmup,stable,decay,floor[,start]` | s + (1 − s)·k/W, then 1, then linear to f |
/// | [`cosine_restarts`](Self::cosine_restarts) | `cosine-restarts:steps,growth,floor` | f + (1 − f)·(1 + cos(π·k′/Tᵢ))/2, step k′ of a cycle of Tᵢ = T·cⁱ steps |
/// | [`restart_steps`](Self::restart_steps) | `restart-steps:steps,growth` | √(T/Tᵢ) in the same cycles |
/// | [`inverse_time`](Self::inverse_time) | `inverse-time:scale` | 1/(1 + k/T) |
/// | [`then`](Self::then) | `… then@step …` | the first before that step, then the second from its own k = 0 |
///
/// A floor f and a [start](Self::warmup_start) s are shares of the peak. A schedule past its end
/// keeps its last value, exactly. A part of no steps is passed over: a line over 0 steps is at its
/// end at once, a warm-up of 0 steps is none, and `a.then(0, b)` is b, so that a length of 0 from a
/// configuration needs no branch.
///
/// | number | allowed | else |
/// |---|---|---|
/// | multipliers, factors γ, floors, starts, powers | finite, ≥ 0 | [`OutOfRange`] |
/// | `every` of a step schedule, T and c of restarts | ≥ 1 | [`OutOfRange`] |
/// | T of `inverse_time` | finite, > 0 | [`OutOfRange`] |
/// | all steps T of a warm-up with a cosine | ≥ its warm-up W | [`Conflict`] |
/// | the step of each part after `then` | later than that of the part before | [`Conflict`] |
/// | multiplier × peak, in every step that schedules reach | finite in the weights' type | [`OutOfRange`] |
///
/// `build` returns the error, and [parsing](str::parse) those that need no optimizer. What grows
/// without end is checked in each step ([what is refused](crate::Settings#what-is-refused)). A
/// learning rate or strength that a schedule brings below the smallest number of the weights' type
/// counts as 0.
///
/// # Differences
///
/// The closed forms are those of `torch.optim.lr_scheduler`, with these exceptions: PyTorch's
/// cosine rises again past its end, this one stays (`cosine_restarts` is PyTorch's
/// `CosineAnnealingWarmRestarts`); a torch scheduler is advanced by hand, this one
/// counts the optimizer's completed steps: those without any gradient too, skipped ones not. A
/// warm-up starts from 0, as in optax's `warmup_cosine_decay_schedule`, so that its first step
/// changes nothing, unless [`warmup_start`](Self::warmup_start) says otherwise. Powers and cosines
/// come from the platform's `libm`.
///
/// # Example
///
/// ```
/// use wane::{AdamW, Schedule};
///
/// let schedule = Schedule::warmup_cosine(100, 1000, 0.1);
/// assert_eq!([0, 50, 100, 1000, 5000].map(|k| schedule.multiplier(k)), [0.0, 0.5, 1.0, 0.1, 0.1]);
/// assert_eq!("warmup-cosine:100,1000,0.1".parse::<Schedule>()?, schedule);
///
/// let joined = Schedule::linear(0.1, 1.0, 10).then(10, Schedule::exponential(0.5));
/// assert_eq!(joined.multiplier(12), 0.25);
/// assert_eq!(joined.to_string(), "linear:0.1,1,10 then@10 exponential:0.5");
///
/// let opt = AdamW::new(1e-3).lr_schedule(schedule).build::<f32>()?;
/// # Ok::<(), wane::Error>(())
/// ```
///
/// [`OutOfRange`]: Error::OutOfRange
/// [`Conflict`]: Error::Conflict
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    first: Form,
    /// Later parts with the step at which each begins, in order.
    later: Vec<(u64, Form)>,
}

impl Schedule {
    /// Makes the schedule m = 1.
    #[must_use]
    pub fn constant() -> Self {
        Form::Constant.into()
    }

    /// Makes a straight line from `from` to `to` over T = `steps` steps.
    #[must_use]
    pub fn linear(from: f64, to: f64, steps: u64) -> Self {
        Form::Linear { from, to, steps }.into()
    }

    /// Makes half a cosine wave from 1 to f = `floor` over T = `steps` steps (Loshchilov & Hutter,
    /// arXiv 1608.03983).
    #[must_use]
    pub fn cosine(steps: u64, floor: f64) -> Self {
        Form::Cosine { steps, floor }.into()
    }

    /// Makes a line from 0 to 1 over W = `warmup` steps, then a cosine to f = `floor` at
    /// step T = `steps`.
    #[must_use]
    pub fn warmup_cosine(warmup: u64, steps: u64, floor: f64) -> Self {
        Form::WarmupCosine { warmup, steps, floor, start: 0.0 }.into()
    }

    /// Makes a multiplier that starts from 1 and is multiplied by γ = `factor` every `every` steps.
    #[must_use]
    pub fn step(every: u64, factor: f64) -> Self {
        Form::Step { every, factor }.into()
    }

    /// Makes a fall from 1 to f = `floor` over T = `steps` steps, along (1 − k/T)^p
    /// with p = `power`.
    #[must_use]
    pub fn polynomial(steps: u64, power: f64, floor: f64) -> Self {
        Form::Polynomial { steps, power, floor }.into()
    }

    /// Makes a multiplier that starts from 1 and is multiplied by γ = `factor` at every step.
    #[must_use]
    pub fn exponential(factor: f64) -> Self {
        Form::Exponential { factor }.into()
    }

    /// Makes a line from 0 to 1 over W = `warmup` steps, 1 for `stable` steps, then a line to f =
    /// `floor` over `decay` steps.
    #[must_use]
    pub fn warmup_stable_decay(warmup: u64, stable: u64, decay: u64, floor: f64) -> Self {
        Form::WarmupStableDecay { warmup, stable, decay, floor, start: 0.0 }.into()
    }

    /// Makes half a cosine wave from 1 to f = `floor` again and again: over T = `steps` steps first, and
    /// after each restart over c = `growth` times as many (SGDR: Loshchilov & Hutter, arXiv 1608.03983).
    ///
    /// ```
    /// use wane::Schedule;
    ///
    /// let schedule = Schedule::cosine_restarts(4, 2, 0.5);
    /// assert_eq!([0, 4, 8, 12, 20].map(|k| schedule.multiplier(k)), [1.0, 1.0, 0.75, 1.0, 0.75]);
    /// ```
    #[doc(alias = "SGDR")]
    #[doc(alias = "CosineAnnealingWarmRestarts")]
    #[must_use]
    pub fn cosine_restarts(steps: u64, growth: u64, floor: f64) -> Self {
        Form::CosineRestarts { steps, growth, floor }.into()
    }

    /// Makes a multiplier that starts from 1 and is divided by √c, c = `growth`, at each restart of
    /// [`cosine_restarts`](Self::cosine_restarts): what normalized decay falls by there
    /// ([`Decay::normalized_restarts`](crate::Decay::normalized_restarts)).
    #[must_use]
    pub fn restart_steps(steps: u64, growth: u64) -> Self {
        Form::RestartSteps { steps, growth }.into()
    }

    /// Makes a fall from 1 along 1/(1 + k/T) with T = `scale`: half is left after T steps, a third after 2·T
    /// ([`Decay::log_time`](crate::Decay::log_time)).
    #[must_use]
    pub fn inverse_time(scale: f64) -> Self {
        Form::InverseTime { scale }.into()
    }

    /// Makes the warm-up begin at s = `start` instead of 0; schedules and parts without a warm-up
    /// stay as they are.
    ///
    /// `1/(W + 1)` makes the W steps of a warm-up, and the first one after it, the multiples (k +
    /// 1)/(W + 1): none of them is lost.
    ///
    /// ```
    /// use wane::Schedule;
    ///
    /// let schedule = Schedule::warmup_cosine(3, 10, 0.0).warmup_start(0.25);
    /// assert_eq!([0, 1, 2, 3].map(|k| schedule.multiplier(k)), [0.25, 0.5, 0.75, 1.0]);
    /// assert_eq!(schedule.to_string(), "warmup-cosine:3,10,0,0.25");
    /// ```
    #[must_use]
    pub fn warmup_start(mut self, start: f64) -> Self {
        for form in std::iter::once(&mut self.first).chain(self.later.iter_mut().map(|(_, form)| form)) {
            if let Form::WarmupCosine { start: s, .. } | Form::WarmupStableDecay { start: s, .. } = form {
                *s = start;
            }
        }
        self
    }

    /// Makes `next` follow this schedule from step `at` on, where it begins at its own step 0. With
    /// `at` = 0 that is `next` alone.
    #[must_use]
    pub fn then(mut self, at: u64, next: Self) -> Self {
        if at == 0 {
            return next;
        }
        let parts = std::iter::once((0, next.first)).chain(next.later);
        for (start, form) in parts.map(|(start, form)| (start.saturating_add(at), form)) {
            // The part before it had no steps.
            self.later.pop_if(|(last, _)| *last == start);
            self.later.push((start, form));
        }
        self
    }

    /// Returns m(k).
    #[must_use]
    pub fn multiplier(&self, k: u64) -> f64 {
        // A search by halves: a text may have a hundred thousand parts, and `build` looks at all of them.
        let begun = self.later.partition_point(|(start, _)| *start <= k);
        match self.later.get(..begun).and_then(<[_]>::last) {
            // Where parts are out of order, which `check` refuses, any of them may be found.
            Some((start, form)) => form.at(k.saturating_sub(*start)),
            None => self.first.at(k),
        }
    }

    /// Checks that all parts are in range, and in order.
    pub(crate) fn check(&self) -> Result<()> {
        self.first.check()?;
        let mut before = 0;
        for (start, form) in &self.later {
            if *start <= before {
                return Err(Error::conflict("then", "a later step than the part before it", format!("step {start}")));
            }
            before = *start;
            form.check()?;
        }
        Ok(())
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self::constant()
    }
}

impl From<Form> for Schedule {
    fn from(first: Form) -> Self {
        Self { first, later: Vec::new() }
    }
}
