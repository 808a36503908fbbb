//! The CPU level: which vector instructions the loops are compiled for. It is detected at run time,
//! and can be forced.
//!
//! One of the two files of the crate that hold `unsafe`, with `threads.rs`. Each level is a shell
//! with `#[target_feature]` around a closure; the closure holds an ordinary scalar loop, is inlined
//! into the shell, and is vectorised there for that level.

#![cfg_attr(
    target_arch = "x86_64",
    expect(unsafe_code, reason = "entering a #[target_feature] function needs it; see `vectorize`")
)]

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// The vector instructions a step runs on; a value of this type proves that the CPU has them.
///
/// Every level gives the same bits (each operation of a rule is correctly rounded), so this is a
/// matter of speed, and of tests that force each level on one machine.
///
/// | level | text | instructions |
/// |---|---|---|
/// | [`Level::baseline`] | `baseline` | what the build targets; on x86-64 without FMA it is right and about 25 times slower |
/// | [`Level::avx2`] | `avx2` | AVX2 and FMA |
/// | [`Level::avx512`] | `avx512` | AVX-512 F, DQ, VL, BW, with AVX2 and FMA |
///
/// ```
/// use wane::Level;
///
/// let best = Level::best();
/// assert!(Level::all().any(|level| level == best));
/// assert_eq!("baseline".parse::<Level>()?, Level::baseline());
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Level(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    Baseline,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// Returns the level that the build targets, which is always there.
    #[must_use]
    pub fn baseline() -> Self {
        Self(Kind::Baseline)
    }

    /// Returns the level of AVX2 with FMA, if this CPU has them.
    #[must_use]
    pub fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Some(Self(Kind::Avx2));
        }
        None
    }

    /// Returns the level of AVX-512 (F, DQ, VL, BW), if this CPU has it.
    #[must_use]
    pub fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if Self::avx2().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
        {
            return Some(Self(Kind::Avx512));
        }
        None
    }

    /// Returns the fastest level of this CPU, which an optimizer uses unless told otherwise.
    #[must_use]
    pub fn best() -> Self {
        Self::avx512().or_else(Self::avx2).unwrap_or(Self::baseline())
    }

    /// Returns all levels of this CPU, slowest first.
    pub fn all() -> impl Iterator<Item = Self> {
        [Some(Self::baseline()), Self::avx2(), Self::avx512()].into_iter().flatten()
    }

    fn name(self) -> &'static str {
        match self.0 {
            Kind::Baseline => "baseline",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }
}

impl fmt::Debug for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Level({self})")
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::all()
            .find(|level| level.name() == text.trim())
            .ok_or_else(|| Error::parse("CPU level", text, "a level of this CPU: baseline, avx2 or avx512"))
    }
}

/// Runs `work`, compiled for `level`. The closure and all it calls must be `#[inline(always)]`:
/// what is not inlined into the shell is compiled for the baseline.
#[inline]
pub(crate) fn vectorize<R>(level: Level, work: impl FnOnce() -> R) -> R {
    match level.0 {
        Kind::Baseline => work(),
        // SAFETY: a `Level` of this kind is only made by `Level::avx2`, which has seen both
        // features on this CPU.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => unsafe { avx2(work) },
        // SAFETY: a `Level` of this kind is only made by `Level::avx512`, which has seen all of the
        // features on this CPU.
        #[cfg(target_arch = "x86_64")]
        Kind::Avx512 => unsafe { avx512(work) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R>(work: impl FnOnce() -> R) -> R {
    work()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
fn avx512<R>(work: impl FnOnce() -> R) -> R {
    work()
}
