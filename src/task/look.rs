//! A task as its law looks at the whole of it.

use super::{Desk, Task, tiles};
use crate::float::Real;
use crate::kernel::column::Matrices;
use crate::kernel::tile::{self, Keep, Scratch};
use crate::kernel::{Level, Moved, Whole, reduce};

/// A task as its law looks at the whole of it.
pub(crate) struct Look<'l, 'a, T: Real> {
    pub(crate) task: &'l Task<'a, T>,
    pub(crate) of: Matrices,
    pub(crate) desk: &'l mut Desk<T>,
}

impl<T: Real> Whole<T> for Look<'_, '_, T> {
    fn level(&self) -> Level {
        self.task.level
    }

    fn of(&self) -> Matrices {
        self.of
    }

    fn norm(&self) -> f64 {
        reduce::squared_distance(self.task.level, self.task.x, self.task.anchor).norm()
    }

    fn weights(&mut self, each: &mut dyn FnMut(&[T])) {
        let (task, d) = (self.task, &mut self.desk.tile.d);
        for tile in tiles(task.x.len()) {
            let x = &task.x[tile.clone()];
            if task.anchor.is_empty() {
                each(x);
            } else {
                let d = &mut d[..tile.len()];
                tile::distance(task.level, x, &task.anchor[tile], d);
                each(d);
            }
        }
    }

    fn gradients(&mut self, each: &mut dyn FnMut(&[T])) {
        let Scratch { d, g, .. } = &mut *self.desk.tile;
        for tile in tiles(self.task.x.len()) {
            let x = &self.task.x[tile.clone()];
            each(self.task.seen().gradient(x, tile.clone(), &mut d[..tile.len()], g));
        }
    }

    fn moves(&mut self, each: &mut dyn FnMut(Moved<'_, T>)) {
        let task = self.task;
        for tile in tiles(task.x.len()) {
            let n = tile.len();
            task.moves(tile.clone(), &mut self.desk.tile, Keep::Directions);
            let Scratch { d, g, moves, r, .. } = &mut *self.desk.tile;
            let before = if task.anchor.is_empty() { &task.x[tile.clone()] } else { &d[..n] };
            let g = if task.seen().is_given() { &task.g[tile] } else { &g[..n] };
            let after = &mut r[..n];
            after.copy_from_slice(before);
            tile::descend_all(task.level, after, moves, task.rate);
            each(Moved { before, g, u: &moves.u[..n], after });
        }
    }
}
