//! AdamW with decay on the matrices only, in under 30 lines: `cargo run --example quickstart`.

use wane::{AdamW, Decay, Optimizer, Param, Selector};

fn main() -> Result<(), wane::Error> {
    let mut opt = AdamW::new(0.05)
        .betas(0.9, 0.95)
        .weight_decay(Decay::decoupled(0.1)) // PyTorch's units; ::independent, ::half_life, ::coupled_l2, ::l1 ...
        .group("no decay", |s| s.weight_decay(Decay::none()))
        .assign("no decay", Selector::rank_below(2))
        .build()?;

    // Least squares on one point: y = w·x + b with x = (1, 2) and target 3.
    let (mut w, mut b) = ([0.0_f32, 0.0], [0.0_f32]);
    for step in 0..200 {
        let error = w[0] + 2.0 * w[1] + b[0] - 3.0;
        let (gw, gb) = ([error, 2.0 * error], [error]);
        let report =
            opt.step(&mut [Param::new("fc.weight", &mut w, &gw).shape(&[1, 2]), Param::new("fc.bias", &mut b, &gb).shape(&[1])])?;
        if step % 50 == 0 {
            println!("step {step:3}: error {error:8.5}, gradient norm {:.5}", report.grad_norm().unwrap_or(f64::NAN));
        }
    }
    println!("{}", opt.describe());
    Ok(())
}
