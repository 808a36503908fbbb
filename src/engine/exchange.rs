//! The way of an optimizer's memory out of it and back; see [`crate::state`].
//!
//! ```text
//! rename, check     the state by itself: names, shapes, numbers
//! fit               optimizer, settings, parameters: every difference is written down, and judged
//! take              counts, averages, parameters one by one                (the only part that writes)
//! ```

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Engine;
use super::group::Group;
use super::groups::{RESERVED, UNDECAYED};
use super::hyperparameters::Setting;
use super::run::Run;
use super::slot::{Slot, check_kind};
use super::state::{State as Columns, check_finite};
use crate::clip::NonFinite;
use crate::decay::Decay;
use crate::error::{Error, Result};
use crate::float::Real;
use crate::kernel::column::Matrices;
use crate::number::Number;
use crate::param::{ParamInfo, SLICE, Shape};
use crate::state::{
    Aspect, Column, Difference, FORMAT, GroupState, Groups as Whose, Loaded, Loading, ParameterState, SettingTexts, State,
    same_setting,
};

/// What becomes of a state: the run, the average of each group, the group of each parameter that is
/// taken, and the differences.
struct Fit {
    run: Run,
    averages: Vec<f64>,
    places: Vec<Option<usize>>,
    differences: Vec<Difference>,
}

