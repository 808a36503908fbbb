use std::f64::consts::PI;

use wane::plan::Equilibrium;
use wane::{AdamW, Decay, Lion, Optimizer, Result, Sgd};

use super::{conflict, out_of_range};
use crate::common::data::noise;

/// How many weights walk. The mean square of so many independent Gaussian weights has the relative deviation √(2/n).
const WEIGHTS: u64 = 20_000;

fn normal(step: u64, i: u64) -> f64 {
    let [u, v] = [3, 4].map(|key| (1.0 + noise([key, 0, step, i])) / 2.0);
    (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * PI * v).cos()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}

fn rms(x: &[f64]) -> f64 {
    (dot(x, x) / x.len() as f64).sqrt()
}

/// Gradients that know nothing of the weights.
fn noise_alone(step: u64, _: &[f64]) -> Vec<f64> {
    (0..WEIGHTS).map(|i| normal(step, i)).collect()
}

/// Gradients orthogonal to the weights, whose RMS times that of the weights is 1/2.
fn before_a_normalisation(step: u64, w: &[f64]) -> Vec<f64> {
    let free = noise_alone(step, w);
    let along = dot(&free, w) / dot(w, w);
    let orthogonal: Vec<_> = free.iter().zip(w).map(|(g, w)| g - along * w).collect();
    let scale = 0.5 / (rms(w) * rms(&orthogonal));
    orthogonal.iter().map(|g| g * scale).collect()
}

/// RMS of the weights and angle of the last step, after a walk from weights of this RMS.
fn walked(opt: &mut dyn Optimizer<f64>, start: f64, steps: u64, gradient: fn(u64, &[f64]) -> Vec<f64>) -> [f64; 2] {
    let mut w: Vec<_> = (0..WEIGHTS).map(|i| start * normal(u64::MAX, i)).collect();
    let mut before = w.clone();
    for step in 0..steps {
        before.clone_from(&w);
        let g = gradient(step, &w);
        opt.step_slice(&mut w, &g).expect("a step");
    }
    [rms(&w), (dot(&before, &w) / (dot(&w, &w) * dot(&before, &before)).sqrt()).acos()]
}

/// Asserts that a walk ends as foretold, within four deviations: those of the RMS are half of √(2/n), and those of the
/// angle, half the difference of two such numbers, at most √(2/n).
#[track_caller]
fn ends_as_foretold(found: [f64; 2], foretold: Equilibrium, by_the_model: f64) {
    let deviation = (2.0 / WEIGHTS as f64).sqrt();
    let tolerances = [0.5, 1.0].map(|part| 4.0 * part * deviation + by_the_model);
    for ((found, foretold), tolerance) in found.into_iter().zip([foretold.rms, foretold.angle]).zip(tolerances) {
        assert!((found / foretold - 1.0).abs() < tolerance, "{found}, foretold {foretold}");
    }
}

/// At a share of 0.02 the formulas for small shares are 20 % off in the mean square. √v̂ over the last hundreds of gradients is off
/// by 3/8 of its mean square's variance 2/t.
#[test]
fn adamw() -> Result<()> {
    let decay = Decay::fixed(0.02);
    let mut opt = AdamW::new(0.1).betas(0.9, 0.999).weight_decay(decay.clone()).build()?;
    let found = walked(&mut opt, 0.0, 250, noise_alone);
    ends_as_foretold(found, Equilibrium::adamw(0.1, 0.9, &decay)?, 3.0 / 8.0 * 2.0 / 150.0);
    Ok(())
}

/// Signs correlate a little more than the formula says: 0.6 % in the end at these betas.
#[test]
fn lion() -> Result<()> {
    let decay = Decay::decoupled(0.2);
    let mut opt = Lion::new(0.1).weight_decay(decay.clone()).build()?;
    let foretold = Equilibrium::lion(0.1, [0.9, 0.99], &decay)?;
    let found = walked(&mut opt, foretold.rms / 2.0, 500, noise_alone);
    ends_as_foretold(found, foretold, 0.006);
    Ok(())
}

#[test]
fn sgd() -> Result<()> {
    let decay = Decay::coupled_l2(0.05);
    let mut opt = Sgd::new(0.05).momentum(0.9).weight_decay(decay.clone()).build()?;
    let foretold = Equilibrium::sgd(0.05, 0.9, &decay, 0.5)?;
    let found = walked(&mut opt, foretold.rms / 2.0, 150, before_a_normalisation);
    ends_as_foretold(found, foretold, 0.0);
    Ok(())
}

/// Under AdamW weights are an autoregression of order two, xₖ = (a + β)·xₖ₋₁ − aβ·xₖ₋₂ + noise of deviation (1 − β)·η, whose variance and
/// correlation are in every book on time series.
#[test]
fn adamw_is_an_autoregression() -> Result<()> {
    for (lr, s, beta) in [(0.1, 0.5, 0.9), (3.0, 0.01, 0.5), (1.0, 0.25, 0.0)] {
        let found = Equilibrium::adamw(lr, beta, &Decay::fixed(s))?;
        let (first, second): (f64, f64) = (1.0 - s + beta, -(1.0 - s) * beta);
        let correlation = first / (1.0 - second);
        let variance = ((1.0 - beta) * lr).powi(2) / (1.0 - first * correlation - second * (first * correlation + second));
        assert!((found.rms / variance.sqrt() - 1.0).abs() < 1e-13, "{found:?}, {variance}");
        assert!((found.angle - correlation.acos()).abs() < 1e-13, "{found:?}, {correlation}");
    }
    Ok(())
}

