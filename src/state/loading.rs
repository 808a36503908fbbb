//! What becomes of a state that does not fit the optimizer that imports it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::State;

/// What an import does about differences between a state and the optimizer: none is allowed, some
/// are, or all; and which parameters have been renamed.
///
/// Everything is compared before anything is changed. A difference that is not allowed refuses the
/// import ([`Error::StateDiffers`](crate::Error::StateDiffers)), one that is allowed is reported by
/// [`Loaded`]:
///
/// | aspect | differs | if it is allowed |
/// |---|---|---|
/// | [`Optimizer`](Aspect::Optimizer) | the optimizer's name | columns that both have are taken |
/// | [`Setting`](Aspect::Setting) | a setting of the optimizer or of a group, or a group | the settings here stay |
/// | [`Group`](Aspect::Group) | the group of a parameter | the parameter is in the group it has here |
/// | [`Missing`](Aspect::Missing) | a parameter is known here, and not in the state | it stays as it is here |
/// | [`Unexpected`](Aspect::Unexpected) | a parameter is in the state, and not known here | it is left out |
/// | [`Shape`](Aspect::Shape) | the shape or length of a parameter | it stays as it is here, or is left out |
/// | [`Type`](Aspect::Type) | the type of a parameter's numbers | it stays as it is here, or is left out |
/// | [`Column`](Aspect::Column) | a column of a parameter, or its length | columns that agree are taken, others start anew (all do where those that agree are less than an eighth of the numbers) |
///
/// Parameters are known here once they were [registered](crate::Optimizer::register) or in a step.
/// Into an optimizer that knows none, all those of the state come, in the groups that they have
/// there, whatever selectors say: then nothing can be missing. So register first, and a layer without
/// its state is noticed. [`State::lent`] lets you try a strict import first, and then another one.
///
/// A learning rate that was set by hand is part of the state, and no setting: it counts after the
/// import, until [`resume_schedule`](crate::Optimizer::resume_schedule).
///
/// ```
/// use wane::state::Loading;
/// use wane::{AdamW, Error, Optimizer, Param};
///
/// let mut old = AdamW::new(1e-3).build()?;
/// old.step(&mut [Param::new("encoder.weight", &mut [1.0_f32], &[0.5])])?;
/// let state = old.export();
///
/// let mut new = AdamW::new(5e-4).build()?;
/// new.register(&[Param::without_grad("enc.weight", &mut [1.0_f32])])?;
/// let loading = Loading::strict().rename_prefix("encoder.", "enc.");
/// let error = new.import(state.clone(), &loading).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "the state does not fit: setting `learning_rate`: 0.001 in the state, 5e-4 here"
/// );
/// let loaded = new.import(state, &loading.allow_setting("learning_rate"))?;
/// assert_eq!((loaded.parameters(), loaded.differences().len()), (1, 1));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    allowed: BTreeSet<Aspect>,
    settings: BTreeSet<String>,
    groups: Groups,
    names: BTreeMap<String, String>,
    prefixes: Vec<(String, String)>,
}

/// Whose groups parameters are in that are known already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Groups {
    #[default]
    Here,
    OfState,
}

/// In what a state and an optimizer may differ; see the table at [`Loading`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Aspect {
    /// The optimizer's name.
    Optimizer,
    /// A setting of the optimizer or of a group, or a group as such.
    Setting,
    /// The group of a parameter.
    Group,
    /// A parameter that the state lacks.
    Missing,
    /// A parameter that is not known here.
    Unexpected,
    /// The shape or the length of a parameter.
    Shape,
    /// The type of a parameter's numbers.
    Type,
    /// A column of a parameter, or its length.
    Column,
}

impl Aspect {
    const ALL: [Self; 8] =
        [Self::Optimizer, Self::Setting, Self::Group, Self::Missing, Self::Unexpected, Self::Shape, Self::Type, Self::Column];
}

impl Loading {
    /// Allows no difference.
    #[must_use]
    pub fn strict() -> Self {
        Self::default()
    }

    /// Allows every difference: takes what fits.
    #[must_use]
    pub fn lenient() -> Self {
        Self { allowed: Aspect::ALL.into(), ..Self::default() }
    }

    /// Allows differences of this aspect as well.
    #[must_use]
    pub fn allow(mut self, aspect: Aspect) -> Self {
        self.allowed.insert(aspect);
        self
    }

