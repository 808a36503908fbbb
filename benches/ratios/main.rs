//! A step against its limit, in ratios: both run by turns in one process, so that what the machine does to one it does to the other.
//!
//! `cargo bench --bench ratios` prints the tables of `benches/README.md`; `-- limits overhead` picks some of the sections;
//! without `--bench` (as in `cargo test --benches`), and with `--quick` or `--test`, every part runs once and no number means anything.

#[path = "../support/mod.rs"]
mod support;

mod duel;
mod laws;
mod limits;
mod linear;
mod overhead;
mod report;
mod threads;

use duel::Effort;

fn main() {
    let (flags, chosen): (Vec<String>, Vec<String>) = std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let has = |flag: &str| flags.iter().any(|given| given == flag);
    let effort = if has("--bench") && !has("--quick") && !has("--test") { Effort::FULL } else { Effort::ONCE };
    println!("CPU level {}; every number is a median, with its quartiles in brackets", wane::Level::best());
    for (name, section) in SECTIONS {
        if chosen.is_empty() || chosen.iter().any(|wanted| wanted == name) {
            section(effort);
        }
    }
}

type Section = fn(Effort);

const SECTIONS: [(&str, Section); 6] = [
    ("limits", limits::optimizers),
    ("divider", limits::divider),
    ("overhead", overhead::tensors),
    ("linear", linear::costs),
    ("laws", laws::watch),
    ("threads", threads::speed_up),
];
