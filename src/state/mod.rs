//! The state of an optimizer as plain data: everything that the next step depends on.
//!
//! [`Optimizer::export`](crate::Optimizer::export) lends it, [`Optimizer::import`](crate::Optimizer::import)
//! takes it back, in this process or in a later one. A run that is exported and imported at any
//! step goes on with the same bits as one that was not. [`guide::checkpoints`](crate::guide::checkpoints)
//! has the lines that a training program needs.
//!
//! | what | where |
//! |---|---|
//! | k, the completed steps, which schedules count | [`State::completed_steps`] |
//! | a learning rate set by hand | [`State::learning_rate`] |
//! | what an adaptive or tuned decay remembers of its group | [`GroupState::average`] |
//! | t, a parameter's own updates | [`ParameterState::steps`] |
//! | moments, buffers, running products, captured anchors, running averages | [`ParameterState::columns`] |
//! | settings of the optimizer and of each group | [`State::settings`], [`GroupState::settings`] |
//!
//! Settings are in the state to be compared, not to be applied: the optimizer that imports has its
//! own, made by the program. [`Loading`] says what becomes of a difference. Weights are not part of
//! the state: they are yours, and are saved beside it.
//!
//! Not in the state, because no bit depends on it: the CPU level, threads, statuses, and the order
//! in which parameters are given.

mod column;
#[cfg(feature = "safetensors")]
mod file;
mod loading;
#[cfg(feature = "safetensors")]
mod partial;

use std::collections::{BTreeMap, HashSet};

pub use column::{Column, Numbers};
pub(crate) use loading::Groups;
pub use loading::{Aspect, Difference, Loaded, Loading};

use crate::error::{Error, MAX_RANK, Result, in_range};
use crate::param::SLICE;

/// The version of the layout of [`State`], which a file carries. Files of older versions load.
pub const FORMAT: u32 = 1;

/// Settings by name, as text: `weight_decay` is `decoupled:0.1`, `betas` is `0.9 0.999`.
pub type SettingTexts = BTreeMap<String, String>;

/// Everything that the next step of an optimizer depends on, beside the weights.
///
/// It borrows the numbers of the optimizer that it comes from: an export copies none.
/// [`into_owned`](Self::into_owned) makes it independent. With the feature `safetensors` there are
/// `save` and `load`; with the feature `serde` it can be written in any format of serde. (JSON has no
/// infinities, and `serde_json` reads back what it has written only with its feature
/// `float_roundtrip`.)
///
/// ```
/// use wane::state::Loading;
/// use wane::{AdamW, Optimizer};
///
/// let (mut w, grad) = ([1.0_f32, -2.0], [0.5, 0.25]);
/// let mut first = AdamW::new(1e-3).build()?;
/// first.step_slice(&mut w, &grad)?;
/// let state = first.export().into_owned();
/// let mut resumed = w;
/// first.step_slice(&mut w, &grad)?;
///
/// let mut second = AdamW::new(1e-3).build()?;
/// second.import(state, &Loading::strict())?;
/// second.step_slice(&mut resumed, &grad)?;
/// assert_eq!(resumed, w);
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct State<'a> {
    /// The version of this layout, [`FORMAT`].
    pub format: u32,
    /// The version of the crate that made it.
    pub crate_version: String,
    /// What the optimizer is called in tables: `adamw`, `sgd` ...
    pub optimizer: String,
    /// k, the completed steps.
    pub completed_steps: u64,
    /// The learning rate that was set by hand, if one was; finite, at least 0.
    pub learning_rate: Option<f64>,
    /// The settings of the whole optimizer.
    pub settings: SettingTexts,
    /// The groups that are defined or have parameters.
    pub groups: Vec<GroupState>,
    /// The parameters, in the order in which their names were first seen.
    pub parameters: Vec<ParameterState<'a>>,
}

/// A group's settings, and what its decay remembers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct GroupState {
    /// The group's name.
    pub name: String,
    /// Its settings: its decay, its factor on the learning rate, the optimizer's own.
    pub settings: SettingTexts,
    /// What its decay has found of its strength, see
    /// [`decay_strength`](crate::Optimizer::decay_strength): λ̄ of [`Decay::adaptive`](crate::Decay::adaptive),
    /// λ of [`Decay::tuned`](crate::Decay::tuned), p/√v̄ of [`Decay::stable`](crate::Decay::stable); 0 for other
    /// decays; finite, at least 0.
    pub average: f64,
}

/// What is kept for one parameter.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct ParameterState<'a> {
    /// Its name.
    pub name: String,
    /// The lengths of its axes, if they are known; at most 8, and their product is `len`.
    pub shape: Option<Vec<usize>>,
    /// How many weights it has.
    pub len: usize,
    /// The name of its group.
    pub group: String,
    /// t, its own updates so far.
    pub steps: u64,
    /// A bound on the gradients that the columns come from, as the optimizer saw them; at least 0.
    /// Where it is not known, all steps are rehearsed for overflow, which takes twice the time; else
    /// the first one is.
    pub gradient_bound: Option<f64>,
    /// Its columns; none before the first update.
    pub columns: Vec<Column<'a>>,
}

const AT_LEAST_0: &str = "a finite number, at least 0";

