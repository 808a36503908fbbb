//! What a law costs: a step with it over a step of the same optimizer without decay, by turns in one process.
//!
//! `cargo bench --bench laws` prints the tables of `benches/README.md`; `-- sgd` only those of SGD. With `--quick` or `--test`, every law
//! steps once and no number means anything.

#[path = "../ratios/duel.rs"]
#[expect(dead_code, reason = "shared with the bench `ratios`, which has contenders of more kinds")]
mod duel;
#[path = "../ratios/report.rs"]
#[expect(dead_code, reason = "shared with the bench `ratios`, which has numbers of more kinds")]
mod report;
#[path = "../support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "shared with the bench `ratios`, which uses more of it")]
mod support;

use duel::{Effort, duel};
use report::{Spread, print};
use support::common::cells::{self, Cell};
use support::{Contender, Row, Step, optimizer};
use wane::{Anchor, Decay, NonFinite, Strength};

/// In the first two caches, at their edge, and in memory.
const SIZES: [usize; 3] = [10_000, 1_000_000, 4_000_000];

/// One that works much for each weight, and one that does next to nothing.
const RULES: [&str; 2] = ["adamw", "sgd"];

const HEADER: [&str; 5] = ["decay", "looks at all weights first", "10000 weights", "1000000", "4000000"];

fn main() {
    let (effort, chosen) = Effort::asked_for();
    // A third of the sittings, as there are many laws.
    let effort = Effort { sittings: effort.sittings.div_ceil(3), ..effort };
    println!("CPU level {}; every number is a median, with its quartiles in brackets", wane::Level::best());
    for name in RULES.into_iter().filter(|name| chosen.is_empty() || chosen.iter().any(|wanted| wanted == name)) {
        let row = optimizer(name);
        let lines = laws().into_iter().map(|cell| {
            let looks = if cell.joins_weights() { "yes" } else { "" };
            let [small, middle, large] = SIZES.map(|weights| cost(effort, row, &cell.decay(), weights.min(effort.largest)));
            [cell.decay().to_string(), looks.into(), small, middle, large]
        });
        print(
            &format!("{name} with each law: time of a step, as a multiple of that without decay"),
            HEADER,
            lines.collect::<Vec<_>>(),
        );
    }
}

/// A decay for each loop, with anchors of their own in the place of lent ones.
fn laws() -> Vec<Cell> {
    let decayed = cells::loops().into_iter().filter(|cell| cell.strength != Strength::None);
    let own = decayed.map(|cell| if cell.anchor == Anchor::Given { cell.towards(Anchor::Start) } else { cell });
    own.filter(|cell| cell.anchors().any(|anchor| anchor == cell.anchor)).collect()
}

fn cost(effort: Effort, row: &'static Row, decay: &Decay, weights: usize) -> String {
    let step = |decay| Contender::Step(Step { row, decay, policy: NonFinite::Propagate, threads: 1 });
    let (plain, decayed) = (step(Decay::none()), step(decay.clone()));
    let rounds = duel::<f32>(effort, (&plain, &[weights]), (&decayed, &[weights]));
    Spread::of(rounds.iter().map(|[plain, decayed]| decayed / plain)).times()
}
