//! Every optimizer of the crate, and how to compare two of them by bits.

use wane::{Adam, AdamW, Clip, Decay, Error, Lamb, Lion, NonFinite, Optimizer, Param, Sgd};

/// All state columns of this crate.
pub(super) const COLUMNS: [&str; 4] = ["momentum_buffer", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"];

pub(super) type Boxed = Box<dyn Optimizer<f64>>;

/// Every optimizer and option that has state of its own, each under a different kind of decay, with the names of its columns.
pub(super) fn every() -> Vec<(Boxed, &'static [&'static str])> {
    every_with(NonFinite::Error)
}

/// The same with a policy for gradients that are not finite.
pub(super) fn every_with(policy: NonFinite) -> Vec<(Boxed, &'static [&'static str])> {
    fn list(policy: NonFinite) -> Result<Vec<(Boxed, &'static [&'static str])>, Error> {
        let adam = &COLUMNS[1..3];
        Ok(vec![
            (Box::new(Sgd::new(0.1).non_finite(policy).weight_decay(Decay::l1(0.01)).build()?), &[]),
            (Box::new(Sgd::new(0.1).non_finite(policy).momentum(0.9).nesterov(true).build()?), &COLUMNS[..1]),
            (Box::new(Adam::new(0.1).non_finite(policy).weight_decay(Decay::coupled_l2(0.1)).build()?), adam),
            (Box::new(AdamW::new(0.1).non_finite(policy).epsilon_hat(1e-7).build()?), adam),
            (Box::new(AdamW::new(0.1).non_finite(policy).amsgrad(true).clip(Clip::GlobalNorm(1.0)).build()?), &COLUMNS[1..]),
            (Box::new(Lion::new(0.1).non_finite(policy).weight_decay(Decay::cautious(0.5)).build()?), &COLUMNS[1..2]),
            (Box::new(Lamb::new(0.1).non_finite(policy).weight_decay(Decay::decoupled(0.1)).build()?), adam),
            (Box::new(Sgd::new(0.1).non_finite(policy).momentum(0.5).weight_decay(Decay::adaptive(0.1)).build()?), &COLUMNS[..1]),
        ])
    }
    list(policy).expect("these settings are in order")
}

pub(super) fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Count and state of a parameter, by bits.
pub(super) fn state_of(opt: &dyn Optimizer<f64>, name: &str) -> (Option<u64>, Vec<Option<Vec<u64>>>) {
    (opt.steps_of(name), COLUMNS.map(|column| opt.state(name, column).map(bits)).to_vec())
}

/// A gradient for step k, different at every step.
pub(super) fn grad(k: u8) -> [f64; 3] {
    [1.0, -0.5, 0.125].map(|g| g * (1.0 + f64::from(k) / 4.0))
}

/// One step on `w` with the gradient of step k.
pub(super) fn step(opt: &mut dyn Optimizer<f64>, name: &str, w: &mut [f64; 3], k: u8) {
    opt.step(&mut [Param::new(name, w, &grad(k))]).expect("a good step");
}
