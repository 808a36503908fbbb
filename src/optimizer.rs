//! The trait that every optimizer implements.

use std::fmt::Debug;

use crate::decay::Decay;
use crate::description::Description;
use crate::error::Result;
use crate::float::Float;
use crate::param::Param;
use crate::report::{Report, Status};
use crate::state::{Loaded, Loading, ParameterState, State};

/// An optimizer: object safe, so that a program can pick one at run time.
///
/// A step is all or nothing: names, lengths, shapes, settings, gradients and norms are checked
/// before the first write, and after an error no weight and no state has changed by one bit. Unless
/// [`NonFinite::Propagate`](crate::NonFinite::Propagate) says so, no step makes an infinity or a
/// NaN out of finite numbers: a gradient of 6e20, whose square Adam cannot hold in `f32`, is an
/// error like an infinite one.
///
/// ```
/// use wane::{AdamW, Lion, Optimizer, Param};
///
/// let mut opt: Box<dyn Optimizer<f32>> = if cfg!(feature = "never") {
///     Lion::new(1e-4).build()?.into()
/// } else {
///     AdamW::new(1e-3).build()?.into()
/// };
/// let (mut w, g) = (vec![0.5_f32; 4], vec![0.1_f32; 4]);
/// opt.step(&mut [Param::new("w", &mut w, &g)])?;
/// assert_eq!(opt.state("w", "exp_avg").map(<[f32]>::len), Some(4));
/// # Ok::<(), wane::Error>(())
/// ```
pub trait Optimizer<T: Float>: Debug + Send + Sync {
    /// Takes one step on gradients that are multiplied by `gradient_factor` first: 1/scale for
    /// scaled losses, 1/n after n accumulated batches. Gradients are not written.
    ///
    /// A step that ends without an error, and is not skipped, is completed and moves the schedules
    /// on, even if it was given no parameter or no gradient: k counts the rounds of your loop.
    ///
    /// # Errors
    ///
    /// Returns an error for a bad factor (it must be finite and above 0), name, length, shape or
    /// group; for a gradient, anchor or norm that is not finite, or a step that would leave
    /// something infinite, under [`NonFinite::Error`](crate::NonFinite::Error); and for a decay
    /// whose share leaves [0, 1). Nothing has changed then.
    fn step_scaled(&mut self, params: &mut [Param<'_, T>], gradient_factor: f64) -> Result<Report>;

    /// Takes one step.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`step_scaled`](Self::step_scaled).
    fn step(&mut self, params: &mut [Param<'_, T>]) -> Result<Report> {
        self.step_scaled(params, 1.0)
    }

    /// Takes one step on one flat slice, under the reserved name `(slice)`. The optimizer then has
    /// no other parameter: named ones are refused before and after. Use one optimizer for each
    /// slice; another slice of the same length cannot be told from the first.
    ///
    /// For a slice with a shape, a group or a gradient factor, use [`Param::slice`] in
    /// [`step_scaled`](Self::step_scaled).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`step_scaled`](Self::step_scaled).
    fn step_slice(&mut self, weights: &mut [T], grads: &[T]) -> Result<Report> {
        self.step(&mut [Param::slice(weights, grads)])
    }

    /// Makes parameters known without a step: checks them, chooses their groups, captures anchors.
    /// A step does all of this for new names too.
    ///
    /// # Errors
    ///
    /// Returns an error for a bad name, length, shape or group, as a step does.
    fn register(&mut self, params: &[Param<'_, T>]) -> Result<()>;

    /// Captures the anchors of these parameters (again): a decay towards
    /// [`Anchor::Start`](crate::Anchor::Start) pulls to the weights as they are now, a running average goes
    /// on from them, and ‖w₀‖ of [`Decay::start_norm`](crate::Decay::start_norm) is their norm. This is for
    /// weights that were loaded after they were registered. Parameters whose decay keeps nothing that starts
    /// from weights stay as they are, and so do other columns; new names become known.
    ///
    /// ```
    /// use wane::{Anchor, Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(0.1).weight_decay(Decay::fixed(0.5).towards(Anchor::Start)).build()?;
    /// let mut w = [8.0_f32];
    /// opt.register(&[Param::without_grad("w", &mut w)])?;
    /// w = [2.0];                                                     // loaded from a file
    /// opt.capture_anchors(&[Param::without_grad("w", &mut w)])?;
    /// opt.step(&mut [Param::new("w", &mut w, &[0.0])])?;
    /// assert_eq!(w, [2.0]);                                          // and not half the way back to 8
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`register`](Self::register); no anchor has changed then.
    fn capture_anchors(&mut self, params: &[Param<'_, T>]) -> Result<()>;

    /// Lets rows pay the decay that they owe under [`Untouched::CatchUp`](crate::Untouched::CatchUp):
    /// x ← x − (1 − e^(−owed))·d, and then nothing is owed. This is for the end of training, or before
    /// weights are evaluated or saved: after it they are as if all rows had decayed at every step. It is no
    /// step: nothing else changes, gradients are not looked at.
    ///
    /// Parameters that owe nothing, that are frozen, or whose decay is another, stay as they are, and so
    /// do weights under a [mask](crate::Param::undecayed); new names become known. Parameters that are not given
    /// go on owing. See [`Decay::untouched`](crate::Decay::untouched) for an example. One pass over the
    /// parameters that owe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`register`](Self::register);
    /// [`Error::AnchorMissing`](crate::Error::AnchorMissing) where the anchor is lent and is not; and
    /// [`Error::NonFiniteNorm`](crate::Error::NonFiniteNorm) where the distance from it is not finite, or more than half
    /// of the largest number (under [`NonFinite::Skip`](crate::NonFinite::Skip) nothing happens then). Nothing has
    /// changed then.
    fn catch_up(&mut self, params: &mut [Param<'_, T>]) -> Result<()>;

    /// Moves a known parameter to another group: one that was defined, `default`, `undecayed`, or
    /// several joined by ` + `. Its step count is kept, and so are the columns that both optimizers have, and
    /// those that both decays have, such as an anchor. Other columns start as those of
    /// a new parameter. What starts from weights, such as an anchor that was not there, is captured in the
    /// parameter's next step. Where the options of both groups' optimizers differ (not only rates
    /// and decays), every step of the parameter is from then on rehearsed for overflow, unless that
    /// is [let through](crate::NonFinite::Propagate).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParameter`](crate::Error::UnknownParameter),
    /// [`Error::UnknownGroup`](crate::Error::UnknownGroup), or what is wrong with the settings of a
    /// group that is made by joining others.
    fn assign(&mut self, name: &str, group: &str) -> Result<()>;

    /// Gives a known parameter the length and shape that `param` has: for a vocabulary that grows.
    /// State and a captured anchor are kept for the elements that were there before (the first
    /// rows, the first columns ...). The state of new elements starts as that of a new parameter
    /// (from 0, or Adagrad's s₀), and their anchor is the weights in `param`. Step counts are kept:
    /// the bias correction of new elements is that of old ones.
    ///
    /// ```
    /// use wane::{Adam, Optimizer, Param};
    ///
    /// let mut opt = Adam::new(0.1).build()?;
    /// let mut w = vec![0.5_f32; 2 * 3];
    /// opt.step(&mut [Param::new("embed", &mut w, &[1.0; 6]).shape(&[2, 3])])?;
    /// w.resize(4 * 3, 0.0);
    /// opt.resize(&Param::without_grad("embed", &mut w).shape(&[4, 3]))?;
    /// let m: &[f32] = opt.state("embed", "exp_avg").unwrap();
    /// assert!(m[..6].iter().all(|&kept| kept == m[0] && kept > 0.0) && m[6..] == [0.0; 6]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParameter`](crate::Error::UnknownParameter); a shape that does not multiply
    /// to the length; and [`Error::AxesChanged`](crate::Error::AxesChanged) where the number of
    /// axes differs, or only one of both has a shape.
    fn resize(&mut self, param: &Param<'_, T>) -> Result<()>;

    /// Returns the learning rate of the next step, before any group's factor.
    fn learning_rate(&self) -> f64;

    /// Returns the peak learning rate, which independent decay is measured against.
    fn peak_learning_rate(&self) -> f64;

    /// Sets the learning rate to `lr`, whatever the schedule says, until
    /// [`resume_schedule`](Self::resume_schedule); the peak stays as it is.
    ///
    /// An outer scheduler that calls this scales independent and timescale decay by lr/peak with
    /// it, so `new` must be given the largest learning rate that it will set. Fixed and half-life
    /// decay do not change with it.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) unless `lr` is finite and at least 0, and a
    /// number of the weights' type times every group's factor, where a group is at fault within
    /// [`Error::InGroup`](crate::Error::InGroup);
    /// [`Error::ShrinkOutOfRange`](crate::Error::ShrinkOutOfRange) where a group's decay would
    /// remove everything at this learning rate. The learning rate is then as it was.
    fn set_learning_rate(&mut self, lr: f64) -> Result<()>;

    /// Undoes [`set_learning_rate`](Self::set_learning_rate): the learning rate is
    /// peak × schedule again.
    fn resume_schedule(&mut self);

    /// Gives a group another decay from the next step on, until [`reset`](Self::reset): the group of
    /// just this name. Columns of state that both decays have stay as they are; others begin as those
    /// of a new parameter, and what a [group](Self::decay_strength) has found of its strength begins anew. So λ
    /// of [`Decay::cpr`](crate::Decay::cpr), and κ where that is a column, go on in another CPR;
    /// [`restore_state`](Self::restore_state) sets them. A [state](Self::export) names the decay that the group
    /// has then.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::decoupled(0.5)).build()?;
    /// let mut w = [4.0_f64];
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [3.0]);
    /// opt.set_weight_decay("default", Decay::none())?;
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [3.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownGroup`](crate::Error::UnknownGroup), and the errors of `build` for a decay, within
    /// [`Error::InGroup`](crate::Error::InGroup) unless the group is `default`. The decay is then as it
    /// was.
    fn set_weight_decay(&mut self, group: &str, decay: Decay) -> Result<()>;

    /// Moves λ of every group whose decay is [tuned](crate::Decay::tuned) along the gradient of a
    /// validation loss at the present weights, which each parameter lends in the place of its own
    /// gradient. Parameters that are not lent, or lend no gradient, wait for the next tuning;
    /// parameters of other groups are checked, and nothing else. Gradients are not scaled or clipped;
    /// [`maximize`](crate::Settings::maximize) turns them round. The order of the parameters changes no
    /// bit.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParameter`](crate::Error::UnknownParameter),
    /// [`Error::DuplicateName`](crate::Error::DuplicateName); the errors of a step for lengths and
    /// shapes; [`Error::NonFiniteGradient`](crate::Error::NonFiniteGradient);
    /// [`Error::Conflict`](crate::Error::Conflict) where no parameter of a tuned group lends a gradient;
    /// [`Error::OutOfRange`](crate::Error::OutOfRange) for a λ that is not finite, and
    /// [`Error::ShrinkOutOfRange`](crate::Error::ShrinkOutOfRange) for one that would remove everything
    /// in the next step. Nothing has changed then.
    fn tune_decay(&mut self, params: &[Param<'_, T>]) -> Result<()>;

    /// Returns what the decay of a group has found of its strength: λ of a
    /// [tuned](crate::Decay::tuned) decay, λ̄ of an [adaptive](crate::Decay::adaptive) one, p/√v̄ of the
    /// last step of a [stable](crate::Decay::stable) one (0 before the first). `None` for other decays,
    /// and for a group that is not there.
    fn decay_strength(&self, group: &str) -> Option<f64>;

    /// Returns the number of completed steps k, which schedules see. A step without parameters or
    /// gradients counts, a skipped or refused one does not.
    fn completed_steps(&self) -> u64;

    /// Returns the names of all known parameters, in the order in which they were first seen.
    fn names(&self) -> Vec<&str>;

    /// Returns the number of updates t of one parameter; `None` for a name not seen.
    fn steps_of(&self, name: &str) -> Option<u64>;

    /// Returns the names of a parameter's state columns, PyTorch's where it has them, and of the
    /// columns that its decay keeps: `anchor` for [`Anchor::Start`](crate::Anchor::Start),
    /// `running_average` for [`Anchor::Average`](crate::Anchor::Average), `owed` for
    /// [`Untouched::CatchUp`](crate::Untouched::CatchUp), `sensitivity` for
    /// [`Decay::tuned`](crate::Decay::tuned), `lambda` and others for [`Decay::cpr`](crate::Decay::cpr),
    /// `start_norm` for [`Decay::start_norm`](crate::Decay::start_norm) and
    /// [`Decay::hyperball`](crate::Decay::hyperball), `singular_vector` for [`Decay::spectral`](crate::Decay::spectral).
    /// `None` for a name not seen.
    fn columns(&self, name: &str) -> Option<Vec<&'static str>>;

    /// Returns a column of a parameter's state, by PyTorch's name (`exp_avg`, `momentum_buffer`
    /// ...) or its decay's; an optimizer's is `None` before the first update, unless a column was
    /// [put back](Self::restore_state), a decay's before the parameter's first step or registration.
    /// Most columns have a number for each weight; `row_var` and `col_var` of
    /// [`Adafactor`](crate::Adafactor) have fewer, `mu_product` of [`NAdam`](crate::NAdam) has one.
    #[doc(alias = "exp_avg")]
    #[doc(alias = "exp_avg_sq")]
    #[doc(alias = "momentum_buffer")]
    fn state(&self, name: &str, column: &str) -> Option<&[T]>;

    /// Puts a column of a known parameter's state back: what [`state`](Self::state) has returned
    /// before. The step count stays as it is. From then on every step of the parameter is rehearsed
    /// for overflow, as after [`assign`](Self::assign) between optimizers of other options.
    ///
    /// ```
    /// use wane::{Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).momentum(0.5).build()?;
    /// let mut w = [1.0_f32];
    /// opt.step_slice(&mut w, &[1.0])?;
    /// opt.restore_state("(slice)", "momentum_buffer", &[0.0])?;
    /// opt.step_slice(&mut w, &[0.0])?;
    /// assert_eq!(w, [0.5]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownParameter`](crate::Error::UnknownParameter),
    /// [`Error::NoSuchColumn`](crate::Error::NoSuchColumn), or
    /// [`Error::NonFiniteState`](crate::Error::NonFiniteState). The state is then as it was.
    fn restore_state(&mut self, name: &str, column: &str, values: &[T]) -> Result<()>;

    /// Lends everything that the next step depends on, beside the weights, as plain data.
    ///
    /// # Example
    ///
    /// See [`State`], and [`guide::checkpoints`](crate::guide::checkpoints) for files.
    fn export(&self) -> State<'_>;

    /// Lends the state of one parameter; `None` for a name not seen.
    fn export_parameter(&self, name: &str) -> Option<ParameterState<'_>>;

    /// Takes a state: the counts, the parameters with their columns, what decays remember. Settings
    /// are compared and stay as they are here. Numbers that are owned are moved where a parameter has
    /// one column, others are copied.
    ///
    /// All of it is compared first; [`Loading`] says which differences are allowed. A parameter that
    /// is taken is from then on as if this optimizer had made its steps: the next one has the same
    /// bits.
    ///
    /// # Errors
    ///
    /// [`Error::StateDiffers`](crate::Error::StateDiffers) with all differences that are not allowed;
    /// [`Error::StateFormat`](crate::Error::StateFormat); and for a state that no optimizer can have,
    /// the error of what is wrong with it: [`DuplicateName`](crate::Error::DuplicateName),
    /// [`DuplicateColumn`](crate::Error::DuplicateColumn), [`EmptyName`](crate::Error::EmptyName),
    /// [`ShapeLength`](crate::Error::ShapeLength), [`RankTooHigh`](crate::Error::RankTooHigh),
    /// [`ShapeRefused`](crate::Error::ShapeRefused), [`SliceAmongNames`](crate::Error::SliceAmongNames),
    /// [`NonFiniteState`](crate::Error::NonFiniteState) unless numbers that are not finite are
    /// [let through](crate::NonFinite::Propagate), [`OutOfRange`](crate::Error::OutOfRange) for a
    /// rate or an average, and [`ShrinkOutOfRange`](crate::Error::ShrinkOutOfRange) for what the next
    /// step would make of them. The optimizer is then as it was.
    fn import(&mut self, state: State<'_>, loading: &Loading) -> Result<Loaded>;

    /// Takes the state of one parameter, as [`import`](Self::import) does, where all of it fits. A
    /// name not seen becomes known, in the group of the state.
    ///
    /// # Errors
    ///
    /// Those of [`import`](Self::import). The optimizer is then as it was.
    fn import_parameter(&mut self, state: ParameterState<'_>) -> Result<()>;

    /// Returns what became of a parameter in the last step; `None` for a name not seen.
    fn status(&self, name: &str) -> Option<Status>;

    /// Drops a parameter's state and name, and returns whether the name was known.
    fn forget(&mut self, name: &str) -> bool;

    /// Brings the optimizer back to the moment after `build`: no names, no state, no counts, the
    /// scheduled learning rate.
    fn reset(&mut self);

    /// Returns all parameters with their groups and effective settings, as a table to print.
    fn describe(&self) -> Description;

    /// Returns a copy with all its state, behind a box.
    fn boxed_clone(&self) -> Box<dyn Optimizer<T>>;
}

/// Writes the methods of `Optimizer<$T>`, each of which calls the same method of `self` with these
/// tokens before and behind it.
macro_rules! forward {
    ($T:ty, [$($before:tt)*] self [$($behind:tt)*]) => {
        $crate::optimizer::forward!(@all [$($before)*] [$($behind)*]
            fn step_scaled(&mut self, params: &mut [$crate::Param<'_, $T>], gradient_factor: f64) -> $crate::Result<$crate::Report>;
            fn step(&mut self, params: &mut [$crate::Param<'_, $T>]) -> $crate::Result<$crate::Report>;
            fn step_slice(&mut self, weights: &mut [$T], grads: &[$T]) -> $crate::Result<$crate::Report>;
            fn register(&mut self, params: &[$crate::Param<'_, $T>]) -> $crate::Result<()>;
            fn capture_anchors(&mut self, params: &[$crate::Param<'_, $T>]) -> $crate::Result<()>;
            fn catch_up(&mut self, params: &mut [$crate::Param<'_, $T>]) -> $crate::Result<()>;
            fn assign(&mut self, name: &str, group: &str) -> $crate::Result<()>;
            fn resize(&mut self, param: &$crate::Param<'_, $T>) -> $crate::Result<()>;
            fn learning_rate(&self) -> f64;
            fn peak_learning_rate(&self) -> f64;
            fn set_learning_rate(&mut self, lr: f64) -> $crate::Result<()>;
            fn resume_schedule(&mut self) -> ();
            fn set_weight_decay(&mut self, group: &str, decay: $crate::Decay) -> $crate::Result<()>;
            fn tune_decay(&mut self, params: &[$crate::Param<'_, $T>]) -> $crate::Result<()>;
            fn decay_strength(&self, group: &str) -> Option<f64>;
            fn completed_steps(&self) -> u64;
            fn names(&self) -> Vec<&str>;
            fn steps_of(&self, name: &str) -> Option<u64>;
            fn columns(&self, name: &str) -> Option<Vec<&'static str>>;
            fn state(&self, name: &str, column: &str) -> Option<&[$T]>;
            fn restore_state(&mut self, name: &str, column: &str, values: &[$T]) -> $crate::Result<()>;
            fn export(&self) -> $crate::state::State<'_>;
            fn export_parameter(&self, name: &str) -> Option<$crate::state::ParameterState<'_>>;
            fn import(&mut self, state: $crate::state::State<'_>, loading: &$crate::state::Loading) -> $crate::Result<$crate::state::Loaded>;
            fn import_parameter(&mut self, state: $crate::state::ParameterState<'_>) -> $crate::Result<()>;
            fn status(&self, name: &str) -> Option<$crate::Status>;
            fn forget(&mut self, name: &str) -> bool;
            fn reset(&mut self) -> ();
            fn describe(&self) -> $crate::Description;
            fn boxed_clone(&self) -> Box<dyn $crate::Optimizer<$T>>;
        );
    };
    (@all $before:tt $behind:tt $(fn $name:ident($($me:tt)+) -> $result:ty;)+) => {
        $($crate::optimizer::forward!(@one $before $behind fn $name($($me)+) -> $result);)+
    };
    (@one [$($before:tt)*] [$($behind:tt)*] fn $name:ident(&self $(, $arg:ident: $kind:ty)*) -> $result:ty) => {
        fn $name(&self $(, $arg: $kind)*) -> $result {
            ($($before)* self $($behind)*).$name($($arg),*)
        }
    };
    (@one [$($before:tt)*] [$($behind:tt)*] fn $name:ident(&mut self $(, $arg:ident: $kind:ty)*) -> $result:ty) => {
        fn $name(&mut self $(, $arg: $kind)*) -> $result {
            ($($before)* self $($behind)*).$name($($arg),*)
        }
    };
}
pub(crate) use forward;

impl<T: Float> Clone for Box<dyn Optimizer<T>> {
    fn clone(&self) -> Self {
        (**self).boxed_clone()
    }
}

impl<T: Float, O: Optimizer<T> + ?Sized> Optimizer<T> for Box<O> {
    forward!(T, [**] self []);
}
