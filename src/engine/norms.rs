//! The squares of a step's gradients, summed up by all threads: chunk by chunk, and then in the order of
//! the chunks, so that no cut changes a bit.

#![expect(clippy::indexing_slicing, reason = "chunks are numbered before they are summed up")]

use std::sync::atomic::{AtomicU64, Ordering};

use super::Engine;
use super::share::time;
use super::slot::Slot;
use crate::float::Real;
use crate::kernel::Level;
use crate::kernel::reduce::{self, CHUNK};
use crate::param::Param;

impl<T: Real> Engine<T> {
    /// Sums up the squares of each gradient of the step.
    pub(crate) fn square_gradients(&mut self, params: &[Param<'_, T>]) {
        let (level, threads) = (self.run.level, &self.run.threads);
        let slots = self.slots.first(params.len());
        let time = time::<T>(self.gradients);
        let pieces = threads.pieces(time);
        if pieces < 2 {
            let given = params.iter().zip(slots).filter(|(_, slot)| slot.is_active());
            return given.for_each(|(param, slot)| {
                slot.step.squares = reduce::sum_of_squares(level, param.grad.unwrap_or_default());
            });
        }
        let chunks = number_chunks(slots);
        let sums = &mut self.pieces.sums;
        sums.resize_with(sums.len().max(chunks), AtomicU64::default);
        let (sums, read) = (&sums[..chunks], &*slots);
        let each = chunks.div_ceil(pieces).max(1);
        threads.pool().run(threads.most, chunks.div_ceil(each), time, &|i| {
            square_chunks(level, (params, read), i * each, &sums[i * each..chunks.min((i + 1) * each)]);
        });
        for (param, slot) in params.iter().zip(slots).filter(|(_, slot)| slot.is_active()) {
            let sums = &sums[slot.step.chunk..][..slot.len.div_ceil(CHUNK)];
            let first = sums.iter().fold(0.0, |total, sum| total + f64::from_bits(sum.load(Ordering::Relaxed)));
            slot.step.squares = reduce::completed(level, first, param.grad.unwrap_or_default());
        }
    }
}

/// Numbers the chunks of all gradients, and returns how many there are.
fn number_chunks<T: Real>(slots: &mut [Slot<T>]) -> usize {
    slots.iter_mut().fold(0, |chunks, slot| {
        slot.step.chunk = chunks;
        chunks + if slot.is_active() { slot.len.div_ceil(CHUNK) } else { 0 }
    })
}

/// Writes the sums of as many chunks as there is room for, from chunk `first` on.
fn square_chunks<T: Real>(level: Level, (params, slots): (&[Param<'_, T>], &[Slot<T>]), first: usize, sums: &[AtomicU64]) {
    // Of the slots that begin at one chunk, all but the last have no chunks.
    let at = slots.partition_point(|slot| slot.step.chunk <= first) - 1;
    let given = params[at..].iter().zip(&slots[at..]).filter(|(_, slot)| slot.is_active());
    let chunks = given.flat_map(|(param, _)| param.grad.unwrap_or_default().chunks(CHUNK));
    for (sum, chunk) in sums.iter().zip(chunks.skip(first - slots[at].step.chunk)) {
        sum.store(reduce::first_squares(level, chunk).to_bits(), Ordering::Relaxed);
    }
}
