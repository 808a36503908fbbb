//! Strengths that find themselves, each against its equations in plain f64.

mod common;
mod strengths {
    mod cpr;
    mod engine;
    mod given;
    mod stable;
    mod tuned;
}