/// Kosson et al. have these for small shares. What is left out there is of the order of s/(1 − β).
#[test]
fn small_shares_have_the_formulas_of_the_paper() -> Result<()> {
    let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-6, "{found}, {expected}");
    let (lr, lambda, beta) = (1e-4, 1e-5, 0.9);
    let adamw = Equilibrium::adamw(lr, beta, &Decay::decoupled(lambda))?;
    near(adamw.rms, (lr / (2.0 * lambda)).sqrt());
    near(adamw.angle, (2.0 * lr * lambda * (1.0 - beta) / (1.0 + beta)).sqrt());
    near(adamw.timescale, 1.0 / (lr * lambda));
    // Without momentum Lion is the sign of the gradient, and moves as AdamW does without it.
    let (lion, adamw) =
        (Equilibrium::lion(lr, [0.0, 0.99], &Decay::fixed(0.1))?, Equilibrium::adamw(lr, 0.0, &Decay::fixed(0.1))?);
    assert_eq!(lion, adamw);
    let sgd = Equilibrium::sgd(lr, beta, &Decay::coupled_l2(lambda), 3.0)?;
    near(sgd.rms, (lr * 9.0 / (2.0 * lambda * (1.0 - beta))).powf(0.25));
    near(sgd.angle, (2.0 * lr * lambda / (1.0 + beta)).sqrt());
    near(sgd.timescale, (1.0 - beta) / (lr * lambda));
    Ok(())
}

/// Lion's momentum makes steps repeat each other: with √(2/π)·c/σ in place of the sign the mean square is (2/π)/σ² times that of single
/// signs, where c has the variance σ² and adds up to as much as the gradients do. What the two forms leave out is
/// 1 − 2/π of 45.
#[test]
fn lion_remembers_its_signs() -> Result<()> {
    let (beta1, beta2, decay): (f64, f64, _) = (0.9, 0.99, Decay::fixed(1e-9));
    let variance = (1.0 - beta1).powi(2) + beta1.powi(2) * (1.0 - beta2) / (1.0 + beta2);
    let alone = Equilibrium::lion(1e-3, [0.0, 0.0], &decay)?;
    let found = (Equilibrium::lion(1e-3, [beta1, beta2], &decay)?.rms / alone.rms).powi(2);
    let linear = 2.0 / PI / variance;
    assert!((found - linear - (1.0 - 2.0 / PI)).abs() < 1e-4, "{found}, {linear}");
    Ok(())
}

/// Without gradients 1/e of a weight is left; what the timescale leaves out is of the order of s.
#[test]
fn the_timescale_is_that_of_a_run() -> Result<()> {
    let [decoupled, coupled] = [Decay::fixed(1e-3), Decay::coupled_l2(1e-3)];
    let runs: [(Box<dyn Optimizer<f64>>, Equilibrium); 2] = [
        (AdamW::new(0.1).weight_decay(decoupled.clone()).build()?.into(), Equilibrium::adamw(0.1, 0.9, &decoupled)?),
        (Sgd::new(0.1).momentum(0.9).weight_decay(coupled.clone()).build()?.into(), Equilibrium::sgd(0.1, 0.9, &coupled, 1.0)?),
    ];
    for (mut opt, foretold) in runs {
        assert!((foretold.timescale - 1000.0).abs() < 1e-9, "{foretold:?}");
        let mut w = [1.0];
        // Momentum takes 1/(1 − μ) steps to begin.
        for _ in 0..1000 {
            opt.step_slice(&mut w, &[0.0])?;
        }
        assert!((w[0].ln() + 1.0).abs() < 1e-2, "{}", w[0].ln());
    }
    Ok(())
}

#[test]
fn every_number_is_looked_at() {
    let decay = Decay::fixed(0.01);
    let coupled = Decay::coupled_l2(0.01);
    for bad in [-0.1, 1.0, f64::NAN, f64::INFINITY] {
        out_of_range(Equilibrium::adamw(0.1, bad, &decay), "beta1");
        out_of_range(Equilibrium::lion(0.1, [bad, 0.9], &decay), "beta1");
        out_of_range(Equilibrium::lion(0.1, [0.9, bad], &decay), "beta2");
        out_of_range(Equilibrium::sgd(0.1, bad, &coupled, 1.0), "momentum");
    }
    for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        out_of_range(Equilibrium::adamw(bad, 0.9, &decay), "peak learning rate");
        out_of_range(Equilibrium::lion(bad, [0.9, 0.99], &decay), "peak learning rate");
        out_of_range(Equilibrium::sgd(bad, 0.9, &coupled, 1.0), "learning rate");
        out_of_range(Equilibrium::sgd(0.1, 0.9, &coupled, bad), "gradient");
    }
    // What does not decay does not settle.
    for none in [Decay::none(), Decay::decoupled(0.0)] {
        out_of_range(Equilibrium::adamw(0.1, 0.9, &none), "share of a weight");
        out_of_range(Equilibrium::lion(0.1, [0.9, 0.99], &none), "share of a weight");
    }
    for lambda in [0.0, 1.0] {
        out_of_range(Equilibrium::sgd(0.1, 0.9, &Decay::coupled_l2(lambda), 1.0), "share of a weight");
    }
    out_of_range(Equilibrium::sgd(0.1, 0.9, &Decay::coupled_l2(f64::NAN), 1.0), "weight decay");
    conflict(Equilibrium::adamw(0.1, 0.9, &coupled), "share of a weight");
    conflict(Equilibrium::sgd(0.1, 0.9, &decay, 1.0), "equilibrium of SGD");
    conflict(Equilibrium::sgd(0.1, 0.9, &Decay::adaptive(0.1), 1.0), "equilibrium of SGD");
    // γ² would vanish, its fourth root does not.
    assert!(Equilibrium::sgd(0.1, 0.9, &coupled, 1e-200).is_ok_and(|settled| settled.rms > 0.0));
}
