//! The text form of a decay: `[strength-][place-][penalty]:number[,ratio][@anchor][~rows][*schedule]`.
//!
//! Words for what is usual are left out: `decoupled` stands for decoupled L2 in lr-scaled units,
//! `half-life` for decoupled L2 with a half-life, in the exact order, `l1` for the decoupled L1, `hard-box` for
//! the proximal box. A hard strength has no number: the first one is the penalty's. The words themselves, and
//! the numbers behind the first, belong to units, places and penalties.

use std::fmt;
use std::str::FromStr;

use super::{Anchor, Decay, Penalty, Place, Strength, Untouched};
use crate::error::{Error, Result};
use crate::number::Number;
use crate::schedule::Schedule;
use crate::text::Arguments;

/// Returns what a text may be.
fn expected() -> String {
    let either = |words: Vec<&str>| words.join("|");
    format!(
        "none, or [{}]-[{}]-[{}]:number, such as decoupled:0.1, coupled-l2:0.01, half-life:500, l1:0.01, elastic-net:0.01,0.5",
        either(Strength::words()),
        either(Place::words()),
        either(Penalty::words())
    )
}

impl fmt::Display for Decay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words())?;
        if let Some(numbers) = Numbers(self).to_string().strip_prefix(',') {
            write!(f, ":{numbers}")?;
        }
        match self.anchor {
            Anchor::Origin => {}
            Anchor::Start => f.write_str("@start")?,
            Anchor::Given => f.write_str("@given")?,
            Anchor::Average { beta } => write!(f, "@average:{}", Number(beta))?,
        }
        if let Some(word) = self.untouched.word() {
            write!(f, "~{word}")?;
        }
        if self.schedule != Schedule::constant() {
            write!(f, "*{}", self.schedule)?;
        }
        Ok(())
    }
}

/// The numbers of strength, penalty and place, each behind a comma.
struct Numbers<'a>(&'a Decay);

impl fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Decay { penalty, place, strength, .. } = self.0;
        strength.write(f)?;
        penalty.write(f)?;
        place.write(f)
    }
}

impl Decay {
    /// Returns the words for strength, place and penalty, without those for what is usual.
    fn words(&self) -> String {
        if self.strength == Strength::None {
            return "none".into();
        }
        let units = self.strength.word();
        let penalty = match self.penalty {
            Penalty::L2 if units.is_empty() && self.place == Place::Coupled => "l2",
            Penalty::L2 => "",
            other => other.word(),
        };
        let is_usual = self.place == self.strength.usual_place(self.penalty);
        let place = if is_usual && !(units.is_empty() && penalty.is_empty()) { "" } else { self.place.word() };
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
        let (rest, untouched) = match rest.split_once('~') {
            Some((rest, word)) => (rest, Untouched::read(text, word)?),
            None => (rest, Untouched::Decay),
        };
        let (rest, anchor) = match rest.split_once('@') {
            Some((rest, anchor)) => (rest, pulled_to(text, anchor.trim())?),
            None => (rest, Anchor::Origin),
        };
        let decay = law(rest.trim())?.towards(anchor).untouched(untouched).schedule(schedule);
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
    let (units, rest) = Strength::read(words);
    let (place, rest) = Place::read(rest).map_or((None, rest), |(place, rest)| (Some(place), rest));
    let (penalty, rest) = Penalty::read(rest);
    if words.is_empty() || !rest.is_empty() {
        return Err(next.error(expected()));
    }
    let strength = units.take(&mut next)?;
    let penalty = penalty.take(&mut next)?;
    let place = place.unwrap_or(strength.usual_place(penalty)).take(&mut next)?;
    next.end(Decay::new(penalty, place, strength))
}
