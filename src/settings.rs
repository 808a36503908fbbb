//! Settings: how an optimizer is built, and how a group differs from it.

use std::fmt;
use std::sync::Arc;

use crate::clip::{Clip, NonFinite};
use crate::decay::Decay;
use crate::error::{Error, Result, in_range};
use crate::float::Float;
use crate::group::{DEFAULT, Group, Policy, RESERVED, UNDECAYED};
use crate::kernel::Level;
use crate::rule::{Algorithm, Formula};
use crate::schedule::Schedule;
use crate::stepper::{Run, Stepper};

/// The settings of an optimizer `A`, or of one of its groups.
///
/// An optimizer's constructor ([`AdamW::new`](crate::AdamW::new) ...) returns them, every method changes one of them, and
/// [`build`](Self::build) checks them all. In a group (`S` = [`InGroup`]) the same methods are there but for those that only make
/// sense for the whole.
///
/// | setting | default | scope |
/// |---|---|---|
/// | the optimizer's own, such as [`betas`](Settings::betas) | see its page | both |
/// | [`weight_decay`](Self::weight_decay) | see its page | both |
/// | [`lr_factor`](Settings::lr_factor) | 1 | group |
/// | [`frozen`](Settings::frozen) | off | group |
/// | [`lr_schedule`](Self::lr_schedule) | constant | whole |
/// | [`clip`](Self::clip) | off | whole |
/// | [`non_finite`](Self::non_finite) | error | whole |
/// | [`maximize`](Self::maximize) | off | whole |
/// | [`group`](Self::group), [`assign`](Self::assign) | none | whole |
/// | [`level`](Self::level) | the CPU's best | whole |
///
/// ```
/// use wane::{AdamW, Clip, Decay, Policy, Schedule};
///
/// let opt = AdamW::new(3e-4)
///     .betas(0.9, 0.95)
///     .weight_decay(Decay::decoupled(0.1))
///     .lr_schedule(Schedule::warmup_cosine(100, 10_000, 0.1))
///     .clip(Clip::GlobalNorm(1.0))
///     .group("no decay", |s| s.weight_decay(Decay::none()))
///     .group("head", |s| s.lr_factor(10.0))
///     .assign("no decay", Policy::rank_below(2))
///     .assign("head", Policy::name_starts_with("head."))
///     .build::<f32>()?;
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Settings<A, S = Whole<A>> {
    pub(crate) algorithm: A,
    decay: Decay,
    scope: S,
}

/// The scope of an optimizer's own settings.
#[derive(Clone)]
pub struct Whole<A> {
    peak: f64,
    schedule: Schedule,
    clip: Clip,
    non_finite: NonFinite,
    maximize: bool,
    level: Level,
    groups: Vec<(String, Edit<A>)>,
    policies: Vec<(String, Policy)>,
}

/// The scope of a group's settings.
#[derive(Clone, Copy, Debug)]
pub struct InGroup {
    lr_factor: f64,
    frozen: bool,
}

/// How a group's settings come from the optimizer's; run by `build`, so the order of calls does not matter.
type Edit<A> = Arc<dyn Fn(Settings<A, InGroup>) -> Settings<A, InGroup> + Send + Sync>;

impl<A: fmt::Debug> fmt::Debug for Whole<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.groups.iter().map(|(name, _)| name).collect();
        f.debug_struct("Whole")
            .field("peak", &self.peak)
            .field("schedule", &self.schedule)
            .field("clip", &self.clip)
            .field("non_finite", &self.non_finite)
            .field("maximize", &self.maximize)
            .field("level", &self.level)
            .field("groups", &groups)
            .field("policies", &self.policies)
            .finish()
    }
}

impl<A, S> Settings<A, S> {
    /// The weight decay, in place of the one before.
    #[must_use]
    pub fn weight_decay(mut self, decay: Decay) -> Self {
        self.decay = decay;
        self
    }
}

impl<A> Settings<A, InGroup> {
    /// A factor on the learning rate for this group's parameters; 1 by default, finite and at least 0. It scales the peak as well, so
    /// independent decay does not see it.
    #[must_use]
    pub fn lr_factor(mut self, factor: f64) -> Self {
        self.scope.lr_factor = factor;
        self
    }

    /// This group's parameters stay as they are, and their gradients are not looked at.
    #[must_use]
    pub fn frozen(mut self) -> Self {
        self.scope.frozen = true;
        self
    }
}

impl<A> Settings<A> {
    pub(crate) fn from_parts(algorithm: A, lr: f64) -> Self {
        let scope = Whole {
            peak: lr,
            schedule: Schedule::constant(),
            clip: Clip::Off,
            non_finite: NonFinite::Error,
            maximize: false,
            level: Level::best(),
            groups: Vec::new(),
            policies: Vec::new(),
        };
        Self { algorithm, decay: Decay::none(), scope }
    }

