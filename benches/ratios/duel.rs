//! Two contenders by turns.

use std::hint::black_box;
use std::time::Instant;

use crate::support::{Contender, Element};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// Times that both contenders get fresh memory, elsewhere than before.
    pub(crate) sittings: usize,
    /// Turns of each in a sitting.
    pub(crate) rounds: usize,
    /// Weights stepped over in a turn; a tensor counts as [`PER_TENSOR`] of them.
    pub(crate) work: usize,
    /// The most weights in a tensor.
    pub(crate) largest: usize,
}

/// A tensor takes about as long as this many weights.
const PER_TENSOR: usize = 100;

impl Effort {
    pub(crate) const FULL: Self = Self { sittings: 9, rounds: 7, work: 2_000_000, largest: usize::MAX };
    pub(crate) const ONCE: Self = Self { sittings: 1, rounds: 1, work: 0, largest: 100_000 };

    /// What the command line asks for, and the words in it: everything once, unless `cargo bench` means to measure.
    pub(crate) fn asked_for() -> (Self, Vec<String>) {
        let (flags, chosen): (Vec<String>, Vec<String>) =
            std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
        let has = |flag: &str| flags.iter().any(|given| given == flag);
        let measures = has("--bench") && !has("--quick") && !has("--test");
        (if measures { Self::FULL } else { Self::ONCE }, chosen)
    }

    fn repetitions(self, lengths: &[usize]) -> usize {
        (self.work / (lengths.iter().sum::<usize>() + PER_TENSOR * lengths.len())).max(1)
    }
}

/// A contender and the tensors that it works on.
pub(crate) type Side<'a> = (&'a Contender, &'a [usize]);

/// Seconds per repetition of the one and the other, round by round.
pub(crate) fn duel<T: Element>(effort: Effort, one: Side<'_>, other: Side<'_>) -> Vec<[f64; 2]> {
    let mut rounds = Vec::with_capacity(effort.sittings * effort.rounds);
    for sitting in 0..effort.sittings {
        // Moves what is allocated after it: where buffers lie to each other and to the cache's lines is luck, worth up to a fifth.
        let _shift = black_box(vec![0_u8; 16_384 + 1_040 * sitting]);
        one.0.enter::<T>(one.1, &mut |first| {
            other.0.enter::<T>(other.1, &mut |second| {
                let repetitions = [one.1, other.1].map(|lengths| effort.repetitions(lengths));
                rounds.extend((0..effort.rounds).map(|round| turns(round, [first, second], repetitions)));
            });
        });
    }
    rounds
}

/// The same for one contender that has no other.
pub(crate) fn solo(effort: Effort, lengths: &[usize], run: &mut dyn FnMut()) -> Vec<f64> {
    (0..effort.sittings * effort.rounds).map(|_| time(run, effort.repetitions(lengths))).collect()
}

/// The same for two runs that have their memory already; each steps over `weights` weights.
pub(crate) fn by_turns(effort: Effort, runs: [&mut dyn FnMut(); 2], weights: usize) -> Vec<[f64; 2]> {
    let [first, second] = runs;
    let repetitions = [effort.repetitions(&[weights]); 2];
    (0..effort.sittings * effort.rounds).map(|round| turns(round, [&mut *first, &mut *second], repetitions)).collect()
}

/// One turn of each, and in every second round the other way about.
fn turns(round: usize, runs: [&mut dyn FnMut(); 2], repetitions: [usize; 2]) -> [f64; 2] {
    let [first, second] = runs;
    if round.is_multiple_of(2) {
        [time(first, repetitions[0]), time(second, repetitions[1])]
    } else {
        let second = time(second, repetitions[1]);
        [time(first, repetitions[0]), second]
    }
}

/// Seconds per repetition, after two that are not timed and bring the memory back into cache.
fn time(run: &mut dyn FnMut(), repetitions: usize) -> f64 {
    run();
    run();
    let start = Instant::now();
    for _ in 0..repetitions {
        run();
    }
    start.elapsed().as_secs_f64() / repetitions as f64
}
