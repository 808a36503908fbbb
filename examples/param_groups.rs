//! Groups, selectors and schedules: who decays, how fast, and a table that shows it. `cargo run --example param_groups`.
//!
//! A linear model is fitted to points of a known line: a pretrained slope that is pulled back to where it started, a new head that learns ten
//! times faster and forgets with a half-life, and its bias, which learns as fast and is never decayed: two selectors match it, and both
//! apply.

use wane::{AdamW, Anchor, Clip, Decay, Optimizer, Param, Schedule, Selector};

fn main() -> Result<(), wane::Error> {
    let steps = 400;
    let mut opt = AdamW::new(0.01)
        .lr_schedule(Schedule::warmup_cosine(20, steps, 0.1))
        .clip(Clip::GlobalNorm(10.0))
        .weight_decay(Decay::decoupled(1.0).towards(Anchor::Start))
        .group("head", |s| s.lr_factor(10.0).weight_decay(Decay::half_life(2000.0)))
        .group("no decay", |s| s.weight_decay(Decay::none()))
        .group("frozen", |s| s.frozen(true))
        .assign("head", Selector::name_starts_with("head."))
        .assign("no decay", Selector::name_ends_with(".bias"))
        .assign("frozen", Selector::when("embeddings", |param| param.name().contains("embed")))
        .strict_selectors(true)
        .build()?;

    // y = 2·x₁ − x₂ + 1/2, with a weight for each x: one pretrained, one new.
    let (mut slope, mut head, mut bias, mut embedding) = ([1.5_f64], [0.0_f64], [0.0_f64], [1.0_f64]);
    for step in 0..steps {
        let (mut g_slope, mut g_head, mut g_bias) = (0.0, 0.0, 0.0);
        for i in 0..16 {
            let (x1, x2) = (f64::from(i % 4) - 1.5, f64::from(i / 4) - 1.5);
            let error = slope[0] * x1 * embedding[0] + head[0] * x2 + bias[0] - (2.0 * x1 - x2 + 0.5);
            g_slope += error * x1 / 16.0;
            g_head += error * x2 / 16.0;
            g_bias += error / 16.0;
        }
        let report = opt.step(&mut [
            Param::new("body.weight", &mut slope, &[g_slope]).shape(&[1, 1]),
            Param::new("head.weight", &mut head, &[g_head]).shape(&[1, 1]),
            Param::new("head.bias", &mut bias, &[g_bias]).shape(&[1]),
            Param::new("embed.weight", &mut embedding, &[f64::NAN]).shape(&[1, 1]),
        ])?;
        if step % 100 == 0 {
            let norm = report.grad_norm().unwrap_or(f64::NAN);
            println!("step {step:3}: learning rate {:.4}, gradient norm {norm:.4}", opt.learning_rate());
        }
    }
    println!("\nslope {:.3} (2, pulled to 1.5), head {:.3} (−1), bias {:.3} (0.5)\n", slope[0], head[0], bias[0]);
    print!("{}", opt.describe());
    Ok(())
}
