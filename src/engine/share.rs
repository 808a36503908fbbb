//! The work of a step, shared among threads.
//!
//! The weights of a step are one list, cut into pieces of about equal length: a run of whole small
//! parameters, or a part of a large one. So one large tensor and ten thousand small ones both
//! spread. Norms are summed chunk by chunk, in the order of the chunks; so no cut changes a bit.

#![expect(clippy::indexing_slicing, reason = "pieces are handed out by number, and there is always a desk")]

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::run::Refusal;
use super::slot::Slot;
use super::step::Sweep;
use crate::float::Real;
use crate::kernel::TILE;
use crate::kernel::reduce::CHUNK;
use crate::kernel::threads::{Pool, SHARE};
use crate::param::Param;
use crate::task::{Desk, Task};

/// The threads that an optimizer may use.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    /// None stands for the pool of the process.
    pub(crate) pool: Option<Pool>,
    pub(crate) most: usize,
}

/// The most threads that a step uses unless told otherwise: beyond, memory is the limit.
const USUALLY: usize = 8;

/// Pieces for each thread: enough that the others wait little for a thread that is late.
const PIECES: usize = 8;

impl Default for Threads {
    fn default() -> Self {
        Self { pool: None, most: USUALLY }
    }
}

impl Threads {
    pub(super) fn pool(&self) -> &Pool {
        self.pool.as_ref().unwrap_or_else(|| Pool::shared())
    }

    /// Returns how many pieces work of this length is worth cutting into; 1 means that one
    /// thread does all of it.
    pub(super) fn pieces(&self, time: Duration) -> usize {
        if self.most < 2 || time < 2 * SHARE {
            return 1;
        }
        let worth = usize::try_from(time.as_nanos() / SHARE.as_nanos()).unwrap_or(usize::MAX);
        let most = self.most.min(self.pool().threads());
        if most < 2 { 1 } else { worth.min(most * PIECES) }
    }
}

/// A piece of a step's work.
#[expect(clippy::large_enum_variant, reason = "pieces are few, and a box would be an allocation in a step")]
enum Piece<'a, 'p, T: Real> {
    /// Whole parameters.
    Run(&'a mut [Param<'p, T>], &'a mut [Slot<T>]),
    /// A part of one parameter.
    Part(Task<'a, T>),
}

/// What is done with a piece, by its number.
type Work<'w, 'a, 'p, T> = dyn Fn(usize, Piece<'a, 'p, T>, &mut Desk<T>) + Sync + 'w;

/// A look at parameters, of which nothing is written.
pub(super) type Visit<T> = fn(&Sweep<'_, T>, &mut [Param<'_, T>], &mut [Slot<T>], &mut Desk<T>) -> Result<(), Refusal>;

/// Memory for pieces, which is kept from step to step.
pub(crate) struct Pieces<T: Real> {
    list: Vec<Mutex<Option<Piece<'static, 'static, T>>>>,
    desks: Vec<Mutex<Desk<T>>>,
    /// The sums of squares of chunks, as bits.
    pub(super) sums: Vec<AtomicU64>,
    /// Whether this step has looked at whole parameters on one thread.
    looked_alone: bool,
}

impl<T: Real> fmt::Debug for Pieces<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces").finish_non_exhaustive()
    }
}

impl<T: Real> Default for Pieces<T> {
    fn default() -> Self {
        Self { list: Vec::new(), desks: vec![Mutex::default()], sums: Vec::new(), looked_alone: false }
    }
}

/// A copy has as much memory, so that its steps need not allocate either.
impl<T: Real> Clone for Pieces<T> {
    fn clone(&self) -> Self {
        let desks = self.desks.iter().map(|desk| Mutex::new(lock(desk).clone())).collect();
        let sums = self.sums.iter().map(|_| AtomicU64::default()).collect();
        Self { list: Vec::with_capacity(self.list.capacity()), desks, sums, looked_alone: false }
    }
}

