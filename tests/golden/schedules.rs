//! The closed forms of `torch.optim.lr_scheduler`.

use serde_json::Value;
use wane::Schedule;

use super::fixture::{SCHEDULES, count, list, number, numbers, text};

/// The schedule that stands for a PyTorch scheduler.
pub(crate) fn schedule(torch: &'static Value) -> Schedule {
    let (float, steps) = (|name: &str| number(&torch[name]), |name: &str| count(&torch[name]));
    match text(&torch["type"]) {
        "ConstantLR" => {
            assert_eq!(float("factor"), 1.0, "another constant factor is another peak");
            Schedule::constant()
        }
        "LinearLR" => Schedule::linear(float("start_factor"), float("end_factor"), steps("total_iters")),
        "CosineAnnealingLR" => Schedule::cosine(steps("T_max"), float("eta_min")),
        "CosineAnnealingWarmRestarts" => Schedule::cosine_restarts(steps("T_0"), steps("T_mult"), float("eta_min")),
        "StepLR" => Schedule::step(steps("step_size"), float("gamma")),
        "PolynomialLR" => Schedule::polynomial(steps("total_iters"), float("power"), 0.0),
        "ExponentialLR" => Schedule::exponential(float("gamma")),
        "SequentialLR" => joined(&torch["schedulers"], &torch["milestones"]),
        other => panic!("no scheduler {other}"),
    }
}

fn joined(schedulers: &'static Value, milestones: &'static Value) -> Schedule {
    let mut parts = list(schedulers).iter().map(schedule);
    let first = parts.next().expect("a first scheduler");
    parts.zip(list(milestones)).fold(first, |before, (next, milestone)| before.then(count(milestone), next))
}

/// Within `bound` of the peak, which is 1, and near as a share of the multiplier too: they go down to 1e-4.
fn assert_near(name: &str, schedule: &Schedule, want: &[f64], from: usize, bound: f64) {
    for (k, &want) in (0_u64..).zip(want).skip(from) {
        let (got, near) = (schedule.multiplier(k), bound.min(1e-14 * want));
        assert!((got - want).abs() <= near, "{name} at {k}: {got} for {want}, not within {near:e}");
    }
}

/// PyTorch's closed forms are written in another order.
const CLOSED: f64 = 5e-16;
/// A scheduler that is stepped sums up its roundings.
const RECURSIVE: f64 = 1e-15;

#[test]
fn torch_schedulers() {
    let cases = list(&SCHEDULES["cases"]);
    assert_eq!(cases.len(), 14);
    for case in cases {
        let (name, schedule) = (text(&case["name"]), schedule(&case["scheduler"]));
        let (closed, recursive) = (numbers::<f64>(&case["closed"]), numbers::<f64>(&case["recursive"]));
        // A cosine ends after T_max: PyTorch's rises again.
        let count = if case["scheduler"]["type"] == "CosineAnnealingLR" { 101 } else { 121 };
        assert_eq!([closed.len(), recursive.len()], [count; 2], "{name}");
        assert_near(name, &schedule, &closed, 0, CLOSED);
        assert_near(name, &schedule, &recursive, 0, RECURSIVE);
    }
}

/// A warm-up of this crate starts from 0, where PyTorch's cannot start; from its end on they are the same.
#[test]
fn torch_schedulers_after_a_warm_up() {
    assert_near("warmup_cosine", &Schedule::warmup_cosine(20, 120, 0.0), &closed("warm-up, cosine"), 20, CLOSED);
    let stable = Schedule::warmup_stable_decay(20, 60, 40, 0.0);
    assert_near("warmup_stable_decay", &stable, &closed("warm-up, stable, decay"), 20, CLOSED);
}

fn closed(name: &str) -> Vec<f64> {
    let named = list(&SCHEDULES["cases"]).iter().find(|case| case["name"] == name);
    numbers(&named.unwrap_or_else(|| panic!("no case {name}"))["closed"])
}
