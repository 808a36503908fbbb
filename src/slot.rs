//! The memory of one parameter, and what a step works out for it.

use std::fmt;

use crate::error::{Error, Result};
use crate::float::{Float, Real};
use crate::foresight::Ceiling;
use crate::kernel::SquareSum;
use crate::param::{MAX_RANK, Param, Shape};
use crate::report::Status;

/// What is kept for one parameter.
#[derive(Clone)]
pub(crate) struct Slot<T> {
    pub(crate) name: Box<str>,
    pub(crate) len: usize,
    pub(crate) shape: Option<Shape>,
    pub(crate) group: usize,
    /// The parameter's own updates.
    pub(crate) t: u64,
    pub(crate) status: Status,
    /// Which of the optimizer's ended steps was the last one that it was in.
    pub(crate) seen: u64,
    /// The rule's columns, one after another; empty before the first gradient.
    pub(crate) state: Vec<T>,
    /// The weights that the decay pulls towards, once they are captured.
    pub(crate) anchor: Vec<T>,
    /// Bounds on what the parameter holds.
    pub(crate) ceiling: Ceiling,
    /// How many names were there before this one.
    pub(crate) born: usize,
    /// Not yet part of a completed step or registration.
    pub(crate) fresh: bool,
    /// Of this step.
    pub(crate) step: OfStep,
}

/// Without the memory itself, which may be gigabytes.
impl<T> fmt::Debug for Slot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, len, shape, group, t, status, .. } = self;
        write!(f, "Slot({name}, {len} weights, {shape:?}, group {group}, {t} updates, {status:?})")
    }
}

/// What a step works out for one parameter before it writes anything.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfStep {
    pub(crate) status: Status,
    /// Σg² of the gradient as given.
    pub(crate) squares: SquareSum,
    /// Where the group's plan holds the scalars.
    pub(crate) scalars: usize,
    /// The factor on the displacement, and how long that is at the most, where a norm is looked at.
    pub(crate) trust: f64,
    pub(crate) displacement: f64,
    /// The norm of the gradient as given, where it was looked at.
    pub(crate) norm: f64,
    /// The norm of a lent anchor.
    pub(crate) lent: f64,
    /// The bounds after this step.
    pub(crate) ceiling: Ceiling,
    /// Whether the anchor is of this step.
    pub(crate) captured: bool,
}

impl<T: Float> Slot<T> {
    pub(crate) fn new(param: &Param<'_, T>, group: usize, born: usize) -> Self {
        let ceiling = Ceiling::default();
        let step = OfStep {
            status: Status::Registered,
            squares: SquareSum::default(),
            scalars: 0,
            trust: 1.0,
            displacement: 0.0,
            norm: 0.0,
            lent: 0.0,
            ceiling,
            captured: false,
        };
        Self {
            name: param.name.into(),
            len: param.value.len(),
            shape: param.shape,
            group,
            t: 0,
            status: Status::Registered,
            seen: 0,
            state: Vec::new(),
            anchor: Vec::new(),
            ceiling,
            born,
            fresh: true,
            step,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.step.status == Status::Updated
    }

    /// Checks that this parameter is what it was before, and whole in itself.
    pub(crate) fn check(&self, param: &Param<'_, T>) -> Result<()> {
        let name = || param.name.to_string();
        let len = param.value.len();
        check_lengths(param)?;
        if len != self.len {
            return Err(Error::LengthChanged { name: name(), known: self.len, found: len });
        }
        match &param.shape {
            Some(found) if param.shape != self.shape => {
                check_shape(param)?;
                let known = self.shape.map(|shape| shape.axes().into());
                Err(Error::ShapeChanged { name: name(), known, found: found.axes().into() })
            }
            _ => Ok(()),
        }
    }
}

/// Gradient and anchor must be as long as the weights.
fn check_lengths<T: Float>(param: &Param<'_, T>) -> Result<()> {
    let len = param.value.len();
    if let Some(grad) = param.grad
        && grad.len() != len
    {
        return Err(Error::GradientLength { name: param.name.into(), weights: len, gradients: grad.len() });
    }
    if let Some(anchor) = param.anchor
        && anchor.len() != len
    {
        return Err(Error::AnchorLength { name: param.name.into(), weights: len, anchor: anchor.len() });
    }
    Ok(())
}

/// A shape must be one that is kept, and multiply to the length.
pub(crate) fn check_shape<T: Float>(param: &Param<'_, T>) -> Result<()> {
    let Some(shape) = &param.shape else { return Ok(()) };
    let name = param.name.to_string();
    if shape.rank() > MAX_RANK {
        return Err(Error::RankTooHigh { name, rank: shape.rank() });
    }
    if shape.len() != Some(param.value.len()) {
        return Err(Error::ShapeLength { name, shape: shape.axes().into(), len: param.value.len() });
    }
    Ok(())
}

impl<T> Slot<T> {
    /// The step has ended: what was decided is what became of the parameter.
    pub(crate) fn end(&mut self, ended: u64) {
        self.status = self.step.status;
        self.seen = ended;
        self.step.captured = false;
    }

