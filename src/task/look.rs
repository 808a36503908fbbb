//! A task as its law looks at the whole of it.

use super::{Desk, Task, tiles};
use crate::float::Real;
use crate::kernel::tile::{self, Scratch};
use crate::kernel::{Level, Whole};

/// A task as its law looks at the whole of it.
pub(crate) struct Look<'l, 'a, T: Real> {
    pub(crate) task: &'l Task<'a, T>,
    /// The number of weights in a row.
    pub(crate) row: usize,
    pub(crate) desk: &'l mut Desk<T>,
}

impl<T: Real> Whole<T> for Look<'_, '_, T> {
    fn level(&self) -> Level {
        self.task.level
    }

    fn row(&self) -> usize {
        self.row
    }

    fn gradients(&mut self, each: &mut dyn FnMut(&[T])) {
        let Scratch { d, g, .. } = &mut *self.desk.tile;
        for tile in tiles(self.task.x.len()) {
            let x = &self.task.x[tile.clone()];
            each(self.task.seen().gradient(x, tile.clone(), &mut d[..tile.len()], g));
        }
    }

    fn updated(&mut self, each: &mut dyn FnMut(&[T])) {
        let task = self.task;
        for tile in tiles(task.x.len()) {
            let x = &task.x[tile.clone()];
            task.moves(tile.clone(), &mut self.desk.tile);
            let Scratch { d, moves, .. } = &mut *self.desk.tile;
            let d = &mut d[..tile.len()];
            if task.anchor.is_empty() {
                d.copy_from_slice(x);
            }
            tile::descend_all(task.level, d, moves, task.rate);
            each(d);
        }
    }
}
