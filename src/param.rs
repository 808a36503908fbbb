//! A parameter as it is handed to a step: a name, its weights, its gradients, and what
//! else is known of it.

use std::fmt;

use crate::error::MAX_RANK;
use crate::float::Float;

/// The name that `step_slice` gives to its one slice.
pub(crate) const SLICE: &str = "(slice)";

/// One parameter in one step: a borrowed slice of weights with its gradient, under a name.
///
/// The name is the parameter's identity: the optimizer keeps its state under it. Everything is
/// borrowed, nothing is copied.
///
/// | method | meaning | without it |
/// |---|---|---|
/// | [`new`](Self::new) | weights and their gradient, of one length | |
/// | [`without_grad`](Self::without_grad) | no gradient in this step: weights and state stay as they are | |
/// | [`shape`](Self::shape) | rows, columns ...; at most 8 axes | selectors that look at the shape are an error |
/// | [`no_decay`](Self::no_decay) | the settings of its group without decay; `undecayed` is part of the group's name | |
/// | [`in_group`](Self::in_group) | a group by name | all selectors that match, else `default` |
/// | [`frozen`](Self::frozen) | not updated in this step | |
/// | [`undecayed`](Self::undecayed) | the weights or rows that decay leaves alone in this step | decay acts on all of them |
/// | [`anchor`](Self::anchor) | what a decay [towards](crate::Decay::towards) a lent anchor pulls to | |
///
/// A group is chosen when a name is first seen; asking for another one later is an error, unless
/// [`Optimizer::assign`](crate::Optimizer::assign) has moved the parameter there.
///
/// The name is borrowed, so it must live as long as the parameter: keep names beside the layers (a
/// `Vec<String>`, or a field), where `Param::new(&format!("layer.{i}"), ..)` in a statement of its
/// own would be gone too early.
///
/// ```
/// use wane::{AdamW, Optimizer, Param};
///
/// let (mut weight, mut bias) = ([0.5_f32; 6], [0.0_f32; 3]);
/// let (grad_weight, grad_bias) = ([0.1_f32; 6], [0.2_f32; 3]);
/// let mut opt = AdamW::new(1e-3).build()?;
/// let report = opt.step(&mut [
///     Param::new("fc.weight", &mut weight, &grad_weight).shape(&[2, 3]),
///     Param::new("fc.bias", &mut bias, &grad_bias).shape(&[3]).no_decay(),
/// ])?;
/// assert_eq!(report.updated(), 2);
/// # Ok::<(), wane::Error>(())
/// ```
pub struct Param<'a, T: Float> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a mut [T],
    pub(crate) grad: Option<&'a [T]>,
    pub(crate) shape: Option<Shape>,
    pub(crate) group: GroupChoice<'a>,
    pub(crate) anchor: Option<&'a [T]>,
    pub(crate) undecayed: Option<&'a [bool]>,
    pub(crate) frozen: bool,
}

/// Prints everything but the numbers themselves.
impl<T: Float> fmt::Debug for Param<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grad = if self.grad.is_some() { "" } else { ", no gradient" };
        let frozen = if self.frozen { ", frozen" } else { "" };
        write!(f, "Param({}, {} weights, {:?}{grad}{frozen}, {:?})", self.name, self.value.len(), self.shape, self.group)
    }
}

/// What a parameter says about its group. Selectors decide where it says nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupChoice<'a> {
    pub(crate) named: Option<&'a str>,
    pub(crate) undecayed: bool,
}

impl<'a, T: Float> Param<'a, T> {
    /// Makes a parameter of weights and their gradient, under a name.
    #[must_use]
    pub fn new(name: &'a str, value: &'a mut [T], grad: &'a [T]) -> Self {
        Self { grad: Some(grad), ..Self::without_grad(name, value) }
    }

    /// Makes a parameter without a gradient in this step: weights and state are left
    /// alone, as in PyTorch.
    #[must_use]
    pub fn without_grad(name: &'a str, value: &'a mut [T]) -> Self {
        let group = GroupChoice::default();
        Self { name, value, grad: None, shape: None, group, anchor: None, undecayed: None, frozen: false }
    }

    /// Makes a parameter of one flat slice, under the name that
    /// [`step_slice`](crate::Optimizer::step_slice) uses.
    #[must_use]
    pub fn slice(value: &'a mut [T], grad: &'a [T]) -> Self {
        Self::new(SLICE, value, grad)
    }

    /// Sets the lengths of the axes; their product must be the number of weights.
    #[must_use]
    pub fn shape(mut self, shape: &[usize]) -> Self {
        self.shape = Some(Shape::new(shape));
        self
    }

