//! What a step reads before it decides: the gradients, the norms that decays and clipping look at,
//! the trust ratios. Nothing is written.

#![expect(clippy::indexing_slicing, reason = "places of elements that were just found, and of the step's parameters")]

use super::Engine;
use super::run::{Refusal, Run};
use super::slot::Slot;
use crate::clip::NonFinite;
use crate::decay::Anchor;
use crate::error::{Error, Result};
use crate::float::{Real, rounded};
use crate::kernel::{SquareSum, reduce};
use crate::param::Param;

/// What the survey found.
#[derive(Clone, Copy)]
pub(crate) struct Survey {
    /// The norm of all gradients, after the gradient factor.
    pub(crate) norm: Option<f64>,
    pub(crate) clip_factor: f64,
    /// The gradient factor and the clip factor in one.
    pub(crate) factor: f64,
}

impl<T: Real> Engine<T> {
    /// Looks at the gradients, where the settings ask for it.
    pub(crate) fn survey(&mut self, params: &[Param<'_, T>], factor: f64) -> Result<Survey, Refusal> {
        let checks = self.run.non_finite != NonFinite::Propagate;
        let adaptive = self.groups.iter().any(|group| group.settings.decay.adaptive_lambda().is_some());
        if !(checks || adaptive || self.run.clip.needs_norm()) {
            return Ok(Survey { norm: None, clip_factor: 1.0, factor });
        }
        self.square_gradients(params);
        for (param, slot) in params.iter().zip(self.slots.first(params.len())) {
            if slot.is_active() {
                let grad = param.grad.unwrap_or_default();
                slot.step.norm = slot.step.squares.norm();
                let norm = slot.step.norm * factor;
                if checks && (norm.is_nan() || norm > T::LARGEST) {
                    find_non_finite(param.name, grad, factor).map_or(Ok(()), |bad| Err(self.run.refuse(bad)))?;
                }
                if checks && self.groups[slot.group].anchor == Anchor::Given {
                    slot.step.lent = self.run.lent_norm(param)?;
                }
            }
        }
        let active = |_, slot: &Slot<T>| if slot.is_active() { slot.step.squares } else { SquareSum::default() };
        let norm = factor * self.slots.sum(params.len(), active).norm();
        if self.run.clip.needs_norm() {
            self.run.require(norm, f64::MAX, || "the norm of all gradients".into())?;
        }
        let clip_factor = self.run.clip.factor(norm);
        let both = factor * clip_factor;
        if checks {
            // Both are numbers of the weights' type, and their product may be none.
            let lost = || Error::OutOfRange { setting: GAIN, value: both, allowed: "above 0 in the weights' type" };
            rounded::<T>(GAIN, both).ok().filter(|both| *both > T::zero()).ok_or_else(|| self.run.refuse(lost))?;
        }
        Ok(Survey { norm: Some(norm), clip_factor, factor: both })
    }

    /// Returns ‖g‖ and ‖d‖ over a group, where its decay looks at them.
    pub(crate) fn norms(&mut self, place: usize, params: &[Param<'_, T>], survey: &Survey) -> Result<Option<[f64; 2]>, Refusal> {
        let group = &self.groups[place];
        if group.settings.decay.adaptive_lambda().is_none() {
            return Ok(None);
        }
        let (level, anchor) = (self.run.level, group.anchor);
        let among = |slot: &Slot<T>| slot.is_active() && slot.group == place;
        let gradient = self.slots.sum(params.len(), |_, slot| if among(slot) { slot.step.squares } else { SquareSum::default() });
        let distance = self.slots.sum(params.len(), |i, slot| match &params[i] {
            param if among(slot) => reduce::squared_distance(level, param.value, pulled_to(slot, anchor, param)),
            _ => SquareSum::default(),
        });
        let norms = [gradient.norm() * survey.factor, distance.norm()];
        for (norm, what) in norms.into_iter().zip(["gradients", "weights"]) {
            let name = &self.groups[place].name;
            self.run.require(norm, f64::MAX, || format!("the norm of the {what} of group `{name}`"))?;
        }
        Ok(Some(norms))
    }
}

/// What errors call the product of two factors.
const GAIN: &str = "gradient factor times clip factor";

/// Returns what a decay pulls towards. An empty slice stands for 0, and the weights themselves for
/// an anchor that this step captures.
pub(crate) fn pulled_to<'a, T: Real>(slot: &'a Slot<T>, anchor: Anchor, param: &'a Param<'_, T>) -> &'a [T] {
    match anchor {
        Anchor::Origin => &[],
        Anchor::Start | Anchor::Average { .. } => slot.memory.first().unwrap_or(param.value),
        Anchor::Given => param.anchor.unwrap_or_default(),
    }
}

impl Run {
    /// Returns the norm of a lent anchor, and checks that all of its numbers are finite.
    fn lent_norm<T: Real>(&self, param: &Param<'_, T>) -> Result<f64, Refusal> {
        let anchor = param.anchor.unwrap_or_default();
        let norm = reduce::sum_of_squares(self.level, anchor).norm();
        match anchor.iter().position(|a| !a.is_finite()).filter(|_| !norm.is_finite()) {
            Some(index) => {
                let value = anchor[index].widen();
                Err(self.refuse(|| Error::NonFiniteAnchor { name: param.name.into(), index, value }))
            }
            None => Ok(norm),
        }
    }
}

/// Returns the error for the first element that is not finite as given or after the
/// gradient factor.
fn find_non_finite<T: Real>(name: &str, grad: &[T], factor: f64) -> Option<impl FnOnce() -> Error> {
    let index = grad.iter().position(|&g| !(g * T::of(factor)).is_finite())?;
    let value = grad[index].widen();
    Some(move || Error::NonFiniteGradient { name: name.into(), index, value, factor })
}
