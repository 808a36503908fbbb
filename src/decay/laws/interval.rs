//! Weight clipping: every weight stays within a box (Elsayed et al., arXiv 2407.01704), or is pulled back to
//! it.

use super::AnyLaw;
use super::sets::{After, Beside, Point, Projection, Pull, Set, Wall};
use crate::decay::{Decay, Penalty, Place, Strength};
use crate::error::Result;
use crate::float::{Real, clamp};
use crate::kernel::Notes;
use crate::kernel::column::Extent;

impl Decay {
    /// Makes weight clipping: after each update every weight is held within [−b, b], b = `bound`.
    ///
    /// The wall does not depend on the learning rate, and costs nothing but a comparison; −0 and NaN stay what they
    /// are. A soft form pulls by a share of what stands out of the box, d − clamp(d, b), and leaves all
    /// other weights alone: `Decay::new(Penalty::Box { bound }, Place::Decoupled, Strength::LrScaled(λ))`.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Sgd};
    ///
    /// let mut opt = Sgd::new(1.0).weight_decay(Decay::clip(0.5)).build()?;
    /// let mut w = [0.25_f32, 0.25, -2.0];
    /// opt.step_slice(&mut w, &[0.125, -1.0, 0.0])?;
    /// assert_eq!(w, [0.125, 0.5, -0.5]);
    /// assert_eq!(Decay::clip(0.5).to_string(), "hard-box:0.5");
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[doc(alias = "weight clipping")]
    #[must_use]
    pub fn clip(bound: f64) -> Self {
        Self::new(Penalty::Box { bound }, Place::Proximal, Strength::Hard)
    }

    /// Makes weight clipping in units of the usual initialisation: after each update every weight is held within
    /// [−b, b] with b = κ/√fan_in, κ = `factor`, and fan_in the product of all axes of the parameter but the first.
    ///
    /// 1/√fan_in is the bound of PyTorch's initialisation of linear and convolutional layers; the paper takes κ
    /// from 1 to 5. A vector has fan_in 1 here, where PyTorch starts a bias from the bound of its layer: give
    /// biases [`clip`](Self::clip), or none.
    ///
    /// ```
    /// use wane::{Decay, Optimizer, Param, Sgd};
    ///
    /// let mut opt = Sgd::new(1.0).weight_decay(Decay::clip_to_start(1.0)).build()?;
    /// let mut w = [0.25_f32, 3.0, -2.0, 0.5];
    /// opt.step(&mut [Param::new("w", &mut w, &[0.0; 4]).shape(&[1, 4])])?;
    /// assert_eq!(w, [0.25, 0.5, -0.5, 0.5]);                         // 1/√4
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// Source: Elsayed, Lan, Lyle & Mahmood, *Weight Clipping for Deep Continual and Reinforcement Learning*, arXiv
    /// 2407.01704.
    #[doc(alias = "weight clipping")]
    #[must_use]
    pub fn clip_to_start(factor: f64) -> Self {
        Self::new(Penalty::FanBox { factor }, Place::Proximal, Strength::Hard)
    }
}

/// The bound b of the box [−b, b].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    Of(f64),
    /// A multiple of 1/√fan_in.
    OfFan(f64),
}

impl Set for Bound {
    fn said(self) -> (&'static str, f64) {
        match self {
            Self::Of(bound) => ("b", bound),
            Self::OfFan(factor) => ("b·√fan_in", factor),
        }
    }

    fn map(self, change: &dyn Fn(f64) -> Result<f64>) -> Result<Self> {
        Ok(match self {
            Self::Of(bound) => Self::Of(change(bound)?),
            Self::OfFan(factor) => Self::OfFan(change(factor)?),
        })
    }

    fn law<T: Real>(self, pull: Pull) -> AnyLaw<T> {
        let interval = Interval { of: self, bound: T::zero() };
        match pull {
            Pull::Beside(share) => AnyLaw::BesideInterval(Beside::new(interval, share)),
            Pull::After(share) => AnyLaw::AfterInterval(After::new(interval, share)),
            Pull::Wall => AnyLaw::OntoInterval(Wall(interval)),
        }
    }
}

/// P(d) = clamp(d, b)
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interval<T> {
    of: Bound,
    bound: T,
}

impl<T: Real> Projection<T> for Interval<T> {
    type Columns = [T; 0];

    /// Takes the bound from the parameter's shape; no weight is read.
    fn look(self, point: &mut Point<'_, T>, _notes: Notes<'_, T>) -> Self {
        let of = point.whole().of();
        #[expect(clippy::cast_precision_loss, reason = "the number of weights of a row")]
        let fan_in = (of.len(Extent::Weights) / of.first.max(1)) as f64;
        let bound = match self.of {
            Bound::Of(bound) => bound,
            Bound::OfFan(factor) => factor / fan_in.sqrt(),
        };
        Self { bound: T::of(bound), ..self }
    }

    #[inline(always)]
    fn outside(&self, d: T, []: [T; 0]) -> T {
        d - clamp(d, self.bound)
    }

    #[inline(always)]
    fn nearest(&self, d: T, []: [T; 0]) -> T {
        clamp(d, self.bound)
    }

    fn outwards(&self) -> f64 {
        0.0
    }
}
