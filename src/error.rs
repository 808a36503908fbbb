//! The one error type of the crate.

use std::path::PathBuf;

use crate::number::Number;
use crate::state::Difference;

/// The most axes of a shape that are kept.
pub(crate) const MAX_RANK: usize = 8;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong: the thing by name, its value, and what is allowed. Nothing has changed when a
/// step returns one.
///
/// ```
/// use wane::{AdamW, Error, Optimizer};
///
/// let error = AdamW::new(1e-3).betas(0.9, 1.0).build::<f32>().unwrap_err();
/// assert_eq!(error.to_string(), "beta2 = 1 is out of range: it must be in [0, 1)");
///
/// let mut opt = AdamW::new(1e-3).build()?;
/// let error = opt.step_slice(&mut [1.0_f32; 3], &[0.5; 2]).unwrap_err();
/// assert!(matches!(error, Error::GradientLength { weights: 3, gradients: 2, .. }));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting is NaN, infinite or outside its range.
    #[error("{setting} = {} is out of range: it must be {allowed}", Number(*value))]
    OutOfRange {
        /// The setting's name.
        setting: &'static str,
        /// The value it was given.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Two settings contradict each other.
    #[error("{setting} needs {needs}, and {found} was given")]
    Conflict {
        /// The setting that asks for something.
        setting: &'static str,
        /// What it asks for.
        needs: &'static str,
        /// What was given instead.
        found: String,
    },
    /// A decay that this combination of penalty, place and strength does not give; see the table at
    /// [`Decay`](crate::Decay).
    #[error("the decay `{decay}` does not exist: {reason}")]
    NoSuchDecay {
        /// The decay's text form.
        decay: String,
        /// Why there is none, and what to use.
        reason: &'static str,
    },
    /// Something in a group's settings is wrong.
    #[error("in group `{group}`: {error}")]
    InGroup {
        /// The group's name.
        group: String,
        /// What is wrong there.
        error: Box<Self>,
    },
    /// A number that a step works out for a parameter is no number of the weights' type.
    #[error("in parameter `{parameter}`: {error}")]
    InParameter {
        /// The parameter's name.
        parameter: String,
        /// What is wrong there.
        error: Box<Self>,
    },
    /// A group was defined twice, or under a name that every optimizer has already.
    #[error("group `{group}` is defined already; `default` and `undecayed` belong to every optimizer")]
    GroupExists {
        /// The group's name.
        group: String,
    },
    /// A selector or a parameter names a group that was not defined.
    #[error("{by} names the group `{group}`, which is not defined; there are: {known}")]
    UnknownGroup {
        /// The selector or parameter that names it.
        by: String,
        /// The name of the group.
        group: String,
        /// The groups that exist.
        known: String,
    },
    /// A selector matches no parameter of the first step, and
    /// [selectors are strict](crate::Settings::strict_selectors).
    #[error("the selector `{selector}`, which assigns to the group `{group}`, matches no parameter")]
    SelectorWithoutMatch {
        /// The selector.
        selector: String,
        /// The group that it assigns to.
        group: String,
    },
    /// A text form could not be read.
    #[error("`{text}` is not a {what}: expected {expected}")]
    Parse {
        /// What it should have been.
        what: &'static str,
        /// The text.
        text: String,
        /// What would be understood.
        expected: String,
    },
    /// A parameter has no name.
    #[error("the parameter at position {position} has an empty name")]
    EmptyName {
        /// Its position in the step.
        position: usize,
    },
    /// A name that no step and no registration has seen.
    #[error("there is no parameter `{name}`")]
    UnknownParameter {
        /// The name.
        name: String,
    },
    /// A parameter has no such column of state, or it is not of this length.
    #[error("parameter `{name}` has no column `{column}` of {found} numbers; it has: {known}")]
    NoSuchColumn {
        /// The parameter.
        name: String,
        /// The column that was asked for.
        column: String,
        /// How many numbers were given for it.
        found: usize,
        /// The columns that it has, with their lengths.
        known: String,
    },
    /// A number of a column of state is infinite or NaN.
    #[error("number {index} of column `{column}` of parameter `{name}` is {value}: state is finite")]
    NonFiniteState {
        /// The parameter.
        name: String,
        /// The column.
        column: String,
        /// The number's position in the column.
        index: usize,
        /// The number.
        value: f64,
    },
    /// A parameter has two columns of one name in a state.
    #[error("the column `{column}` of parameter `{name}` stands twice in the state")]
    DuplicateColumn {
        /// The parameter.
        name: String,
        /// The column.
        column: String,
    },
    /// A state has a layout that this version of the crate does not know.
    #[error("the state has format {found}, and this version reads formats up to {known}")]
    StateFormat {
        /// The format of the state.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// A state does not fit the optimizer that was to import it, in a way that its
    /// [`Loading`](crate::state::Loading) does not allow.
    #[error("the state does not fit: {}", listed(differences))]
    StateDiffers {
        /// All differences that are not allowed.
        differences: Vec<Difference>,
    },
    /// A file of state could not be read or written.
    #[error("{doing} `{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was being done: `reading`, `writing`.
        doing: &'static str,
        /// What kind of failure it was.
        kind: std::io::ErrorKind,
        /// What the operating system said.
        error: String,
    },
    /// A file holds no state, or a damaged one.
    #[error("`{}` holds no whole state: {reason}", path.display())]
    NoState {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A name stands twice in one step or state.
    #[error("the name `{name}` stands twice")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// `step_slice` and named parameters were mixed in one optimizer.
    #[error(
        "`{name}` cannot join: a slice and named parameters never share an optimizer; use named parameters only, or an optimizer for each slice"
    )]
    SliceAmongNames {
        /// The name that came second.
        name: String,
    },
    /// Weights and gradients of a parameter differ in length.
    #[error("parameter `{name}` has {weights} weights and {gradients} gradients")]
    GradientLength {
        /// The parameter.
        name: String,
        /// Its number of weights.
        weights: usize,
        /// Its number of gradients.
        gradients: usize,
    },
    /// A parameter has another length than when it was first seen.
    #[error("parameter `{name}` has length {found}, and had length {known} before; `forget` it first if it is a new one")]
    LengthChanged {
        /// The parameter.
        name: String,
        /// Its length in the steps before.
        known: usize,
        /// Its length now.
        found: usize,
    },
    /// A parameter's shape does not multiply to its length.
    #[error("parameter `{name}` has shape {shape:?}, which is not {len} weights")]
    ShapeLength {
        /// The parameter.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Its number of weights.
        len: usize,
    },
    /// A parameter has another shape than when it was first seen.
    #[error("parameter `{name}` has shape {found:?}, and had {} before; `forget` it first if it is a new one", shape(known))]
    ShapeChanged {
        /// The parameter.
        name: String,
        /// Its shape in the steps before, if it had one.
        known: Option<Vec<usize>>,
        /// Its shape now.
        found: Vec<usize>,
    },
    /// A parameter is resized to a shape whose axes are not those of the one before.
    #[error(
        "parameter `{name}` cannot be resized from {} to {}: only the lengths of its axes may change",
        shape(known),
        shape(found)
    )]
    AxesChanged {
        /// The parameter.
        name: String,
        /// Its shape before, if it had one.
        known: Option<Vec<usize>>,
        /// The shape asked for, if there is one.
        found: Option<Vec<usize>>,
    },
    /// A parameter has a shape that its optimizer or its decay cannot work on, or none where it needs one.
    #[error("parameter `{name}` has {}, and its {by} needs {needs}: give it to another one", shape(found))]
    ShapeRefused {
        /// The parameter.
        name: String,
        /// Its shape, if it has one.
        found: Option<Vec<usize>>,
        /// Who needs another one: the optimizer or the decay.
        by: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// A shape has more axes than the crate keeps.
    #[error("parameter `{name}` has {rank} axes: at most {MAX_RANK} are kept")]
    RankTooHigh {
        /// The parameter.
        name: String,
        /// Its number of axes.
        rank: usize,
    },
    /// A selector or a decay looks at the shape, and the parameter has none.
    #[error("the {by} needs the shape of parameter `{name}`, which was given without one")]
    ShapeNeeded {
        /// The parameter.
        name: String,
        /// What looks at it: the selector or the decay.
        by: String,
    },
    /// A parameter asks for another group than the one it is in.
    #[error("parameter `{name}` is in group `{known}` and now asks for group `{found}`; `assign` moves it")]
    GroupChanged {
        /// The parameter.
        name: String,
        /// The group it was put in when first seen.
        known: String,
        /// The group asked for now.
        found: String,
    },
    /// A decay towards a lent anchor, and the parameter lends none.
    #[error("parameter `{name}` lends no anchor, and the decay of its group `{group}` pulls towards one")]
    AnchorMissing {
        /// The parameter.
        name: String,
        /// Its group.
        group: String,
    },
    /// A lent anchor has another length than its parameter.
    #[error("parameter `{name}` has {weights} weights and an anchor of length {anchor}")]
    AnchorLength {
        /// The parameter.
        name: String,
        /// Its number of weights.
        weights: usize,
        /// The anchor's length.
        anchor: usize,
    },
    /// A lent mask has a flag neither for each weight nor for each row.
    #[error("parameter `{name}` has a mask of length {mask}: it must have {weights} flags, one for each weight, or {}", flags(*rows))]
    MaskLength {
        /// The parameter.
        name: String,
        /// The mask's length.
        mask: usize,
        /// The parameter's number of weights.
        weights: usize,
        /// Its number of rows, slices along the first axis, if it has a shape.
        rows: Option<usize>,
    },
    /// A gradient is NaN or infinite, or becomes so by the gradient factor.
    #[error("the gradient of parameter `{name}` at index {index} is {}, with the gradient factor {}", Number(*value), Number(*factor))]
    NonFiniteGradient {
        /// The parameter.
        name: String,
        /// The element's position.
        index: usize,
        /// The element as given.
        value: f64,
        /// The gradient factor of the step.
        factor: f64,
    },
    /// A lent anchor holds a NaN or an infinity.
    #[error("the anchor of parameter `{name}` at index {index} is {}", Number(*value))]
    NonFiniteAnchor {
        /// The parameter.
        name: String,
        /// The element's position.
        index: usize,
        /// The element.
        value: f64,
    },
    /// A finite gradient would make a number of the weights or the state infinite, or NaN.
    #[error("the step would leave no finite `{what}` of parameter `{name}` at index {index}, where the gradient is {}", Number(*gradient))]
    Overflow {
        /// The parameter.
        name: String,
        /// `weight`, or the column of the state.
        what: &'static str,
        /// The element's position.
        index: usize,
        /// The gradient there, as given.
        gradient: f64,
    },
    /// A norm that the step depends on is not finite.
    #[error("{norm} is {}", Number(*value))]
    NonFiniteNorm {
        /// Which norm, of what.
        norm: String,
        /// Its value.
        value: f64,
    },
    /// A decay would remove a share outside [0, 1) of each weight, in the step ahead or in one that
    /// schedules will reach.
    #[error(
        "the decay `{decay}` of group `{group}` would remove the share {} of each weight in step {step}: it must be in {allowed}", Number(*share)
    )]
    ShrinkOutOfRange {
        /// The group.
        group: String,
        /// The decay's text form.
        decay: String,
        /// The share s of a weight that is removed.
        share: f64,
        /// What is allowed.
        allowed: &'static str,
        /// The step, as a number of completed steps before it.
        step: u64,
    },
    /// A trust ratio makes a decay remove all of the weights or more.
    #[error(
        "the decay `{decay}` would remove the share {} of each weight of parameter `{name}` under the trust ratio {}: it must be in [0, 1)",
        Number(*share), Number(*ratio)
    )]
    ShrinkUnderTrust {
        /// The parameter.
        name: String,
        /// The decay's text form.
        decay: String,
        /// The trust ratio φ.
        ratio: f64,
        /// The share φ·s of a weight that is removed.
        share: f64,
    },
    /// An array is not laid out in memory as a slice in row-major order.
    #[error("the {role} of parameter `{name}` is not contiguous in row-major order (shape {shape:?}, strides {strides:?})")]
    NotRowMajor {
        /// The parameter.
        name: String,
        /// `value` or `gradient`.
        role: &'static str,
        /// The array's shape.
        shape: Vec<usize>,
        /// Its strides, in elements.
        strides: Vec<isize>,
    },
    /// The arrays of weights and gradients differ in shape.
    #[error("parameter `{name}` has shape {value:?} and a gradient of shape {gradient:?}")]
    GradientShape {
        /// The parameter.
        name: String,
        /// The shape of its value.
        value: Vec<usize>,
        /// The shape of its gradient.
        gradient: Vec<usize>,
    },
}

