//! What an engine would do next, as a table for people.

#![expect(clippy::indexing_slicing, reason = "a member for each group")]

use super::group::Group;
use super::groups::{Groups, RESERVED, UNDECAYED};
use super::hyperparameters::Options;
use super::run::Run;
use super::slot::Slot;
use crate::decay::StepDecay;
use crate::description::{Description, GroupRow, ParamRow};
use crate::float::Real;
use crate::number::Number;
use crate::report::Status;
use crate::task::Denormals;

impl Description {
    pub(crate) fn of<T: Real>(run: &Run, groups: &Groups<T>, slots: &[&Slot<T>], status: impl Fn(&Slot<T>) -> Status) -> Self {
        let params = slots.iter().map(|slot| ParamRow::of(slot, &groups[slot.group], run, status(slot))).collect();
        let mut members = vec![(0_usize, 0_usize); groups.len()];
        for slot in slots {
            let (params, weights) = &mut members[slot.group];
            (*params, *weights) = (*params + 1, weights.saturating_add(slot.len));
        }
        // `undecayed`, and groups that selectors have joined, are shown where they have parameters.
        let shown = |group: &Group<T>, params| params > 0 || group.is_defined() && *group.name != *RESERVED[UNDECAYED];
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
}

fn notes<T: Real>(run: &Run, groups: &Groups<T>, shown: &[&Group<T>]) -> Vec<String> {
    let unmatched = groups
        .without_match()
        .map(|(selector, group)| format!("the selector `{selector}` of group `{group}` has matched no parameter"));
    let moving = shown.iter().filter(|group| group.settings.lr_factor == 0.0 && !group.settings.frozen).filter_map(|group| {
        let (_, effect) = group.outlook(run);
        effect
            .acts_alone()
            .then(|| format!("group `{}` is not frozen: its rate is 0, and its decay goes on ({effect})", group.name))
    });
    let twins = shown.iter().enumerate().filter_map(|(i, group)| {
        let twin = shown.iter().take(i).find(|other| other.settings == group.settings)?;
        Some(format!("group `{}` has the settings of group `{}`", group.name, twin.name))
    });
    unmatched.chain(moving).chain(twins).collect()
}

/// Returns the options of an optimizer in one line.
fn listed(options: &Options) -> String {
    let texts =
        options.any().list().into_iter().map(|(name, text)| if text == "on" { name.into() } else { format!("{name} {text}") });
    texts.collect::<Vec<String>>().join(", ")
}

/// Returns what acts in a step, and what of it the weights' type leaves.
fn strength<T: Real>(effect: StepDecay) -> String {
    match effect.misses::<T>() {
        Some(removed) => format!("{effect} (removes {} in {})", Number::rounded(removed), T::NAME),
        None => effect.to_string(),
    }
}

impl GroupRow {
    fn of<T: Real>(group: &Group<T>, (params, weights): (usize, usize), run: &Run) -> Self {
        let (learning_rate, effect) = group.outlook(run);
        Self {
            name: group.name.to_string(),
            params,
            weights,
            learning_rate,
            decay: group.settings.decay.to_string(),
            strength: strength::<T>(effect),
            optimizer: format!("{}({})", run.name, listed(&group.settings.options)),
            frozen: group.settings.frozen,
        }
    }
}

impl ParamRow {
    fn of<T: Real>(slot: &Slot<T>, group: &Group<T>, run: &Run, status: Status) -> Self {
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
}