    /// A schedule for the learning rate: η_k = peak · m(k) · group factor, with k the completed steps.
    #[must_use]
    pub fn lr_schedule(mut self, schedule: Schedule) -> Self {
        self.scope.schedule = schedule;
        self
    }

    /// Gradient clipping.
    #[must_use]
    pub fn clip(mut self, clip: Clip) -> Self {
        self.scope.clip = clip;
        self
    }

    /// What to do about gradients that are not finite.
    #[must_use]
    pub fn non_finite(mut self, policy: NonFinite) -> Self {
        self.scope.non_finite = policy;
        self
    }

    /// Climb instead of descend: the gradient's sign is flipped before anything else. Decay still shrinks.
    #[must_use]
    pub fn maximize(mut self) -> Self {
        self.scope.maximize = true;
        self
    }

    /// Run on this CPU level instead of the best one; the bits are the same.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.scope.level = level;
        self
    }

    /// A group: a copy of the final settings, edited. Parameters come into it by [`assign`](Self::assign) or
    /// [`Param::in_group`](crate::Param::in_group). `default` and `undecayed` are always there.
    #[must_use]
    pub fn group<F>(mut self, name: impl Into<String>, edit: F) -> Self
    where
        F: Fn(Settings<A, InGroup>) -> Settings<A, InGroup> + Send + Sync + 'static,
    {
        self.scope.groups.push((name.into(), Arc::new(edit)));
        self
    }

    /// Parameters that `policy` matches are in `group`, unless they say otherwise themselves or an earlier policy matches.
    #[must_use]
    pub fn assign(mut self, group: impl Into<String>, policy: Policy) -> Self {
        self.scope.policies.push((group.into(), policy));
        self
    }

    /// Checks every setting and makes the optimizer, for weights of type `T`, which its use tells.
    ///
    /// # Errors
    ///
    /// The first setting that is out of range, contradictory or unknown, with its group.
    pub fn build<T: Float>(self) -> Result<Stepper<A, T>>
    where
        A: Algorithm<T>,
    {
        let Whole { peak, schedule, clip, non_finite, maximize, level, .. } = self.scope.clone();
        in_range("learning rate", peak, peak >= 0.0, "a finite number, at least 0")?;
        schedule.check()?;
        clip.check()?;
        let groups = self.groups()?;
        let policies = self.policies(&groups)?;
        let run = Run { peak, schedule, manual: None, clip, non_finite, maximize, level, completed: 0, ended: 0 };
        Ok(Stepper::new(run, groups, policies))
    }

    /// `default`, `undecayed`, and the groups that were defined, in this order.
    fn groups(&self) -> Result<Vec<Group<A>>>
    where
        A: Formula,
    {
        let undecayed = self.as_group().weight_decay(Decay::none());
        let mut groups = vec![
            self.as_group().into_group(RESERVED[DEFAULT], self.scope.peak)?,
            undecayed.into_group(RESERVED[UNDECAYED], self.scope.peak)?,
        ];
        for (name, edit) in &self.scope.groups {
            if groups.iter().any(|group| *group.name == **name) {
                return Err(Error::GroupExists { group: name.clone() });
            }
            let group = edit(self.as_group()).into_group(name, self.scope.peak).map_err(|error| error.in_group(name))?;
            groups.push(group);
        }
        Ok(groups)
    }

    /// The policies with the index of their group.
    fn policies(&self, groups: &[Group<A>]) -> Result<Vec<(usize, Policy)>>
    where
        A: Formula,
    {
        let find = |(name, policy): &(String, Policy)| {
            let group = groups.iter().position(|group| *group.name == **name).ok_or_else(|| Error::UnknownGroup {
                by: format!("the policy `{policy}`"),
                group: name.clone(),
                known: crate::group::names(groups),
            })?;
            Ok((group, policy.clone()))
        };
        self.scope.policies.iter().map(find).collect()
    }

    fn as_group(&self) -> Settings<A, InGroup>
    where
        A: Clone,
    {
        let scope = InGroup { lr_factor: 1.0, frozen: false };
        Settings { algorithm: self.algorithm.clone(), decay: self.decay.clone(), scope }
    }
}

impl<A: Formula> Settings<A, InGroup> {
    fn into_group(self, name: &str, peak: f64) -> Result<Group<A>> {
        let InGroup { lr_factor, frozen } = self.scope;
        self.algorithm.check()?;
        self.decay.check()?;
        in_range("lr_factor", lr_factor, lr_factor >= 0.0, "a finite number, at least 0")?;
        if self.decay.needs_peak() && peak == 0.0 {
            return Err(Error::conflict("independent or timescale decay", "a peak learning rate above 0", "0"));
        }
        Ok(Group::new(name, self.algorithm, self.decay, lr_factor, frozen))
    }
}
