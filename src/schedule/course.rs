//! What schedules reach: the first step at which two of them together go too far, found without
//! trying every step.

use super::{Form, Schedule};

/// How many steps are looked at before the search gives up; two smooth schedules take a few dozen.
const BUDGET: usize = 20_000;

/// Returns the first step whose two multipliers are `too_much`, which must stay true
/// for larger ones.
///
/// Between two turns every schedule only rises or only falls, so the larger of its ends bounds it
/// there; a stretch whose bounds are not too much is passed over, another one is halved. Past the
/// last turn schedules stay or fall, but for those that grow or restart without end: what these
/// will reach depends on how long one trains, so only their beginning is looked at.
pub(crate) fn first_step(schedules: [&Schedule; 2], too_much: impl Fn(u64, [f64; 2]) -> bool) -> Option<u64> {
    let mut turns: Vec<u64> = schedules.iter().flat_map(|schedule| schedule.turns()).collect();
    turns.sort_unstable();
    turns.dedup();
    let mut search = Search { schedules, too_much, left: BUDGET };
    let found = turns.iter().zip(turns.iter().skip(1)).find_map(|(&first, &last)| search.within(first, last));
    found.or_else(|| turns.last().and_then(|&last| search.within(last, last)))
}

/// How many cycles are looked at of a schedule that restarts without end.
const CYCLES: usize = 16;

struct Search<'a, F> {
    schedules: [&'a Schedule; 2],
    too_much: F,
    left: usize,
}

impl<F: Fn(u64, [f64; 2]) -> bool> Search<'_, F> {
    fn within(&mut self, first: u64, last: u64) -> Option<u64> {
        self.left = self.left.checked_sub(1)?;
        let [[a, b], [later_a, later_b]] = [first, last].map(|k| self.schedules.map(|schedule| schedule.multiplier(k)));
        if (self.too_much)(first, [a, b]) {
            return Some(first);
        }
        if first == last || !(self.too_much)(last, [a.max(later_a), b.max(later_b)]) {
            return None;
        }
        let middle = first + (last - first) / 2;
        self.within(first, middle).or_else(|| self.within(middle + 1, last))
    }
}

impl Schedule {
    /// Returns the steps between which the schedule only rises or only falls: ends of parts, and
    /// turns within them.
    fn turns(&self) -> Vec<u64> {
        let starts = std::iter::once(0).chain(self.later.iter().map(|(start, _)| *start));
        let ends = self.later.iter().map(|(start, _)| start.saturating_sub(1)).chain([u64::MAX]);
        let forms = std::iter::once(&self.first).chain(self.later.iter().map(|(_, form)| form));
        let mut turns = Vec::new();
        for ((start, end), form) in starts.zip(ends).zip(forms) {
            turns.extend(form.turns().into_iter().map(|turn| start.saturating_add(turn).min(end)));
            turns.extend((end < u64::MAX).then_some(end));
        }
        turns
    }
}

impl Form {
    fn turns(&self) -> Vec<u64> {
        match *self {
            Self::Constant
            | Self::Step { .. }
            | Self::Exponential { .. }
            | Self::RestartSteps { .. }
            | Self::InverseTime { .. } => vec![0],
            Self::Linear { steps, .. } | Self::Cosine { steps, .. } | Self::Polynomial { steps, .. } => vec![0, steps],
            Self::CosineRestarts { steps, growth, .. } => {
                let cycle = |(start, length): (u64, u64)| (start.saturating_add(length), length.saturating_mul(growth));
                let cycles = std::iter::successors(Some((0, steps)), |&now| Some(cycle(now))).take(CYCLES);
                cycles.flat_map(|(start, length)| [start, start.saturating_add(length - 1)]).collect()
            }
            // A warm-up with no steps behind it ends in a fall.
            Self::WarmupCosine { warmup, steps, .. } => vec![0, warmup.saturating_sub(1), warmup, steps],
            Self::WarmupStableDecay { warmup, stable, decay, .. } => {
                let settled = warmup.saturating_add(stable);
                vec![0, warmup.saturating_sub(1), warmup, settled.saturating_sub(1), settled, settled.saturating_add(decay)]
            }
        }
    }
}
