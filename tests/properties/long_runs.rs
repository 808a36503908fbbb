//! Long runs: a million steps against the closed form, and step counts that no run reaches.

use wane::state::{Column, Loading, ParameterState};
use wane::{Adafactor, Adagrad, AdamW, Anchor, Decay, NAdam, Optimizer, Param, Schedule, Sgd};

use crate::common::data::{matrix, tensors};
use crate::common::{Element, OPTIMIZERS, Setup, for_f32_and_f64};

for_f32_and_f64!(a_million_steps_follow_the_closed_form, no_count_is_too_large);

/// Without optimisation a step takes a hundred times as long.
const STEPS: u32 = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };
/// A share that both types hold, and so is 1 less it: 3.8e-6, which leaves e⁻³·⁸ of a weight after a million steps.
const SHARE: f64 = 1.0 / 262_144.0;
/// A rate, and λ at that rate.
const RATE: f64 = 0.125;
const LAMBDA: f64 = SHARE / RATE;

/// A decay, and what is left of a weight x after n steps without a gradient.
type Law = (&'static str, fn() -> Decay, fn(f64, f64) -> f64);

/// (1 − s)ⁿ, to the last digit for small s.
fn left(share: f64, n: f64) -> f64 {
    (n * (-share).ln_1p()).exp()
}

const LAWS: [Law; 9] = [
    ("coupled", || Decay::coupled_l2(LAMBDA), |x, n| x * left(SHARE, n)),
    ("decoupled", || Decay::decoupled(LAMBDA), |x, n| x * left(SHARE, n)),
    ("independent", || Decay::independent(SHARE), |x, n| x * left(SHARE, n)),
    ("fixed", || Decay::fixed(SHARE), |x, n| x * left(SHARE, n)),
    ("timescale", || Decay::timescale(1.0 / SHARE), |x, n| x * left(SHARE, n)),
    ("towards the start", || Decay::fixed(SHARE).towards(Anchor::Start), |x, _| x),
    ("towards a given one", || Decay::fixed(SHARE).towards(Anchor::Given), |x, n| 4.0 + (x - 4.0) * left(SHARE, n)),
    // Thresholds of 2⁻²⁴ a step, until nothing is left.
    ("l1", || Decay::l1(SHARE / 64.0 / RATE), |x, n| x.signum() * (x.abs() - n * SHARE / 64.0).max(0.0)),
    // Half of it for the first half of the run, then none.
    (
        "scheduled",
        || Decay::fixed(SHARE).schedule(Schedule::linear(0.5, 0.5, 1).then(u64::from(STEPS / 2), Schedule::linear(0.0, 0.0, 1))),
        |x, n| x * left(SHARE / 2.0, n / 2.0),
    ),
];

/// All laws beside each other, saved and loaded half way; each step rounds by half the distance to the next number, at most.
fn a_million_steps_follow_the_closed_form<T: Element>() {
    let build = || {
        let groups = LAWS
            .iter()
            .fold(Sgd::new(RATE), |settings, &(name, decay, _)| settings.group(name, move |s| s.weight_decay(decay())));
        groups.build::<T>().unwrap()
    };
    let start = [1.0, -0.75, 0.05, -1e-3].map(T::near);
    let (grad, anchor) = ([T::near(0.0); 4], [T::near(4.0); 4]);
    let mut weights = [start; LAWS.len()];
    let mut opt = build();
    for k in 0..STEPS {
        if k == STEPS / 2 {
            let mut next = build();
            let _ = next.import(opt.export(), &Loading::strict()).unwrap();
            opt = next;
        }
        let named = weights.iter_mut().zip(&LAWS);
        let mut params: Vec<_> = named.map(|(w, (name, ..))| Param::new(name, w, &grad).in_group(name).anchor(&anchor)).collect();
        opt.step(&mut params).unwrap();
    }
    for (w, (name, _, expected)) in weights.iter().zip(&LAWS) {
        for (&w, &x) in w.iter().zip(&start) {
            let expected = expected(x.exact(), f64::from(STEPS));
            let size = x.exact().abs().max(if *name == "towards a given one" { 4.0 } else { 0.0 });
            let tolerance = f64::from(STEPS) * T::EPS / 2.0 * size;
            let error = (w.exact() - expected).abs();
            assert!(error <= tolerance, "{name}: {w} after {STEPS} steps from {x}, not {expected}: {error:e} > {tolerance:e}");
        }
    }
}

/// A step count is a `u64`, and not one of the weights' type, where 2²⁴ + 1 is 2²⁴: it goes on, and stops at the largest.
fn no_count_is_too_large<T: Element>() {
    for row in OPTIMIZERS {
        for count in [1 << 24, (1 << 24) + 1, 1 << 53, (1 << 53) + 1, u64::MAX - 1, u64::MAX] {
            for decay in [Decay::none(), Decay::decoupled(0.1), Decay::coupled_l2(0.1), Decay::adaptive(0.1)] {
                let setup = Setup { schedule: Schedule::cosine(100, 0.5), ..row.setup(decay) };
                let (mut first, mut opt) = (row.build::<T>(&setup), row.build::<T>(&setup));
                let mut tensors = tensors::<T>(&[6]);
                crate::common::data::step(&mut *first, &mut tensors, 0);
                let mut state = first.export();
                (state.completed_steps, state.parameters[0].steps) = (count, count);
                let _ = opt.import(state, &Loading::strict()).unwrap();
                for more in 1..=2 {
                    crate::common::data::step(&mut *opt, &mut tensors, more);
                    let expected = count.saturating_add(more);
                    assert_eq!(
                        (opt.completed_steps(), opt.steps_of(&tensors[0].name)),
                        (expected, Some(expected)),
                        "{}",
                        row.name
                    );
                }
                assert!(tensors[0].value.iter().all(|w| w.is_finite()), "{} from step {count}", row.name);
            }
        }
    }
}

/// What the equations say at update t, from columns of ones, on a gradient of 1, without rounding to speak of.
#[test]
fn late_steps_are_those_of_the_equations() {
    let after = |opt: &mut dyn Optimizer<f64>, t: u64, columns: &[(&str, usize)]| {
        let mut state = ParameterState::new("w", 4);
        state.shape = Some(matrix(4).to_vec());
        state.steps = t - 1;
        state.columns = columns.iter().map(|&(name, len)| Column::new(name, vec![1.0_f64; len])).collect();
        opt.import_parameter(state).unwrap();
        let mut w = [0.0; 4];
        opt.step(&mut [Param::new("w", &mut w, &[1.0; 4]).shape(&matrix(4))]).unwrap();
        assert_eq!(opt.steps_of("w"), Some(t));
        w[0]
    };
    for t in [(1 << 24) + 1, (1 << 30) + 1, 1_u64 << 53] {
        let many = t as f64;
        let near =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-12, "{found} at update {t}, not {expected}");
        let moments = [("exp_avg", 4), ("exp_avg_sq", 4)];
        near(after(&mut AdamW::new(0.5).eps(1.0).build().unwrap(), t, &moments), -0.5 * 1.0 / (1.0 + 1.0));
        near(after(&mut Adagrad::new(0.5).lr_decay(1e-3).eps(0.0).build().unwrap(), t, &[("sum", 4)]), {
            -0.5 / (1.0 + 1e-3 * (many - 1.0)) / 2.0_f64.sqrt()
        });
        // u = 1 of norm ‖u‖/√n = 1 and α = max(ε₂, 0)·ρ, ρ = min(η, 1/√t).
        let factors = [("row_var", 2), ("col_var", 2)];
        near(
            after(&mut Adafactor::new(0.5).weight_decay(Decay::none()).eps2(0.25).build().unwrap(), t, &factors),
            -0.25 / many.sqrt(),
        );
        // μ_t = β₁(1 − 0.96^(ψt)/2) is β₁ by then, and so is the one after it; P is 0.
        let product = [("exp_avg", 4), ("exp_avg_sq", 4), ("mu_product", 1)];
        let nadam = after(&mut NAdam::new(0.5).betas(0.5, 0.75).momentum_decay(1.0).eps(1.0).build().unwrap(), t, &product);
        near(nadam, -0.5 * ((1.0 - 0.5) / (1.0 - 0.5) + 0.5 / (1.0 - 0.5 * 0.5)) / (1.0 + 1.0));
    }
}
