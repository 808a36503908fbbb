//! The training: digits, a small network, and an optimizer whose next step depends on more than the weights.

use ndarray::Array2;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use wane::{AdamW, Anchor, Clip, Decay, Optimizer, Schedule, Selector, Stepper};
use wane_gallery::{
    data::{CLASSES, Dataset, Source},
    figure::AnyError,
    mlp::{Layers, Mlp},
};

use crate::{
    checkpoint::Folder,
    cli::{Options, Restore},
    moment::{Moment, Report},
};

const HIDDEN: usize = 32;
const BATCH: usize = 32;
const TRAIN_SIZE: usize = 1000;

/// Independent streams of random numbers from one seed; those of the steps come behind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Weights,
    Kills,
    Steps,
}

pub(crate) struct Training {
    options: Options,
    data: Dataset,
    pub(crate) net: Mlp<f32>,
    pub(crate) optimizer: Stepper<AdamW, f32>,
    /// Completed steps.
    step: u64,
}

impl Training {
    pub(crate) fn new(options: &Options) -> Result<Self, AnyError> {
        let data = Source::digits()?.split(TRAIN_SIZE, 0.0, options.seed)?.train;
        let layers = Layers { inputs: data.features(), hidden: HIDDEN, classes: CLASSES };
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(Stream::Weights as u64);
        let net = Mlp::new(layers, BATCH, &mut rng);
        Ok(Self { options: options.clone(), data, net, optimizer: optimizer(options.steps)?, step: 0 })
    }

    /// Goes on from the newest whole checkpoint, if there is one.
    pub(crate) fn restore(&mut self, folder: &Folder) -> Result<(), AnyError> {
        if let Some(&step) = folder.found()?.whole.last() {
            folder.load_weights(step, &mut self.net.params)?;
            if self.options.restore == Restore::All {
                // Known parameters first: one whose state is missing is then noticed.
                self.optimizer.register(&self.net.params())?;
                folder.load_state(step, &mut self.optimizer)?;
            }
            self.step = step;
        }
        Ok(())
    }

    /// Trains to the end, with a checkpoint every few steps. `report` hears of every moment at which a kill may come.
    pub(crate) fn run(
        &mut self,
        folder: &Folder,
        mut report: impl FnMut(Report) -> Result<(), AnyError>,
    ) -> Result<(), AnyError> {
        while self.step < self.options.steps {
            let loss = self.take_step()?;
            report(Report { moment: Moment::stepped(self.step), loss })?;
            if self.options.is_saved(self.step) {
                folder.save_weights(self.step, &self.net.params)?;
                report(Report { moment: Moment::half_saved(self.step), loss })?;
                folder.save_state(self.step, &self.optimizer)?;
                folder.tidy()?;
            }
        }
        Ok(())
    }

    fn take_step(&mut self) -> Result<f64, wane::Error> {
        let (images, labels) = self.batch();
        let loss = self.net.loss_and_gradients(images.view(), &labels);
        self.optimizer.step(&mut self.net.params())?;
        self.step += 1;
        Ok(loss)
    }

    /// The images of the next step depend on the seed and the step alone: a generator that is carried from step to step would be
    /// one more thing to save.
    fn batch(&self) -> (Array2<f32>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.options.seed);
        rng.set_stream(Stream::Steps as u64 + self.step);
        let rows: Vec<_> = (0..BATCH).map(|_| rng.random_range(0..self.data.len())).collect();
        let images = self.data.images.select(ndarray::Axis(0), &rows);
        (images, rows.into_iter().map(|row| self.data.labels[row]).collect())
    }
}

/// Beside the moments, the state has the place in a schedule, and anchors: the first weights of a layer, long gone when a process
/// is resumed.
fn optimizer(steps: u64) -> Result<Stepper<AdamW, f32>, wane::Error> {
    AdamW::new(0.01)
        .lr_schedule(Schedule::warmup_cosine(steps / 10, steps, 0.01))
        .clip(Clip::GlobalNorm(1.0))
        .weight_decay(Decay::decoupled(0.1))
        .group("near the start", |s| s.weight_decay(Decay::decoupled(0.5).towards(Anchor::Start)))
        .group("no decay", |s| s.weight_decay(Decay::none()))
        .assign("near the start", Selector::name_starts_with("fc1."))
        .assign("no decay", Selector::vectors())
        .build()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use tempfile::TempDir;

    use super::*;
    use crate::report::Comparison;

    /// Trains 10 steps with a checkpoint every 3, and ends at each of these moments to go on.
    fn train(kills: &[Moment], arguments: &[&str]) -> (TempDir, Folder) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::emptied(place.path().to_owned()).expect("a folder");
        let options = Options::parse_from(["resume", "--steps", "10", "--every", "3"].iter().chain(arguments));
        for kill in kills.iter().map(Some).chain([None]) {
            let mut training = Training::new(&options).expect("a training");
            training.restore(&folder).expect("a checkpoint");
            let ended = training.run(&folder, |report| if Some(&report.moment) == kill { Err("killed".into()) } else { Ok(()) });
            assert_eq!(ended.is_err(), kill.is_some());
        }
        (place, folder)
    }

    fn ends_as_the_undisturbed_one(kills: &[Moment], arguments: &[&str]) -> bool {
        let ((_whole_place, whole), (_place, resumed)) = (train(&[], &[]), train(kills, arguments));
        Comparison::of(&whole, &resumed, 10).expect("both have ended").is_equal()
    }

    #[test]
    fn a_resumed_training_ends_with_the_same_bits() {
        let kills = [Moment::stepped(2), Moment::stepped(5), Moment::half_saved(6), Moment::stepped(8), Moment::half_saved(10)];
        assert!(ends_as_the_undisturbed_one(&kills, &[]));
    }

    #[test]
    fn without_its_state_it_does_not() {
        assert!(!ends_as_the_undisturbed_one(&[Moment::stepped(8)], &["--restore", "weights"]));
    }

    #[test]
    fn other_seeds_have_other_images() {
        assert!(!ends_as_the_undisturbed_one(&[], &["--seed", "1"]));
    }
}
