//! Settings: how an optimizer is built, and how a group differs from it.

use std::fmt;
use std::sync::Arc;

use super::group::Member;
use super::groups::Edit;
use super::hyperparameters::{Algorithm, Erase};
use super::run::Run;
use super::selector::Selector;
use super::share::Threads;
use super::stepper::Stepper;
use super::{Engine, Recipe};
use crate::clip::{Clip, NonFinite};
use crate::decay::Decay;
use crate::error::Result;
use crate::float::{Cases, Float};
use crate::kernel::Level;
use crate::kernel::threads::Pool;
use crate::optimizer::Optimizer;
use crate::schedule::Schedule;
use crate::task::Denormals;

/// The settings of an optimizer `A`, or of one of its groups.
///
/// An optimizer's constructor ([`AdamW::new`](crate::AdamW::new) ...) returns them, every method
/// changes one of them, and [`build`](Self::build) checks them all. In a group (`S` = [`GroupScope`])
/// the same methods are there, without those that only make sense for the whole optimizer.
///
/// | setting | default | scope | allowed | else |
/// |---|---|---|---|---|
/// | the optimizer's own, such as [`betas`](Settings::betas) | see its page | both | see its page | |
/// | [`weight_decay`](Self::weight_decay) | see its page | both | see [`Decay`] | see there |
/// | [`lr_factor`](Settings::lr_factor) | 1 | group | finite, ≥ 0 | [`OutOfRange`] |
/// | [`frozen`](Settings::frozen) | off | group | | |
/// | [`lr_schedule`](Self::lr_schedule) | constant | whole | see [`Schedule`] | see there |
/// | [`clip`](Self::clip) | off | whole | see [`Clip`] | see there |
/// | [`non_finite`](Self::non_finite) | error | whole | | |
/// | [`maximize`](Self::maximize) | off | whole | | |
/// | [`flush_denormals`](Self::flush_denormals) | off | whole | | |
/// | [`group`](Self::group) | none | whole | a new name without ` + ` | [`GroupExists`], [`Conflict`] |
/// | [`assign`](Self::assign) | none | whole | a group that is defined | [`UnknownGroup`] |
/// | [`strict_selectors`](Self::strict_selectors) | off | whole | a match in the first step | [`SelectorWithoutMatch`] of the step |
/// | [`level`](Self::level) | the CPU's best | whole | | |
/// | [`threads`](Self::threads) | 8 | whole | ≥ 1 | [`OutOfRange`] |
/// | [`pool`](Self::pool) | that of the process | whole | see [`Pool::new`] | see there |
///
/// [`build`](Self::build) returns the error, that of a group within [`InGroup`].
///
/// # What is refused
///
/// [`build`](Self::build) refuses numbers out of their range, and numbers that are so in the type
/// of the weights, where a kernel uses them:
///
/// | number | refused | as |
/// |---|---|---|
/// | learning rate × group factor, also corrected for bias; ε; μ, 1 − δ; coupled λ; thresholds of L1; proximal and exact shares, δ of Huber decay, p of a p-norm; bounds of [`Clip::Value`](crate::Clip::Value) | what is not 0 and becomes 0 or infinite: in `f32` below 0.7e-45 or above 3.4e38 | [`OutOfRange`] |
/// | β₁, β₂ | what becomes 1: above 1 − 3e-8 in `f32` | [`OutOfRange`] |
/// | shares s of a decoupled or cautious decay | 1 or more, in any step that schedules will reach | [`ShrinkOutOfRange`] |
/// | learning rates and strengths under their schedules | what becomes infinite in any step that they will reach | [`OutOfRange`] |
///
/// What schedules that grow without end (a factor above 1) reach depends on how long one trains:
/// beyond the last step at which any schedule turns or ends they are checked at every step, before
/// anything is written. So are the numbers that are known only then: a
/// [learning rate set by hand](crate::Optimizer::set_learning_rate), the gradient factor times the
/// clip factor, trust ratios, and norms.
///
/// Not refused: what a schedule brings below the smallest number (it counts as 0); an adaptive
/// strength too small to count, beside a gradient that is as small; and a share s so small that
/// 1 − s is 1 in the weights' type (below 3e-8 in `f32`, 6e-17 in `f64`), where the place is not
/// [`Exact`](crate::Place::Exact). It removes nothing, as in PyTorch, whose order of operations that is.
///
/// ```
/// use wane::{AdamW, Clip, Decay, Selector, Schedule};
///
/// let opt = AdamW::new(3e-4)
///     .betas(0.9, 0.95)
///     .weight_decay(Decay::decoupled(0.1))
///     .lr_schedule(Schedule::warmup_cosine(100, 10_000, 0.1))
///     .clip(Clip::GlobalNorm(1.0))
///     .group("no decay", |s| s.weight_decay(Decay::none()))
///     .group("head", |s| s.lr_factor(10.0))
///     .assign("head", Selector::name_starts_with("head."))
///     .assign("no decay", Selector::vectors())
///     .build::<f32>()?;
/// # Ok::<(), wane::Error>(())
/// ```
///
/// [`OutOfRange`]: crate::Error::OutOfRange
/// [`ShrinkOutOfRange`]: crate::Error::ShrinkOutOfRange
/// [`Conflict`]: crate::Error::Conflict
/// [`InGroup`]: crate::Error::InGroup
/// [`GroupExists`]: crate::Error::GroupExists
/// [`UnknownGroup`]: crate::Error::UnknownGroup
/// [`SelectorWithoutMatch`]: crate::Error::SelectorWithoutMatch
#[derive(Clone, Debug)]
pub struct Settings<A: Algorithm, S = OptimizerScope<A>> {
    pub(crate) algorithm: A::Hyperparameters,
    decay: Decay,
    scope: S,
}