fn listed(differences: &[Difference]) -> String {
    let texts: Vec<_> = differences.iter().map(Difference::to_string).collect();
    texts.join("; ")
}

fn shape(known: &Option<Vec<usize>>) -> String {
    known.as_ref().map_or("no shape".into(), |shape| format!("shape {shape:?}"))
}

/// Says how many flags a mask of rows would have.
fn flags(rows: Option<usize>) -> String {
    rows.map_or("one for each row, which needs the shape".into(), |rows| format!("{rows}, one for each row"))
}

impl Error {
    pub(crate) fn conflict(setting: &'static str, needs: &'static str, found: impl Into<String>) -> Self {
        Self::Conflict { setting, needs, found: found.into() }
    }

    pub(crate) fn parse(what: &'static str, text: &str, expected: impl Into<String>) -> Self {
        Self::Parse { what, text: text.into(), expected: expected.into() }
    }

    pub(crate) fn in_group(self, group: &str) -> Self {
        match self {
            // It names the group already.
            Self::ShrinkOutOfRange { .. } => self,
            error => Self::InGroup { group: group.into(), error: Box::new(error) },
        }
    }

    pub(crate) fn in_parameter(self, parameter: &str) -> Self {
        Self::InParameter { parameter: parameter.into(), error: Box::new(self) }
    }
}

/// Checks that `value` is finite and fulfils `rule`.
pub(crate) fn in_range(setting: &'static str, value: f64, rule: bool, allowed: &'static str) -> Result<()> {
    if value.is_finite() && rule { Ok(()) } else { Err(Error::OutOfRange { setting, value, allowed }) }
}