impl<T: Real> Engine<T> {
    /// Lends everything that the next step depends on.
    pub(crate) fn lend(&self) -> State<'_> {
        let slots = self.slots.by_birth();
        let members = self.slots.members(self.groups.len());
        let groups = self.groups.iter().zip(members).filter(|(group, members)| group.is_defined() || *members > 0);
        State {
            format: FORMAT,
            crate_version: env!("CARGO_PKG_VERSION").into(),
            optimizer: self.run.name.into(),
            completed_steps: self.run.completed,
            learning_rate: self.run.manual,
            settings: texts(self.run.list()),
            groups: groups.map(|(group, _)| GroupState::of(group)).collect(),
            parameters: slots.iter().map(|slot| self.lend_slot(slot)).collect(),
        }
    }

    pub(crate) fn lend_parameter(&self, name: &str) -> Option<ParameterState<'_>> {
        self.slots.get(name).map(|slot| self.lend_slot(slot))
    }

    fn lend_slot<'a>(&'a self, slot: &'a Slot<T>) -> ParameterState<'a> {
        let of_rule = slot.state.columns.iter().filter(|_| slot.has_state());
        let of_rule = of_rule.map(|column| Column::new(column.name, slot.state.get(column.name).unwrap_or_default()));
        let of_decay = slot.memory.columns.iter();
        let of_decay = of_decay.map(|column| Column::new(column.name, slot.memory.get(column.name).unwrap_or_default()));
        ParameterState {
            name: slot.name.to_string(),
            shape: slot.shape.map(|shape| shape.axes().into()),
            len: slot.len,
            group: self.groups[slot.group].name.to_string(),
            steps: slot.t,
            gradient_bound: Some(slot.ceiling.gradient).filter(|bound| bound.is_finite()),
            columns: of_rule.chain(of_decay).collect(),
        }
    }

    /// Takes a state, if all of it fits or what does not is allowed; else nothing has changed.
    pub(crate) fn take(&mut self, mut state: State<'_>, loading: &Loading) -> Result<Loaded> {
        loading.rename_all(&mut state);
        state.check()?;
        let Fit { run, averages, places, differences } = self.without_new_groups(|engine| engine.fit(&state, loading))?;

        self.run = run;
        self.groups.iter_mut().zip(averages).for_each(|(group, average)| group.take(average));
        let parameters = places.iter().flatten().count();
        for (parameter, place) in state.parameters.into_iter().zip(places) {
            if let Some(place) = place {
                self.take_slot(parameter, place);
            }
        }
        self.reserve_groups();
        Ok(Loaded { parameters, differences })
    }

    /// Takes the state of one parameter, if all of it fits.
    pub(crate) fn take_parameter(&mut self, parameter: ParameterState<'_>) -> Result<()> {
        parameter.check(0)?;
        let others = self.slots.len() - usize::from(self.slots.get(&parameter.name).is_some());
        if others > 0 && (parameter.name == SLICE || self.slots.get(SLICE).is_some()) {
            return Err(Error::SliceAmongNames { name: parameter.name });
        }
        let place = self.without_new_groups(|engine| {
            let mut differences = Vec::new();
            match engine.compare_fit(&parameter, Whose::Here, &mut differences)? {
                Some(place) if differences.is_empty() => Ok(place),
                _ => Err(Error::StateDiffers { differences }),
            }
        })?;
        self.take_slot(parameter, place);
        self.reserve_groups();
        Ok(())
    }

    /// Does what may make groups; where it fails, these are gone.
    fn without_new_groups<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let before = self.groups.len();
        let result = work(self);
        if result.is_err() {
            self.groups.truncate(before);
        }
        result
    }

    fn take_slot(&mut self, parameter: ParameterState<'_>, place: usize) {
        let settings = &self.groups[place].settings;
        self.slots.awaited(&info(&parameter), place, settings).take(parameter, place, settings);
        self.groups.match_all(place);
    }

    /// Compares all of a state, and works out what becomes of it here.
    fn fit(&mut self, state: &State<'_>, loading: &Loading) -> Result<Fit> {
        let mut differences = self.compare_settings(state);
        let places = state.parameters.iter().map(|parameter| self.compare(parameter, loading.groups(), &mut differences));
        let places = places.collect::<Result<_>>()?;
        differences.extend(self.missing(state));
        let (differences, refused) = loading.judge(differences);
        if !refused.is_empty() {
            return Err(Error::StateDiffers { differences: refused });
        }
        let run = self.run.resumed(state);
        let in_state: HashMap<_, _> = state.groups.iter().map(|group| (&*group.name, group)).collect();
        let average = |group: &Group<T>| {
            let from = in_state.get(&*group.name).filter(|from| remembers_the_same(from, group));
            let average = from.map_or_else(|| group.average(), |from| from.average);
            group.check_at(&run, average).map(|()| average)
        };
        let averages = self.groups.iter().map(average).collect::<Result<_>>()?;
        Ok(Fit { run, averages, places, differences })
    }

    fn compare_settings(&self, state: &State<'_>) -> Vec<Difference> {
        let mut differences = Vec::new();
        if state.optimizer != self.run.name {
            differences.push(Difference::new(Aspect::Optimizer, "", "", Some(&state.optimizer), Some(self.run.name)));
        }
        compare_texts("", &state.settings, &texts(self.run.list()), &mut differences);
        let here: HashMap<_, _> = self.groups.iter().map(|group| (&*group.name, group)).collect();
        let in_state: HashSet<_> = state.groups.iter().map(|group| &*group.name).collect();
        let with_parameters: BTreeSet<_> = state.parameters.iter().map(|parameter| &*parameter.group).collect();
        // Every optimizer has the group `undecayed`: it matters where it has parameters.
        let matters = |name: &str| *name != *RESERVED[UNDECAYED] || with_parameters.contains(name);
        let only = |name: &str, state: Option<&str>, here: Option<&str>| Difference::new(Aspect::Setting, name, "", state, here);
        for group in state.groups.iter().filter(|group| matters(&group.name)) {
            match here.get(&*group.name) {
                Some(known) => compare_group_settings(group, known, &mut differences),
                None if self.groups.is_joined(&group.name) => {}
                None => differences.push(only(&group.name, Some("defined"), None)),
            }
        }
        let defined = self.groups.iter().filter(|group| group.is_defined()).map(|group| &*group.name);
        let joined = with_parameters.iter().copied().filter(|name| self.groups.is_joined(name));
        let news = defined.chain(joined).filter(|name| matters(name) && !in_state.contains(name));
        differences.extend(news.map(|name| only(name, None, Some("defined"))));
        differences
    }

    fn missing(&self, state: &State<'_>) -> Vec<Difference> {
        let in_state: HashSet<_> = state.parameters.iter().map(|parameter| &*parameter.name).collect();
        let missing = self.slots.by_birth().into_iter().filter(|slot| !in_state.contains(&*slot.name));
        missing.map(|slot| Difference::absent(Aspect::Missing, &slot.name)).collect()
    }

    /// Compares the state of a parameter with what is known here, and returns the place of its group
    /// unless it stays out.
    fn compare(
        &mut self,
        parameter: &ParameterState<'_>,
        groups: Whose,
        differences: &mut Vec<Difference>,
    ) -> Result<Option<usize>> {
        if self.slots.len() > 0 && self.slots.get(&parameter.name).is_none() {
            differences.push(Difference::absent(Aspect::Unexpected, &parameter.name));
            return Ok(None);
        }
        self.compare_fit(parameter, groups, differences)
    }

    fn compare_fit(
        &mut self,
        parameter: &ParameterState<'_>,
        groups: Whose,
        differences: &mut Vec<Difference>,
    ) -> Result<Option<usize>> {
        let place = self.compare_group(parameter, groups, differences)?;
        if self.differs_in_shape(parameter, differences) || differs_in_type::<T>(parameter, differences) {
            return Ok(None);
        }
        let group = &self.groups[place];
        // Where the shape is not known here, it is the state's.
        let shape = self.slots.get(&parameter.name).and_then(|slot| slot.shape.as_ref()).map(Shape::axes);
        let shape = shape.or(parameter.shape.as_deref());
        check_kind(&ParamInfo::new(&parameter.name, shape, parameter.len), &group.settings.options)?;
        compare_columns(parameter, shape, group, differences);
        if self.run.non_finite != NonFinite::Propagate {
            for Column { name, numbers } in &parameter.columns {
                check_finite(&parameter.name, name, numbers.get::<T>().unwrap_or_default())?;
            }
        }
        Ok(Some(place))
    }

    /// Returns the place of the group that a parameter has here, or that the state gives it.
    fn compare_group(
        &mut self,
        parameter: &ParameterState<'_>,
        groups: Whose,
        differences: &mut Vec<Difference>,
    ) -> Result<usize> {
        let place = match (self.slots.get(&parameter.name), groups) {
            (Some(slot), Whose::Here) => slot.group,
            (known, _) => match (self.groups.find(&parameter.group, &self.run), known) {
                (Err(Error::UnknownGroup { .. }), Some(slot)) => slot.group,
                (Err(Error::UnknownGroup { .. }), None) => self.groups.chosen(&info(parameter), &self.run)?,
                (named, _) => named?,
            },
        };
        let here = &self.groups[place].name;
        if **here != *parameter.group {
            differences.push(Difference::new(Aspect::Group, &parameter.name, "", Some(&parameter.group), Some(here)));
        }
        Ok(place)
    }

    fn differs_in_shape(&self, parameter: &ParameterState<'_>, differences: &mut Vec<Difference>) -> bool {
        let Some(slot) = self.slots.get(&parameter.name) else { return false };
        let here = slot.shape.as_ref().map(|shape| shape.axes());
        // A shape that only one side knows is no difference.
        let other_shape = here.is_some_and(|here| parameter.shape.as_ref().is_some_and(|shape| *here != **shape));
        let differs = other_shape || slot.len != parameter.len;
        if differs {
            let text = |shape: Option<&[usize]>, len: usize| format!("{:?}", shape.unwrap_or(&[len]));
            let (state, here) = (text(parameter.shape.as_deref(), parameter.len), text(here, slot.len));
            differences.push(Difference::new(Aspect::Shape, &parameter.name, "", Some(state), Some(here)));
        }
        differs
    }
}

