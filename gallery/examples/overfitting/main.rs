//! What weight decay does to overfitting.
//!
//! A small network learns 300 real digits, a fifth of which have a random label. Without decay it learns the wrong labels by heart;
//! with decay it cannot, and knows more of the digits that it has never seen.
//!
//! ```text
//! cargo run --release --example overfitting
//! cargo run --release --example overfitting -- --optimizer adamw --decay half-life:500
//! ```
//!
//! Exit code: 0 if decay closes the gap for every setting, 1 if not, 2 if something was wrong with options, data or files.

mod cli;
mod experiment;
mod figures;
mod numbers;
mod optimizer;
mod report;
mod setting;
mod statistics;
mod verdict;

use std::{error::Error, process::ExitCode};

use clap::Parser;
use wane_gallery::data::Source;

use crate::{cli::Options, verdict::Verdict};

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
    let plan = options.plan()?;
    source.check_split(plan.train_size, plan.label_noise)?;
    report::make_folder(&options.out)?;
    println!("{}", report::heading(&plan, &source.name));

    let outcomes = experiment::run(&plan, &source)?;
    println!("{}", report::table(&outcomes));
    println!("{}", report::NOTES);

    let verdict = Verdict::of(&outcomes, options.gain);
    println!("\n{verdict}");
    report::write(&outcomes, &options.out)?;
    println!("\nFigures and numbers are in {}", options.out.display());
    Ok(verdict)
}
