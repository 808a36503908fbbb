//! The memory of an optimizer: one slot per name, in the order of the last step.
//!
//! A step compares slot i's name with parameter i's, and looks a name up only where they differ. So a step in the usual order
//! hashes nothing, duplicates are found for free, and parameters and slots can be walked (and later split) side by side.

use std::collections::HashMap;
use std::fmt;

use crate::decay::Anchor;
use crate::error::{Error, Result};
use crate::float::{Float, Real};
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
    /// The weights at first sight, where the decay pulls towards them.
    pub(crate) anchor: Vec<T>,
    /// How many names were there before this one.
    pub(crate) born: usize,
    /// The place of the name among all names in order.
    rank: usize,
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
    pub(crate) squares: f64,
    /// Where the group's plan holds the scalars.
    pub(crate) scalars: usize,
    /// The factor on the displacement.
    pub(crate) trust: f64,
}

impl<T: Float> Slot<T> {
    fn new(param: &Param<'_, T>, group: usize, born: usize) -> Self {
        let step = OfStep { status: Status::Registered, squares: 0.0, scalars: 0, trust: 1.0 };
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
            born,
            rank: 0,
            fresh: true,
            step,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.step.status == Status::Updated
    }

    /// What a decay pulls towards here; nothing stands for 0, and the weights themselves for an anchor that this step captures.
    pub(crate) fn pulled_to<'a>(&'a self, anchor: Anchor, param: &'a Param<'_, T>) -> &'a [T] {
        match anchor {
            Anchor::Origin => &[],
            Anchor::Start if self.anchor.is_empty() => param.value,
            Anchor::Start => &self.anchor,
            Anchor::Lent => param.anchor.unwrap_or_default(),
        }
    }

    /// Is this parameter what it was before, and whole in itself?
    fn check(&self, param: &Param<'_, T>) -> Result<()> {
        let name = || param.name.to_string();
        let len = param.value.len();
        if let Some(grad) = param.grad
            && grad.len() != len
        {
            return Err(Error::GradientLength { name: name(), weights: len, gradients: grad.len() });
        }
        if len != self.len {
            return Err(Error::LengthChanged { name: name(), known: self.len, found: len });
        }
        if let Some(anchor) = param.anchor
            && anchor.len() != len
        {
            return Err(Error::AnchorLength { name: name(), weights: len, anchor: anchor.len() });
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
    /// One number per name, in the order of the names.
    ordered: Vec<f64>,
    born: usize,
}

impl<T: Float> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { slots: Vec::new(), index: HashMap::new(), ordered: Vec::new(), born: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Slot<T>> {
        self.index.get(name).map(|&i| &self.slots[i])
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Slot<T>> {
        self.slots.iter()
    }

    /// The slots of the first `n` parameters, which [`arrange`](Self::arrange) has put in their order.
    pub(crate) fn first(&mut self, n: usize) -> &mut [Slot<T>] {
        &mut self.slots[..n]
    }

    /// Brings slot i under parameter i for every i, makes slots for new names, and checks names, lengths and shapes. `group` chooses a
    /// new parameter's group. Tells whether there are new names; after an error, [`rollback`](Self::rollback) drops them.
    pub(crate) fn arrange(
        &mut self,
        params: &[Param<'_, T>],
        mut group: impl FnMut(&Param<'_, T>) -> Result<usize>,
    ) -> Result<bool> {
        let before = self.slots.len();
        for (i, param) in params.iter().enumerate() {
            if param.name.is_empty() {
                return Err(Error::EmptyName { position: i });
            }
            if self.slots.get(i).is_none_or(|slot| *slot.name != *param.name) {
                let j = self.find_or_insert(param, &mut group)?;
                if j < i {
                    return Err(Error::DuplicateName { name: param.name.into() });
                }
                self.swap(i, j);
            }
            self.slots[i].check(param)?;
        }
        let grown = self.slots.len() > before;
        if grown {
            self.rank();
        }
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
        self.index.insert(slot.name.clone(), self.slots.len());
        self.slots.push(slot);
        Ok(self.slots.len() - 1)
    }

    fn swap(&mut self, i: usize, j: usize) {
        if i != j {
            self.slots.swap(i, j);
            for at in [i, j] {
                if let Some(place) = self.index.get_mut(&self.slots[at].name) {
                    *place = at;
                }
            }
        }
    }

    /// The names' order, in which sums over parameters are taken.
    fn rank(&mut self) {
        let mut order: Vec<usize> = (0..self.slots.len()).collect();
        order.sort_unstable_by(|&a, &b| self.slots[a].name.cmp(&self.slots[b].name));
        for (rank, &i) in order.iter().enumerate() {
            self.slots[i].rank = rank;
        }
        self.ordered.resize(self.slots.len(), 0.0);
    }

    /// The sum of a number per slot over the first `n`, in the order of the names, whatever the order of the step.
    pub(crate) fn sum(&mut self, n: usize, mut number: impl FnMut(&Slot<T>) -> f64) -> f64 {
        self.ordered.fill(0.0);
        for slot in &self.slots[..n] {
            self.ordered[slot.rank] = number(slot);
        }
        self.ordered.iter().fold(0.0, |sum, number| sum + number)
    }

    /// New names stay.
    pub(crate) fn accept(&mut self, n: usize) {
        for slot in &mut self.slots[..n] {
            slot.fresh = false;
        }
    }

    /// New names go again: the step that brought them has failed.
    pub(crate) fn rollback(&mut self) {
        let before = self.slots.len();
        self.slots.retain(|slot| !slot.fresh);
        if self.slots.len() != before {
            self.born = self.slots.iter().map(|slot| slot.born + 1).max().unwrap_or(0);
            self.reindex();
        }
    }

    pub(crate) fn forget(&mut self, name: &str) -> bool {
        let Some(i) = self.index.remove(name) else { return false };
        self.slots.swap_remove(i);
        if let Some(moved) = self.slots.get(i) {
            self.index.insert(moved.name.clone(), i);
        }
        true
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    fn reindex(&mut self) {
        self.index = self.slots.iter().enumerate().map(|(i, slot)| (slot.name.clone(), i)).collect();
        self.rank();
    }
}

impl<T> Slot<T> {
    /// The step has ended: what was decided is what became of the parameter, and its name stays.
    pub(crate) fn end(&mut self, ended: u64) {
        self.status = self.step.status;
        self.seen = ended;
        self.fresh = false;
    }
}

/// Memory for the first step of a parameter: its columns, zero, and its anchor, captured.
impl<T: Real> Slot<T> {
    pub(crate) fn prepare(&mut self, columns: usize, captures: bool, value: &[T]) {
        if captures && self.fresh {
            self.anchor = value.to_vec();
        }
        if self.is_active() && self.state.len() != columns * self.len {
            self.state = vec![T::zero(); columns * self.len];
        }
    }
}
