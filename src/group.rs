//! Groups: parameters that share settings, and the policies that say which parameter belongs where.

use std::fmt;
use std::sync::Arc;

use crate::decay::{Anchor, Average, Decay, Effect, Pull, Rates};
use crate::error::{Error, Result, fits};
use crate::float::Float;
use crate::param::{GroupChoice, Param, ParamInfo};
use crate::rule::Formula;

/// The groups that every optimizer has: its own settings, and these without decay.
pub(crate) const RESERVED: [&str; 2] = ["default", "undecayed"];

/// Their places among the groups.
pub(crate) const DEFAULT: usize = 0;
pub(crate) const UNDECAYED: usize = 1;

/// Which parameters belong to a group.
///
/// | policy | matches |
/// |---|---|
/// | [`rank_below`](Self::rank_below)`(n)` | shapes of fewer than n axes: biases and gains for n = 2 |
/// | [`name_starts_with`](Self::name_starts_with)`(prefix)` | by the beginning of the name |
/// | [`name_ends_with`](Self::name_ends_with)`(suffix)` | by the end of the name |
/// | [`when`](Self::when)`(label, predicate)` | whatever you say; the label is printed |
///
/// Policies are asked in the order of [`assign`](crate::Settings::assign), once, when a name is first seen; the first that matches
/// wins. `rank_below` is an error for a parameter that was given without a shape.
///
/// ```
/// use wane::{AdamW, Decay, Optimizer, Param, Policy};
///
/// let mut opt = AdamW::new(1e-3)
///     .group("no decay", |s| s.weight_decay(Decay::none()))
///     .assign("no decay", Policy::name_ends_with(".bias"))
///     .assign("no decay", Policy::when("norm layers", |p| p.name().contains("norm")))
///     .build()?;
/// opt.step(&mut [Param::new("fc.bias", &mut [0.5_f32], &[0.1])])?;
/// assert_eq!(opt.describe().params()[0].group(), "no decay");
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone)]
pub struct Policy(Test);

