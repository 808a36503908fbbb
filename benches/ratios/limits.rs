//! Every optimizer at every size against its limit.

use wane::{Decay, NonFinite};

use crate::duel::{Effort, duel};
use crate::report::{Spread, print};
use crate::support::{Contender, Limit, Pass, Step, mixed_200, optimizer, timed};

fn workloads(effort: Effort) -> Vec<(String, Vec<usize>)> {
    let single = [1_000, 10_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|&len| len <= effort.largest);
    single.map(|len: usize| (len.to_string(), vec![len])).chain([("200 tensors".into(), mixed_200())]).collect()
}

const HEADER: [&str; 7] =
    ["optimizer", "weights", "B", "ns per weight", "share of the limit", "ns, checked", "share of the limit with one more read"];

pub(crate) fn optimizers(effort: Effort) {
    let mut rows = Vec::new();
    for (row, decay) in timed() {
        for (size, lengths) in workloads(effort) {
            let step = |policy| Step { row, decay: decay.clone(), policy, threads: 1 };
            let (free, checked) = (step(NonFinite::Propagate), step(NonFinite::Error));
            let bytes = free.limit().bytes::<f32>().to_string();
            let [free, checked] = [free, checked].map(|step| {
                let limit = step.limit();
                share(effort, step, limit, &lengths)
            });
            rows.push([row.name.into(), size, bytes, free[0].clone(), free[1].clone(), checked[0].clone(), checked[1].clone()]);
        }
    }
    print("Steps and their limits: `Propagate`, and `Error` (the default), which reads the gradient once more", HEADER, rows);
}

/// AdamW in cache, where the divider is the wall and not the memory.
pub(crate) fn divider(effort: Effort) {
    let rows = [NonFinite::Propagate, NonFinite::Error].map(|policy| {
        let step = Step { row: optimizer("adamw"), decay: Decay::decoupled(0.01), policy, threads: 1 };
        let mut limit = step.limit();
        limit.passes.pop();
        limit.passes.push(Pass::Divide);
        let [ns, share] = share(effort, step, limit, &[10_000]);
        [policy.to_string(), ns, share]
    });
    print(
        "AdamW at 10000 weights and a loop with one square root and two divisions per weight",
        ["policy", "ns per weight", "share of the loop's speed"],
        rows,
    );
}

/// Time per weight of a step, and how much of its limit's speed it has.
fn share(effort: Effort, step: Step, limit: Limit, lengths: &[usize]) -> [String; 2] {
    let rounds = duel::<f32>(effort, (&Contender::Step(step), lengths), (&Contender::Limit(limit), lengths));
    let weights = lengths.iter().sum::<usize>() as f64;
    let time = Spread::of(rounds.iter().map(|[step, _]| step / weights));
    let share = Spread::of(rounds.iter().map(|[step, limit]| limit / step));
    [time.nanoseconds(), share.percent()]
}