/// The scope of an optimizer's own settings.
#[derive(Clone)]
pub struct OptimizerScope<A: Algorithm> {
    run: Run,
    groups: Vec<(String, Change<A>)>,
    selectors: Vec<(String, Selector)>,
}

/// The scope of a group's settings.
#[derive(Clone, Copy, Debug)]
pub struct GroupScope {
    lr_factor: f64,
    frozen: bool,
}

/// How a group's settings come from the optimizer's. `build` runs it, so the order of calls
/// does not matter.
type Change<A> = Arc<dyn Fn(Settings<A, GroupScope>) -> Settings<A, GroupScope> + Send + Sync>;

impl<A: Algorithm> fmt::Debug for OptimizerScope<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<_> = self.groups.iter().map(|(name, _)| name).collect();
        f.debug_struct("OptimizerScope")
            .field("run", &self.run)
            .field("groups", &groups)
            .field("selectors", &self.selectors)
            .finish()
    }
}

impl<A: Algorithm, S> Settings<A, S> {
    /// Sets the weight decay, in place of the one before.
    #[doc(alias = "l2")]
    #[doc(alias = "regularization")]
    #[must_use]
    pub fn weight_decay(mut self, decay: Decay) -> Self {
        self.decay = decay;
        self
    }
}

impl<A: Algorithm> Settings<A, GroupScope> {
    /// Sets a factor on the learning rate for this group's parameters; 1 by default, finite and
    /// at least 0. It scales the peak learning rate as well, so independent decay does not
    /// depend on it: a factor of 0 does not freeze what an independent, fixed, timescale or
    /// half-life decay shrinks.
    #[must_use]
    pub fn lr_factor(mut self, factor: f64) -> Self {
        self.scope.lr_factor = factor;
        self
    }

    /// Freezes this group if `on`: its parameters stay as they are, and their gradients
    /// are not looked at.
    #[must_use]
    pub fn frozen(mut self, on: bool) -> Self {
        self.scope.frozen = on;
        self
    }

    fn of(Member { options, decay, lr_factor, frozen }: Member) -> Self {
        Self { algorithm: A::Hyperparameters::from_options(&options), decay, scope: GroupScope { lr_factor, frozen } }
    }

    fn into_member(self) -> Member {
        let GroupScope { lr_factor, frozen } = self.scope;
        Member { options: self.algorithm.into_options(), decay: self.decay, lr_factor, frozen }
    }
}

impl<A: Algorithm> Settings<A> {
    pub(crate) fn from_parts(algorithm: A::Hyperparameters, lr: f64) -> Self {
        let run = Run {
            name: A::NAME,
            peak: lr,
            schedule: Schedule::constant(),
            manual: None,
            clip: Clip::Off,
            non_finite: NonFinite::Error,
            maximize: false,
            denormals: Denormals::Keep,
            strict_selectors: false,
            level: Level::best(),
            threads: Threads::default(),
            completed: 0,
            ended: 0,
        };
        Self { algorithm, decay: Decay::none(), scope: OptimizerScope { run, groups: Vec::new(), selectors: Vec::new() } }
    }

    /// Returns the same settings under another name for the formula; to be called before any
    /// group is defined.
    pub(crate) fn named<B: Algorithm<Hyperparameters = A::Hyperparameters>>(self) -> Settings<B> {
        let run = Run { name: B::NAME, ..self.scope.run };
        Settings {
            algorithm: self.algorithm,
            decay: self.decay,
            scope: OptimizerScope { run, groups: Vec::new(), selectors: Vec::new() },
        }
    }

    /// Sets a schedule for the learning rate: η_k = peak · m(k) · group factor, with k the
    /// completed steps.
    #[must_use]
    pub fn lr_schedule(mut self, schedule: Schedule) -> Self {
        self.scope.run.schedule = schedule;
        self
    }

    /// Sets gradient clipping.
    #[doc(alias = "clip_grad_norm")]
    #[must_use]
    pub fn clip(mut self, clip: Clip) -> Self {
        self.scope.run.clip = clip;
        self
    }

    /// Sets what a step does about gradients that are not finite.
    #[must_use]
    pub fn non_finite(mut self, policy: NonFinite) -> Self {
        self.scope.run.non_finite = policy;
        self
    }

