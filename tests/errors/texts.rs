//! Text forms that cannot be read.

use std::str::FromStr;

use wane::{Clip, Decay, Error, Level, NonFinite, Schedule, TrustRatio};

use super::scene::assert_error;

/// `text` is refused as a `what`, for lack of `expected`.
fn refused<V: FromStr<Err = Error> + std::fmt::Debug>(what: &str, text: &str, expected: &str) {
    assert_error!(
        text.parse::<V>().unwrap_err(),
        Error::Parse { text: given, .. } if given == text,
        format!("`{text}` is not a {what}: expected {expected}")
    );
}

/// The part behind `@` is refused for lack of `expected`.
fn refused_anchor(anchor: &str, expected: &str) {
    assert_error!(
        format!("decoupled:0.1@{anchor}").parse::<Decay>().unwrap_err(),
        Error::Parse { what: "decay's anchor", .. },
        format!("`{anchor}` is not a decay's anchor: expected {expected}")
    );
}

/// `text` has the right form, and a number in it is out of range.
fn out_of_range<V: FromStr<Err = Error> + std::fmt::Debug>(text: &str, expected: &str) {
    assert_error!(text.parse::<V>().unwrap_err(), Error::OutOfRange { .. }, expected);
}

#[test]
fn words() {
    let levels = "a level of this CPU: baseline, avx2 or avx512";
    let policies = "error, skip or propagate";
    for text in ["", "sse2", "AVX2", "baseline:1"] {
        refused::<Level>("CPU level", text, levels);
    }
    for text in ["", "ignore", "Skip", "error:1"] {
        refused::<NonFinite>("policy for non-finite gradients", text, policies);
    }
    for text in ["", "lars", "Lamb"] {
        refused::<TrustRatio>("trust ratio", text, "off, lamb or clamped:min,max");
    }
    refused::<TrustRatio>("trust ratio", "lamb:2", "an end before `2`");
    out_of_range::<TrustRatio>("clamped:-1,1", "least trust ratio = -1 is out of range: it must be a finite number, at least 0");
    let expected = "largest trust ratio = 1 is out of range: it must be a finite number, at least as large as the least ratio";
    out_of_range::<TrustRatio>("clamped:2,1", expected);
}

#[test]
fn clipping() {
    let forms = "off, value:v, global-norm:c or optax-global-norm:c";
    for text in ["", "norm:1", "1", ":1", "global norm:1"] {
        refused::<Clip>("clipping setting", text, forms);
    }
    refused::<Clip>("clipping setting", "value", "a value for the bound, after a colon or comma");
    refused::<Clip>("clipping setting", "value:", "a number for the bound, not ``");
    refused::<Clip>("clipping setting", "global-norm:one", "a number for the bound, not `one`");
    refused::<Clip>("clipping setting", "optax-global-norm:1,2", "an end before `2`");
    refused::<Clip>("clipping setting", "off:1", "an end before `1`");
    for (text, value) in [("value:0", "0"), ("global-norm:-1", "-1"), ("optax-global-norm:nan", "NaN"), ("value:inf", "inf")] {
        out_of_range::<Clip>(text, &format!("clipping bound = {value} is out of range: it must be a finite number above 0"));
    }
}

#[test]
fn schedules() {
    let forms = "constant, linear, cosine, warmup-cosine, step, polynomial, exponential, warmup-stable-decay, cosine-restarts, restart-steps or inverse-time";
    for text in ["", "sine:5", "5", "Linear:0,1,5"] {
        refused::<Schedule>("schedule", text, forms);
    }
    refused::<Schedule>("schedule", "linear", "a value for from, after a colon or comma");
    refused::<Schedule>("schedule", "linear:0", "a value for to, after a colon or comma");
    refused::<Schedule>("schedule", "linear:0,1", "a value for steps, after a colon or comma");
    refused::<Schedule>("schedule", "cosine:5", "a value for floor, after a colon or comma");
    refused::<Schedule>("schedule", "warmup-cosine:1,5", "a value for floor, after a colon or comma");
    refused::<Schedule>("schedule", "step:x,0.5", "a whole number for every, not `x`");
    refused::<Schedule>("schedule", "polynomial:5,1", "a value for floor, after a colon or comma");
    refused::<Schedule>("schedule", "exponential:half", "a number for factor, not `half`");
    refused::<Schedule>("schedule", "warmup-stable-decay:1,2,3", "a value for floor, after a colon or comma");
    refused::<Schedule>("schedule", "cosine-restarts:5,1.5,0", "a whole number for growth, not `1.5`");
    refused::<Schedule>("schedule", "cosine-restarts:5,2", "a value for floor, after a colon or comma");
    refused::<Schedule>("schedule", "restart-steps:5", "a value for growth, after a colon or comma");
    refused::<Schedule>("schedule", "inverse-time", "a value for scale, after a colon or comma");
    refused::<Schedule>("schedule", "constant:1", "an end before `1`");
    refused::<Schedule>("schedule", "cosine:5,0,1", "an end before `1`");
    refused::<Schedule>("schedule", "constant then@5", "a step and a schedule after `then@`");
    refused::<Schedule>("schedule", "constant then@x constant", "a step and a schedule after `then@`");
    out_of_range::<Schedule>("cosine:5,-1", "schedule's floor = -1 is out of range: it must be a finite number, at least 0");
    out_of_range::<Schedule>("restart-steps:0,1", "schedule's steps = 0 is out of range: it must be at least 1");
    out_of_range::<Schedule>("cosine-restarts:1,0,0", "schedule's growth = 0 is out of range: it must be at least 1");
    out_of_range::<Schedule>("inverse-time:0", "schedule's scale = 0 is out of range: it must be a finite number above 0");
    out_of_range::<Schedule>("step:0,0.5", "schedule's every = 0 is out of range: it must be at least 1");
    out_of_range::<Schedule>(
        "constant then@3 exponential:nan",
        "schedule's factor = NaN is out of range: it must be a finite number, at least 0",
    );
    assert_error!(
        "constant then@5 constant then@4 constant".parse::<Schedule>().unwrap_err(),
        Error::Conflict { .. },
        "then needs a later step than the part before it, and step 4 was given"
    );
}