/// Returns the same memory for pieces of another lifetime.
fn recycled<'b, 'q, T: Real>(mut list: Vec<Mutex<Option<Piece<'_, '_, T>>>>) -> Vec<Mutex<Option<Piece<'b, 'q, T>>>> {
    // A `Vec` cannot change its lifetime in place. Collecting the empty iterator keeps the memory,
    // as both types have one layout.
    list.clear();
    list.into_iter().map(|_| Mutex::new(None)).collect()
}

/// Returns how long one thread takes for work on so many numbers, roughly.
pub(super) fn time<T>(numbers: usize) -> Duration {
    /// What one core reads and writes in cache.
    const BYTES_PER_NANOSECOND: usize = 128;
    Duration::from_nanos((numbers.saturating_mul(size_of::<T>()) / BYTES_PER_NANOSECOND) as u64)
}

impl<T: Real> Pieces<T> {
    /// Makes room for steps on so many numbers, of so many parameters.
    pub(crate) fn reserve(&mut self, threads: &Threads, numbers: usize, params: usize) {
        let pieces = threads.pieces(LOOK * time::<T>(numbers));
        if pieces > 1 {
            self.desk_for_each(threads);
            // Runs of small parameters may stand between the parts of large ones.
            let most = 3 * pieces + params.min(pieces) + 1;
            self.list.reserve(most.saturating_sub(self.list.len()));
            self.sums.resize_with((numbers.div_ceil(CHUNK) + params).max(self.sums.len()), AtomicU64::default);
        }
    }

    /// Updates all parameters. `numbers` are read and written in all.
    pub(crate) fn sweep(&mut self, sweep: &Sweep<'_, T>, params: &mut [Param<'_, T>], slots: &mut [Slot<T>], numbers: usize) {
        let time = time::<T>(numbers);
        let looked_alone = std::mem::take(&mut self.looked_alone);
        if sweep.run.threads.pieces(time) < 2 || looked_alone && time < AFTER_A_LOOK {
            return sweep.all(params, slots, self.own_desk());
        }
        self.share(sweep, (params, slots), time, Cut::Anywhere, &|_, piece, desk| match piece {
            Piece::Run(params, slots) => sweep.all(params, slots, desk),
            Piece::Part(mut task) => task.run(desk),
        });
    }

    /// Looks at whole parameters, as `visit` does. The first refusal, in the order of the parameters, is
    /// returned.
    pub(crate) fn look(
        &mut self,
        sweep: &Sweep<'_, T>,
        params: &mut [Param<'_, T>],
        slots: &mut [Slot<T>],
        numbers: usize,
        visit: Visit<T>,
    ) -> Result<(), Refusal> {
        let time = LOOK * time::<T>(numbers);
        self.looked_alone = params.len() < 2 || sweep.run.threads.pieces(time) < 2;
        if self.looked_alone {
            return visit(sweep, params, slots, self.own_desk());
        }
        let first: Mutex<Option<(usize, Refusal)>> = Mutex::new(None);
        self.share(sweep, (params, slots), time, Cut::BetweenParameters, &|i, piece, desk| {
            let Piece::Run(params, slots) = piece else { return };
            if let Err(refusal) = visit(sweep, params, slots, desk) {
                let mut first = lock(&first);
                if first.as_ref().is_none_or(|(before, _)| i < *before) {
                    *first = Some((i, refusal));
                }
            }
        });
        self.even_desks();
        match first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, refusal)) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Cuts the work, and has each piece worked on by some thread.
    #[expect(clippy::expect_used, reason = "there are as many desks as threads, and a thread holds one at a time")]
    fn share<'a, 'p>(
        &mut self,
        sweep: &Sweep<'a, T>,
        (params, slots): (&'a mut [Param<'p, T>], &'a mut [Slot<T>]),
        time: Duration,
        at: Cut,
        work: &Work<'_, 'a, 'p, T>,
    ) {
        let threads = &sweep.run.threads;
        self.desk_for_each(threads);
        let mut list = recycled(std::mem::take(&mut self.list));
        let weights: usize = slots.iter().filter(|slot| slot.is_active()).map(|slot| slot.len).sum();
        cut(sweep, params, slots, (weights.div_ceil(threads.pieces(time)), at), &mut list);
        let desks = &self.desks;
        threads.pool().run(threads.most, list.len(), time, &|i| {
            let mut desk = desks.iter().find_map(free).expect("there is one for each thread");
            // The pool hands out each i once. The lock is there to move the piece out;
            // nobody waits for it.
            if let Some(piece) = lock(&list[i]).take() {
                work(i, piece, &mut desk);
            }
        });
        self.list = recycled(list);
    }

    fn desk_for_each(&mut self, threads: &Threads) {
        let most = threads.most.min(threads.pool().threads());
        self.desks.resize_with(most.max(self.desks.len()), Mutex::default);
    }

    /// Gives every desk the memory that the largest look needed: the next step may have it done by
    /// another thread.
    fn even_desks(&mut self) {
        let mut most = (0, 0);
        for desk in &mut self.desks {
            let Desk { sums, room, .. } = unlocked(desk);
            most = (sums.capacity().max(most.0), room.capacity().max(most.1));
        }
        self.desks.iter_mut().for_each(|desk| unlocked(desk).reserve(most));
    }

    /// Returns the desk of the caller's thread.
    pub(crate) fn own_desk(&mut self) -> &mut Desk<T> {
        unlocked(&mut self.desks[0])
    }
}

