//! The text form of a schedule: `form:number,...`, and ` then@step form:number,...` for
//! each later part.

use std::fmt;
use std::str::FromStr;

use super::{Form, Schedule};
use crate::error::{Error, Result};
use crate::number::Number;
use crate::text::Arguments;

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.later.iter().try_for_each(|(start, form)| write!(f, " then@{start} {form}"))
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Constant => write!(f, "constant"),
            Self::Linear { from, to, steps } => write!(f, "linear:{},{},{steps}", Number(from), Number(to)),
            Self::Cosine { steps, floor } => write!(f, "cosine:{steps},{}", Number(floor)),
            Self::WarmupCosine { warmup, steps, floor, start } => {
                write!(f, "warmup-cosine:{warmup},{steps},{}{}", Number(floor), Start(start))
            }
            Self::Step { every, factor } => write!(f, "step:{every},{}", Number(factor)),
            Self::Polynomial { steps, power, floor } => {
                write!(f, "polynomial:{steps},{},{}", Number(power), Number(floor))
            }
            Self::Exponential { factor } => write!(f, "exponential:{}", Number(factor)),
            Self::CosineRestarts { steps, growth, floor } => write!(f, "cosine-restarts:{steps},{growth},{}", Number(floor)),
            Self::InverseTime { scale } => write!(f, "inverse-time:{}", Number(scale)),
            Self::RestartSteps { steps, growth } => write!(f, "restart-steps:{steps},{growth}"),
            Self::WarmupStableDecay { warmup, stable, decay, floor, start } => {
                write!(f, "warmup-stable-decay:{warmup},{stable},{decay},{}{}", Number(floor), Start(start))
            }
        }
    }
}

/// The start of a warm-up, where it is not the usual 0.
struct Start(f64);

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0.0 { Ok(()) } else { write!(f, ",{}", Number(self.0)) }
    }
}

impl FromStr for Schedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.split("then@");
        let mut schedule = Self::from(parts.next().unwrap_or_default().parse::<Form>()?);
        for part in parts {
            let (start, form) = part
                .trim_start()
                .split_once(char::is_whitespace)
                .and_then(|(start, form)| Some((start.parse().ok()?, form)))
                .ok_or_else(|| Error::parse("schedule", text, "a step and a schedule after `then@`"))?;
            schedule = schedule.then(start, form.parse::<Form>()?.into());
        }
        schedule.check()?;
        Ok(schedule)
    }
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (word, mut next) = Arguments::of("schedule", text);
        let form = match word {
            "constant" => Self::Constant,
            "linear" => Self::Linear { from: next.take("from")?, to: next.take("to")?, steps: next.count("steps")? },
            "cosine" => Self::Cosine { steps: next.count("steps")?, floor: next.take("floor")? },
            "warmup-cosine" => Self::WarmupCosine {
                warmup: next.count("warmup")?,
                steps: next.count("steps")?,
                floor: next.take("floor")?,
                start: next.take_or("start", 0.0)?,
            },
            "step" => Self::Step { every: next.count("every")?, factor: next.take("factor")? },
            "polynomial" => {
                Self::Polynomial { steps: next.count("steps")?, power: next.take("power")?, floor: next.take("floor")? }
            }
            "exponential" => Self::Exponential { factor: next.take("factor")? },
            "warmup-stable-decay" => Self::WarmupStableDecay {
                warmup: next.count("warmup")?,
                stable: next.count("stable")?,
                decay: next.count("decay")?,
                floor: next.take("floor")?,
                start: next.take_or("start", 0.0)?,
            },
            "cosine-restarts" => {
                Self::CosineRestarts { steps: next.count("steps")?, growth: next.count("growth")?, floor: next.take("floor")? }
            }
            "inverse-time" => Self::InverseTime { scale: next.take("scale")? },
            "restart-steps" => Self::RestartSteps { steps: next.count("steps")?, growth: next.count("growth")? },
            _ => {
                return Err(
                    next.error("constant, linear, cosine, warmup-cosine, step, polynomial, exponential, warmup-stable-decay, cosine-restarts, restart-steps or inverse-time")
                );
            }
        };
        next.end(form)
    }
}
