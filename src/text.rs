//! Text forms: `name:number,number`, read and written the same way by schedules,
//! decays and clipping.

use std::str::FromStr;

use crate::error::{Error, Result};

/// The arguments behind the colon, to be taken one by one.
pub(crate) struct Arguments<'a> {
    what: &'static str,
    text: &'a str,
    rest: Option<&'a str>,
}

impl<'a> Arguments<'a> {
    /// Splits `text` into the word before the colon and the arguments behind it.
    pub(crate) fn of(what: &'static str, text: &'a str) -> (&'a str, Self) {
        let (word, rest) = match text.split_once(':') {
            Some((word, rest)) => (word, Some(rest)),
            None => (text, None),
        };
        (word.trim(), Self { what, text, rest })
    }

    /// Takes the next argument, called `name` in an error.
    pub(crate) fn take(&mut self, name: &str) -> Result<f64> {
        self.parse(name, "a number")
    }

    /// Takes the next argument, or `usual` where there is none left.
    pub(crate) fn take_or(&mut self, name: &str, usual: f64) -> Result<f64> {
        if self.rest.is_some() { self.take(name) } else { Ok(usual) }
    }

    /// Takes the next argument, a number of steps.
    pub(crate) fn count(&mut self, name: &str) -> Result<u64> {
        self.parse(name, "a whole number")
    }

    fn parse<N: FromStr>(&mut self, name: &str, expected: &str) -> Result<N> {
        let word = self.word(name)?;
        word.parse().map_err(|_| self.error(format!("{expected} for {name}, not `{word}`")))
    }

    /// Takes the next argument, a word.
    pub(crate) fn word(&mut self, name: &str) -> Result<&'a str> {
        let rest = self.rest.ok_or_else(|| self.error(format!("a value for {name}, after a colon or comma")))?;
        let (word, rest) = match rest.split_once(',') {
            Some((word, rest)) => (word, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        Ok(word.trim())
    }

    /// Checks that there is no further argument, and returns `value`.
    pub(crate) fn end<V>(&self, value: V) -> Result<V> {
        match self.rest {
            None => Ok(value),
            Some(rest) => Err(self.error(format!("an end before `{rest}`"))),
        }
    }

    pub(crate) fn error(&self, expected: impl Into<String>) -> Error {
        Error::parse(self.what, self.text, expected)
    }
}
