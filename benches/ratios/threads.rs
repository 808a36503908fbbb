//! Two threads against one.

use std::hint::{black_box, spin_loop};
use std::thread::sleep;
use std::time::{Duration, Instant};

use wane::NonFinite;

use crate::duel::Effort;
use crate::report::{Spread, print};
use crate::support::{Contender, Step, mixed_200, timed};

const HEADER: [&str; 6] = [
    "optimizer",
    "weights",
    "µs, one thread",
    "two threads: times as fast, step after step",
    "after 2 ms of work",
    "after 2 ms of sleep",
];

/// What a program does between two steps.
#[derive(Clone, Copy)]
enum Between {
    Nothing,
    Work,
    Sleep,
}

const PAUSE: Duration = Duration::from_millis(2);

/// Steps without a pause are timed, and warmed up, for so long: threads sleep at first.
const STRETCH: Duration = Duration::from_millis(10);

pub(crate) fn speed_up(effort: Effort) {
    let mut rows = Vec::new();
    for (row, decay) in timed().filter(|(row, _)| ["sgd", "adamw", "lamb"].contains(&row.name)) {
        let step = |threads| Step { row, decay: decay.clone(), policy: NonFinite::Error, threads };
        let sizes = [1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 10_000_000];
        let sizes = sizes.into_iter().filter(|&len| len <= effort.largest).map(|len| (len.to_string(), vec![len]));
        for (name, lengths) in sizes.chain([("200 tensors".into(), mixed_200())]) {
            let ratios = |between| ratios(effort, [step(1), step(2)], &lengths, between);
            let (times, back_to_back) = ratios(Between::Nothing);
            let [work, sleep] = [Between::Work, Between::Sleep].map(|between| ratios(between).1);
            let micros = format!("{:.1}", times.median * 1e6);
            rows.push([row.name.into(), name, micros, back_to_back.times(), work.times(), sleep.times()]);
        }
    }
    print("Two threads against one: the time of one over that of two", HEADER, rows);
}

/// The time on one thread, and the ratios of both.
fn ratios(effort: Effort, steps: [Step; 2], lengths: &[usize], between: Between) -> (Spread, Spread) {
    let mut rounds = Vec::new();
    let sides = steps.map(Contender::Step);
    for sitting in 0..effort.sittings {
        // Where memory lies is worth more than a few percent: it is elsewhere each time, and the other one's is made first.
        let _shift = black_box(vec![0_u8; 16_384 + 1_040 * sitting]);
        let first = sitting % 2;
        sides[first].enter::<f32>(lengths, &mut |one| {
            sides[1 - first].enter::<f32>(lengths, &mut |other| {
                for round in 0..between.rounds() {
                    let mut times = [0.0; 2];
                    for turn in [round % 2, 1 - round % 2] {
                        times[turn] = time(if turn == first { &mut *one } else { &mut *other }, between);
                    }
                    rounds.push(times);
                }
            });
        });
    }
    (Spread::of(rounds.iter().map(|[one, _]| *one)), Spread::of(rounds.iter().map(|[one, two]| one / two)))
}

impl Between {
    /// How often both are timed in a sitting.
    fn rounds(self) -> usize {
        if matches!(self, Self::Nothing) { 2 } else { 12 }
    }
}

/// Seconds for a step.
fn time(run: &mut dyn FnMut(), between: Between) -> f64 {
    match between {
        Between::Nothing => {
            steps(run);
            steps(run)
        }
        Between::Work => {
            let start = Instant::now();
            while start.elapsed() < PAUSE {
                spin_loop();
            }
            single(run)
        }
        Between::Sleep => {
            sleep(PAUSE);
            single(run)
        }
    }
}

fn single(run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    black_box(run)();
    start.elapsed().as_secs_f64()
}

/// Seconds for each of many steps.
fn steps(run: &mut dyn FnMut()) -> f64 {
    let (start, mut count) = (Instant::now(), 0.0);
    while start.elapsed() < STRETCH {
        // The clock is not asked after every step.
        for _ in 0..8 {
            run();
        }
        count += 8.0;
    }
    start.elapsed().as_secs_f64() / count
}
