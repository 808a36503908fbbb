//! Stable weight decay: the mean of the second moments over a group, of the present step, before laws
//! look at their parameters.

use super::Engine;
use super::group::Group;
use super::run::Refusal;
use super::slot::Slot;
use super::step::Sweep;
use super::survey::Survey;
use crate::float::Real;
use crate::kernel::SquareSum;
use crate::param::Param;
use crate::task::Desk;

impl<T: Real> Group<T> {
    /// Returns whether this step needs the mean of its second moments.
    fn asks_for_moments(&self) -> bool {
        self.plan.active > 0 && self.settings.decay.is_stable()
    }
}

impl<T: Real> Engine<T> {
    /// Works out the shares of decays that are measured in the mean of the second moments.
    pub(crate) fn stabilize(&mut self, params: &mut [Param<'_, T>], survey: &Survey) -> Result<(), Refusal> {
        if !self.groups.iter().any(Group::asks_for_moments) {
            return Ok(());
        }
        let sweep = Sweep { scaling: self.run.scaling(survey), run: &self.run, groups: &self.groups };
        let slots = self.slots.first(params.len());
        self.pieces.look(&sweep, params, slots, self.numbers, |sweep, params, slots, desk| {
            sweep.sum_moments(params, slots, desk);
            Ok(())
        })?;
        for place in 0..self.groups.len() {
            if self.groups[place].asks_for_moments() {
                let root = self.root_of_moments(place, params.len());
                self.groups[place].stabilize(&self.run, root)?;
            }
        }
        Ok(())
    }

    /// Returns √v̄ over a group's parameters of this step.
    fn root_of_moments(&mut self, place: usize, n: usize) -> f64 {
        let mut weights = 0;
        let sum = self.slots.sum(n, |_, slot| {
            if !slot.is_active() || slot.group != place {
                return SquareSum::default();
            }
            weights += slot.len;
            slot.step.moments
        });
        #[expect(clippy::cast_precision_loss, reason = "a number of weights")]
        let weights = weights.max(1) as f64;
        sum.norm() / weights.sqrt()
    }
}

impl<T: Real> Sweep<'_, T> {
    /// Sums up the second moments that these parameters have in this step.
    fn sum_moments(&self, params: &mut [Param<'_, T>], slots: &mut [Slot<T>], desk: &mut Desk<T>) {
        for (param, slot) in params.iter_mut().zip(slots) {
            let group = &self.groups[slot.group];
            if slot.is_active() && group.asks_for_moments() {
                let floor = group.plan.scalars.floor(slot.step.scalars);
                slot.step.moments = self.task(param, slot).moments(floor, desk);
            }
        }
    }
}
