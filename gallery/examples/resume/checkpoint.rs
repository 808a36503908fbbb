//! Checkpoints: two files for each, the model's weights and the optimizer's state.
//!
//! The weights come first, and are on the disk before the state is begun. `State::save` makes its file appear whole or not at
//! all: a checkpoint is whole where its state is there.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use wane::{
    Optimizer,
    state::{Loading, State},
};
use wane_gallery::{
    figure::AnyError,
    mlp::{NAMES, Parameters},
};

/// How many whole checkpoints are kept.
const KEPT: usize = 2;

/// A folder of checkpoints.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

/// The steps of the checkpoints in a folder, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) whole: Vec<u64>,
    /// Weights without a state.
    pub(crate) half: Vec<u64>,
}

#[derive(Debug, thiserror::Error)]
#[error("{file}: {source}", file = file.display())]
pub(crate) struct FileError {
    file: PathBuf,
    source: AnyError,
}

fn failed<E: Into<AnyError>>(file: &Path) -> impl Fn(E) -> FileError {
    |error| FileError { file: file.to_owned(), source: error.into() }
}

impl Folder {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Makes the folder, without the checkpoints that it had.
    pub(crate) fn emptied(path: PathBuf) -> Result<Self, FileError> {
        fs::create_dir_all(&path).map_err(failed(&path))?;
        let folder = Self(path);
        let Found { whole, half } = folder.found()?;
        whole.iter().chain(&half).try_for_each(|&step| folder.remove(step))?;
        Ok(folder)
    }

    pub(crate) fn weights(&self, step: u64) -> PathBuf {
        self.0.join(format!("model-{step:06}.safetensors"))
    }

    pub(crate) fn state(&self, step: u64) -> PathBuf {
        self.0.join(format!("optimizer-{step:06}.safetensors"))
    }

    pub(crate) fn found(&self) -> Result<Found, FileError> {
        let names = fs::read_dir(&self.0).and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
        let names: Vec<_> = names.map_err(failed::<io::Error>(&self.0))?;
        let step = |name: &str| name.strip_prefix("model-")?.strip_suffix(".safetensors")?.parse().ok();
        let mut steps: Vec<u64> = names.iter().filter_map(|name| step(name.to_str()?)).collect();
        steps.sort_unstable();
        let (whole, half) = steps.into_iter().partition(|&step| self.state(step).exists());
        Ok(Found { whole, half })
    }

    /// Writes the weights, and waits until they are on the disk. The file may be torn by a kill: without its state it does not
    /// count.
    pub(crate) fn save_weights(&self, step: u64, params: &Parameters<f32>) -> Result<(), FileError> {
        let path = self.weights(step);
        let layers = params.views().map(|view| {
            let bytes: Vec<u8> = view.iter().flat_map(|x| x.to_le_bytes()).collect();
            (view.shape().to_vec(), bytes)
        });
        let tensors = layers.iter().map(|(shape, bytes)| TensorView::new(Dtype::F32, shape.clone(), bytes));
        let tensors = tensors.collect::<Result<Vec<_>, _>>().map_err(failed(&path))?;
        safetensors::serialize_to_file(NAMES.into_iter().zip(tensors), None, &path).map_err(failed(&path))?;
        File::options().write(true).open(&path).and_then(|file| file.sync_all()).map_err(failed(&path))
    }

    /// Writes the state: from then on the checkpoint is whole. What `save` makes durable is the folder too, with both files.
    pub(crate) fn save_state(&self, step: u64, optimizer: &dyn Optimizer<f32>) -> Result<(), wane::Error> {
        optimizer.export().save(self.state(step))
    }

    pub(crate) fn load_weights(&self, step: u64, params: &mut Parameters<f32>) -> Result<(), FileError> {
        let path = self.weights(step);
        let bytes = fs::read(&path).map_err(failed(&path))?;
        let file = SafeTensors::deserialize(&bytes).map_err(failed(&path))?;
        for (name, mut view) in NAMES.into_iter().zip(params.views_mut()) {
            let tensor = file.tensor(name).map_err(failed(&path))?;
            if (tensor.dtype(), tensor.shape()) != (Dtype::F32, view.shape()) {
                return Err(failed(&path)(format!("`{name}` is not an f32 tensor of shape {:?}", view.shape())));
            }
            let (words, _) = tensor.data().as_chunks();
            view.iter_mut().zip(words).for_each(|(x, &word)| *x = f32::from_le_bytes(word));
        }
        Ok(())
    }

    pub(crate) fn load_state(&self, step: u64, optimizer: &mut dyn Optimizer<f32>) -> Result<(), wane::Error> {
        optimizer.import(State::load(self.state(step))?, &Loading::strict())?;
        Ok(())
    }

    /// Removes what is older than the checkpoints that are kept.
    pub(crate) fn tidy(&self) -> Result<(), FileError> {
        let Found { whole, half } = self.found()?;
        let Some(&oldest) = whole.get(whole.len().saturating_sub(KEPT)) else { return Ok(()) };
        whole.iter().chain(&half).filter(|&&step| step < oldest).try_for_each(|&step| self.remove(step))
    }

    /// The state first: weights alone are no checkpoint, so what a kill leaves here is never taken for one.
    fn remove(&self, step: u64) -> Result<(), FileError> {
        for path in [self.state(step), self.weights(step)].iter().filter(|path| path.exists()) {
            fs::remove_file(path).map_err(failed(path))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files, empty ones.
    fn folder(models: &[u64], states: &[u64]) -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(place.path().to_owned());
        let paths = models.iter().map(|&step| folder.weights(step)).chain(states.iter().map(|&step| folder.state(step)));
        for path in paths.chain([place.path().join("notes.txt")]) {
            File::create(path).expect("a file");
        }
        (place, folder)
    }

    fn found(folder: &Folder) -> (Vec<u64>, Vec<u64>) {
        let Found { whole, half } = folder.found().expect("a folder");
        (whole, half)
    }

    #[test]
    fn a_checkpoint_is_whole_with_its_state() {
        let (_place, folder) = folder(&[9, 10, 100, 1_000_000], &[10, 1_000_000]);
        assert_eq!(found(&folder), (vec![10, 1_000_000], vec![9, 100]));
    }

    #[test]
    fn the_newest_two_are_kept_and_what_may_still_become_whole() {
        let (place, folder) = folder(&[10, 20, 25, 30, 40, 50], &[10, 20, 30, 40]);
        folder.tidy().expect("files can be removed");
        assert_eq!(found(&folder), (vec![30, 40], vec![50]));
        assert!(!folder.state(10).exists() && place.path().join("notes.txt").exists());
    }

    #[test]
    fn an_emptied_folder_has_no_checkpoints_and_keeps_the_rest() {
        let (place, _) = folder(&[10, 20], &[10]);
        let folder = Folder::emptied(place.path().to_owned()).expect("a folder");
        assert_eq!(found(&folder), (vec![], vec![]));
        assert!(!folder.state(10).exists() && place.path().join("notes.txt").exists());
    }
}
