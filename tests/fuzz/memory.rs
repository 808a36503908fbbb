//! A bound on memory: how many bytes a piece of work asks the allocator for, in all.

#[path = "../common/counting.rs"]
#[expect(unsafe_code, reason = "a global allocator is an unsafe trait")]
mod counting;

use std::cell::Cell;

// What the present thread asks for, so that tests may run side by side.
thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    // A thread that is ending has no counter any more, and no work either.
    let _ = BYTES.try_with(|sum| sum.set(sum.get().wrapping_add(bytes)));
}

/// Returns what `work` does, which must not ask for more than `most` bytes, those that it gives back included.
pub(crate) fn bounded<R>(most: usize, work: impl FnOnce() -> R) -> R {
    let before = BYTES.get();
    let result = work();
    let bytes = BYTES.get().wrapping_sub(before);
    assert!(bytes <= most, "{bytes} bytes, where {most} are enough");
    result
}