impl State<'_> {
    /// Lends all numbers once more: to import a state that is still needed afterwards.
    #[must_use]
    pub fn lent(&self) -> State<'_> {
        self.with_numbers(|numbers| numbers.lent())
    }

    /// Returns the same with other numbers.
    fn with_numbers<'a>(&'a self, numbers: impl Fn(&'a Numbers<'_>) -> Numbers<'a>) -> State<'a> {
        let column = |column: &'a Column<'_>| Column { name: column.name.clone(), numbers: numbers(&column.numbers) };
        let parameters = self.parameters.iter().map(|of| ParameterState {
            name: of.name.clone(),
            shape: of.shape.clone(),
            group: of.group.clone(),
            columns: of.columns.iter().map(column).collect(),
            ..*of
        });
        State {
            crate_version: self.crate_version.clone(),
            optimizer: self.optimizer.clone(),
            settings: self.settings.clone(),
            groups: self.groups.clone(),
            parameters: parameters.collect(),
            ..*self
        }
    }

    /// Copies all numbers that are borrowed, so that the state outlives its optimizer.
    #[must_use]
    pub fn into_owned(self) -> State<'static> {
        let parameters = self.parameters.into_iter().map(ParameterState::into_owned).collect();
        State { parameters, ..self }
    }

    /// Checks what can be seen without an optimizer: the version, names, shapes, averages.
    pub(crate) fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            return Err(Error::StateFormat { found: self.format, known: FORMAT });
        }
        let mut names = HashSet::with_capacity(self.parameters.len());
        for (position, parameter) in self.parameters.iter().enumerate() {
            parameter.check(position)?;
            let name = || parameter.name.clone();
            if !names.insert(&*parameter.name) {
                return Err(Error::DuplicateName { name: name() });
            }
            if parameter.name == SLICE && self.parameters.len() > 1 {
                return Err(Error::SliceAmongNames { name: name() });
            }
        }
        let mut groups = HashSet::with_capacity(self.groups.len());
        for GroupState { name, average, .. } in &self.groups {
            if !groups.insert(&**name) {
                return Err(Error::DuplicateName { name: name.clone() });
            }
            in_range("average of an adaptive decay", *average, *average >= 0.0, AT_LEAST_0)?;
        }
        let lr = self.learning_rate.unwrap_or(0.0);
        in_range("learning rate", lr, lr >= 0.0, AT_LEAST_0)
    }
}

impl<'a> ParameterState<'a> {
    /// Makes the state of a parameter that has not been updated: without a shape, in the group
    /// `default`, whatever selectors say. All fields can be set. A parameter that has been
    /// [registered](crate::Optimizer::register) has the group and the shape that it has there; the
    /// group must be said here too.
    ///
    /// ```
    /// use wane::state::{Column, ParameterState};
    /// use wane::{Optimizer, Sgd};
    ///
    /// let mut state = ParameterState::new("w", 2);
    /// (state.steps, state.columns) = (7, vec![Column::new("momentum_buffer", vec![0.5_f32, -1.0])]);
    /// let mut opt = Sgd::new(1.0).momentum(0.5).build()?;
    /// opt.import_parameter(state)?;
    /// let mut w = [0.0_f32; 2];
    /// opt.step(&mut [wane::Param::new("w", &mut w, &[0.0; 2])])?;
    /// assert_eq!((w, opt.steps_of("w")), ([-0.25, 0.5], Some(8)));
    /// # Ok::<(), wane::Error>(())
    /// ```
    #[must_use]
    pub fn new(name: impl Into<String>, len: usize) -> Self {
        let (name, group) = (name.into(), "default".into());
        Self { name, shape: None, len, group, steps: 0, gradient_bound: None, columns: Vec::new() }
    }

    /// Copies all numbers that are borrowed, so that the state outlives its optimizer.
    #[must_use]
    pub fn into_owned(self) -> ParameterState<'static> {
        let columns = self.columns.into_iter().map(Column::into_owned).collect();
        ParameterState { columns, ..self }
    }

    /// Returns a column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column<'a>> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(crate) fn check(&self, position: usize) -> Result<()> {
        let name = || self.name.clone();
        if self.name.is_empty() {
            return Err(Error::EmptyName { position });
        }
        if let Some(shape) = &self.shape {
            if shape.len() > MAX_RANK {
                return Err(Error::RankTooHigh { name: name(), rank: shape.len() });
            }
            if product(shape) != Some(self.len) {
                return Err(Error::ShapeLength { name: name(), shape: shape.clone(), len: self.len });
            }
        }
        let mut columns = HashSet::with_capacity(self.columns.len());
        match self.columns.iter().find(|column| !columns.insert(&*column.name)) {
            Some(column) => Err(Error::DuplicateColumn { name: name(), column: column.name.clone() }),
            None => Ok(()),
        }
    }
}

/// Returns whether two texts of a setting mean the same: they are equal, or equal number by number,
/// however these are written. A setting that is off may be left out.
pub(crate) fn same_setting(state: Option<&String>, here: Option<&String>) -> bool {
    let [state, here] = [state, here].map(|text| text.map_or("off", String::as_str));
    let numbers = |text: &str| text.split_whitespace().map(|word| word.parse::<f64>().ok()).collect::<Option<Vec<_>>>();
    state == here || numbers(state).is_some_and(|state| Some(state) == numbers(here))
}

/// Returns the product of these axes, if it fits; 0 if one of them is 0.
fn product(axes: &[usize]) -> Option<usize> {
    if axes.contains(&0) { Some(0) } else { axes.iter().try_fold(1_usize, |len, &axis| len.checked_mul(axis)) }
}
