//! The memory of an optimizer: one slot per name, in the order of the last step.
//!
//! A step compares slot i's name with parameter i's, and looks a name up only where they differ. So
//! a step in the usual order hashes nothing, duplicates are found without extra work, and
//! parameters and slots can be walked, and split among threads, side by side.

#![expect(clippy::indexing_slicing, reason = "places come from the index of names, which is kept with the slots")]

use std::collections::HashMap;

use super::group::Member;
use super::slot::{Slot, check_kind, check_shape};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::SquareSum;
use crate::param::{Param, ParamInfo, SLICE};

/// All slots, and where each name is.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    index: HashMap<Box<str>, usize>,
    /// The first slots in the order of their names, as it was when a sum was last asked for.
    sorted: Vec<usize>,
    born: usize,
    /// How many numbers a step on all of them reads and writes.
    numbers: usize,
    /// How many slots are not yet part of an ended step or a registration.
    fresh: usize,
    /// How many have come with a state and were not given yet.
    waiting: usize,
}

/// A copy has room for sums over as many slots, so that its steps need not allocate either.
impl<T: Float> Clone for Slots<T> {
    fn clone(&self) -> Self {
        let Self { slots, index, born, numbers, fresh, waiting, .. } = self;
        let sorted = Vec::with_capacity(slots.len());
        Self {
            slots: slots.clone(),
            index: index.clone(),
            sorted,
            born: *born,
            numbers: *numbers,
            fresh: *fresh,
            waiting: *waiting,
        }
    }
}

