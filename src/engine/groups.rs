//! All groups of an optimizer, and how a parameter comes to one.
//!
//! A group's settings are the optimizer's own, changed by edits. `default` has none, `undecayed`
//! has one, and so has every group that was defined. A parameter that several selectors match is in
//! a group with all their edits, which is made when the first such parameter is seen.

#![expect(clippy::indexing_slicing, reason = "groups and edits are added and never removed, so their places stay")]

use std::fmt;
use std::sync::Arc;

use super::group::{Group, Member};
use super::run::Run;
use super::selector::Selector;
use crate::decay::Decay;
use crate::error::{Error, Result};
use crate::float::Real;
use crate::param::{GroupChoice, Param, ParamInfo};

/// The groups that every optimizer has: its own settings, and these without decay.
pub(crate) const RESERVED: [&str; 2] = ["default", "undecayed"];

/// Their places among the groups and among the edits.
pub(crate) const DEFAULT: usize = 0;
pub(crate) const UNDECAYED: usize = 1;

/// What joins the names of the groups that a parameter is in.
const JOINED: &str = " + ";

/// A change of the optimizer's settings, under the name of the group that it makes.
#[derive(Clone)]
pub(crate) struct Edit {
    pub(crate) name: String,
    pub(crate) change: Change,
}

pub(crate) type Change = Arc<dyn Fn(Member) -> Member + Send + Sync>;

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Edit({})", self.name)
    }
}

/// A selector, and the edit for what it matches.
#[derive(Clone, Debug)]
struct Assigned {
    selector: Selector,
    edit: usize,
    matched: Matched,
}

/// Whether a selector has matched a parameter yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Matched {
    Never,
    /// It has, in a step that has not ended yet.
    Fresh,
    Yes,
}

#[derive(Clone, Debug)]
pub(crate) struct Groups<T> {
    groups: Vec<Group<T>>,
    base: Member,
    edits: Vec<Edit>,
    selectors: Vec<Assigned>,
}

