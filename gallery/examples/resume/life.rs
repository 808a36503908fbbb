//! The life of a process that trains: from the checkpoints that it finds to its kill, or to the end of the training.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use indicatif::ProgressBar;
use wane_gallery::figure::AnyError;

use crate::{
    checkpoint::{Folder, Found},
    cli::Options,
    moment::{Moment, Report},
};

#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) found: Found,
    /// Of each step, in their order.
    pub(crate) reports: Vec<Report>,
    /// `None` for the one that gets to the end.
    pub(crate) kill: Option<Moment>,
}

impl Life {
    /// Starts the process, and kills it when it comes to that moment.
    pub(crate) fn run(
        options: &Options,
        folder: &Folder,
        kill: Option<Moment>,
        progress: &ProgressBar,
    ) -> Result<Self, AnyError> {
        let found = folder.found()?;
        let mut process = start(options)?;
        let reports = listen(&mut process, kill, |report| progress.set_position(options.steps + report.moment.step))?;
        let has_ended_well = process.wait()?.success();
        let is_as_planned = match kill {
            Some(moment) => !has_ended_well && reports.last().is_some_and(|last| last.moment == moment),
            None => has_ended_well,
        };
        if !is_as_planned {
            return Err("the process that trains has ended by itself".into());
        }
        let reports = reports.into_iter().filter(|report| report.moment.is_step()).collect();
        Ok(Self { found, reports, kill })
    }

    /// The step that it went on from.
    pub(crate) fn begin(&self) -> u64 {
        self.reports.first().map_or(0, |report| report.moment.step - 1)
    }
}

/// This example again, as the process that trains.
fn start(options: &Options) -> Result<Child, AnyError> {
    let mut command = Command::new(env::current_exe()?);
    command.args(options.worker_arguments()).arg("--out").arg(&options.out);
    Ok(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?)
}

/// Hears all that the process says until it is dead, and answers; to the report of that moment with the kill.
fn listen(process: &mut Child, kill: Option<Moment>, heard: impl Fn(Report)) -> Result<Vec<Report>, AnyError> {
    let pipes = process.stdin.take().zip(process.stdout.take());
    let (mut answers, said) = pipes.ok_or("the process has no pipes")?;
    let mut reports = Vec::new();
    for line in BufReader::new(said).lines() {
        let report = line?.parse::<Report>()?;
        heard(report);
        reports.push(report);
        if Some(report.moment) == kill {
            process.kill()?;
        } else {
            answers.write_all(b"\n")?;
        }
    }
    Ok(reports)
}