    /// An anchor that was captured without a step stays.
    pub(crate) fn keep(&mut self) {
        self.step.captured = false;
    }

    /// The step has failed: an anchor that it captured goes again.
    pub(crate) fn release(&mut self) {
        if std::mem::take(&mut self.step.captured) {
            self.anchor.clear();
        }
    }
}

impl<T: Real> Slot<T> {
    /// Memory for the first step of a parameter: its columns, zero, and its anchor, captured if it is not there.
    pub(crate) fn prepare(&mut self, columns: usize, captures: bool, value: &[T]) {
        if captures && self.anchor.is_empty() {
            self.capture(value);
            self.step.captured = true;
        }
        if self.is_active() && self.state.len() != columns * self.len {
            self.state = vec![T::zero(); columns * self.len];
        }
    }

    /// These weights are what the decay pulls towards from now on.
    pub(crate) fn capture(&mut self, value: &[T]) {
        self.anchor.clear();
        self.anchor.extend_from_slice(value);
        self.ceiling.weight = f64::INFINITY;
    }

    /// Into another group, whose columns are `now`; those that were there `before` are kept, others begin with 0.
    pub(crate) fn regroup(&mut self, group: usize, before: &[&str], now: &[&str]) {
        if !self.state.is_empty() {
            let kept = |column: &&str| {
                before.iter().position(|known| known == column).map(|at| &self.state[at * self.len..][..self.len])
            };
            let columns = now.iter().map(|column| kept(column).map_or_else(|| vec![T::zero(); self.len], <[T]>::to_vec));
            self.state = columns.flatten().collect();
        }
        self.ceiling.weight = f64::INFINITY;
        self.group = group;
    }

    /// The parameter has the length and shape of `param` from now on. State and anchor are kept where both have an element; new elements have
    /// a state of 0, and their weights as anchor.
    pub(crate) fn resize(&mut self, param: &Param<'_, T>) -> Result<()> {
        check_lengths(param)?;
        check_shape(param)?;
        let axes = |shape: &Option<Shape>, len| shape.as_ref().map_or(vec![len], |shape| shape.axes().to_vec());
        let (old, new) = (axes(&self.shape, self.len), axes(&param.shape, param.value.len()));
        if old.len() != new.len() || self.shape.is_some() != param.shape.is_some() {
            let [known, found] = [&self.shape, &param.shape].map(|shape| shape.map(|shape| shape.axes().into()));
            return Err(Error::AxesChanged { name: param.name.into(), known, found });
        }
        let (before, after) = (self.len, param.value.len());
        let columns = self.state.len().checked_div(before).unwrap_or(0);
        let mut state = vec![T::zero(); columns * after];
        for (from, to) in self.state.chunks(before.max(1)).zip(state.chunks_mut(after.max(1))) {
            copy_common(&old, &new, from, to);
        }
        if !self.anchor.is_empty() {
            let mut anchor = param.value.to_vec();
            copy_common(&old, &new, &self.anchor, &mut anchor);
            self.capture(&anchor);
        }
        self.ceiling.weight = f64::INFINITY;
        (self.state, self.len, self.shape) = (state, after, param.shape);
        Ok(())
    }
}

/// Copies the elements that arrays of both shapes have, row-major, from one to the other.
fn copy_common<T: Copy>(old: &[usize], new: &[usize], from: &[T], to: &mut [T]) {
    let (Some((&rows, old)), Some((&new_rows, new))) = (old.split_first(), new.split_first()) else {
        return to.copy_from_slice(from);
    };
    let (width, new_width): (usize, usize) = (old.iter().product(), new.iter().product());
    for i in 0..rows.min(new_rows) {
        copy_common(old, new, &from[i * width..][..width], &mut to[i * new_width..][..new_width]);
    }
}
