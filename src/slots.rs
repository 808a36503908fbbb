//! The memory of an optimizer: one slot per name, in the order of the last step.
//!
//! A step compares slot i's name with parameter i's, and looks a name up only where they differ. So a step in the usual order
//! hashes nothing, duplicates are found for free, and parameters and slots can be walked (and later split) side by side.

use std::collections::HashMap;
use std::fmt;

use crate::error::{Error, Result};
use crate::float::{Float, Real};
use crate::foresight::Ceiling;
use crate::kernel::SquareSum;
use crate::param::{MAX_RANK, Param, SLICE, Shape};
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
    fresh: bool,
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
    captured: bool,
}

impl<T: Float> Slot<T> {
    fn new(param: &Param<'_, T>, group: usize, born: usize) -> Self {
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

    /// Is this parameter what it was before, and whole in itself?
    fn check(&self, param: &Param<'_, T>) -> Result<()> {
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
fn check_shape<T: Float>(param: &Param<'_, T>) -> Result<()> {
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

/// All slots, and where each name is.
#[derive(Clone, Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    index: HashMap<Box<str>, usize>,
    /// The first slots in the order of their names, as it was when a sum was last asked for.
    sorted: Vec<usize>,
    born: usize,
    /// How many slots are not yet part of a completed step or registration.
    fresh: usize,
}

/// Slots that are being arranged: what was new goes again, unless all went well. That holds too if a policy of the user panics.
struct Arranging<'a, T: Float> {
    slots: &'a mut Slots<T>,
    given: usize,
    well: bool,
}

impl<T: Float> Drop for Arranging<'_, T> {
    fn drop(&mut self) {
        if !self.well {
            self.slots.rollback(self.given);
        }
    }
}

impl<T: Float> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), index: HashMap::new(), sorted: Vec::new(), born: 0, fresh: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Slot<T>> {
        self.index.get(name).map(|&i| &self.slots[i])
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Result<&mut Slot<T>> {
        let known = self.index.get(name).copied().ok_or_else(|| Error::UnknownParameter { name: name.into() })?;
        Ok(&mut self.slots[known])
    }

    /// All slots in the order in which their names were first seen.
    pub(crate) fn by_birth(&self) -> Vec<&Slot<T>> {
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_unstable_by_key(|slot| slot.born);
        slots
    }

    /// The slots of the first `n` parameters, which [`arrange`](Self::arrange) has put in their order.
    pub(crate) fn first(&mut self, n: usize) -> &mut [Slot<T>] {
        &mut self.slots[..n]
    }

