//! A pool of threads for work that is cut into items: the caller works as well, and waits for no
//! thread that has not begun.
//!
//! The second file of the crate that holds `unsafe`: one block, which lends the caller's
//! closure to the workers.

#![expect(unsafe_code, reason = "workers outlive the closure they are lent; see `Pool::fork`")]

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use std::{fmt, iter};

use crate::error::{Error, Result};

/// The least work of one thread: a fork and a join take 0.5 µs where the workers are awake.
pub(crate) const SHARE: Duration = Duration::from_micros(2);

/// The work, of one job or of jobs without a pause, from which on sleeping workers are woken.
/// Waking takes the caller 3 to 5 µs, and about 30 µs where the system puts the worker on the
/// caller's own core: at most a tenth of this.
const WORTH_WAKING: Duration = Duration::from_micros(300);

/// How long a worker looks out for the next job before it goes to sleep; a longer time between two
/// jobs is a pause.
const LOOKOUT: Duration = Duration::from_micros(100);

/// Looks, about 10 ns each, after which a waiting thread offers its core to others: the one it
/// waits for may need it.
const LOOKS: usize = 100;

/// The most threads of a pool.
const MOST: usize = 1024;

/// Threads that optimizers use to share the work of a step. A clone is a handle to
/// the same threads.
///
/// Threads are started when work first needs them, and sleep while there is none. A pool does one
/// job at a time: a step that finds it busy works on its own thread alone, as does one for which no
/// thread can be started. The results are the same bits.
///
/// By default every optimizer uses the [pool of the process](Self::shared), which has a thread for each
/// core. A pool of its own is for a program that wants some cores for steps and the others for itself:
///
/// ```
/// use wane::{AdamW, Optimizer, Pool};
///
/// let pool = Pool::new(2)?;
/// let mut optimizers = [AdamW::new(1e-3).pool(&pool).build()?, AdamW::new(1e-4).pool(&pool).build()?];
/// let (mut w, g) = (vec![0.5_f32; 100_000], vec![0.1_f32; 100_000]);
/// for optimizer in &mut optimizers {
///     optimizer.step_slice(&mut w, &g)?;
/// }
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone)]
pub struct Pool(Arc<Owner>);

/// The caller's side; ends the threads when it is dropped.
struct Owner {
    shared: Arc<Shared>,
    turn: Mutex<Turn>,
}

/// What the caller that has the pool for itself keeps from job to job.
#[derive(Default)]
struct Turn {
    workers: Vec<JoinHandle<()>>,
    /// Whether the system has refused a thread.
    refused: bool,
    /// The work since the last pause.
    work: Duration,
    /// When the last job ended.
    ended: Option<Instant>,
}

/// What callers and workers share.
struct Shared {
    /// One for each thread, the caller's first.
    seats: Box<[Seat]>,
    /// Workers hold the read lock while they work, so that the caller gets the write lock when all
    /// of them have ended.
    job: RwLock<Option<Job>>,
    /// How many jobs there were.
    round: AtomicUsize,
    /// Workers that do not sleep.
    awake: AtomicUsize,
    /// The payload of the first panic of a worker.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    closed: AtomicBool,
}

#[derive(Clone, Copy)]
struct Job {
    work: &'static (dyn Fn(usize) + Sync),
    threads: usize,
    wake: bool,
}

/// A thread's place in a job, in cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
struct Seat {
    /// The items nobody has taken yet.
    items: Items,
    worker: OnceLock<Thread>,
}

/// A range of items, its start in the upper half. Nothing but this number is shared through it, so
/// relaxed operations are enough.
#[derive(Default)]
struct Items(AtomicU64);

impl Items {
    fn set(&self, start: u64, end: u64) {
        self.0.store(start << 32 | end, Ordering::Relaxed);
    }

    /// Takes the first item, as the range's own thread does, or the last one, as the others do.
    fn take(&self, own: bool) -> Option<usize> {
        let split = |range: u64| (range >> 32, range & u64::from(u32::MAX));
        let rest = |range| match split(range) {
            (start, end) if start >= end => None,
            (start, end) => Some(if own { (start + 1) << 32 | end } else { range - 1 }),
        };
        let (start, end) = split(self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, rest).ok()?);
        usize::try_from(if own { start } else { end - 1 }).ok()
    }
}

