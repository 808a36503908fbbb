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
    let (effort, chosen) = Effort::asked_for();
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
