//! Selectors: which parameter belongs to which group.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::param::ParamInfo;

/// Which parameters belong to a group.
///
/// | selector | matches |
/// |---|---|
/// | [`vectors`](Self::vectors)`()` | shapes with at most one axis longer than 1: biases and gains, also as \[1, C, 1, 1\] |
/// | [`rank_below`](Self::rank_below)`(n)` | shapes of fewer than n axes |
/// | [`transformer_undecayed`](Self::transformer_undecayed)`()` | biases, norms and embeddings of transformers, by their usual names |
/// | [`name_starts_with`](Self::name_starts_with)`(prefix)` | by the beginning of the name |
/// | [`name_ends_with`](Self::name_ends_with)`(suffix)` | by the end of the name |
/// | [`when`](Self::when)`(label, predicate)` | whatever you say; the label is printed |
///
/// Selectors are applied once, when a name is first seen. The edits of all groups whose selectors
/// match are applied in the order of [`assign`](crate::Settings::assign), so that later ones
/// override earlier ones: a parameter that is in `head` and in `no decay` is in the group
/// `head + no decay`, which has both edits. `vectors` and `rank_below` are an error for a parameter
/// that was given without a shape.
///
/// [`Description::notes`](crate::Description::notes) lists selectors that have matched nothing so
/// far; [`Settings::strict_selectors`](crate::Settings::strict_selectors) makes that an error.
///
/// ```
/// use wane::{AdamW, Decay, Optimizer, Param, Selector};
///
/// let mut opt = AdamW::new(1e-3)
///     .group("no decay", |s| s.weight_decay(Decay::none()))
///     .group("head", |s| s.lr_factor(10.0))
///     .assign("head", Selector::name_starts_with("head."))
///     .assign("no decay", Selector::name_ends_with(".bias"))
///     .assign("no decay", Selector::when("norm layers", |p| p.name().contains("norm")))
///     .build()?;
/// opt.step(&mut [Param::new("fc.bias", &mut [0.5_f32], &[0.1]), Param::new("head.bias", &mut [0.5], &[0.1])])?;
/// let table = opt.describe();
/// assert_eq!(table.params()[0].group(), "no decay");
/// assert_eq!(table.params()[1].group(), "head + no decay");
/// # Ok::<(), wane::Error>(())
/// ```
#[derive(Clone)]
pub struct Selector(Test);

#[derive(Clone)]
enum Test {
    Vectors,
    RankBelow(usize),
    TransformerUndecayed,
    StartsWith(String),
    EndsWith(String),
    When(String, Arc<dyn Fn(&ParamInfo<'_>) -> bool + Send + Sync>),
}

impl Selector {
    /// Matches shapes with at most one axis longer than 1, whatever their rank.
    #[must_use]
    pub fn vectors() -> Self {
        Self(Test::Vectors)
    }

    /// Matches what transformers usually leave undecayed, by the names that GPT-2, Llama, BERT, T5,
    /// ViT and similar models give: a last part `bias`; a part with `norm` in it, or `ln` by itself
    /// or before a digit or `_`; a part with `embed` in it (but for `patch_embed`, a projection),
    /// or `wte`, `wpe`, `cls_token`. Parts are separated by `.` or `/`, and case does not matter.
    /// No shape is needed.
    ///
    /// nanoGPT decays its embeddings; for that, use [`vectors`](Self::vectors).
    #[must_use]
    pub fn transformer_undecayed() -> Self {
        Self(Test::TransformerUndecayed)
    }

    /// Matches shapes of fewer than `rank` axes.
    #[must_use]
    pub fn rank_below(rank: usize) -> Self {
        Self(Test::RankBelow(rank))
    }

    /// Matches names that begin with `prefix`.
    #[must_use]
    pub fn name_starts_with(prefix: impl Into<String>) -> Self {
        Self(Test::StartsWith(prefix.into()))
    }

    /// Matches names that end with `suffix`.
    #[must_use]
    pub fn name_ends_with(suffix: impl Into<String>) -> Self {
        Self(Test::EndsWith(suffix.into()))
    }

    /// Matches parameters for which `predicate` is true; `label` stands for it in
    /// errors and tables.
    #[must_use]
    pub fn when<F>(label: impl Into<String>, predicate: F) -> Self
    where
        F: Fn(&ParamInfo<'_>) -> bool + Send + Sync + 'static,
    {
        Self(Test::When(label.into(), Arc::new(predicate)))
    }

    pub(crate) fn matches(&self, param: &ParamInfo<'_>) -> Result<bool> {
        let needed = || Error::ShapeNeeded { name: param.name().into(), by: format!("selector `{self}`") };
        Ok(match &self.0 {
            Test::Vectors => param.shape().ok_or_else(needed)?.iter().filter(|&&axis| axis > 1).count() <= 1,
            Test::RankBelow(rank) => param.shape().ok_or_else(needed)?.len() < *rank,
            Test::TransformerUndecayed => is_undecayed_in_transformers(param.name()),
            Test::StartsWith(prefix) => param.name().starts_with(prefix.as_str()),
            Test::EndsWith(suffix) => param.name().ends_with(suffix.as_str()),
            Test::When(_, predicate) => predicate(param),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Test::Vectors => f.write_str("vectors"),
            Test::TransformerUndecayed => f.write_str("biases, norms and embeddings"),
            Test::RankBelow(rank) => write!(f, "rank below {rank}"),
            Test::StartsWith(prefix) => write!(f, "name starts with {prefix}"),
            Test::EndsWith(suffix) => write!(f, "name ends with {suffix}"),
            Test::When(label, _) => f.write_str(label),
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Selector({self})")
    }
}

fn is_undecayed_in_transformers(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let parts = || name.split(['.', '/']);
    let is_layer_norm = |part: &str| {
        let after = part.strip_prefix("ln").map(|rest| rest.chars().next());
        after.is_some_and(|next| next.is_none_or(|c| c == '_' || c.is_ascii_digit()))
    };
    parts().next_back() == Some("bias")
        || parts().any(|part| part.contains("norm") || is_layer_norm(part))
        || parts().any(|part| part.contains("embed") && part != "patch_embed")
        || parts().any(|part| ["wte", "wpe", "cls_token"].contains(&part))
}
