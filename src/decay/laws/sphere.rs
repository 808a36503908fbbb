//! Norm control: a pull towards a norm of the whole parameter, instead of towards 0 (Loshchilov, arXiv
//! 2311.11446, who calls it AdamWN).

use super::AnyLaw;
use super::sets::{After, Beside, Point, Projection, Pull, Set, Wall};
use crate::decay::{Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::Real;
use crate::kernel::Notes;

impl Decay {
    /// Makes decoupled norm control: each parameter is pulled towards the norm r = `radius`, and not towards 0.
    ///
    /// ```text
    /// d ← d − (η_t·u + s·(1 − r/‖d‖)·d),   s = η_t·λ
    /// ```
    ///
    /// ‖d‖ is the norm of the whole parameter, not of a row. Where it is below r, weights grow. r = 0 is
    /// [`exact`](Self::exact), bit for bit; s = 1 (which is allowed here) sets the norm to r before the
    /// update. A parameter of norm 0 stays as it is, and none grows by more than a factor of the largest number
    /// of its type in a step. Other strengths: any of shares, `Decay::new(Penalty::Norm { radius }, ...)`, where
    /// the proximal place has the share s/(1 + s) of the way, after the update, and
    /// [`Strength::Hard`] all of it.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Penalty, Place, Sgd, Strength};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::norm(1.0, 10.0)).build()?;
    /// let mut w = [3.0_f64, 4.0];
    /// opt.step_slice(&mut w, &[0.0, 0.0])?;
    /// assert_eq!(w, [4.5, 6.0]);                                     // half of the way from norm 5 to norm 10
    ///
    /// let hard = Decay::new(Penalty::Norm { radius: 10.0 }, Place::Proximal, Strength::Hard);
    /// assert_eq!(hard.to_string(), "hard-norm:10");
    /// let mut opt = Sgd::new(0.5).weight_decay(hard).build()?;
    /// opt.step_slice(&mut w, &[0.0, 0.0])?;
    /// assert_eq!(w, [6.0, 8.0]);
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Cost: the weights are read once more (in the proximal place the update is worked out twice). Source:
    /// Loshchilov, *Weight Norm Control*, arXiv 2311.11446.
    #[doc(alias = "AdamWN")]
    #[must_use]
    pub fn norm(lambda: f64, radius: f64) -> Self {
        Self::new(Penalty::Norm { radius }, Place::Decoupled, Strength::LrScaled(lambda))
    }

    /// Makes decoupled norm control towards r = `ratio`·‖w₀‖, with ‖w₀‖ the norm of the parameter when it is first
    /// seen: w ← w − (η_t·u + s·(1 − ratio·‖w₀‖/‖w‖)·w).
    ///
    /// As in [`norm`](Self::norm), of which this is the paper's form. (There the share k is one number, and
    /// the ratio may have a schedule; here k = η_t·λ.) ‖w₀‖ is kept, one number for each parameter, as
    /// the column `start_norm`. A parameter that begins at 0 has the target 0.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(0.5).weight_decay(Decay::start_norm(1.0, 1.0)).build()?;
    /// let mut w = [3.0_f64, 4.0];
    /// opt.step(&mut [Param::new("w", &mut w, &[6.0, 8.0])])?;
    /// assert_eq!(w, [0.0, 0.0]);                                     // of norm 5 as at first: no decay
    /// assert_eq!(opt.state("w", "start_norm"), Some(&[5.0][..]));
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Loshchilov, *Weight Norm Control*, arXiv 2311.11446.
    #[doc(alias = "AdamWN")]
    #[must_use]
    pub fn start_norm(lambda: f64, ratio: f64) -> Self {
        Self::new(Penalty::StartNorm { ratio }, Place::Decoupled, Strength::LrScaled(lambda))
    }
}

/// The radius r of a sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Radius {
    Of(f64),
    /// A multiple of the parameter's first norm.
    OfStart(f64),
}

impl Radius {
    /// Returns the radius that a penalty has.
    pub(super) fn of(penalty: Penalty) -> Option<Self> {
        match penalty {
            Penalty::Norm { radius } => Some(Self::Of(radius)),
            Penalty::StartNorm { ratio } => Some(Self::OfStart(ratio)),
            _ => None,
        }
    }

    /// Returns r for a parameter of which this is kept.
    pub(super) fn for_kept<T: Real>(self, kept: &[T]) -> f64 {
        match self {
            Self::Of(radius) => radius,
            Self::OfStart(ratio) => ratio * kept.first().map_or(0.0, |norm| norm.widen()),
        }
    }
}

impl Set for Radius {
    fn said(self) -> (&'static str, f64) {
        match self {
            Self::Of(radius) => ("r", radius),
            Self::OfStart(ratio) => ("r/‖w₀‖", ratio),
        }
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(match self {
            Self::Of(radius) => Self::Of(change(radius)?),
            Self::OfStart(ratio) => Self::OfStart(change(ratio)?),
        })
    }

    fn law<T: Real>(self, pull: Pull) -> AnyLaw<T> {
        let sphere = Sphere::new(self);
        match pull {
            Pull::Beside(share) => AnyLaw::BesideSphere(Beside::new(sphere, share)),
            Pull::After(share) => AnyLaw::AfterSphere(After::new(sphere, share)),
            Pull::Wall => AnyLaw::OntoSphere(Wall(sphere)),
        }
    }
}

/// P(d) = r·d/‖d‖
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sphere<T> {
    radius: Radius,
    /// r/‖d‖
    scale: T,
    /// 1 − r/‖d‖, rounded once.
    off: T,
    /// r − ‖d‖ where that is above 0.
    outwards: f64,
}

impl<T: Real> Sphere<T> {
    fn new(radius: Radius) -> Self {
        Self { radius, scale: T::one(), off: T::zero(), outwards: 0.0 }
    }
}

/// Returns r/‖d‖: 1 for a norm of 0, which has no direction to grow in, and no more than the largest number.
pub(super) fn scale<T: Real>(radius: f64, norm: f64) -> f64 {
    if norm == 0.0 { 1.0 } else { (radius / norm).clamp(0.0, T::LARGEST) }
}

impl<T: Real> Projection<T> for Sphere<T> {
    type Columns = [T; 0];

    fn look(self, point: &mut Point<'_, T>, notes: Notes<'_, T>) -> Self {
        let (norm, radius) = (point.norm(), self.radius.for_kept(notes.kept));
        let scale = scale::<T>(radius, norm);
        let outwards = match norm * (scale - 1.0) {
            inwards if inwards <= 0.0 => 0.0,
            outwards if outwards > 0.0 => outwards,
            _ => f64::INFINITY,
        };
        Self { scale: T::of(scale), off: T::of(1.0 - scale), outwards, ..self }
    }

    #[inline(always)]
    fn outside(&self, d: T, []: [T; 0]) -> T {
        d * self.off
    }

    #[inline(always)]
    fn nearest(&self, d: T, []: [T; 0]) -> T {
        d * self.scale
    }

    fn outwards(&self) -> f64 {
        self.outwards
    }
}
