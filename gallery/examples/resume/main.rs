//! A training that is killed again and again, and ends with the bits of one that was not.
//!
//! A small network learns digits twice. Once it does so undisturbed. Then a process of its own does it, which saves a checkpoint
//! every few steps and is killed at moments that are drawn: after a step, or between the two files of a checkpoint. A new
//! process goes on from the newest whole checkpoint, until one gets to the end.
//!
//! ```text
//! cargo run --release --example resume
//! cargo run --release --example resume -- --kills 12 --every 7
//! cargo run --release --example resume -- --restore weights      # what becomes of it without the optimizer's state
//! ```
//!
//! Exit code: 0 if weights and state have equal bits in the end, 1 if not, 2 if something was wrong with options or files.

mod checkpoint;
mod cli;
mod life;
mod moment;
mod report;
mod training;
mod worker;

use std::process::ExitCode;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use wane_gallery::figure::AnyError;

use crate::{
    checkpoint::Folder,
    cli::Options,
    life::Life,
    report::{Comparison, Whole},
    training::Training,
};

fn main() -> ExitCode {
    let options = Options::parse();
    let is_as_wanted = if options.worker { worker::run(&options).map(|()| true) } else { run(&options) };
    match is_as_wanted {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// Returns whether both trainings end with equal bits.
fn run(options: &Options) -> Result<bool, AnyError> {
    let kills = options.kills()?;
    println!("{}", report::heading(options));
    let progress = progress_bar(options);
    let whole = undisturbed(options, &progress)?;
    let folder = Folder::emptied(options.killed_folder())?;
    let ends = kills.into_iter().map(Some).chain([None]);
    let lives = ends.map(|kill| Life::run(options, &folder, kill, &progress)).collect::<Result<Vec<_>, _>>()?;
    progress.finish_and_clear();

    println!("{}\n", report::table(&lives));
    report::save_figure(&whole, &lives, &options.out)?;
    println!("A figure is in {}", options.out.display());
    let comparison = Comparison::of(&whole.folder, &folder, options.steps)?;
    println!("{comparison}");
    Ok(comparison.is_equal())
}

/// The training that nobody kills, in this process.
fn undisturbed(options: &Options, progress: &ProgressBar) -> Result<Whole, AnyError> {
    let folder = Folder::emptied(options.out.join("undisturbed"))?;
    let mut losses = Vec::new();
    Training::new(options)?.run(&folder, |report| {
        if report.moment.is_step() {
            losses.push(report.loss);
            progress.inc(1);
        }
        Ok(())
    })?;
    Ok(Whole { folder, losses })
}

fn progress_bar(options: &Options) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} steps, {eta} left").expect("a valid template");
    ProgressBar::new(2 * options.steps).with_style(style)
}