fn differs_in_type<T: Real>(parameter: &ParameterState<'_>, differences: &mut Vec<Difference>) -> bool {
    let here = std::any::type_name::<T>();
    let other = parameter.columns.iter().find(|column| column.numbers.get::<T>().is_none());
    differences.extend(other.map(|Column { name, numbers }| {
        Difference::new(Aspect::Type, &parameter.name, name, Some(numbers.type_name()), Some(here))
    }));
    other.is_some()
}

/// Compares the columns with those that the optimizer and the decay of this group have. Before the
/// first update the optimizer's are not there yet.
fn compare_columns<T: Real>(
    parameter: &ParameterState<'_>,
    shape: Option<&[usize]>,
    group: &Group<T>,
    differences: &mut Vec<Difference>,
) {
    let of = shape.map_or(Matrices::of(&[parameter.len]), Matrices::of);
    let of_rule = Columns::<T>::new(&group.settings.options, of);
    let of_decay = Columns::<T>::of_decay(&group.settings.decay, of);
    let begun = parameter.steps > 0 || of_rule.lengths().any(|(name, _)| parameter.column(name).is_some());
    let known: Vec<_> = of_rule.lengths().filter(|_| begun).chain(of_decay.lengths()).collect();
    // What starts anew in the next step has no numbers: all columns of the decay, or of the optimizer.
    let starts_anew = of_rule.lengths().all(|(name, _)| parameter.column(name).is_some_and(|column| column.numbers.is_empty()));
    let is_of_decay = |name: &str| of_decay.lengths().any(|(own, _)| own == name);
    let is_awaited = |name: &str, found: usize| found == 0 && (starts_anew || is_of_decay(name));
    let mut differs = |name: &str, state: Option<usize>, here: Option<usize>| {
        let [state, here] = [state, here].map(|len| len.map(|len| format!("{len} numbers")));
        differences.push(Difference::new(Aspect::Column, &parameter.name, name, state, here));
    };
    for &(name, len) in &known {
        let found = parameter.column(name).map(|column| column.numbers.len());
        if found != Some(len) && !found.is_some_and(|found| is_awaited(name, found)) {
            differs(name, found, Some(len));
        }
    }
    for Column { name, numbers } in &parameter.columns {
        if known.iter().all(|(known, _)| known != name) {
            differs(name, Some(numbers.len()), None);
        }
    }
}

