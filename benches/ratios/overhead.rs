//! What a step costs beside its weights.

use std::hint::black_box;

use wane::{Decay, NonFinite};

use crate::duel::{Effort, duel, solo};
use crate::report::{Spread, print};
use crate::support::{Contender, Reach, Step, optimizer, timed};

/// Tensors that are added to the first to see what each of them costs.
const FURTHER: usize = 200;

const HEADER: [&str; 5] =
    ["optimizer", "policy", "weights per tensor", "step over one tensor, ns", "each further warm tensor, ns"];

pub(crate) fn tensors(effort: Effort) {
    let mut rows = Vec::new();
    for (row, decay) in timed().filter(|(row, _)| row.reach == Reach::Element) {
        for policy in [NonFinite::Propagate, NonFinite::Error] {
            for len in [0, 16] {
                let [one, further] = cost(effort, Step { row, decay: decay.clone(), policy, threads: 1 }, len);
                rows.push([row.name.into(), policy.to_string(), len.to_string(), one, further]);
            }
        }
    }
    for policy in [NonFinite::Propagate, NonFinite::Error] {
        rows.push(["adamw, `step_slice`".into(), policy.to_string(), "0".into(), slice(effort, policy), String::new()]);
    }
    print("The cost of a step beside its weights", HEADER, rows);
}

/// Of a step over one tensor of `len` weights, and of each further one.
fn cost(effort: Effort, step: Step, len: usize) -> [String; 2] {
    let step = Contender::Step(step);
    let rounds = duel::<f32>(effort, (&step, &[len]), (&step, &[len; 1 + FURTHER]));
    let one = Spread::of(rounds.iter().map(|[one, _]| *one));
    let further = Spread::of(rounds.iter().map(|[one, all]| (all - one) / FURTHER as f64));
    [one.whole_nanoseconds(), further.whole_nanoseconds()]
}

/// Of a step over no weights at all, as a user writes it.
fn slice(effort: Effort, policy: NonFinite) -> String {
    let mut optimizer = Step { row: optimizer("adamw"), decay: Decay::decoupled(0.01), policy, threads: 1 }.optimizer::<f32>();
    let rounds = solo(effort, &[0], &mut || {
        black_box(optimizer.step_slice(black_box(&mut []), black_box(&[]))).expect("an empty step succeeds");
    });
    Spread::of(rounds).whole_nanoseconds()
}
