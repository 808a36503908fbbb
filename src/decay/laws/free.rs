//! No decay.

use super::{AnyLaw, Effect};
use crate::decay::Anchor;
use crate::float::Real;
use crate::kernel::Law;

/// Nothing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Free;

impl Effect for Free {
    fn said(self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn law<T: Real>(self, _anchor: Anchor) -> AnyLaw<T> {
        AnyLaw::Free(self)
    }
}

impl<T: Real> Law<T> for Free {
    type Columns = [T; 0];
}
