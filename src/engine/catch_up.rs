//! Rows that pay what they owe: decay that was put off until a step touches them.

#![expect(clippy::indexing_slicing, reason = "tiles are within the weights")]

use super::Engine;
use super::run::Refusal;
use super::slot::Slot;
use super::survey::pulled_to;
use crate::decay::{Anchor, OWED, paid};
use crate::error::{Error, Result};
use crate::float::Real;
use crate::kernel::column::{Extent, Spread};
use crate::kernel::{TILE, reduce};
use crate::param::Param;
use crate::report::Status;
use crate::task::{Mask, tiles};

impl<T: Real> Engine<T> {
    /// Lets the rows of these parameters pay what they owe, after all of them are checked.
    pub(crate) fn settle_debts(&mut self, params: &mut [Param<'_, T>]) -> Result<()> {
        let can_pay = self.introduce_if(params, |engine, params| match engine.check_debts(params) {
            Ok(()) => Ok(true),
            Err(Refusal::Skip) => Ok(false),
            Err(Refusal::Error(error)) => Err(error),
        })?;
        let slots = self.slots.first(params.len());
        for (param, slot) in params.iter_mut().zip(slots).filter(|(_, slot)| can_pay && pays(slot)) {
            pay(param, slot, self.groups[slot.group].anchor);
        }
        Ok(())
    }

    /// Checks that what is owed can be paid.
    fn check_debts(&mut self, params: &[Param<'_, T>]) -> Result<(), Refusal> {
        for (param, slot) in params.iter().zip(self.slots.first(params.len())).filter(|(_, slot)| pays(slot)) {
            let group = &self.groups[slot.group];
            if group.anchor == Anchor::Given && param.anchor.is_none() {
                return Err(Error::AnchorMissing { name: param.name.into(), group: group.name.to_string() }.into());
            }
            if group.is_anchored() {
                let anchor = pulled_to(slot, group.anchor, param);
                let distance = reduce::squared_distance(self.run.level, param.value, anchor).norm();
                // Half of the largest number: then what is paid leaves every weight between itself and its anchor.
                self.run.require(distance, T::LARGEST / 2.0, || {
                    format!("the distance of parameter `{}` from its anchor", param.name)
                })?;
            }
        }
        Ok(())
    }
}

/// Returns whether a parameter owes something, and is not frozen.
fn pays<T: Real>(slot: &Slot<T>) -> bool {
    slot.step.status != Status::Frozen && slot.memory.get(OWED).is_some_and(|owed| owed.iter().any(|owed| *owed > T::zero()))
}

/// d ← d − (1 − e^(−owed))·d in each row, but not under the mask.
fn pay<T: Real>(param: &mut Param<'_, T>, slot: &mut Slot<T>, anchor: Anchor) {
    let of = slot.memory.of;
    let shares: Vec<T> = slot.memory.get(OWED).unwrap_or_default().iter().map(|owed| paid(owed.widen())).collect();
    let (shares, mask) = (Spread::new(&shares, of, Extent::First), Mask::new(param.undecayed, of));
    let anchor = match anchor {
        Anchor::Start => slot.memory.first(),
        _ => param.anchor.filter(|_| anchor == Anchor::Given),
    };
    for tile in tiles(slot.len) {
        let (n, mut share) = (tile.len(), [T::zero(); TILE]);
        shares.fill(tile.start, &mut share[..n]);
        let spared = mask.tile(tile.start, n).unwrap_or([false; TILE]);
        for (i, x) in param.value[tile.clone()].iter_mut().enumerate().filter(|(i, _)| !spared[*i]) {
            let a = anchor.map_or(T::zero(), |anchor| anchor[tile.start + i]);
            let d = *x - a;
            *x = a + (d - share[i] * d);
        }
    }
    slot.memory.get_mut(OWED).unwrap_or_default().fill(T::zero());
}
