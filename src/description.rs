//! The table of parameters, groups and effective settings.

use std::fmt;

use crate::number::Number;
use crate::report::Status;

/// What an optimizer would do in its next step: groups with their effective settings, parameters
/// with their groups, and notes on what may not be intended. It is made to be printed.
///
/// ```
/// use wane::{AdamW, Decay, Optimizer, Param, Selector};
///
/// let mut opt = AdamW::new(1e-3)
///     .group("no decay", |s| s.weight_decay(Decay::none()))
///     .assign("no decay", Selector::vectors())
///     .assign("no decay", Selector::name_starts_with("embeding"))
///     .build()?;
/// opt.register(&[
///     Param::new("fc.weight", &mut [0.5_f32; 6], &[0.1; 6]).shape(&[2, 3]),
///     Param::new("fc.bias", &mut [0.0_f32; 3], &[0.1; 3]).shape(&[3]),
/// ])?;
/// let table = opt.describe();
/// assert_eq!(table.params()[1].group(), "no decay");
/// assert_eq!(table.to_string(), "\
/// learning rate 0.001, peak 0.001, schedule constant, clip off, non-finite gradients error, 0 completed steps
/// group     params  weights  lr     decay           next step  optimizer
/// default   1       6        0.001  decoupled:0.01  s = 1e-5   adamw(betas 0.9 0.999, eps 1e-8)
/// no decay  1       3        0.001  none            none       adamw(betas 0.9 0.999, eps 1e-8)
///
/// parameter  shape   group     lr     decay           updates  last step
/// fc.weight  [2, 3]  default   0.001  decoupled:0.01  0        Registered
/// fc.bias    [3]     no decay  0.001  none            0        Registered
///
/// note: the selector `name starts with embeding` of group `no decay` has matched no parameter
/// ");
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    pub(crate) head: String,
    pub(crate) groups: Vec<GroupRow>,
    pub(crate) params: Vec<ParamRow>,
    pub(crate) notes: Vec<String>,
}

/// A group's effective settings for the next step.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    pub(crate) name: String,
    pub(crate) params: usize,
    pub(crate) weights: usize,
    pub(crate) learning_rate: f64,
    pub(crate) decay: String,
    pub(crate) strength: String,
    pub(crate) optimizer: String,
    pub(crate) frozen: bool,
}

/// A parameter, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamRow {
    pub(crate) name: String,
    pub(crate) shape: Option<Vec<usize>>,
    pub(crate) len: usize,
    pub(crate) group: String,
    pub(crate) learning_rate: f64,
    pub(crate) decay: String,
    pub(crate) updates: u64,
    pub(crate) status: Status,
}

impl Description {
    /// Returns the groups: `default` and those that were defined; `undecayed` and those joined from
    /// several only where they have parameters.
    #[must_use]
    pub fn groups(&self) -> &[GroupRow] {
        &self.groups
    }

    /// Returns the parameters, in the order in which they were first seen.
    #[must_use]
    pub fn params(&self) -> &[ParamRow] {
        &self.params
    }

    /// Returns notes on what may not be intended: selectors without a match, groups that decay
    /// though their learning rate is 0, groups with equal settings.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl GroupRow {
    /// Returns the group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of parameters in the group.
    #[must_use]
    pub fn params(&self) -> usize {
        self.params
    }

    /// Returns the number of weights in these parameters.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// Returns the learning rate of the next step, with the group's factor.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Returns the decay's text form.
    #[must_use]
    pub fn decay(&self) -> &str {
        &self.decay
    }

    /// Returns what the decay will amount to in the next step: the share `s` of a weight, the
    /// threshold `θ`, or the strength `λ` (L2) and `λ₁` (L1) in the gradient. An adaptive one is
    /// shown at its average so far. Where rounding to the weights' type makes more than 1 % of a
    /// share, it says what really goes: `s = 1e-8 (removes 0 in f32)`; see
    /// [`Decay::is_lost_in`](crate::Decay::is_lost_in).
    #[must_use]
    pub fn strength(&self) -> &str {
        &self.strength
    }

    /// Returns the optimizer's options.
    #[must_use]
    pub fn optimizer(&self) -> &str {
        &self.optimizer
    }

    /// Returns whether the group is frozen.
    #[must_use]
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    fn cells(&self) -> Vec<String> {
        let frozen = if self.frozen { ", frozen" } else { "" };
        vec![
            self.name.clone(),
            self.params.to_string(),
            self.weights.to_string(),
            Number(self.learning_rate).to_string(),
            self.decay.clone(),
            self.strength.clone(),
            format!("{}{frozen}", self.optimizer),
        ]
    }
}

impl ParamRow {
    /// Returns the parameter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the parameter's shape, where one was given.
    #[must_use]
    pub fn shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// Returns the parameter's number of weights.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.len
    }

    /// Returns the name of the parameter's group.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// Returns the learning rate of the parameter's next update.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Returns the text form of the parameter's decay.
    #[must_use]
    pub fn decay(&self) -> &str {
        &self.decay
    }

    /// Returns the parameter's number of updates.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Returns what became of the parameter in the last step.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.shape.as_ref().map_or_else(|| format!("{} weights", self.len), |shape| format!("{shape:?}")),
            self.group.clone(),
            Number(self.learning_rate).to_string(),
            self.decay.clone(),
            self.updates.to_string(),
            format!("{:?}", self.status),
        ]
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.head)?;
        let head = ["group", "params", "weights", "lr", "decay", "next step", "optimizer"];
        columns(f, &head, self.groups.iter().map(GroupRow::cells).collect())?;
        writeln!(f)?;
        let head = ["parameter", "shape", "group", "lr", "decay", "updates", "last step"];
        columns(f, &head, self.params.iter().map(ParamRow::cells).collect())?;
        if !self.notes.is_empty() {
            writeln!(f)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

/// Writes left-aligned columns, two spaces apart, with nothing behind the last one.
fn columns(f: &mut fmt::Formatter<'_>, head: &[&str], rows: Vec<Vec<String>>) -> fmt::Result {
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    let mut widths = vec![0; head.len()];
    for row in std::iter::once(&head).chain(&rows) {
        widths.iter_mut().zip(row).for_each(|(width, cell)| *width = cell.chars().count().max(*width));
    }
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, &width)| padded(cell, width)).collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// Returns a cell filled up to `width`. A format string would do it for widths of 16 bits, and names may be longer.
fn padded(cell: &str, width: usize) -> String {
    cell.to_string() + &" ".repeat(width.saturating_sub(cell.chars().count()))
}
