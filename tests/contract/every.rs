//! Every optimizer of the crate, and how to compare two of them by bits.

use wane::{Clip, Decay, NonFinite, Optimizer};

use crate::common::data::param;
use crate::common::{OPTIMIZERS, Reach, Row, Setup, columns};

pub(super) type Boxed = Box<dyn Optimizer<f64>>;

/// Every optimizer under every kind of decay, with the names of its state columns.
pub(super) fn every() -> Vec<(Boxed, &'static [&'static str])> {
    of(OPTIMIZERS.iter(), NonFinite::Error)
}

/// The same with a policy for gradients that are not finite.
pub(super) fn every_with(non_finite: NonFinite) -> Vec<(Boxed, &'static [&'static str])> {
    of(OPTIMIZERS.iter(), non_finite)
}

/// Those that take what is no matrix.
pub(super) fn every_of_slices() -> Vec<(Boxed, &'static [&'static str])> {
    of(OPTIMIZERS.iter().filter(|row| row.reach != Reach::Matrix), NonFinite::Error)
}

fn of(rows: impl Iterator<Item = &'static Row>, non_finite: NonFinite) -> Vec<(Boxed, &'static [&'static str])> {
    let kinds = [
        (Clip::Off, Decay::none()),
        (Clip::Off, Decay::l1(0.01)),
        (Clip::Off, Decay::coupled_l2(0.1)),
        (Clip::Off, Decay::cautious(0.5)),
        (Clip::Off, Decay::adaptive(0.1)),
        (Clip::GlobalNorm(1.0), Decay::decoupled(0.1)),
    ];
    let build = |row: &Row, (clip, decay)| row.build(&Setup { lr: 0.1, clip, non_finite, ..row.setup(decay) });
    rows.flat_map(|row| kinds.clone().map(|kind| (build(row, kind), row.state))).collect()
}

pub(super) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Count and state of a parameter, by bits.
pub(super) fn state_of(opt: &dyn Optimizer<f64>, name: &str) -> (Option<u64>, Vec<Option<Vec<u64>>>) {
    (opt.steps_of(name), columns().iter().map(|column| opt.state(name, column).map(bits)).collect())
}

/// A gradient for step k, different at every step.
pub(super) fn grad(k: u8) -> [f64; 3] {
    [1.0, -0.5, 0.125].map(|g| g * (1.0 + f64::from(k) / 4.0))
}

/// One step on `w` with the gradient of step k.
pub(super) fn step(opt: &mut dyn Optimizer<f64>, name: &str, w: &mut [f64; 3], k: u8) {
    opt.step(&mut [param(name, w, &grad(k))]).expect("a good step");
}
