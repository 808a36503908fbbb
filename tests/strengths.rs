//! Strengths that find themselves, each against its equations in plain f64.

mod common;
mod strengths {
    mod cpr;
    mod given;
    mod stable;
    mod tuned;
}