    /// Makes steps climb instead of descend if `on`: the gradient's sign is flipped before anything
    /// else. Decay still shrinks.
    #[must_use]
    pub fn maximize(mut self, on: bool) -> Self {
        self.scope.run.maximize = on;
        self
    }

    /// Sets state below the smallest normal number (1.2e-38 in `f32`, 2.2e-308 in `f64`) to 0 of
    /// its sign after every step, if `on`.
    ///
    /// Where gradients are 0 for long, momentum and moments fade into denormal numbers, on which
    /// many CPUs are several times slower, and rounding may hold them there for good: a buffer with
    /// μ = 0.9 ends at 6e-45 in `f32` and never reaches 0. PyTorch keeps such numbers, so once
    /// there are any the bits are no longer PyTorch's. `benches/README.md` has the time that
    /// keeping and flushing take.
    #[must_use]
    pub fn flush_denormals(mut self, on: bool) -> Self {
        self.scope.run.denormals = if on { Denormals::Flush } else { Denormals::Keep };
        self
    }

    /// Runs steps on this CPU level instead of the best one; the bits are the same.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.scope.run.level = level;
        self
    }

    /// Sets the largest number of threads of a step, the caller's with them; at least 1. The bits
    /// are the same with any number.
    ///
    /// By default a step uses up to 8 threads of the [pool of the process](Pool::shared), and no
    /// more than its length is worth: a step of Adam on less than about 20,000 `f32` weights stays
    /// on the caller's thread, and sleeping threads are woken only for an estimated 300 µs of work,
    /// in one step or in several that follow each other without a pause. There are never more than the
    /// pool has; 1 never starts one.
    #[must_use]
    pub fn threads(mut self, most: usize) -> Self {
        self.scope.run.threads.most = most;
        self
    }

    /// Shares the work with the threads of this pool instead of those of the process.
    #[must_use]
    pub fn pool(mut self, pool: &Pool) -> Self {
        self.scope.run.threads.pool = Some(pool.clone());
        self
    }

    /// Defines a group: an edited copy of the final settings. Its name must not have ` + ` in it,
    /// which joins names. Parameters come into it by [`assign`](Self::assign) or
    /// [`Param::in_group`](crate::Param::in_group). `default` and `undecayed` are always there.
    #[must_use]
    pub fn group<F>(mut self, name: impl Into<String>, edit: F) -> Self
    where
        F: Fn(Settings<A, GroupScope>) -> Settings<A, GroupScope> + Send + Sync + 'static,
    {
        self.scope.groups.push((name.into(), Arc::new(edit)));
        self
    }

    /// Puts the parameters that `selector` matches into `group`, unless they name a group themselves.
    /// Where several selectors match, the edits of all their groups are applied in the order of
    /// these calls, and later ones override earlier ones. So "head ×10, and no decay on biases" is
    ///
    /// ```
    /// # use wane::{AdamW, Decay, Selector};
    /// # let opt = AdamW::new(1e-3)
    /// .group("head", |s| s.lr_factor(10.0)).assign("head", Selector::name_starts_with("head."))
    /// .group("no decay", |s| s.weight_decay(Decay::none())).assign("no decay", Selector::vectors())
    /// # .build::<f32>()?;
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// and `head.bias` is then in the group `head + no decay`, with both edits.
    #[must_use]
    pub fn assign(mut self, group: impl Into<String>, selector: Selector) -> Self {
        self.scope.selectors.push((group.into(), selector));
        self
    }

    /// Refuses a first step that leaves a selector without a match, if `on`, before anything is
    /// written. This finds typing errors in names.
    #[must_use]
    pub fn strict_selectors(mut self, on: bool) -> Self {
        self.scope.run.strict_selectors = on;
        self
    }

    /// Checks every setting and makes the optimizer, for weights of type `T`, which the compiler
    /// usually infers from the first step.
    ///
    /// # Errors
    ///
    /// Returns the first setting that is out of range, contradictory or unknown, with its group;
    /// see [what is refused](Settings#what-is-refused).
    pub fn build<T: Float>(self) -> Result<Stepper<A, T>> {
        let Self { algorithm, decay, scope: OptimizerScope { run, groups, selectors } } = self;
        let base = Member { options: algorithm.into_options(), decay, lr_factor: 1.0, frozen: false };
        let edits = groups.into_iter().map(|(name, change)| edit(name, change)).collect();
        T::pick(Recipe { run, base, edits, selectors }).map(Stepper::new)
    }
}

fn edit<A: Algorithm>(name: String, change: Change<A>) -> Edit {
    Edit { name, change: Arc::new(move |member| change(Settings::of(member)).into_member()) }
}

impl Cases for Recipe {
    type Of<T: Float> = Result<Box<dyn Optimizer<T>>>;

    fn f32(self) -> Result<Box<dyn Optimizer<f32>>> {
        Ok(Box::new(Engine::new(self)?))
    }

    fn f64(self) -> Result<Box<dyn Optimizer<f64>>> {
        Ok(Box::new(Engine::new(self)?))
    }
}