/// A sweep that follows a look on one thread is shared from this time on: a thread that looks out for
/// work meanwhile takes from the core that it may share with the caller.
const AFTER_A_LOOK: Duration = Duration::from_millis(1);

/// A look at a parameter takes at least so many times as long as reading and writing its numbers.
const LOOK: u32 = 2;

/// Where work may be cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Anywhere,
    BetweenParameters,
}

/// Cuts the work into pieces of about so many weights.
fn cut<'a, 'p, T: Real>(
    sweep: &Sweep<'a, T>,
    mut params: &'a mut [Param<'p, T>],
    mut slots: &'a mut [Slot<T>],
    (size, at): (usize, Cut),
    list: &mut Vec<Mutex<Option<Piece<'a, 'p, T>>>>,
) {
    let (mut run, mut weights) = (0, 0);
    let mut push = |piece| list.push(Mutex::new(Some(piece)));
    while run < slots.len() {
        let slot = &slots[run];
        let len = if slot.is_active() { slot.len } else { 0 };
        let large = len > size && at == Cut::Anywhere;
        if !large {
            (run, weights) = (run + 1, weights + len);
        }
        if large || weights >= size || run == slots.len() {
            let (some, theirs) = (params.split_off_mut(..run), slots.split_off_mut(..run));
            if let (Some(params), Some(slots)) = (some, theirs) {
                push(Piece::Run(params, slots));
            }
            (run, weights) = (0, 0);
        }
        if large && let (Some(param), Some(slot)) = (params.split_off_first_mut(), slots.split_off_first_mut()) {
            let mut rest = sweep.task(param, slot);
            // Equal parts of whole tiles.
            let part = len.div_ceil(len.div_ceil(size)).next_multiple_of(TILE);
            while rest.x.len() > part {
                let (task, right) = rest.split_at(part);
                push(Piece::Part(task));
                rest = right;
            }
            push(Piece::Part(rest));
        }
    }
}

/// Returns a desk that nobody works at; one that a panic has left is as good as any.
fn free<T>(desk: &Mutex<Desk<T>>) -> Option<MutexGuard<'_, Desk<T>>> {
    match desk.try_lock() {
        Ok(desk) => Some(desk),
        Err(TryLockError::Poisoned(desk)) => Some(desk.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn unlocked<L>(mutex: &mut Mutex<L>) -> &mut L {
    mutex.get_mut().unwrap_or_else(PoisonError::into_inner)
}

fn lock<L>(mutex: &Mutex<L>) -> MutexGuard<'_, L> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
