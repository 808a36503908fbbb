//! A file that takes the place of another one when it is whole.
//!
//! ```text
//! sweep      what killed processes have left: nobody holds its lock
//! create     a sibling, locked
//! write      the caller
//! sync       the disk has it
//! rename     the old file is replaced in one moment
//! sync       the disk has that as well
//! ```

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

const SUFFIX: &str = ".wane-partial";

/// How many random letters stand before it.
const LETTERS: usize = 6;

/// A file that is removed unless it replaces another one.
pub(super) struct Partial {
    pub(super) file: NamedTempFile,
    folder: Folder,
}

impl Partial {
    /// Makes an empty file in the folder of `path`.
    pub(super) fn beside(path: &Path) -> Result<Self> {
        let name = path.file_name().ok_or(ErrorKind::InvalidFilename)?;
        let prefix = [OsStr::new("."), name, OsStr::new(".")].join(OsStr::new(""));
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = Folder::open(parent)?;
        sweep(parent, &prefix);
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(LETTERS);
        // As any new file, by the user's mask; private files are this crate's default.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        loop {
            let file = builder.tempfile_in(parent)?;
            // Where there are no locks, nothing is swept either.
            let _ = file.as_file().lock();
            // Another process may have swept it before it was locked.
            if file.path().exists() {
                return Ok(Self { file, folder });
            }
        }
    }

    /// Takes the place of `path`.
    pub(super) fn replace(self, path: &Path) -> Result<()> {
        if let Ok(old) = fs::metadata(path) {
            self.file.as_file().set_permissions(old.permissions())?;
        }
        self.file.as_file().sync_all()?;
        self.file.persist(path).map_err(|failed| failed.error)?;
        self.folder.sync()
    }
}

/// A folder whose names the disk is to confirm. It is opened before anything is written, so that a
/// failure to do so comes early.
struct Folder {
    #[cfg(unix)]
    open: File,
}

#[cfg(unix)]
impl Folder {
    fn open(path: &Path) -> Result<Self> {
        Ok(Self { open: File::open(path)? })
    }

    fn sync(&self) -> Result<()> {
        match self.open.sync_all() {
            // Some file systems do not know it of folders.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
            result => result,
        }
    }
}

/// Folders are not files here.
#[cfg(not(unix))]
impl Folder {
    fn open(_: &Path) -> Result<Self> {
        Ok(Self {})
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }
}

/// Removes what was made here by processes that are gone.
fn sweep(folder: &Path, prefix: &OsStr) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        // A pipe of such a name would have to be waited for.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_partial(&entry.file_name(), prefix) {
            continue;
        }
        // The lock is held until the name is gone, so that nobody takes it in between.
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            // The save that is to come does not depend on it.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_partial(name: &OsStr, prefix: &OsStr) -> bool {
    let inner = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
    let inner = inner.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    inner.is_some_and(|letters| letters.len() == LETTERS && letters.iter().all(u8::is_ascii_alphanumeric))
}
