//! The table of parameters, groups and effective settings.

use std::fmt;

use crate::float::Real;
use crate::group::Group;
use crate::groups::{Groups, RESERVED, UNDECAYED};
use crate::kernel::Denormals;
use crate::report::Status;
use crate::rule::Formula;
use crate::slot::Slot;
use crate::stepper::Run;
use crate::text::Number;

/// What an optimizer would do in its next step: groups with their effective settings, parameters with their groups, and notes on what may not be
/// meant. Print it.
///
/// ```
/// use wane::{AdamW, Decay, Optimizer, Param, Policy};
///
/// let mut opt = AdamW::new(1e-3)
///     .group("no decay", |s| s.weight_decay(Decay::none()))
///     .assign("no decay", Policy::vectors())
///     .assign("no decay", Policy::name_starts_with("embeding"))
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
/// note: the policy `name starts with embeding` of group `no decay` has matched no parameter
/// ");
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    head: String,
    groups: Vec<GroupRow>,
    params: Vec<ParamRow>,
    notes: Vec<String>,
}

/// A group's effective settings for the next step.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    name: String,
    params: usize,
    weights: usize,
    learning_rate: f64,
    decay: String,
    strength: String,
    optimizer: String,
    frozen: bool,
}

/// A parameter, and where it belongs.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamRow {
    name: String,
    shape: Option<Vec<usize>>,
    len: usize,
    group: String,
    learning_rate: f64,
    decay: String,
    updates: u64,
    status: Status,
}

impl Description {
    pub(crate) fn of<F: Formula, T: Real>(
        run: &Run,
        groups: &Groups<F, T>,
        slots: &[&Slot<T>],
        status: impl Fn(&Slot<T>) -> Status,
    ) -> Self {
        let params = slots.iter().map(|slot| ParamRow::of(slot, &groups[slot.group], run, status(slot))).collect();
        let mut members = vec![(0, 0); groups.len()];
        for slot in slots {
            let (params, weights) = &mut members[slot.group];
            (*params, *weights) = (*params + 1, *weights + slot.len);
        }
        // `undecayed`, and groups that policies have joined, are shown where they have parameters.
        let shown = |group: &Group<F, T>, params| params > 0 || group.edits.len() < 2 && *group.name != *RESERVED[UNDECAYED];
        let shown: Vec<_> = groups.iter().zip(members).filter(|(group, (params, _))| shown(group, *params)).collect();
        let notes = notes(run, groups, &shown.iter().map(|(group, _)| *group).collect::<Vec<_>>());
        let groups = shown.into_iter().map(|(group, members)| GroupRow::of(group, members, run)).collect();
        let head = format!(
            "learning rate {}{}, peak {}, schedule {}, clip {}, non-finite gradients {}, {}{}{} completed steps",
            Number(run.rate()),
            if run.manual.is_some() { " (set by hand)" } else { "" },
            Number(run.peak),
            run.schedule,
            run.clip,
            run.non_finite,
            if run.maximize { "maximize, " } else { "" },
            if run.denormals == Denormals::Flush { "denormals flushed, " } else { "" },
            run.completed
        );
        Self { head, groups, params, notes }
    }

    /// The groups: `default`, those that were defined, and where they have parameters `undecayed` and those joined from several.
    #[must_use]
    pub fn groups(&self) -> &[GroupRow] {
        &self.groups
    }

    /// The parameters, in the order in which they were first seen.
    #[must_use]
    pub fn params(&self) -> &[ParamRow] {
        &self.params
    }

    /// What may not be meant: policies without a match, groups that decay though their rate is 0, groups with equal settings.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

fn notes<F: Formula, T: Real>(run: &Run, groups: &Groups<F, T>, shown: &[&Group<F, T>]) -> Vec<String> {
    let unmatched = groups
        .without_match()
        .map(|(policy, group)| format!("the policy `{policy}` of group `{group}` has matched no parameter"));
    let moving = shown.iter().filter(|group| group.settings.lr_factor == 0.0 && !group.settings.frozen).filter_map(|group| {
        let (_, effect) = group.outlook(run);
        (effect.share() > 0.0)
            .then(|| format!("group `{}` is not frozen: its rate is 0, and its decay goes on ({effect})", group.name))
    });
    let twins = shown.iter().enumerate().filter_map(|(i, group)| {
        let twin = shown[..i].iter().find(|other| other.settings == group.settings)?;
        Some(format!("group `{}` has the settings of group `{}`", group.name, twin.name))
    });
    unmatched.chain(moving).chain(twins).collect()
}

impl GroupRow {
    fn of<F: Formula, T: Real>(group: &Group<F, T>, (params, weights): (usize, usize), run: &Run) -> Self {
        let (learning_rate, effect) = group.outlook(run);
        Self {
            name: group.name.to_string(),
            params,
            weights,
            learning_rate,
            decay: group.settings.decay.to_string(),
            strength: effect.to_string(),
            optimizer: format!("{}{}", run.name, group.settings.formula),
            frozen: group.settings.frozen,
        }
    }

    /// The group's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number of parameters.
    #[must_use]
    pub fn params(&self) -> usize {
        self.params
    }

    /// The number of weights in them.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.weights
    }

    /// The learning rate of the next step, with the group's factor.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// The decay's text form.
    #[must_use]
    pub fn decay(&self) -> &str {
        &self.decay
    }

    /// What the decay will amount to in the next step: the share `s` of a weight, the threshold `θ`, or the strength `λ` (L2) and `λ₁` (L1) in
    /// the gradient. An adaptive one is shown at its average so far.
    #[must_use]
    pub fn strength(&self) -> &str {
        &self.strength
    }

    /// The optimizer's options.
    #[must_use]
    pub fn optimizer(&self) -> &str {
        &self.optimizer
    }

    /// Whether the group is frozen.
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
    fn of<F: Formula, T: Real>(slot: &Slot<T>, group: &Group<F, T>, run: &Run, status: Status) -> Self {
        Self {
            name: slot.name.to_string(),
            shape: slot.shape.map(|shape| shape.axes().to_vec()),
            len: slot.len,
            group: group.name.to_string(),
            learning_rate: group.outlook(run).0,
            decay: group.settings.decay.to_string(),
            updates: slot.t,
            status,
        }
    }

    /// The parameter's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its shape, where one was given.
    #[must_use]
    pub fn shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// Its number of weights.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.len
    }

    /// Its group's name.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// The learning rate of its next update.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Its decay's text form.
    #[must_use]
    pub fn decay(&self) -> &str {
        &self.decay
    }

    /// Its number of updates.
    #[must_use]
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// What became of it in the last step.
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

/// Left-aligned columns, two spaces apart, nothing behind the last one.
fn columns(f: &mut fmt::Formatter<'_>, head: &[&str], rows: Vec<Vec<String>>) -> fmt::Result {
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).fold(head[c].chars().count(), usize::max);
    let widths: Vec<_> = (0..head.len()).map(width).collect();
    let head: Vec<_> = head.iter().map(ToString::to_string).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(f, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}
