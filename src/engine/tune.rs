//! Strengths that follow the gradient of a validation loss.

#![expect(clippy::indexing_slicing, reason = "places of groups and of parameters that were just found")]

use std::collections::HashSet;

use super::Engine;
use super::group::Group;
use crate::decay::SENSITIVITY;
use crate::error::{Error, Result, in_range};
use crate::float::Real;
use crate::kernel::reduce;
use crate::param::Param;

impl<T: Real> Engine<T> {
    /// Moves the strengths of tuned decays along these gradients of a validation loss.
    pub(crate) fn tune(&mut self, params: &[Param<'_, T>]) -> Result<()> {
        let tuned = self.tuned(params)?;
        let mut found = Vec::new();
        for (place, group) in self.groups.iter().enumerate() {
            let of_group = || tuned.iter().filter(|(_, of)| *of == place).map(|(param, _)| *param);
            if let (Some(tuning), Some(_)) = (group.settings.decay.tuning(), of_group().next()) {
                let lambda = tuning.next(group.average(), of_group().map(|param| self.hypergradient(param)).sum());
                found.push((place, self.accepted(group, lambda)?));
            }
        }

        found.into_iter().for_each(|(place, lambda)| self.groups[place].take(lambda));
        for (param, _) in tuned {
            let sensitivity = self.slots.get_mut(param.name)?.memory.get_mut(SENSITIVITY);
            sensitivity.unwrap_or_default().fill(T::zero());
        }
        Ok(())
    }

    /// Checks parameters, and returns those whose decay is tuned, in the order of their names, with
    /// the places of their groups.
    fn tuned<'a, 'p>(&self, params: &'a [Param<'p, T>]) -> Result<Vec<(&'a Param<'p, T>, usize)>> {
        let (mut names, mut tuned) = (HashSet::new(), Vec::new());
        for param in params {
            let slot = self.slots.get(param.name).ok_or_else(|| Error::UnknownParameter { name: param.name.into() })?;
            if !names.insert(param.name) {
                return Err(Error::DuplicateName { name: param.name.into() });
            }
            slot.check(param)?;
            let grad = param.grad.unwrap_or_default();
            if let Some(index) = grad.iter().position(|g| !g.is_finite()) {
                let value = grad[index].widen();
                return Err(Error::NonFiniteGradient { name: param.name.into(), index, value, factor: 1.0 });
            }
            if param.grad.is_some() && self.groups[slot.group].settings.decay.tuning().is_some() {
                tuned.push((param, slot.group));
            }
        }
        if tuned.is_empty() {
            return Err(Error::conflict("tuning a decay", "a gradient of a parameter whose decay is tuned", "none"));
        }
        tuned.sort_unstable_by_key(|(param, _)| param.name);
        Ok(tuned)
    }

    /// Returns what a parameter adds to dL/dλ of what is minimised.
    fn hypergradient(&self, param: &Param<'_, T>) -> f64 {
        let sensitivity = self.slots.get(param.name).and_then(|slot| slot.memory.get(SENSITIVITY));
        let sum = reduce::dot(self.run.level, param.grad.unwrap_or_default(), sensitivity.unwrap_or_default());
        if self.run.maximize { -sum } else { sum }
    }

    /// Checks a new strength, and what the next step would make of it.
    fn accepted(&self, group: &Group<T>, lambda: f64) -> Result<f64> {
        in_range("tuned weight decay", lambda, true, "a finite number")?;
        group.check_at(&self.run, lambda)?;
        Ok(lambda)
    }
}
