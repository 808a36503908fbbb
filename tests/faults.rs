//! Files of state when things go wrong: processes that are killed, two that save to one path, disks that are full, folders that are read-only.
//!
//! The processes are real: this test program starts itself again, with what it is to do in its environment.
#![cfg(all(unix, feature = "safetensors"))]

mod common;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::data::noise;
use wane::state::State;
use wane::{AdamW, Error, Optimizer, Param};

/// What a child is to do: the file that it saves to.
const SAVES: &str = "WANE_TEST_SAVES";
const WEIGHTS: usize = 4_000;

/// A state that says in every number how many steps it has.
fn state(steps: u8) -> State<'static> {
    let mut opt = AdamW::new(0.0).betas(0.0, 0.0).build::<f32>().unwrap();
    let (mut w, grad) = (vec![0.0; WEIGHTS], vec![steps.into(); WEIGHTS]);
    for _ in 0..steps {
        opt.step(&mut [Param::new("w", &mut w, &grad)]).unwrap();
    }
    opt.export().into_owned()
}

/// Is it whole: one of the two states that are saved? Returns which.
fn check(path: &Path) -> usize {
    let state = State::load(path).unwrap_or_else(|error| panic!("{error}"));
    let steps = u8::try_from(state.completed_steps).unwrap();
    let columns = &state.parameters[0].columns;
    let all = |column: usize, number: u8| columns[column].numbers.get::<f32>().unwrap() == vec![f32::from(number); WEIGHTS];
    assert!((1..=2).contains(&steps) && all(0, steps) && all(1, steps * steps), "a state of two saves");
    (steps - 1).into()
}

/// What a child does: saves two states by turns, until it is killed or a save fails.
#[test]
fn child() {
    let Some(path) = env::var_os(SAVES) else { return };
    let states = [state(1), state(2)];
    println!("\nready");
    for state in states.iter().cycle() {
        if let Err(error) = state.save(&path) {
            let Error::File { kind, .. } = &error else { panic!("{error:?}") };
            println!("failed: {kind:?}");
            return;
        }
    }
}

/// A child that has begun to save; it is killed when it is dropped.
struct Saver {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Saver {
    fn start(path: &Path) -> Self {
        Self::run(Command::new(env::current_exe().unwrap()), path)
    }

    /// With a limit on the length of files, in blocks of 512 bytes.
    fn limited(path: &Path, blocks: u32) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("ulimit -f {blocks}; trap '' XFSZ; exec \"$0\" \"$@\"");
        shell.args(["-c", &script]).arg(env::current_exe().unwrap());
        Self::run(shell, path)
    }

    fn run(mut command: Command, path: &Path) -> Self {
        let command = command.args(["child", "--exact", "--nocapture"]).env(SAVES, path).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut saver = Self { said: BufReader::new(child.stdout.take().unwrap()), child };
        saver.hear("ready");
        saver
    }

    /// Waits until it says a line that begins so, and returns the rest.
    fn hear(&mut self, word: &str) -> String {
        for line in self.said.by_ref().lines() {
            if let Some(rest) = line.unwrap().strip_prefix(word) {
                return rest.into();
            }
        }
        panic!("the child has ended without `{word}`");
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        // SIGKILL.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Everything in a folder but this file.
fn litter(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|entry| entry != path).collect()
}

fn time_of_a_save(path: &Path) -> Duration {
    let (state, start) = (state(1), Instant::now());
    for _ in 0..16 {
        state.save(path).unwrap();
    }
    start.elapsed() / 16
}

/// At random moments; the file is the old one or the new one.
#[test]
fn a_killed_process_leaves_a_whole_file() {
    const KILLS: u64 = 500;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    state(1).save(&path).unwrap();
    let save = time_of_a_save(&path);
    let (mut found, mut cut) = ([0; 2], 0);
    for kill in 0..KILLS {
        let saver = Saver::start(&path);
        // Anywhere in the first four saves.
        sleep(save.mul_f64(2.0 * (1.0 + noise([7, kill, 0, 0]))));
        drop(saver);
        found[check(&path)] += 1;
        let left = litter(&path);
        assert!(left.len() <= 1, "each save sweeps what the one before has left: {left:?}");
        cut += left.len();
    }
    state(1).save(&path).unwrap();
    assert!(litter(&path).is_empty());
    let [one, other] = found;
    println!(
        "{KILLS} kills: {one} times the one state, {other} times the other, never another; {cut} were in the midst of a save"
    );
    assert!(one.min(other) > 25 && cut > 25, "kills come before, during and after saves");
}

/// A file that is being written has a lock, and others have other names.
#[test]
fn only_abandoned_parts_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let [path, owned, dead, other] = ["state", ".state.aaaaaa.wane-partial", ".state.bbbbbb.wane-partial", ".state.backup"]
        .map(|name| folder.path().join(name));
    for file in [&owned, &dead, &other] {
        fs::write(file, "a part").unwrap();
    }
    let owner = fs::File::open(&owned).unwrap();
    owner.lock().unwrap();
    state(1).save(&path).unwrap();
    assert_eq!([&path, &owned, &dead, &other].map(|file| file.exists()), [true, true, false, true]);
    drop(owner);
    state(1).save(&path).unwrap();
    assert_eq!([&path, &owned, &other].map(|file| file.exists()), [true, false, true]);
}

