//! What is worked out before a run, against closed forms and against runs of the optimizers themselves.

mod common;
mod plan {
    mod contributions;
    mod equilibrium;
    mod rounding;
    mod scaling;
    mod tails;
    mod units;

    use wane::Error;

    /// Asserts that an error says that this setting is out of range.
    #[track_caller]
    fn out_of_range<R: std::fmt::Debug>(result: Result<R, Error>, name: &str) {
        let error = result.expect_err(name);
        assert!(matches!(error, Error::OutOfRange { setting, .. } if setting == name), "{error}, not {name}");
    }

    /// Asserts that an error says that this contradicts something.
    #[track_caller]
    fn conflict<R: std::fmt::Debug>(result: Result<R, Error>, name: &str) {
        let error = result.expect_err(name);
        assert!(matches!(error, Error::Conflict { setting, .. } if setting == name), "{error}, not {name}");
    }
}