impl Pool {
    /// Returns the pool of the process, with as many threads as it may run at once.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Pool> = OnceLock::new();
        SHARED.get_or_init(|| Self::of(thread::available_parallelism().map_or(1, |n| n.get().min(MOST))))
    }

    /// Makes a pool of so many threads, the caller's with them. They end when the last
    /// handle is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfRange`] unless there are 1 to 1024 threads.
    pub fn new(threads: usize) -> Result<Self> {
        let error = Error::OutOfRange { setting: "threads", value: threads as f64, allowed: "1 to 1024" };
        if (1..=MOST).contains(&threads) { Ok(Self::of(threads)) } else { Err(error) }
    }

    fn of(threads: usize) -> Self {
        // There are neither threads nor clocks there.
        let threads = if cfg!(all(target_family = "wasm", target_os = "unknown")) { 1 } else { threads };
        let shared = Shared {
            seats: iter::repeat_with(Seat::default).take(threads).collect(),
            job: RwLock::default(),
            round: AtomicUsize::new(0),
            awake: AtomicUsize::new(0),
            panic: Mutex::default(),
            closed: AtomicBool::new(false),
        };
        Self(Arc::new(Owner { shared: Arc::new(shared), turn: Mutex::default() }))
    }

    /// Returns how many threads work at once at most, the caller's with them.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.shared.seats.len()
    }

    /// Calls `work` once with each of 0..items, on up to so many threads, and returns when all
    /// calls have ended. `time` is what they take on one thread; it decides how many threads are
    /// used and whether any are woken.
    ///
    /// Every thread begins with a run of neighbouring items, the same one in every call with the
    /// same numbers, and then helps the others from the end of theirs. A panic of `work` is
    /// resumed in the caller.
    pub(crate) fn run(&self, threads: usize, items: usize, time: Duration, work: &(dyn Fn(usize) + Sync)) {
        let shares = usize::try_from(time.as_nanos() / SHARE.as_nanos()).unwrap_or(usize::MAX);
        let threads = threads.min(items).min(shares).min(self.threads());
        let turn = if threads < 2 { None } else { self.turn() };
        match (turn, u32::try_from(items)) {
            (Some(turn), Ok(items)) => self.fork(turn, threads, items, time, work),
            _ => (0..items).for_each(work),
        }
    }

    /// Takes the pool for the caller, unless another job is under way.
    fn turn(&self) -> Option<MutexGuard<'_, Turn>> {
        match self.0.turn.try_lock() {
            Ok(turn) => Some(turn),
            Err(TryLockError::Poisoned(turn)) => Some(turn.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn fork(&self, mut turn: MutexGuard<'_, Turn>, threads: usize, items: u32, time: Duration, work: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.0.shared;
        let wake = turn.worth_waking(time);
        if wake {
            turn.hire(threads, &self.0.shared);
        }
        if wake || shared.awake.load(Ordering::Relaxed) > 0 {
            // SAFETY: only the lifetime changes. Workers reach the reference through `shared.job`
            // alone, and use it only under its read lock. `open` is dropped at the end of this
            // block, also by a panic, and with it the job, under the write lock: no worker can be
            // using it then, nor find it later. `work` lives longer.
            let work = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static (dyn Fn(usize) + Sync)>(work) };
            let open = shared.open(Job { work, threads, wake }, items);
            shared.take_part(Job { work, threads, wake }, 0);
            drop(open);
        } else {
            (0..items as usize).for_each(work);
        }
        turn.ended = Some(Instant::now());
        let panic = shared.panic().take();
        drop(turn);
        if let Some(panic) = panic {
            resume_unwind(panic);
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish_non_exhaustive()
    }
}

impl Turn {
    /// Returns whether the work without a pause, this job's with it, is enough to wake workers for.
    fn worth_waking(&mut self, time: Duration) -> bool {
        if self.ended.is_none_or(|ended| ended.elapsed() > LOOKOUT) {
            self.work = Duration::ZERO;
        }
        self.work = self.work.saturating_add(time);
        self.work >= WORTH_WAKING
    }

    /// Starts the workers that are missing, as many of them as the system gives.
    fn hire(&mut self, threads: usize, shared: &Arc<Shared>) {
        while !self.refused && self.workers.len() + 1 < threads {
            let (seat, worker) = (self.workers.len() + 1, Arc::clone(shared));
            match thread::Builder::new().name(format!("wane-{seat}")).spawn(move || worker.serve(seat)) {
                Ok(worker) => {
                    let _ = shared.seats[seat].worker.set(worker.thread().clone());
                    self.workers.push(worker);
                }
                Err(_) => self.refused = true,
            }
        }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A new round makes workers that wait for one see that the pool is closed.
        self.shared.closed.store(true, Ordering::Relaxed);
        self.shared.round.fetch_add(1, Ordering::Release);
        let turn = self.turn.get_mut().unwrap_or_else(PoisonError::into_inner);
        for worker in turn.workers.drain(..) {
            worker.thread().unpark();
            let _ = worker.join();
        }
    }
}

/// A job that workers find; dropped, it is taken back, and every worker that had begun has ended.
struct Open<'a>(&'a Shared);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        *self.0.write() = None;
    }
}