    /// Allows another value of this setting, of the optimizer and of all groups: `learning_rate`,
    /// `weight_decay`, `betas` ...
    #[must_use]
    pub fn allow_setting(mut self, setting: impl Into<String>) -> Self {
        self.settings.insert(setting.into());
        self
    }

    /// Puts parameters that are known already into the groups that they have in the state, as
    /// [`assign`](crate::Optimizer::assign) would: for a run that moves them between groups.
    #[must_use]
    pub fn groups_of_state(mut self) -> Self {
        self.groups = Groups::OfState;
        self
    }

    /// Gives the state of the parameter `from` to the parameter `to`.
    #[must_use]
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.names.insert(from.into(), to.into());
        self
    }

    /// Puts `to` where a name begins with `from`: for a layer, with all that is in it. A rename of
    /// the whole name counts before it, and of several prefixes that fit the first.
    #[must_use]
    pub fn rename_prefix(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.prefixes.push((from.into(), to.into()));
        self
    }

    /// Renames the parameters of a state.
    pub(crate) fn rename_all(&self, state: &mut State<'_>) {
        for parameter in &mut state.parameters {
            if let Some(name) = self.renamed(&parameter.name) {
                parameter.name = name;
            }
        }
    }

    fn renamed(&self, name: &str) -> Option<String> {
        let by_prefix = |(from, to): &(String, String)| Some(format!("{to}{}", name.strip_prefix(&**from)?));
        self.names.get(name).cloned().or_else(|| self.prefixes.iter().find_map(by_prefix))
    }

    /// Splits differences into those that are allowed and those that are not.
    pub(crate) fn judge(&self, differences: Vec<Difference>) -> (Vec<Difference>, Vec<Difference>) {
        differences.into_iter().partition(|difference| self.allows(difference))
    }

    fn allows(&self, Difference { aspect, what, .. }: &Difference) -> bool {
        self.allowed.contains(aspect) || *aspect == Aspect::Setting && self.settings.contains(what)
    }

    pub(crate) fn groups(&self) -> Groups {
        self.groups
    }
}

/// One difference between a state and the optimizer that imports it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// In what they differ.
    pub aspect: Aspect,
    /// The parameter or the group; empty for the whole optimizer.
    pub name: String,
    /// The setting or the column, where it is about one.
    pub what: String,
    /// What the state has.
    pub state: Option<String>,
    /// What the optimizer has.
    pub here: Option<String>,
}

impl Difference {
    /// Makes a difference of something that both may have.
    pub(crate) fn new<S: ToString, H: ToString>(
        aspect: Aspect,
        name: &str,
        what: &str,
        state: Option<S>,
        here: Option<H>,
    ) -> Self {
        let (state, here) = (state.map(|text| text.to_string()), here.map(|text| text.to_string()));
        Self { aspect, name: name.into(), what: what.into(), state, here }
    }

    /// Makes a difference about a parameter that only one of both has.
    pub(crate) fn absent(aspect: Aspect, parameter: &str) -> Self {
        Self { aspect, name: parameter.into(), what: String::new(), state: None, here: None }
    }
}

/// Tells the thing, and its value on both sides.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { aspect, name, what, state, here } = self;
        let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".into());
        match aspect {
            Aspect::Missing => return write!(f, "parameter `{name}` is missing in the state"),
            Aspect::Unexpected => return write!(f, "parameter `{name}` of the state is not known here"),
            Aspect::Optimizer => write!(f, "optimizer")?,
            Aspect::Setting if name.is_empty() => write!(f, "setting `{what}`")?,
            Aspect::Setting if what.is_empty() => write!(f, "group `{name}`")?,
            Aspect::Setting => write!(f, "setting `{what}` of group `{name}`")?,
            Aspect::Group => write!(f, "group of parameter `{name}`")?,
            Aspect::Shape => write!(f, "shape of parameter `{name}`")?,
            Aspect::Type => write!(f, "type of column `{what}` of parameter `{name}`")?,
            Aspect::Column => write!(f, "column `{what}` of parameter `{name}`")?,
        }
        write!(f, ": {} in the state, {} here", side(state), side(here))
    }
}

/// What an import has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub(crate) parameters: usize,
    pub(crate) differences: Vec<Difference>,
}

impl Loaded {
    /// Returns how many parameters have come from the state.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Returns the differences that there were, all of them allowed.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }
}

/// A line for the count, and one for each difference.
impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} parameters from the state", self.parameters)?;
        self.differences.iter().try_for_each(|difference| write!(f, "\n{difference}"))
    }
}