/// Slots that are being arranged. Dropping it removes the new ones unless all went well, so that
/// they are removed as well where a selector of the user panics.
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
        Self { slots: Vec::new(), index: HashMap::new(), sorted: Vec::new(), born: 0, numbers: 0, fresh: 0, waiting: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn numbers(&self) -> usize {
        self.numbers
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Slot<T>> {
        self.index.get(name).map(|&i| &self.slots[i])
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Result<&mut Slot<T>> {
        let known = self.index.get(name).copied().ok_or_else(|| Error::UnknownParameter { name: name.into() })?;
        Ok(&mut self.slots[known])
    }

    /// Returns how many slots each of so many groups has.
    pub(crate) fn members(&self, groups: usize) -> Vec<usize> {
        let mut members = vec![0; groups];
        self.slots.iter().for_each(|slot| members[slot.group] += 1);
        members
    }

    /// Returns the slots of a group.
    pub(crate) fn of_group(&mut self, place: usize) -> impl Iterator<Item = &mut Slot<T>> {
        self.slots.iter_mut().filter(move |slot| slot.group == place)
    }

    /// Returns all slots in the order in which their names were first seen.
    pub(crate) fn by_birth(&self) -> Vec<&Slot<T>> {
        let mut slots: Vec<_> = self.slots.iter().collect();
        slots.sort_unstable_by_key(|slot| slot.born);
        slots
    }

    /// Returns the slots of `n` parameters, which [`arrange`](Self::arrange) has
    /// put in their order.
    pub(crate) fn first(&mut self, n: usize) -> &mut [Slot<T>] {
        &mut self.slots[..n]
    }

    /// Brings slot i under parameter i for every i, makes slots for new names, and checks names,
    /// lengths and shapes. `group` chooses a new parameter's group. Returns whether there are new
    /// names; after an error there are none.
    pub(crate) fn arrange(
        &mut self,
        params: &[Param<'_, T>],
        mut group: impl FnMut(&Param<'_, T>) -> Result<(usize, Member)>,
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
                // The slots before i are under their parameters already, so this name came before.
                if j < i {
                    return Err(Error::DuplicateName { name: param.name.into() });
                }
                slots.swap(i, j);
            }
            slots.slots[i].check(param)?;
        }
        let grown = slots.welcome(params.len()) || slots.slots.len() > before;
        if grown {
            slots.sorted.clear();
            slots.sorted.reserve(slots.slots.len());
        }
        arranging.well = true;
        Ok(grown)
    }

    fn find_or_insert(
        &mut self,
        param: &Param<'_, T>,
        group: &mut impl FnMut(&Param<'_, T>) -> Result<(usize, Member)>,
    ) -> Result<usize> {
        if let Some(&j) = self.index.get(param.name) {
            return Ok(j);
        }
        if !self.slots.is_empty() && (param.name == SLICE || self.index.contains_key(SLICE)) {
            return Err(Error::SliceAmongNames { name: param.name.into() });
        }
        check_shape(param)?;
        let (group, settings) = group(param)?;
        check_kind(&param.info(), &settings.options)?;
        let slot = Slot { fresh: true, ..Slot::new(&param.info(), group, &settings, self.born) };
        self.fresh += 1;
        self.numbers = self.numbers.saturating_add(slot.numbers());
        Ok(self.insert(slot))
    }

    /// Adds a slot at the end, and returns its place.
    fn insert(&mut self, slot: Slot<T>) -> usize {
        self.born += 1;
        self.index.insert(slot.name.clone(), self.slots.len());
        self.slots.push(slot);
        self.slots.len() - 1
    }

    /// Returns the slot of a parameter that comes with a state; it is made if it is not there.
    pub(crate) fn awaited(&mut self, of: &ParamInfo<'_>, group: usize, settings: &Member) -> &mut Slot<T> {
        let place = self.index.get(of.name()).copied();
        let place = place.unwrap_or_else(|| {
            self.waiting += 1;
            self.insert(Slot { waits: true, ..Slot::new(of, group, settings, self.born) })
        });
        &mut self.slots[place]
    }

    /// Counts the first `n` slots where they have come with a state: nothing is reserved for a
    /// length that no weights stand for. Returns whether there were any.
    fn welcome(&mut self, n: usize) -> bool {
        if self.waiting == 0 {
            return false;
        }
        let before = self.waiting;
        for slot in self.slots[..n].iter_mut().filter(|slot| slot.waits) {
            slot.waits = false;
            self.waiting -= 1;
            self.numbers = self.numbers.saturating_add(slot.numbers());
        }
        self.waiting < before
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

    /// Adds up a term over the first `n` slots, in the order of their names, whatever the order of
    /// the step: so that order changes no bit.
    pub(crate) fn sum(&mut self, n: usize, mut term: impl FnMut(usize, &Slot<T>) -> SquareSum) -> SquareSum {
        self.sort(n);
        self.sorted.iter().fold(SquareSum::default(), |sum, &i| sum.plus(term(i, &self.slots[i])))
    }

    /// Sorts the first `n` slots by name. As long as nothing is swapped, the order is the one of
    /// the step before.
    fn sort(&mut self, n: usize) {
        if self.sorted.len() != n {
            let slots = &self.slots;
            self.sorted.clear();
            self.sorted.extend(0..n);
            self.sorted.sort_unstable_by(|&a, &b| slots[a].name.cmp(&slots[b].name));
        }
    }

    /// Keeps new names, which are among the first `n`.
    pub(crate) fn accept(&mut self, n: usize) {
        if self.fresh > 0 {
            self.slots[..n].iter_mut().for_each(|slot| (slot.fresh, slot.step.captured) = (false, false));
            self.fresh = 0;
        }
    }

    /// Removes the new names of a step that has failed after it gave `n` parameters. They are at
    /// their parameters' places, but for the last one, which may still be at the end.
    pub(crate) fn rollback(&mut self, n: usize) {
        if self.fresh == 0 {
            return;
        }
        let end = self.slots.len().saturating_sub(1);
        // Backwards, so that what `swap_remove` puts into a gap is not a new name yet
        // to be looked at.
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
        if removed.waits {
            self.waiting -= 1;
        } else {
            self.numbers = self.numbers.saturating_sub(removed.numbers());
        }
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
