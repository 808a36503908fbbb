use wane::plan::{ScalingRule, Tuned};

use super::out_of_range;

const TUNED: Tuned = Tuned { lr: 1e-3, beta1: 0.875, beta2: 0.96875, eps: 1e-8, lambda: 0.125 };

/// The rules' own tables, at κ = 4, where every root and product is exact.
#[test]
fn rules_are_their_tables() {
    for (rule, expected) in [
        (ScalingRule::BatchPerSample, Tuned { lambda: 0.5, ..TUNED }),
        (ScalingRule::BatchSde, Tuned { lr: 2e-3, beta1: 0.5, beta2: 0.875, eps: 0.5e-8, lambda: 0.25 }),
        (ScalingRule::WidthGain, Tuned { lr: 0.25e-3, lambda: 0.25, ..TUNED }),
        (ScalingRule::WidthShrink, Tuned { lr: 0.25e-3, lambda: 0.5, ..TUNED }),
        (ScalingRule::Dataset, Tuned { lambda: 0.03125, ..TUNED }),
    ] {
        assert_eq!(rule.apply(TUNED, 4.0), Ok(expected), "{rule}");
        assert_eq!(rule.apply(TUNED, 1.0), Ok(TUNED), "{rule}");
        assert_eq!(rule.apply(expected, 0.25), Ok(TUNED), "{rule}, back");
    }
}

/// The shrink ηλ of a step, as a power of κ: what each rule says that it holds.
#[test]
fn rules_hold_what_they_say() {
    for (rule, power) in [
        (ScalingRule::BatchPerSample, 1.0),
        (ScalingRule::BatchSde, 1.0),
        (ScalingRule::WidthGain, -0.5),
        (ScalingRule::WidthShrink, 0.0),
        (ScalingRule::Dataset, -1.0),
    ] {
        let scaled = rule.apply(TUNED, 7.0).expect("settings");
        let ratio = scaled.lr * scaled.lambda / (TUNED.lr * TUNED.lambda);
        assert!((ratio / 7.0_f64.powf(power) - 1.0).abs() < 8.0 * f64::EPSILON, "{rule}: {ratio}");
    }
}

#[test]
fn every_number_is_looked_at() {
    let apply = |tuned, factor| ScalingRule::BatchSde.apply(tuned, factor);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        out_of_range(apply(Tuned { lr: bad, ..TUNED }, 1.0), "learning rate");
        out_of_range(apply(Tuned { beta1: bad, ..TUNED }, 1.0), "beta1");
        out_of_range(apply(Tuned { beta2: bad, ..TUNED }, 1.0), "beta2");
        out_of_range(apply(Tuned { eps: bad, ..TUNED }, 1.0), "eps");
        out_of_range(apply(Tuned { lambda: bad, ..TUNED }, 1.0), "weight decay");
        out_of_range(apply(TUNED, bad), "factor");
    }
    out_of_range(apply(TUNED, 0.0), "factor");
    out_of_range(apply(Tuned { beta1: 1.0, ..TUNED }, 1.0), "beta1");
    // What comes out would be in its range.
    out_of_range(apply(Tuned { beta1: -0.5, ..TUNED }, 0.25), "beta1");
    // 1 − β₁ = 1/8 grows past 1.
    out_of_range(apply(TUNED, 9.0), "beta1");
    out_of_range(ScalingRule::BatchPerSample.apply(Tuned { lambda: 1e300, ..TUNED }, 1e10), "weight decay");
}
