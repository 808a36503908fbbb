//! The inlining watch: every rule with every law, against the same rule without decay.
//!
//! A law that is not inlined into its loop, or keeps it from being vectorised, costs a factor of several. A few more operations
//! per weight, which some laws need, cost up to a third while all data is in cache.

use wane::{Anchor, Decay, NonFinite};

use crate::duel::{Effort, duel};
use crate::report::{Spread, print};
use crate::support::{Contender, Element, Row, Step, timed};

const WEIGHTS: usize = 10_000;

/// Above this a law is marked: what is not inlined into its loop takes longer. Fused pairs are at about 1, pairs by tiles at up to 2 for
/// Adam, which divides, and up to 4 for rules that do next to nothing.
const SLOW: f64 = 4.5;

const HEADER: [&str; 6] = ["rule", "decay", "f32", "f32, towards the start", "f64", "f64, towards the start"];

pub(crate) fn watch(effort: Effort) {
    let mut rows = Vec::new();
    for (row, _) in timed() {
        for decay in laws() {
            let anchored = decay.clone().towards(Anchor::Start);
            let cells = [
                cell::<f32>(effort, row, &decay, 0),
                cell::<f32>(effort, row, &anchored, 1),
                cell::<f64>(effort, row, &decay, 0),
                cell::<f64>(effort, row, &anchored, 1),
            ];
            let [a, b, c, d] = cells;
            rows.push([row.name.into(), decay.to_string(), a, b, c, d]);
        }
    }
    print(
        "Every rule and law at 10000 weights: time per byte, as a multiple of the rule without decay (an anchor is one more column to read)",
        HEADER,
        rows,
    );
}

/// One decay for every loop that a rule is compiled with.
fn laws() -> [Decay; 5] {
    [
        Decay::coupled_l2(0.01),
        Decay::coupled_elastic_net(0.01, 0.5),
        Decay::decoupled(0.01),
        Decay::cautious(0.01),
        Decay::elastic_net(0.01, 0.5),
    ]
}

/// How much slower than without decay, at equal memory traffic; the law itself reads `columns` beside those of the rule.
fn cell<T: Element>(effort: Effort, row: &'static Row, decay: &Decay, columns: usize) -> String {
    let step = |decay| Step { row, decay, policy: NonFinite::Propagate, threads: 1 };
    let (plain, decayed) = (step(Decay::none()), step(decay.clone()));
    let limit = plain.limit();
    let bytes = limit.bytes::<T>() as f64;
    let more = (columns * limit.passes.len() * size_of::<T>()) as f64;
    let (plain, decayed) = (Contender::Step(plain), Contender::Step(decayed));
    let rounds = duel::<T>(effort, (&plain, &[WEIGHTS]), (&decayed, &[WEIGHTS]));
    let ratio = Spread::of(rounds.iter().map(|[plain, decayed]| decayed / plain * bytes / (bytes + more)));
    if ratio.median > SLOW { format!("{} SLOW", ratio.times()) } else { ratio.times() }
}