impl GroupState {
    fn of<T: Real>(group: &Group<T>) -> Self {
        Self { name: group.name.to_string(), settings: texts(group.settings.list()), average: group.average() }
    }
}

/// Returns whether a group of the state remembers a strength of the units that the group has here.
fn remembers_the_same<T: Real>(state: &GroupState, here: &Group<T>) -> bool {
    let strength = |decay: &Decay| decay.parts().2;
    let decay = state.settings.get("weight_decay").and_then(|text| text.parse().ok());
    here.is_adaptive() && decay.is_some_and(|decay| strength(&decay).is_alike(strength(&here.settings.decay)))
}

fn info<'a>(parameter: &'a ParameterState<'_>) -> ParamInfo<'a> {
    ParamInfo::new(&parameter.name, parameter.shape.as_deref(), parameter.len)
}

fn texts(list: Vec<Setting>) -> SettingTexts {
    list.into_iter().map(|(name, text)| (name.into(), text)).collect()
}

/// Compares a group of the state with the one of its name here.
fn compare_group_settings<T: Real>(state: &GroupState, here: &Group<T>, differences: &mut Vec<Difference>) {
    compare_texts(&state.name, &state.settings, &texts(here.settings.list()), differences);
    if state.average > 0.0 && !here.is_adaptive() {
        let average = Some(Number(state.average));
        differences.push(Difference::new(Aspect::Setting, &state.name, "average", average, None::<&str>));
    }
}

/// Writes down in which settings both sides differ.
fn compare_texts(group: &str, state: &SettingTexts, here: &SettingTexts, differences: &mut Vec<Difference>) {
    let names = state.keys().chain(here.keys().filter(|&name| !state.contains_key(name)));
    for name in names {
        let sides = [state.get(name), here.get(name)];
        if !same_setting(sides[0], sides[1]) {
            differences.push(Difference::new(Aspect::Setting, group, name, sides[0], sides[1]));
        }
    }
}