    /// Brings slot i under parameter i for every i, makes slots for new names, and checks names, lengths and shapes. `group` chooses a
    /// new parameter's group. Tells whether there are new names; after an error there are none.
    pub(crate) fn arrange(
        &mut self,
        params: &[Param<'_, T>],
        mut group: impl FnMut(&Param<'_, T>) -> Result<usize>,
    ) -> Result<bool> {
        let before = self.slots.len();
        let mut arranging = Arranging { slots: self, given: params.len(), well: false };
        let slots = &mut *arranging.slots;
        for (i, param) in params.iter().enumerate() {
            if param.name.is_empty() {
                return Err(Error::EmptyName { position: i });
            }
            if slots.slots.get(i).is_none_or(|slot| *slot.name != *param.name) {
                let j = slots.find_or_insert(param, &mut group)?;
                // Slots before i are under their parameters already.
                if j < i {
                    return Err(Error::DuplicateName { name: param.name.into() });
                }
                slots.swap(i, j);
            }
            slots.slots[i].check(param)?;
        }
        let grown = slots.slots.len() > before;
        if grown {
            slots.sorted.clear();
            slots.sorted.reserve(slots.slots.len());
        }
        arranging.well = true;
        Ok(grown)
    }

    fn find_or_insert(&mut self, param: &Param<'_, T>, group: &mut impl FnMut(&Param<'_, T>) -> Result<usize>) -> Result<usize> {
        if let Some(&j) = self.index.get(param.name) {
            return Ok(j);
        }
        if !self.slots.is_empty() && (param.name == SLICE || self.index.contains_key(SLICE)) {
            return Err(Error::SliceAmongNames { name: param.name.into() });
        }
        check_shape(param)?;
        let slot = Slot::new(param, group(param)?, self.born);
        self.born += 1;
        self.fresh += 1;
        self.index.insert(slot.name.clone(), self.slots.len());
        self.slots.push(slot);
        Ok(self.slots.len() - 1)
    }

    fn swap(&mut self, i: usize, j: usize) {
        if i != j {
            self.sorted.clear();
            self.slots.swap(i, j);
            for at in [i, j] {
                if let Some(place) = self.index.get_mut(&self.slots[at].name) {
                    *place = at;
                }
            }
        }
    }

    /// Adds up something over the first `n` slots, in the order of their names, whatever the order of the step.
    pub(crate) fn sum(&mut self, n: usize, mut term: impl FnMut(usize, &Slot<T>) -> SquareSum) -> SquareSum {
        self.sort(n);
        self.sorted.iter().fold(SquareSum::default(), |sum, &i| sum.plus(term(i, &self.slots[i])))
    }

    /// As long as nothing is swapped, the order is the one of the step before.
    fn sort(&mut self, n: usize) {
        if self.sorted.len() != n {
            let slots = &self.slots;
            self.sorted.clear();
            self.sorted.extend(0..n);
            self.sorted.sort_unstable_by(|&a, &b| slots[a].name.cmp(&slots[b].name));
        }
    }

    /// New names stay; `n` are of this step.
    pub(crate) fn accept(&mut self, n: usize) {
        if self.fresh > 0 {
            self.slots[..n].iter_mut().for_each(|slot| (slot.fresh, slot.step.captured) = (false, false));
            self.fresh = 0;
        }
    }

    /// New names go again: the step that brought them, and gave `n` parameters, has failed. They are at their parameters' places, or the
    /// last one at the end; from there back, so that what takes a removed one's place has been looked at.
    pub(crate) fn rollback(&mut self, n: usize) {
        if self.fresh == 0 {
            return;
        }
        let end = self.slots.len().saturating_sub(1);
        for i in std::iter::once(end).chain((0..n.min(end)).rev()) {
            if self.slots[i].fresh {
                self.remove(i);
                self.born -= 1;
            }
        }
        self.fresh = 0;
    }

    fn remove(&mut self, i: usize) {
        self.sorted.clear();
        let removed = self.slots.swap_remove(i);
        self.index.remove(&removed.name);
        if let Some(moved) = self.slots.get(i) {
            self.index.insert(moved.name.clone(), i);
        }
    }

    pub(crate) fn forget(&mut self, name: &str) -> bool {
        let known = self.index.get(name).copied();
        known.into_iter().for_each(|i| self.remove(i));
        known.is_some()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}

impl<T> Slot<T> {
    /// The step has ended: what was decided is what became of the parameter.
    pub(crate) fn end(&mut self, ended: u64) {
        self.status = self.step.status;
        self.seen = ended;
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
        // Bounds on the old state, in terms of the new group's optimizer: |m| ≤ g, v ≤ g².
        let largest = self.state.iter().fold(0.0, |largest, s| s.abs().widen().max(largest));
        self.ceiling.gradient = self.ceiling.gradient.max(largest).max(largest.sqrt());
        self.group = group;
    }

    /// The parameter has the length and shape of `param` from now on. State and anchor are kept where both have an element; new elements have
    /// a state of 0, and their weights as anchor.
    fn resize(&mut self, param: &Param<'_, T>) -> Result<()> {
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

impl<T: Real> Slots<T> {
    pub(crate) fn resize(&mut self, param: &Param<'_, T>) -> Result<()> {
        self.get_mut(param.name)?.resize(param)
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
