//! Times steps through the public API, as a user's crate would make them, and prints a case and its nanoseconds per line.

use std::hint::black_box;
use std::time::Instant;

use wane::{AdamW, Lion, Optimizer, Param, Sgd};

/// Turns per case; the fastest counts, as nothing but the machine's other work makes one slower.
const TURNS: usize = 15;

fn main() -> wane::Result<()> {
    let cases = [("1000", vec![1_000]), ("10000", vec![10_000]), ("1000000", vec![1_000_000]), ("200x64", vec![64; 200])];
    for (size, lengths) in cases {
        for (name, mut optimizer) in optimizers()? {
            println!("{name}/{size} {:.0}", step_only(&mut *optimizer, &mut Weights::new(&lengths))?);
        }
    }
    for (name, mut optimizer) in optimizers()? {
        println!("{name}/200x64,listed-anew {:.0}", list_and_step(&mut *optimizer, &mut Weights::new(&[64; 200]))?);
    }
    Ok(())
}

type Named = (&'static str, Box<dyn Optimizer<f32>>);

fn optimizers() -> wane::Result<[Named; 3]> {
    Ok([
        ("AdamW", Box::new(AdamW::new(1e-6).build()?)),
        ("SGD-momentum", Box::new(Sgd::new(1e-6).momentum(0.9).build()?)),
        ("Lion", Box::new(Lion::new(1e-6).build()?)),
    ])
}

/// What a user owns.
struct Weights {
    names: Vec<String>,
    values: Vec<Vec<f32>>,
    grads: Vec<Vec<f32>>,
}

impl Weights {
    fn new(lengths: &[usize]) -> Self {
        Self {
            names: (0..lengths.len()).map(|i| format!("layer.{i}.weight")).collect(),
            values: lengths.iter().map(|&len| vec![0.5; len]).collect(),
            grads: lengths.iter().map(|&len| vec![0.1; len]).collect(),
        }
    }

    fn steps_per_turn(&self) -> usize {
        (1_000_000 / self.grads.iter().map(Vec::len).sum::<usize>()).max(2)
    }

    fn params(&mut self) -> Vec<Param<'_, f32>> {
        let given = self.names.iter().zip(&mut self.values).zip(&self.grads);
        given.map(|((name, value), grad)| Param::new(name, value, grad)).collect()
    }
}

/// Nanoseconds of a step: the library's part.
fn step_only(optimizer: &mut dyn Optimizer<f32>, weights: &mut Weights) -> wane::Result<f64> {
    let steps = weights.steps_per_turn();
    let mut params = weights.params();
    fastest(steps, || optimizer.step(black_box(&mut params)).map(drop))
}

/// Nanoseconds of a step and of the list of parameters before it, which is the user's own code and unoptimised in a debug build.
fn list_and_step(optimizer: &mut dyn Optimizer<f32>, weights: &mut Weights) -> wane::Result<f64> {
    fastest(weights.steps_per_turn(), || optimizer.step(black_box(&mut weights.params())).map(drop))
}

/// Nanoseconds per repetition, in the fastest of [`TURNS`] turns.
fn fastest(repetitions: usize, mut run: impl FnMut() -> wane::Result<()>) -> wane::Result<f64> {
    let mut best = f64::INFINITY;
    for _ in 0..TURNS {
        let start = Instant::now();
        for _ in 0..repetitions {
            run()?;
        }
        best = best.min(start.elapsed().as_secs_f64() / repetitions as f64 * 1e9);
    }
    Ok(best)
}