/// A pipe that is called like a part would be waited for if it were opened.
#[test]
fn what_is_no_file_is_not_swept() {
    let folder = tempfile::tempdir().unwrap();
    let [path, pipe] = ["state", ".state.aaaaaa.wane-partial"].map(|name| folder.path().join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    state(1).save(&path).unwrap();
    assert!(pipe.exists());
}

/// A new file is as private as the user's mask says, one that replaces another has its permissions.
#[test]
fn permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let [path, usual] = ["state", "usual"].map(|name| folder.path().join(name));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    state(1).save(&path).unwrap();
    fs::write(&usual, "").unwrap();
    assert_eq!(mode(&path), mode(&usual));
    fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    state(2).save(&path).unwrap();
    assert_eq!((check(&path), mode(&path)), (1, 0o640));
}

#[test]
fn two_processes_that_save_to_one_path_leave_a_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    state(1).save(&path).unwrap();
    let savers = [(); 2].map(|()| Saver::start(&path));
    let (start, mut found) = (Instant::now(), [0; 2]);
    while start.elapsed() < Duration::from_secs(2) {
        found[check(&path)] += 1;
    }
    drop(savers);
    println!("two processes: {} and {} looks at whole files", found[0], found[1]);
    assert!(found.iter().all(|&looks| looks > 0), "{found:?}");
}

/// What is left where a child's save fails: the old file, and nothing else.
fn assert_untouched(path: &Path, before: &[u8]) {
    assert_eq!(fs::read(path).unwrap(), before);
    assert!(litter(path).is_empty());
}

/// As on a full disk: the system refuses to write on.
#[test]
fn a_file_that_may_not_grow_is_an_error_and_the_old_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    state(1).save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    for blocks in [0, 1, 16, 60] {
        let failure = Saver::limited(&path, blocks).hear("failed: ");
        assert_eq!(failure, "FileTooLarge");
        assert_untouched(&path, &before);
    }
    println!("4 sizes at which a file may not grow: 4 errors, the old file each time");
}

/// A small disk in memory, if this user may have one.
struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    fn new() -> Option<Self> {
        let disk = Self { folder: tempfile::tempdir().unwrap() };
        disk.mount(&["-t", "tmpfs", "-o", "size=48k", "tmpfs"]).then_some(disk)
    }

    fn mount(&self, args: &[&str]) -> bool {
        let done = Command::new("mount").args(args).arg(self.folder.path()).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).stderr(Stdio::null()).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_the_old_file_stays() {
    let Some(disk) = Disk::new() else { return println!("a full disk: not tried, this user may not mount") };
    let path = disk.folder.path().join("state");
    // One file of 33 kB fits, and two do not.
    state(1).save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(Saver::start(&path).hear("failed: "), "StorageFull");
    assert_untouched(&path, &before);
    println!("a full disk: an error, and the old file");
}

#[test]
fn a_read_only_folder_is_an_error_and_the_old_file_stays() {
    // For root a folder is read-only where the disk is.
    let (disk, folder) = (Disk::new(), tempfile::tempdir().unwrap());
    let place = disk.as_ref().map_or(&folder, |disk| &disk.folder).path().to_path_buf();
    let path = place.join("state");
    state(1).save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let expected = match &disk {
        Some(disk) => {
            assert!(disk.mount(&["-o", "remount,ro"]));
            "ReadOnlyFilesystem"
        }
        None => {
            let mut permissions = fs::metadata(&place).unwrap().permissions();
            permissions.set_readonly(true);
            fs::set_permissions(&place, permissions).unwrap();
            "PermissionDenied"
        }
    };
    let Err(Error::File { kind, doing: "writing", .. }) = state(2).save(&path) else { panic!("it is read-only") };
    assert_eq!(format!("{kind:?}"), expected);
    assert_untouched(&path, &before);
    println!("a read-only folder: {kind:?}, and the old file");
}