    /// Leaves the parameter undecayed, whatever its group says.
    #[doc(alias = "exclude_from_weight_decay")]
    #[must_use]
    pub fn no_decay(mut self) -> Self {
        self.group.undecayed = true;
        self
    }

    /// Puts the parameter in this group, whatever the selectors say. It may be several groups in
    /// one, as selectors make them: `"head + no decay"`.
    #[must_use]
    pub fn in_group(mut self, group: &'a str) -> Self {
        self.group.named = Some(group);
        self
    }

    /// Leaves the parameter as it is in this step if `on`, without a look at its gradient. This is
    /// for freezing and unfreezing during a run; [`Settings::frozen`] lasts for the whole run.
    ///
    /// [`Settings::frozen`]: crate::Settings::frozen
    #[must_use]
    pub fn frozen(mut self, on: bool) -> Self {
        self.frozen = on;
        self
    }

    /// Lends what a decay towards [`Anchor::Given`](crate::Anchor::Given) pulls to: as many numbers
    /// as there are weights.
    #[must_use]
    pub fn anchor(mut self, anchor: &'a [T]) -> Self {
        self.anchor = Some(anchor);
        self
    }

    /// Lends a mask: decay leaves the weights alone in this step where it is true. It has a flag for
    /// each weight, or one for each row (slice along the first axis), which needs the shape.
    ///
    /// This is for rows that are frozen by gradients of 0, which decay would go on shrinking; for
    /// padding, and for weights that pruning has set to a value. These weights get the update as it is
    /// without decay, by the bit: x − η·u beside the update, the gradient as given before it. Only
    /// decay is held off: momentum that is left goes on moving them.
    ///
    /// What a decay or an optimizer works out from a whole parameter still is: the norms of adaptive
    /// decay and of rows in group lasso, AdaDecay's mean, LAMB's norms. So these weights count there,
    /// and what decays beside them may change with the mask. A running average that the decay pulls
    /// to ([`Anchor::Average`](crate::Anchor::Average)) rests where the mask is true.
    ///
    /// A parameter under a mask goes tile by tile where others have one loop, with the same bits; no
    /// memory is kept.
    /// Lend it at each step; without one, decay acts everywhere.
    ///
    /// ```
    /// use wane::{AdamW, Decay, Optimizer, Param};
    ///
    /// let mut opt = AdamW::new(0.1).weight_decay(Decay::decoupled(1.0)).build()?;
    /// let mut w = [1.0_f32, 1.0, 1.0, 1.0];
    /// let frozen = [true, false];
    /// opt.step(&mut [Param::new("embed", &mut w, &[0.0; 4]).shape(&[2, 2]).undecayed(&frozen)])?;
    /// assert_eq!(w, [1.0, 1.0, 0.9, 0.9]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// A step returns [`MaskLength`](crate::Error::MaskLength) for a mask of another length.
    #[doc(alias = "mask")]
    #[must_use]
    pub fn undecayed(mut self, mask: &'a [bool]) -> Self {
        self.undecayed = Some(mask);
        self
    }

    pub(crate) fn info(&self) -> ParamInfo<'_> {
        ParamInfo { name: self.name, shape: self.shape.as_ref().map(Shape::axes), len: self.value.len() }
    }
}

/// What a selector knows of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamInfo<'a> {
    name: &'a str,
    shape: Option<&'a [usize]>,
    len: usize,
}

impl<'a> ParamInfo<'a> {
    pub(crate) fn new(name: &'a str, shape: Option<&'a [usize]>, len: usize) -> Self {
        Self { name, shape, len }
    }

    /// Returns the parameter's name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the parameter's shape, where one was given.
    #[must_use]
    pub fn shape(&self) -> Option<&'a [usize]> {
        self.shape
    }

    /// Returns the parameter's number of weights.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether the parameter has no weights at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The lengths of the axes, held inline so that a step allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    axes: [usize; MAX_RANK],
    rank: usize,
}

impl Shape {
    /// Keeps at most [`MAX_RANK`] axes, and the true rank, so that a step can refuse
    /// the shape by name.
    pub(crate) fn new(shape: &[usize]) -> Self {
        let mut axes = [0; MAX_RANK];
        axes.iter_mut().zip(shape).for_each(|(kept, &axis)| *kept = axis);
        Self { axes, rank: shape.len() }
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn axes(&self) -> &[usize] {
        self.axes.get(..self.rank).unwrap_or(&self.axes)
    }

    /// Returns the product of the axes, if it fits in a `usize`; 0 if one of them is 0,
    /// whatever the others are.
    pub(crate) fn len(&self) -> Option<usize> {
        if self.axes().contains(&0) {
            return Some(0);
        }
        self.axes().iter().try_fold(1_usize, |len, &axis| len.checked_mul(axis))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.axes())
    }
}