#[derive(Clone)]
enum Test {
    RankBelow(usize),
    StartsWith(String),
    EndsWith(String),
    When(String, Arc<dyn Fn(&ParamInfo<'_>) -> bool + Send + Sync>),
}

impl Policy {
    /// Shapes of fewer than `rank` axes.
    #[must_use]
    pub fn rank_below(rank: usize) -> Self {
        Self(Test::RankBelow(rank))
    }

    /// Names that begin with `prefix`.
    #[must_use]
    pub fn name_starts_with(prefix: impl Into<String>) -> Self {
        Self(Test::StartsWith(prefix.into()))
    }

    /// Names that end with `suffix`.
    #[must_use]
    pub fn name_ends_with(suffix: impl Into<String>) -> Self {
        Self(Test::EndsWith(suffix.into()))
    }

    /// Parameters for which `predicate` is true; `label` stands for it in errors and tables.
    #[must_use]
    pub fn when<F>(label: impl Into<String>, predicate: F) -> Self
    where
        F: Fn(&ParamInfo<'_>) -> bool + Send + Sync + 'static,
    {
        Self(Test::When(label.into(), Arc::new(predicate)))
    }

    fn matches(&self, param: &ParamInfo<'_>) -> Result<bool> {
        Ok(match &self.0 {
            Test::RankBelow(rank) => {
                let needed = || Error::ShapeNeeded { name: param.name().into(), policy: self.to_string() };
                param.shape().ok_or_else(needed)?.len() < *rank
            }
            Test::StartsWith(prefix) => param.name().starts_with(prefix.as_str()),
            Test::EndsWith(suffix) => param.name().ends_with(suffix.as_str()),
            Test::When(_, predicate) => predicate(param),
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Test::RankBelow(rank) => write!(f, "rank below {rank}"),
            Test::StartsWith(prefix) => write!(f, "name starts with {prefix}"),
            Test::EndsWith(suffix) => write!(f, "name ends with {suffix}"),
            Test::When(label, _) => f.write_str(label),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policy({self})")
    }
}

/// A group: its settings, what a decay keeps for it, and what it works out for one step.
#[derive(Clone, Debug)]
pub(crate) struct Group<A: Formula> {
    pub(crate) name: Box<str>,
    pub(crate) algorithm: A,
    pub(crate) decay: Decay,
    pub(crate) lr_factor: f64,
    pub(crate) frozen: bool,
    /// The running strength of an adaptive decay.
    average: Average,
    /// Of this step.
    pub(crate) plan: Plan<A>,
}

/// What a group works out for one step, the same for all its parameters of one step count.
#[derive(Debug)]
pub(crate) struct Plan<A: Formula> {
    pub(crate) lr: f64,
    pub(crate) pull: Pull,
    pub(crate) average: Average,
    /// How many parameters of the group are updated.
    pub(crate) active: usize,
    /// Scalars by step count; emptied at each step, its memory is kept.
    scalars: Vec<(u64, A::Scalars)>,
}

/// A copy has room for as many step counts, so that its steps need not allocate either.
impl<A: Formula> Clone for Plan<A> {
    fn clone(&self) -> Self {
        let mut scalars = Vec::with_capacity(self.scalars.capacity());
        scalars.extend_from_slice(&self.scalars);
        Self { scalars, ..*self }
    }
}

impl<A: Formula> Group<A> {
    pub(crate) fn new(name: &str, algorithm: A, decay: Decay, lr_factor: f64, frozen: bool) -> Self {
        let pull = Pull { effect: Effect::Free, anchored: decay.anchor() != Anchor::Origin };
        let average = Average::default();
        let plan = Plan { lr: 0.0, pull, average, active: 0, scalars: Vec::new() };
        Self { name: name.into(), algorithm, decay, lr_factor, frozen, average, plan }
    }

    /// The strength and rate of step k, from the norms of gradient and distance where the decay looks at them. Neither may be infinite in
    /// the weights' type, whose largest number is `largest`.
    pub(crate) fn prepare(&mut self, rates: Rates, k: u64, norms: Option<[f64; 2]>, largest: f64) -> Result<()> {
        let rates = Rates { now: rates.now * self.lr_factor, ..rates };
        let average = match (self.decay.adaptive_lambda(k), norms) {
            (Some(lambda), Some([gradient, distance])) => self.average.next(lambda, gradient, distance),
            _ => self.average,
        };
        let effect = self.decay.effect(rates, k, average.strength());
        let share = effect.share();
        if !(0.0..1.0).contains(&share) {
            return Err(Error::ShrinkOutOfRange { group: self.name.to_string(), decay: self.decay.to_string(), share });
        }
        fits("learning rate", rates.now, largest)?;
        if norms.is_none() {
            effect.amounts().into_iter().try_for_each(|amount| fits("weight decay", amount, largest))?;
        }
        self.plan.lr = rates.now;
        self.plan.average = average;
        self.plan.pull.effect = effect;
        self.plan.scalars.clear();
        Ok(())
    }

    /// What the decay will amount to in step k; for an adaptive one, at its average so far.
    pub(crate) fn effect(&self, rates: Rates, k: u64) -> Effect {
        let rates = Rates { now: rates.now * self.lr_factor, ..rates };
        self.decay.effect(rates, k, self.average.strength())
    }

    /// The place in the plan of the scalars for update number `t`, worked out if they are not there.
    pub(crate) fn scalars_at(&mut self, t: u64, largest: f64) -> Result<usize> {
        let plan = &mut self.plan;
        if let Some(known) = plan.scalars.iter().rposition(|(at, _)| *at == t) {
            return Ok(known);
        }
        let scalars = self.algorithm.scalars(plan.lr, t);
        self.algorithm.unbounded(&scalars).into_iter().try_for_each(|(name, value)| fits(name, value, largest))?;
        plan.scalars.push((t, scalars));
        Ok(plan.scalars.len() - 1)
    }

    pub(crate) fn scalars(&self, index: usize) -> &A::Scalars {
        &self.plan.scalars[index].1
    }

    /// Room for as many step counts as there are parameters, so that a step need not allocate.
    pub(crate) fn reserve(&mut self, params: usize) {
        self.plan.scalars.reserve(params);
    }

    /// The step has been taken. A strength that is not finite, which only `LetThrough` lets pass, is forgotten.
    pub(crate) fn commit(&mut self) {
        if self.plan.active > 0 && self.plan.average.strength().is_finite() {
            self.average = self.plan.average;
        }
    }

    pub(crate) fn reset(&mut self) {
        self.average = Average::default();
    }
}

/// The index of the group that a parameter belongs to: its own word first, then the first policy that matches, then the default.
pub(crate) fn choose<A: Formula>(
    groups: &[Group<A>],
    policies: &[(usize, Policy)],
    choice: GroupChoice<'_>,
    param: &ParamInfo<'_>,
) -> Result<usize> {
    match choice {
        GroupChoice::Undecayed => Ok(UNDECAYED),
        GroupChoice::Named(name) => find(groups, name, param),
        GroupChoice::Policy => {
            for (group, policy) in policies {
                if policy.matches(param)? {
                    return Ok(*group);
                }
            }
            Ok(DEFAULT)
        }
    }
}

/// The index of the group that a parameter names.
fn find<A: Formula>(groups: &[Group<A>], name: &str, param: &ParamInfo<'_>) -> Result<usize> {
    groups.iter().position(|group| *group.name == *name).ok_or_else(|| Error::UnknownGroup {
        by: format!("parameter `{}`", param.name()),
        group: name.into(),
        known: names(groups),
    })
}

/// A parameter that names a group must be in it already.
pub(crate) fn check<A: Formula, T: Float>(groups: &[Group<A>], known: usize, param: &Param<'_, T>) -> Result<()> {
    let found = match param.group {
        GroupChoice::Policy => return Ok(()),
        GroupChoice::Named(name) => name,
        GroupChoice::Undecayed => RESERVED[UNDECAYED],
    };
    let known = &*groups[known].name;
    if known == found {
        return Ok(());
    }
    find(groups, found, &param.info())?;
    Err(Error::GroupChanged { name: param.name.into(), known: known.into(), found: found.into() })
}

/// The names of all groups, for an error.
pub(crate) fn names<A: Formula>(groups: &[Group<A>]) -> String {
    groups.iter().map(|group| format!("`{}`", group.name)).collect::<Vec<_>>().join(", ")
}