impl Shared {
    /// Lets workers begin, and wakes them if the job says so.
    fn open(&self, job: Job, items: u32) -> Open<'_> {
        *self.panic() = None;
        let cut = |seat: usize| u64::from(items) * seat as u64 / job.threads as u64;
        for (i, seat) in self.seats[..job.threads].iter().enumerate() {
            seat.items.set(cut(i), cut(i + 1));
        }
        let open = Open(self);
        *self.write() = Some(job);
        self.round.fetch_add(1, Ordering::Release);
        if job.wake {
            self.wake(job.threads, 0);
        }
        open
    }

    /// Locks the job for writing, once no worker holds it. It does not sleep, as workers that hold
    /// the job are at their last item or about to leave.
    fn write(&self) -> RwLockWriteGuard<'_, Option<Job>> {
        let mut looks = 0;
        loop {
            match self.job.try_write() {
                Ok(job) => return job,
                Err(TryLockError::Poisoned(job)) => return job.into_inner(),
                Err(TryLockError::WouldBlock) => spin_loop(),
            }
            looks += 1;
            if looks % LOOKS == 0 {
                thread::yield_now();
            }
        }
    }

    /// Wakes the two workers that this thread has to; they wake the next, so that none
    /// spends long on it.
    fn wake(&self, threads: usize, seat: usize) {
        for next in [2 * seat + 1, 2 * seat + 2] {
            if let Some(worker) = self.seats[..threads].get(next).and_then(|seat| seat.worker.get()) {
                worker.unpark();
            }
        }
    }

    /// Works on the items of this seat, then on those that the other threads have not come to.
    fn take_part(&self, job: Job, seat: usize) {
        for step in 0..job.threads {
            let items = &self.seats[(seat + step) % job.threads].items;
            while let Some(item) = items.take(step == 0) {
                (job.work)(item);
            }
        }
    }

    /// Runs a worker: it takes part in jobs and waits for the next one until the pool is closed.
    fn serve(&self, seat: usize) {
        self.awake.fetch_add(1, Ordering::Relaxed);
        let (mut round, mut worked) = (0, Instant::now());
        while !self.closed.load(Ordering::Relaxed) {
            if self.join(seat) {
                worked = Instant::now();
            }
            round = self.look_out(round, worked);
        }
    }

    /// Takes part in the job, if there is one with this seat.
    fn join(&self, seat: usize) -> bool {
        // The guard is held to the end: it is what the caller waits for.
        let Ok(slot) = self.job.try_read() else { return false };
        let Some(job) = *slot else { return false };
        if seat >= job.threads {
            return false;
        }
        if job.wake {
            self.wake(job.threads, seat);
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.take_part(job, seat))) {
            self.panic().get_or_insert(panic);
        }
        true
    }

    /// Waits for the next round after this one and returns it: looks out for it for a while since
    /// the last work, then sleeps.
    fn look_out(&self, round: usize, worked: Instant) -> usize {
        let next = || Some(self.round.load(Ordering::Acquire)).filter(|&next| next != round);
        while worked.elapsed() < LOOKOUT {
            for _ in 0..LOOKS {
                if let Some(next) = next() {
                    return next;
                }
                spin_loop();
            }
            thread::yield_now();
        }
        self.awake.fetch_sub(1, Ordering::Relaxed);
        let next = loop {
            match next() {
                Some(next) => break next,
                None => thread::park(),
            }
        };
        self.awake.fetch_add(1, Ordering::Relaxed);
        next
    }

    fn panic(&self) -> MutexGuard<'_, Option<Box<dyn Any + Send>>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    const LONG: Duration = Duration::from_millis(1);

    /// Returns how often each item is worked on.
    fn counts(pool: &Pool, threads: usize, items: usize, time: Duration) -> Vec<usize> {
        let counts: Vec<_> = iter::repeat_with(|| AtomicUsize::new(0)).take(items).collect();
        pool.run(threads, items, time, &|i| {
            counts[i].fetch_add(1, Ordering::Relaxed);
        });
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    /// Runs a job that ends only if all threads take part in it.
    fn meet(pool: &Pool) {
        let barrier = Barrier::new(pool.threads());
        pool.run(pool.threads(), pool.threads(), LONG, &|_| {
            barrier.wait();
        });
    }

    #[test]
    fn every_item_once() {
        let pool = Pool::new(4).unwrap();
        for time in [Duration::ZERO, Duration::from_micros(20), LONG, Duration::MAX] {
            for threads in 0..6 {
                for items in [0, 1, 2, 3, 5, 64, 1000] {
                    assert_eq!(counts(&pool, threads, items, time), vec![1; items], "{threads} {items} {time:?}");
                }
            }
        }
        assert_eq!(counts(Pool::shared(), 64, 100, LONG), [1; 100]);
    }

    #[test]
    fn threads_are_started_when_needed_and_work() {
        let pool = Pool::new(4).unwrap();
        counts(&pool, 4, 100, Duration::from_micros(5));
        counts(&pool, 1, 100, LONG);
        assert_eq!(pool.turn().unwrap().workers.len(), 0);
        counts(&pool, 2, 100, LONG);
        assert_eq!(pool.turn().unwrap().workers.len(), 1);
        for _ in 0..100 {
            meet(&pool);
        }
        assert_eq!(format!("{pool:?}"), "Pool { threads: 4, .. }");
    }

    #[test]
    fn no_more_threads_than_asked_for() {
        let (pool, now, most) = (Pool::new(4).unwrap(), AtomicUsize::new(0), AtomicUsize::new(0));
        meet(&pool);
        pool.run(2, 1000, LONG, &|_| {
            most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
            thread::yield_now();
            now.fetch_sub(1, Ordering::Relaxed);
        });
        assert!(most.into_inner() <= 2);
    }

    #[test]
    fn own_items_come_from_the_front_and_others_from_the_end() {
        let items = Items::default();
        items.set(3, 7);
        let taken = [true, false, true, false, true, false].map(|own| items.take(own));
        assert_eq!(taken, [Some(3), Some(6), Some(4), Some(5), None, None]);
    }

    #[test]
    fn a_panic_goes_on_in_the_caller_and_the_pool_works_on() {
        let (pool, caller) = (Pool::new(4).unwrap(), thread::current().id());
        for by_caller in [true, false, true, false] {
            let barrier = Barrier::new(4);
            let thrown = catch_unwind(AssertUnwindSafe(|| {
                pool.run(4, 4, LONG, &|_| {
                    barrier.wait();
                    assert!((thread::current().id() == caller) != by_caller, "thrown");
                });
            }));
            assert_eq!(thrown.unwrap_err().downcast_ref(), Some(&"thrown"));
            meet(&pool);
            assert_eq!(counts(&pool, 4, 1000, LONG), [1; 1000]);
        }
    }

    #[test]
    fn jobs_within_jobs_and_beside_jobs() {
        let (pool, sum) = (Pool::new(3).unwrap(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        pool.run(3, 10, LONG, &|i| {
                            pool.run(3, 10, LONG, &|j| {
                                sum.fetch_add(i * j, Ordering::Relaxed);
                            });
                        });
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 4 * 50 * 45 * 45);
    }

    #[test]
    fn threads_end_with_the_last_handle() {
        let pool = Pool::new(3).unwrap();
        let (clone, shared) = (pool.clone(), Arc::downgrade(&pool.0.shared));
        meet(&clone);
        drop(pool);
        meet(&clone);
        drop(clone);
        assert!(shared.upgrade().is_none());
        assert!(Pool::new(0).is_err() && Pool::new(MOST + 1).is_err());
    }
}
