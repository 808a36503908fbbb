//! What holds of everything that was read.

use wane_gallery::data::{CLASSES, DataError, Source};

/// Data are as their documentation says, and an error has a place and an expectation.
pub(crate) fn check(read: Result<Source, DataError>) {
    match read {
        Ok(Source { train, .. }) => {
            assert!(train.len() > 0 && train.len() == train.images.nrows());
            assert!(train.images.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
            assert!(train.labels.iter().all(|&label| label < CLASSES));
        }
        Err(error) => assert!(error.to_string().contains(": expected "), "{error}"),
    }
}
