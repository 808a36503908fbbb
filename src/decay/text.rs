//! The text form of a decay: `[strength-][place-][penalty]:number[,ratio][@anchor][*schedule]`.
//!
//! Words for what is usual are left out: `decoupled` stands for decoupled L2 in lr-scaled units,
//! `half-life` for decoupled L2 with a half-life, `l1` for the decoupled L1.

use std::fmt;
use std::str::FromStr;

use super::{Anchor, Decay, Penalty, Place, Strength};
use crate::error::{Error, Result};
use crate::number::Number;
use crate::schedule::Schedule;
use crate::text::Arguments;

const EXPECTED: &str = "none, or [independent|fixed|timescale|half-life|adaptive]-[coupled|decoupled|proximal|cautious|metric|ada-decay]-[l2|l1|elastic-net|group-lasso]\
                        :number, such as decoupled:0.1, coupled-l2:0.01, half-life:500, l1:0.01, elastic-net:0.01,0.5";

impl fmt::Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())?;
        match self.strength {
            Strength::None => {}
            Strength::LrScaled(number)
            | Strength::Independent(number)
            | Strength::Fixed(number)
            | Strength::Timescale(number)
            | Strength::HalfLife(number)
            | Strength::Adaptive(number) => write!(f, ":{}", Number(number))?,
        }
        if let Penalty::ElasticNet { ratio } = self.penalty {
            write!(f, ",{}", Number(ratio))?;
        }
        if let Place::AdaDecay { alpha } = self.place {
            write!(f, ",{}", Number(alpha))?;
        }
        match self.anchor {
            Anchor::Origin => {}
            Anchor::Start => f.write_str("@start")?,
            Anchor::Given => f.write_str("@given")?,
            Anchor::Average { beta } => write!(f, "@average:{}", Number(beta))?,
        }
        if self.schedule != Schedule::constant() {
            write!(f, "*{}", self.schedule)?;
        }
        Ok(())
    }
}

impl Decay {
    /// Returns the words for strength, place and penalty, without those for what is usual.
    fn words(&self) -> String {
        let units = match self.strength {
            Strength::None => return "none".into(),
            Strength::LrScaled(_) => "",
            Strength::Independent(_) => "independent",
            Strength::Fixed(_) => "fixed",
            Strength::Timescale(_) => "timescale",
            Strength::HalfLife(_) => "half-life",
            Strength::Adaptive(_) => "adaptive",
        };
        let penalty = match self.penalty {
            Penalty::L2 if units.is_empty() && self.place == Place::Coupled => "l2",
            Penalty::L2 => "",
            Penalty::L1 => "l1",
            Penalty::ElasticNet { .. } => "elastic-net",
            Penalty::GroupLasso => "group-lasso",
        };
        let place = match self.place {
            Place::Coupled if units == "adaptive" => "",
            Place::Decoupled if units == "adaptive" => "decoupled",
            Place::Decoupled if units.is_empty() && penalty.is_empty() => "decoupled",
            Place::Coupled => "coupled",
            Place::Decoupled => "",
            Place::Proximal => "proximal",
            Place::Cautious => "cautious",
            Place::Metric => "metric",
            Place::AdaDecay { .. } => "ada-decay",
        };
        let words: Vec<_> = [units, place, penalty].into_iter().filter(|word| !word.is_empty()).collect();
        words.join("-")
    }
}

impl FromStr for Decay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (rest, schedule) = match text.trim().split_once('*') {
            Some((rest, schedule)) => (rest, schedule.trim().parse()?),
            None => (text.trim(), Schedule::constant()),
        };
        let (rest, anchor) = match rest.split_once('@') {
            Some((rest, anchor)) => (rest, pulled_to(text, anchor.trim())?),
            None => (rest, Anchor::Origin),
        };
        let decay = law(rest.trim())?.towards(anchor).schedule(schedule);
        decay.check()?;
        Ok(decay)
    }
}

/// Reads what stands behind `@`.
fn pulled_to(text: &str, anchor: &str) -> Result<Anchor> {
    let (word, mut next) = Arguments::of("decay's anchor", anchor);
    match word {
        "start" => next.end(Anchor::Start),
        "given" => next.end(Anchor::Given),
        "average" => {
            let anchor = Anchor::Average { beta: next.take("beta")? };
            next.end(anchor)
        }
        _ => Err(Error::parse("decay", text, "`@start`, `@given` or `@average:beta`")),
    }
}

/// Reads everything before the anchor: words, then numbers.
fn law(text: &str) -> Result<Decay> {
    let (words, mut next) = Arguments::of("decay", text);
    if words == "none" {
        return next.end(Decay::none());
    }
    let (units, rest) = choose(words, UNITS).unwrap_or((Strength::LrScaled, words));
    let (place, rest) = choose(rest, PLACES).unwrap_or((usual_place(units), rest));
    let (penalty, rest) = choose(rest, PENALTIES).unwrap_or((Penalty::L2, rest));
    if words.is_empty() || !rest.is_empty() {
        return Err(next.error(EXPECTED));
    }
    let strength = units(next.take("the strength")?);
    let penalty = match penalty {
        Penalty::ElasticNet { .. } => Penalty::ElasticNet { ratio: next.take("the share of L1")? },
        other => other,
    };
    let place = match place {
        Place::AdaDecay { .. } => Place::AdaDecay { alpha: next.take("alpha")? },
        other => other,
    };
    next.end(Decay::new(penalty, place, strength))
}

type Units = fn(f64) -> Strength;

const UNITS: &[(&str, Units)] = &[
    ("independent", Strength::Independent),
    ("fixed", Strength::Fixed),
    ("timescale", Strength::Timescale),
    ("half-life", Strength::HalfLife),
    ("adaptive", Strength::Adaptive),
];

const PLACES: &[(&str, Place)] = &[
    ("coupled", Place::Coupled),
    ("decoupled", Place::Decoupled),
    ("proximal", Place::Proximal),
    ("cautious", Place::Cautious),
    ("metric", Place::Metric),
    ("ada-decay", Place::AdaDecay { alpha: 0.0 }),
];

const PENALTIES: &[(&str, Penalty)] = &[
    ("l2", Penalty::L2),
    ("l1", Penalty::L1),
    ("elastic-net", Penalty::ElasticNet { ratio: 0.0 }),
    ("group-lasso", Penalty::GroupLasso),
];

/// Returns the place where the text names none: adaptive decay is coupled,
/// everything else decoupled.
fn usual_place(units: Units) -> Place {
    if matches!(units(0.0), Strength::Adaptive(_)) { Place::Coupled } else { Place::Decoupled }
}

/// Returns the choice that `words` begins with, and the words after it.
fn choose<'a, C: Copy>(words: &'a str, choices: &[(&str, C)]) -> Option<(C, &'a str)> {
    choices.iter().find_map(|(word, choice)| {
        let rest = words.strip_prefix(word)?;
        if rest.is_empty() {
            Some((*choice, rest))
        } else {
            Some((*choice, rest.strip_prefix('-').filter(|rest| !rest.is_empty())?))
        }
    })
}