const DECAYS: &str = "none, or [independent|corrected|fixed|timescale|half-life|normalized|adaptive|cpr|ada-cpr|stable|tuned|hard]-[coupled|decoupled|exact|exponential|proximal|cautious|selective|metric|hyperball|ada-decay]-[l2|l1|elastic-net|huber|p-norm|group-lasso|column-lasso|tensor-lasso|norm|start-norm|box|fan-box|spectral]\
     :number, such as decoupled:0.1, coupled-l2:0.01, half-life:500, l1:0.01, elastic-net:0.01,0.5";

#[test]
fn a_word_too_few_after_a_hyphen() {
    for text in ["decoupled-:0.1", "independent-:0.1", "l1-:0.1"] {
        refused::<Decay>("decay", text, DECAYS);
    }
}

#[test]
fn decays() {
    for text in ["", "l3:0.1", ":0.1", "0.1", "l2-coupled:0.1", "weight decay:0.1"] {
        refused::<Decay>("decay", text, DECAYS);
    }
    refused::<Decay>("decay", "decoupled", "a value for the strength, after a colon or comma");
    refused::<Decay>("decay", "decoupled:much", "a number for the strength, not `much`");
    refused::<Decay>("decay", "elastic-net:0.1", "a value for the share of L1, after a colon or comma");
    refused::<Decay>("decay", "p-norm:0.1", "a value for p, after a colon or comma");
    refused::<Decay>("decay", "decoupled:0.1,0.5", "an end before `0.5`");
    refused::<Decay>("decay", "normalized:0.1", "a value for steps, after a colon or comma");
    refused::<Decay>("decay", "normalized:0.1,2.5", "a whole number for steps, not `2.5`");
    refused::<Decay>("decay", "hard-box", "a value for the bound, after a colon or comma");
    refused::<Decay>("decay", "box:0.1", "a value for the bound, after a colon or comma");
    refused::<Decay>("decay", "hard-box:0.1,0.5", "an end before `0.5`");
    refused::<Decay>("decay", "hard-norm:much", "a number for the radius, not `much`");
    refused::<Decay>("decay", "start-norm:0.1", "a value for the ratio to the first norm, after a colon or comma");
    refused::<Decay>("decay", "hard-fan-box", "a value for the factor of the bound, after a colon or comma");
    refused::<Decay>("decay", "none:0.1", "an end before `0.1`");
    refused::<Decay>("decay", "cpr:1", "a value for kappa, after a colon or comma");
    refused::<Decay>("decay", "cpr:1,0.5", "constant, initial, warm-start or inflection for kappa, not `0.5`");
    refused::<Decay>("decay", "cpr:1,warm-start,0.5", "a whole number for kappa's steps, not `0.5`");
    refused::<Decay>("decay", "tuned:1,0.5", "log or linear for the tuning, not `0.5`");
    refused::<Decay>("decay", "decoupled:0.1@zero", "`@start`, `@given` or `@average:beta`");
    for word in ["", "decay", "start", "stay~stay", "stay@start"] {
        refused::<Decay>(
            "decay",
            &format!("decoupled:0.1~{word}"),
            "`~stay` or `~catch-up`, behind an anchor and before a schedule",
        );
    }
    let schedule = "constant, linear, cosine, warmup-cosine, step, polynomial, exponential, warmup-stable-decay, cosine-restarts, restart-steps or inverse-time";
    assert_error!(
        "decoupled:0.1*slow".parse::<Decay>().unwrap_err(),
        Error::Parse { what: "schedule", .. },
        format!("`slow` is not a schedule: expected {schedule}")
    );
    out_of_range::<Decay>("decoupled:-1", "weight decay = -1 is out of range: it must be a finite number, at least 0");
    refused_anchor("start:1", "an end before `1`");
    refused_anchor("average", "a value for beta, after a colon or comma");
    refused_anchor("average:0.9,1", "an end before `1`");
    out_of_range::<Decay>("decoupled:0.1@average:1", "beta of the running average = 1 is out of range: it must be in [0, 1)");
    out_of_range::<Decay>("fixed:nan", "weight decay = NaN is out of range: it must be a finite number, at least 0");
    out_of_range::<Decay>("normalized:0.1,0", "steps of normalized decay = 0 is out of range: it must be at least 1");
    out_of_range::<Decay>("half-life:0", "half-life = 0 is out of range: it must be a finite number of steps above 0");
    out_of_range::<Decay>("timescale:1", "timescale = 1 is out of range: it must be a finite number of steps above 1");
    out_of_range::<Decay>("p-norm:1,0", "p of the p-norm = 0 is out of range: it must be a finite number above 0");
    out_of_range::<Decay>("elastic-net:1,2", "ratio of the elastic net = 2 is out of range: it must be in [0, 1]");
    assert_error!(
        "half-life-l1:5".parse::<Decay>().unwrap_err(),
        Error::NoSuchDecay { .. },
        "the decay `half-life-l1:5` does not exist: a timescale or half-life is a share of the weight, and L1 removes an amount; \
         use independent or fixed"
    );
}
