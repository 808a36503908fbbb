//! What weight decay does to overfitting.
//!
//! A small network learns 300 real digits, a fifth of which have a random label. Without decay it learns the wrong labels by heart;
//! with decay it cannot, and knows more of the digits that it has never seen.
//!
//! ```text
//! cargo run --release --example overfitting
//! cargo run --release --example overfitting -- --optimizer adamw --decay half-life:500
//! cargo run --release --example overfitting -- --data FOLDER_OF_MNIST
//! ```
//!
//! The strengths of decay suit the digits. On other data they are chosen, with SGD's learning rate, on training images that are held
//! out, and the result is reported, not judged.
//!
//! Exit code: 0 if decay closes the gap for every setting, 1 if not, 2 if something was wrong with options, data or files. On other
//! data it is 1 only where `--expect-gain` asks for a gain that is not there.

mod cli;
mod experiment;
mod figures;
mod numbers;
mod optimizer;
mod report;
mod setting;
mod statistics;
mod sweep;
mod verdict;

use std::{error::Error, process::ExitCode};

use clap::Parser;
use wane_gallery::data::Source;

use crate::{
    cli::Options,
    experiment::{Failure, Outcome, Plan},
    setting::{Setting, Trial},
    sweep::Sweep,
    verdict::Verdict,
};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(verdict) if verdict.passed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(options: &Options) -> Result<Verdict, Box<dyn Error + Send + Sync>> {
    let source = match &options.data {
        Some(path) => Source::open(path)?,
        None => Source::digits()?,
    };
    let mut plan = options.plan()?;
    source.check_split(plan.train_size, plan.label_noise)?;
    report::make_folder(&options.out)?;
    println!("{}", report::heading(&plan, &source.name));

    if options.sweeps() {
        plan.settings = choose(options, &plan, &source)?;
    }
    let outcomes = experiment::run::<Result<Vec<Outcome>, Failure>>(&plan, |seed| plan.split(&source, seed))?;
    println!("{}", report::table(&outcomes));
    println!("{}", report::NOTES);

    let verdict = Verdict::of(&outcomes, options.expected_gain());
    println!("\n{verdict}");
    report::write(&outcomes, &options.out)?;
    println!("\nFigures and numbers are in {}", options.out.display());
    Ok(verdict)
}

/// The settings with the decays and rates that do best on held-out training images.
fn choose(options: &Options, plan: &Plan, source: &Source) -> Result<Vec<Setting>, Box<dyn Error + Send + Sync>> {
    println!("\n{}", report::SWEEP_NOTES);
    let sweep = Sweep::run(&options.trials(), options.learning_rate, plan, source)?;
    let chosen = sweep.choose();
    println!("{}\n", report::sweep_table(&sweep, chosen.as_deref().unwrap_or_default()));
    Ok(chosen?.iter().flat_map(Trial::settings).collect())
}
