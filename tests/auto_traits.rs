//! `Send`, `Sync` and their like are part of what a public type promises: a type that loses one does not compile here.
//!
//! A type without `UnwindSafe` holds closures of the user or an optimizer that calls them, or lends weights to be written.

#![allow(dead_code, reason = "it is enough that it compiles")]

use std::collections::BTreeSet;
use std::panic::{RefUnwindSafe, UnwindSafe};

use wane::*;

/// Makes functions that compile if each type has its traits, and a list of the types.
macro_rules! auto_traits {
    ($($type:ty: $($auto:ident)+;)+) => {
        const TYPES: &[&str] = &[$(stringify!($type)),+];

        fn have_their_auto_traits() {
            $($({
                fn has<X: $auto + ?Sized>() {}
                has::<$type>();
            })+)+
        }
    };
}

auto_traits! {
    Adafactor: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Adagrad: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Adam: Send Sync Unpin UnwindSafe RefUnwindSafe;
    AdamW: Send Sync Unpin UnwindSafe RefUnwindSafe;
    AdjustLr: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Anchor: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Clip: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Decay: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Description: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Error: Send Sync Unpin UnwindSafe RefUnwindSafe;
    GroupRow: Send Sync Unpin UnwindSafe RefUnwindSafe;
    GroupScope: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Kappa: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Lamb: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Level: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Lion: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Muon: Send Sync Unpin UnwindSafe RefUnwindSafe;
    NAdam: Send Sync Unpin UnwindSafe RefUnwindSafe;
    NonFinite: Send Sync Unpin UnwindSafe RefUnwindSafe;
    OptimizerScope<AdamW>: Send Sync Unpin;
    Param<'_, f32>: Send Sync Unpin RefUnwindSafe;
    ParamInfo<'_>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    ParamRow: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Penalty: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Slices: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Place: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Pool: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Report: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Schedule: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Selector: Send Sync Unpin;
    Settings<AdamW>: Send Sync Unpin;
    Settings<Muon, GroupScope>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Sgd: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Status: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Stepper<AdamW, f32>: Send Sync Unpin;
    Strength: Send Sync Unpin UnwindSafe RefUnwindSafe;
    TrustRatio: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Tuning: Send Sync Unpin UnwindSafe RefUnwindSafe;
    Untouched: Send Sync Unpin UnwindSafe RefUnwindSafe;
    plan::Contributions: Send Sync Unpin UnwindSafe RefUnwindSafe;
    plan::Equilibrium: Send Sync Unpin UnwindSafe RefUnwindSafe;
    plan::ScalingRule: Send Sync Unpin UnwindSafe RefUnwindSafe;
    plan::Tuned: Send Sync Unpin UnwindSafe RefUnwindSafe;
    plan::Units: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::Aspect: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::Column<'_>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::Difference: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::GroupState: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::Loaded: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::Loading: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::Numbers<'_>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::ParameterState<'_>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    state::State<'_>: Send Sync Unpin UnwindSafe RefUnwindSafe;
    dyn Optimizer<f32>: Send Sync;
    Box<dyn Optimizer<f32>>: Send Sync Unpin;
}

/// The structs and enums of the listing of the public API, which `tools/public_api.sh` keeps.
fn listed() -> BTreeSet<&'static str> {
    let lines = include_str!("../docs/public-api.txt").lines().map(|line| line.trim_start_matches("#[non_exhaustive] "));
    let kinds = |line: &'static str| ["pub struct wane::", "pub enum wane::"].iter().find_map(|kind| line.strip_prefix(kind));
    lines.filter_map(kinds).map(name).collect()
}

/// A type's name, without what it is made of.
fn name(of: &'static str) -> &'static str {
    of.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next().unwrap_or(of)
}

#[test]
fn no_public_type_is_forgotten() {
    let pinned: BTreeSet<_> = TYPES.iter().filter(|of| !of.contains("dyn ")).copied().map(name).collect();
    let listed = listed();
    assert!(listed.len() > 30, "{listed:?}");
    assert_eq!(pinned, listed, "types above, and types in docs/public-api.txt");
}