impl<T: Real> Groups<T> {
    /// Makes `default`, `undecayed`, and the groups of these edits, in this order, and
    /// checks all of them.
    pub(crate) fn new(base: Member, defined: Vec<Edit>, selectors: Vec<(String, Selector)>, run: &Run) -> Result<Self> {
        let undecayed = Arc::new(|member| Member { decay: Decay::none(), ..member });
        let reserved: [Change; 2] = [Arc::new(|member| member), undecayed];
        let reserved = RESERVED.into_iter().zip(reserved).map(|(name, change)| Edit { name: name.into(), change });
        let mut all = Self { groups: Vec::new(), base, edits: reserved.collect(), selectors: Vec::new() };
        all.make(&[], run)?;
        all.make(&[UNDECAYED], run)?;
        for edit in defined {
            if edit.name.contains(JOINED) {
                return Err(Error::conflict("a group", "a name without ` + `, which joins groups", format!("`{}`", edit.name)));
            }
            if all.edits.iter().any(|known| known.name == edit.name) {
                return Err(Error::GroupExists { group: edit.name });
            }
            all.edits.push(edit);
            all.make(&[all.edits.len() - 1], run)?;
        }
        for (group, selector) in selectors {
            let edit = all.edit(&group).ok_or_else(|| all.unknown(format!("the selector `{selector}`"), &group))?;
            all.selectors.push(Assigned { selector, edit, matched: Matched::Never });
        }
        Ok(all)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Group<T>> {
        self.groups.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Group<T>> {
        self.groups.iter_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Removes the groups behind the first `n`, which have no parameters.
    pub(crate) fn truncate(&mut self, n: usize) {
        self.groups.truncate(n);
    }

    /// Makes the group of these edits, and returns its place.
    fn make(&mut self, edits: &[usize], run: &Run) -> Result<usize> {
        let names: Vec<_> = edits.iter().map(|&edit| &*self.edits[edit].name).collect();
        let name = if names.is_empty() { RESERVED[DEFAULT].into() } else { names.join(JOINED) };
        let settings = settings_of(&self.base, &self.edits, edits);
        settings.check::<T>(&name, run).map_err(|error| if edits.is_empty() { error } else { error.in_group(&name) })?;
        self.groups.push(Group::new(&name, edits.into(), settings));
        Ok(self.groups.len() - 1)
    }

    /// Returns the place of the group of these edits, which is made if it is not there.
    fn place(&mut self, edits: &[usize], run: &Run) -> Result<usize> {
        match self.groups.iter().position(|group| group.edits == edits) {
            Some(known) => Ok(known),
            None => self.make(edits, run),
        }
    }

    /// Returns the place of a new parameter's group: the one that it names, else that of all
    /// selectors that match; `no_decay` comes on top of either.
    pub(crate) fn choose(&mut self, param: &Param<'_, T>, run: &Run) -> Result<usize> {
        let mut edits = match param.group.named {
            Some(name) => self.named(name, || format!("parameter `{}`", param.name))?,
            None => self.matching(&param.info())?,
        };
        if param.group.undecayed {
            append(&mut edits, UNDECAYED);
        }
        self.place(&edits, run)
    }

    /// Returns the place of a group that is there, by its name.
    pub(crate) fn known(&self, name: &str, by: &str) -> Result<usize> {
        let place = self.groups.iter().position(|group| *group.name == *name);
        place.ok_or_else(|| self.unknown(by.into(), name))
    }

    /// Returns the place of a group by its name, for a parameter that is to move there.
    pub(crate) fn find(&mut self, name: &str, run: &Run) -> Result<usize> {
        let edits = self.named(name, || "`assign`".into())?;
        self.place(&edits, run)
    }

    /// Returns whether this is the name of several groups that are defined here, joined.
    pub(crate) fn is_joined(&self, name: &str) -> bool {
        name.contains(JOINED) && name.split(JOINED).all(|part| self.edit(part).is_some())
    }

    /// Returns the edits of a group by its name: one that is there, or names joined by ` + `.
    fn named(&self, name: &str, by: impl Fn() -> String) -> Result<Vec<usize>> {
        if let Some(known) = self.groups.iter().find(|group| *group.name == *name) {
            return Ok(known.edits.clone());
        }
        let mut edits = Vec::new();
        for part in name.split(JOINED) {
            match self.edit(part) {
                Some(DEFAULT) => {}
                Some(edit) => append(&mut edits, edit),
                None => return Err(self.unknown(by(), name)),
            }
        }
        Ok(edits)
    }

    /// Returns the place of the group that selectors choose.
    pub(crate) fn chosen(&mut self, param: &ParamInfo<'_>, run: &Run) -> Result<usize> {
        let edits = self.matching(param)?;
        self.place(&edits, run)
    }

    fn matching(&mut self, param: &ParamInfo<'_>) -> Result<Vec<usize>> {
        let mut edits = Vec::new();
        for assigned in &mut self.selectors {
            if assigned.selector.matches(param)? {
                if assigned.matched == Matched::Never {
                    assigned.matched = Matched::Fresh;
                }
                if assigned.edit != DEFAULT {
                    append(&mut edits, assigned.edit);
                }
            }
        }
        Ok(edits)
    }

    /// Checks that a known parameter is in the group that it asks for.
    #[inline]
    pub(crate) fn check(&self, known: usize, param: &Param<'_, T>) -> Result<()> {
        if param.group == GroupChoice::default() { Ok(()) } else { self.check_choice(known, param) }
    }

    fn check_choice(&self, known: usize, param: &Param<'_, T>) -> Result<()> {
        let GroupChoice { named, undecayed } = param.group;
        let group = &self.groups[known];
        if named.is_none_or(|name| *group.name == *name) && (!undecayed || group.edits.contains(&UNDECAYED)) {
            return Ok(());
        }
        // The named group without its decay, compared in place: this happens in every step.
        if let Some(base) = self.groups.iter().find(|base| undecayed && named == Some(&base.name)) {
            let edits = base.edits.iter().filter(|&&edit| edit != UNDECAYED).chain([&UNDECAYED]);
            if edits.eq(&group.edits) {
                return Ok(());
            }
        }
        let found = match named {
            Some(name) => {
                let mut edits = self.named(name, || format!("parameter `{}`", param.name))?;
                if undecayed {
                    append(&mut edits, UNDECAYED);
                }
                if edits == group.edits {
                    return Ok(());
                }
                name
            }
            None => RESERVED[UNDECAYED],
        };
        Err(Error::GroupChanged { name: param.name.into(), known: group.name.to_string(), found: found.into() })
    }

    fn edit(&self, name: &str) -> Option<usize> {
        self.edits.iter().position(|edit| edit.name == name)
    }

    fn unknown(&self, by: String, group: &str) -> Error {
        let known: Vec<_> = self.edits.iter().map(|edit| format!("`{}`", edit.name)).collect();
        Error::UnknownGroup { by, group: group.into(), known: known.join(", ") }
    }

    /// Returns the selectors that have matched no parameter of an ended step or registration,
    /// with their groups.
    pub(crate) fn without_match(&self) -> impl Iterator<Item = (&Selector, &str)> {
        self.with(&[Matched::Never, Matched::Fresh])
    }

    /// Returns the selectors that have matched no parameter, not even in the present step.
    pub(crate) fn without_match_now(&self) -> impl Iterator<Item = (&Selector, &str)> {
        self.with(&[Matched::Never])
    }

    fn with(&self, matched: &'static [Matched]) -> impl Iterator<Item = (&Selector, &str)> {
        let such = self.selectors.iter().filter(|assigned| matched.contains(&assigned.matched));
        such.map(|assigned| (&assigned.selector, &*self.edits[assigned.edit].name))
    }

    /// Keeps what selectors have matched in this step.
    pub(crate) fn accept(&mut self) {
        self.settle(Matched::Yes);
    }

    /// Counts the selectors of this group as matched: a parameter has come into it with a state.
    pub(crate) fn match_all(&mut self, place: usize) {
        let edits = &self.groups[place].edits;
        for assigned in self.selectors.iter_mut().filter(|assigned| edits.contains(&assigned.edit)) {
            assigned.matched = Matched::Yes;
        }
    }

    /// Forgets what selectors have matched in a step that has failed. Groups that were made for its
    /// new names stay, without a parameter, and are not shown.
    pub(crate) fn rollback(&mut self) {
        self.settle(Matched::Never);
    }

    fn settle(&mut self, now: Matched) {
        for assigned in self.selectors.iter_mut().filter(|assigned| assigned.matched == Matched::Fresh) {
            assigned.matched = now;
        }
    }

    /// Brings all groups back to the moment after `build`.
    pub(crate) fn reset(&mut self) {
        let Self { groups, base, edits, .. } = self;
        groups.iter_mut().for_each(|group| group.reset(settings_of(base, edits, &group.edits)));
        for assigned in &mut self.selectors {
            assigned.matched = Matched::Never;
        }
    }
}

/// Returns the settings that these edits make, by their places.
fn settings_of(base: &Member, all: &[Edit], edits: &[usize]) -> Member {
    edits.iter().fold(base.clone(), |member, &edit| (all[edit].change)(member))
}

/// Adds an edit at the end, where it overrides those before it. An edit that is there already
/// moves to the end.
fn append(edits: &mut Vec<usize>, edit: usize) {
    edits.retain(|&known| known != edit);
    edits.push(edit);
}

impl<T: Real> std::ops::Index<usize> for Groups<T> {
    type Output = Group<T>;
    fn index(&self, place: usize) -> &Group<T> {
        &self.groups[place]
    }
}

impl<T: Real> std::ops::IndexMut<usize> for Groups<T> {
    fn index_mut(&mut self, place: usize) -> &mut Group<T> {
        &mut self.groups[place]
    }
}
