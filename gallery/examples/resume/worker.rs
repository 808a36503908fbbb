//! The process that is killed.

use std::io::{self, Write};

use wane_gallery::figure::AnyError;

use crate::{checkpoint::Folder, cli::Options, moment::Report, training::Training};

pub(crate) fn run(options: &Options) -> Result<(), AnyError> {
    let folder = Folder::new(options.killed_folder());
    let mut training = Training::new(options)?;
    training.restore(&folder)?;
    training.run(&folder, say)
}

/// Says where the training is, and waits for an answer: a kill comes instead of one. Else the process would get on by a different
/// number of steps each time until it is dead.
fn say(report: Report) -> Result<(), AnyError> {
    println!("{}", report.line());
    io::stdout().flush()?;
    match io::stdin().read_line(&mut String::new())? {
        0 => Err("nobody answers".into()),
        _ => Ok(()),
    }
}
