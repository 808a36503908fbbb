//! Any text, read as each text form: it is refused, or what it says prints as a text of the same value. With it an optimizer is built, or
//! refused.

use std::str;

use wane::{Adam, AdjustLr, Algorithm, Clip, Decay, Level, Muon, NonFinite, Schedule, Settings, TrustRatio};

use crate::common::{Text, text_returns};
use crate::memory::bounded;

/// The bytes that a text may take for each of its own, and at least: errors say what would be understood.
const EACH: usize = 32;
const LEAST: usize = 2048;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    read(text, |decay: Decay| adam().weight_decay(decay));
    read(text, |schedule: Schedule| adam().lr_schedule(schedule));
    read(text, |clip: Clip| adam().clip(clip));
    read(text, |policy: NonFinite| adam().non_finite(policy));
    read(text, |ratio: TrustRatio| adam().trust_ratio(ratio));
    read(text, |level: Level| adam().level(level));
    read(text, |adjust: AdjustLr| Muon::new(0.1).adjust_lr(adjust));
}

fn adam() -> Settings<Adam> {
    Adam::new(0.1)
}

fn read<V: Text, A: Algorithm>(text: &str, settings: impl FnOnce(V) -> Settings<A>) {
    let value = match bounded(EACH * text.len() + LEAST, || text.parse::<V>()) {
        Ok(value) => value,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    text_returns(&value);
    if let Err(error) = settings(value).build::<f32>() {
        assert!(!error.to_string().is_empty());
    }
}
