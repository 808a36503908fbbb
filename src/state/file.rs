//! A state as one safetensors file: columns are tensors, everything else is JSON in the metadata.
//!
//! ```text
//! tensor  {parameter}.{column}     the column's numbers; its shape is the parameter's, where it has a number for each weight
//! wane                             the state as JSON, with columns that are empty
//! wane_crc32                       of that JSON, and of the bytes of all columns in its order
//! ```

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use crc32fast::Hasher;
use num_traits::{FromBytes, ToBytes};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde::Serializer;

use super::partial::Partial;
use super::{Column, FORMAT, Numbers, ParameterState, State};
use crate::error::{Error, Result};

/// The keys of the metadata.
const STATE: &str = "wane";
const CHECKSUM: &str = "wane_crc32";

/// The longest header that readers of safetensors accept.
const LONGEST_HEADER: usize = 100_000_000;

/// How many bytes are read or written at once.
const CHUNK: usize = 1 << 16;

impl State<'_> {
    /// Saves the state as one safetensors file, which ordinary tools can read.
    ///
    /// The file is whole at every moment, the old one or the new one: numbers go to another file in
    /// the same folder, straight from the optimizer's memory; the disk confirms them; then the file
    /// takes the place of the old one, and on Unix the disk confirms that too. If anything fails, the old file is
    /// as it was, and the other one is removed. Of processes that save to one path at the same time,
    /// the last one to finish has its file there.
    ///
    /// The other file is called `.{name}.{letters}.wane-partial`. A process that is killed cannot remove
    /// it: the next save to this path does. It knows by a lock which ones have a living owner; where
    /// the file system has no locks, such a file stays. A symbolic link at the path is replaced, and
    /// not what it leads to.
    ///
    /// ```
    /// use wane::state::{Loading, State};
    /// use wane::{AdamW, Optimizer};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("optimizer.safetensors");
    /// let mut opt = AdamW::new(1e-3).build()?;
    /// opt.step_slice(&mut [1.0_f32, 2.0], &[0.5, 0.25])?;
    /// opt.export().save(&path)?;
    ///
    /// let mut resumed = AdamW::new(1e-3).build::<f32>()?;
    /// resumed.import(State::load(&path)?, &Loading::strict())?;
    /// assert_eq!(resumed.export(), opt.export());
    /// # Ok::<(), wane::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::File`] with what the operating system says. Its kind is `InvalidData` where the names
    /// of parameters are more than a header can hold, 100 MB (about 240,000 parameters of AdamW), or two
    /// columns would have one name. An error of the very last step, the disk's word for the new name,
    /// leaves the new file in place. For a state that was changed by hand, the errors of what is wrong
    /// with it, as [`import`](crate::Optimizer::import) has them.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        self.check()?;
        self.replace(path).map_err(|error| failed("writing", path, &error))
    }

    fn replace(&self, path: &Path) -> io::Result<()> {
        let partial = Partial::beside(path)?;
        let mut file = BufWriter::with_capacity(CHUNK, partial.file.as_file());
        self.put(&mut file)?;
        drop(file);
        partial.replace(path)
    }

    /// Writes the bytes of a file: for places that are not files.
    ///
    /// # Errors
    ///
    /// Those of [`save`](Self::save).
    pub fn write(&self, to: &mut dyn Write) -> Result<()> {
        self.check()?;
        self.put(to).map_err(|error| failed("writing", stream(), &error))
    }

    fn put(&self, to: &mut dyn Write) -> io::Result<()> {
        let header = self.header()?;
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(&header)?;
        self.columns().try_for_each(|(_, column)| column.numbers.each_chunk(|bytes| to.write_all(bytes)))?;
        to.flush()
    }

    fn columns(&self) -> impl Iterator<Item = (&ParameterState<'_>, &Column<'_>)> {
        self.parameters.iter().flat_map(|parameter| parameter.columns.iter().map(move |column| (parameter, column)))
    }

    /// Returns the header, filled up with blanks to a multiple of 8 bytes.
    fn header(&self) -> io::Result<Vec<u8>> {
        let state = serde_json::to_string(&self.with_numbers(|numbers| numbers.empty()))?;
        let mut checksum = Hasher::new();
        checksum.update(state.as_bytes());
        for (_, column) in self.columns() {
            column.numbers.each_chunk(|bytes| {
                checksum.update(bytes);
                Ok(())
            })?;
        }
        let metadata = BTreeMap::from([(STATE, state), (CHECKSUM, format!("{:08x}", checksum.finalize()))]);
        let mut end = 0;
        let tensors = self.columns().map(|(parameter, column)| {
            let start = end;
            end += column.numbers.bytes();
            let info = TensorInfo { dtype: column.numbers.dtype(), shape: shape(parameter, column), data_offsets: (start, end) };
            Ok((tensor(&parameter.name, &column.name), serde_json::to_value(info)?))
        });
        let first = ("__metadata__".to_string(), serde_json::to_value(metadata)?);
        let entries = std::iter::once(Ok(first)).chain(tensors).collect::<io::Result<Vec<_>>>()?;
        let mut names = HashSet::with_capacity(entries.len());
        if let Some((name, _)) = entries.iter().find(|(name, _)| !names.insert(name)) {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("two columns would be called `{name}`")));
        }
        let mut header = Vec::new();
        serde_json::Serializer::new(&mut header).collect_map(entries)?;
        header.resize(header.len().next_multiple_of(8), b' ');
        if header.len() > LONGEST_HEADER {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("a header of {} bytes, and 100 MB are allowed", header.len()),
            ));
        }
        Ok(header)
    }
}

impl State<'static> {
    /// Loads a state from a file that [`save`](Self::save) or `tools/pytorch_state.py` has made.
    ///
    /// The file is checked as a whole: its layout, its checksum, and that its tensors are those that
    /// the state speaks of. Whether it fits an optimizer is for
    /// [`import`](crate::Optimizer::import) to say. No more memory is taken than a small multiple of
    /// the file's length: the numbers once, and about thirteen times the header.
    ///
    /// # Errors
    ///
    /// [`Error::File`] where it cannot be read, [`Error::NoState`] where it is something else or
    /// damaged, [`Error::StateFormat`] where a later version of this crate has made it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut file = File::open(path).map_err(|error| failed("reading", path, &error))?;
        get(&mut file).map_err(|flaw| flaw.of(path))
    }

    /// Reads the bytes of a file, to their end: from places that are not files.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub fn read(from: &mut dyn Read) -> Result<Self> {
        get(from).map_err(|flaw| flaw.of(stream()))
    }
}

/// What stands for a path where there is none.
fn stream() -> &'static Path {
    Path::new("(stream)")
}

fn failed(doing: &'static str, path: &Path, error: &io::Error) -> Error {
    Error::File { path: path.into(), doing, kind: error.kind(), error: error.to_string() }
}

/// Why a state could not be read.
enum Flaw {
    Failed(io::Error),
    Bad(String),
    Format(u32),
}

impl Flaw {
    fn of(self, path: &Path) -> Error {
        let path = PathBuf::from(path);
        match self {
            Self::Failed(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Error::NoState { path, reason: "it is cut off".into() }
            }
            Self::Failed(error) => failed("reading", &path, &error),
            Self::Bad(reason) => Error::NoState { path, reason },
            Self::Format(found) => Error::StateFormat { found, known: FORMAT },
        }
    }
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn bad(reason: impl Into<String>) -> Flaw {
    Flaw::Bad(reason.into())
}

fn get(from: &mut dyn Read) -> Result<State<'static>, Flaw> {
    let header = read_header(from)?;
    let metadata: Metadata = serde_json::from_slice(&header).map_err(|error| bad(format!("no safetensors header: {error}")))?;
    let key = |key: &str| {
        metadata.metadata().as_ref().and_then(|known| known.get(key)).ok_or_else(|| bad(format!("no `{key}` in its metadata")))
    };
    let (text, checksum) = (key(STATE)?, key(CHECKSUM)?);
    let mut state = parse(text)?;
    let columns = read_columns(from, &metadata)?;
    let found = fill(&mut state, columns, text)?;
    if *checksum == format!("{found:08x}") { Ok(state) } else { Err(bad("its checksum is another one")) }
}

fn read_header(from: &mut dyn Read) -> Result<Vec<u8>, Flaw> {
    let mut len = [0; 8];
    from.read_exact(&mut len)?;
    let len = usize::try_from(u64::from_le_bytes(len)).ok().filter(|len| *len <= LONGEST_HEADER);
    let len = len.ok_or_else(|| bad("no safetensors file: its header is too long"))?;
    let mut header = Vec::new();
    read_all(from, len, &mut header)?;
    Ok(header)
}

/// Reads so many bytes, into memory that grows with what is there, whatever was said.
fn read_all(from: &mut dyn Read, len: usize, to: &mut Vec<u8>) -> io::Result<()> {
    let found = from.take(len as u64).read_to_end(to)?;
    if found == len { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Reads the JSON part, its version first: what a later version has added is not known here.
fn parse(text: &str) -> Result<State<'static>, Flaw> {
    #[derive(serde::Deserialize)]
    struct Version {
        format: u32,
    }
    let unreadable = |error| bad(format!("no state in its metadata: {error}"));
    match serde_json::from_str(text).map_err(unreadable)? {
        Version { format: FORMAT } => serde_json::from_str(text).map_err(unreadable),
        Version { format } => Err(Flaw::Format(format)),
    }
}

/// A column that was read, and the checksum of its bytes.
struct Stored {
    numbers: Numbers<'static>,
    checksum: Hasher,
}

/// Reads all tensors, in the order in which they lie in the file.
fn read_columns(from: &mut dyn Read, metadata: &Metadata) -> Result<BTreeMap<String, Stored>, Flaw> {
    let mut columns = BTreeMap::new();
    for name in metadata.offset_keys() {
        let info = metadata.info(&name).ok_or_else(|| bad("no such tensor"))?;
        let bytes = info.data_offsets.1 - info.data_offsets.0;
        let stored = match info.dtype {
            Dtype::F32 => read_numbers(from, bytes, Numbers::F32)?,
            Dtype::F64 => read_numbers(from, bytes, Numbers::F64)?,
            other => return Err(bad(format!("the tensor `{name}` is of type {other}"))),
        };
        columns.insert(name, stored);
    }
    match from.take(1).read_to_end(&mut Vec::new())? {
        0 => Ok(columns),
        _ => Err(bad("there are bytes behind its end")),
    }
}

fn read_numbers<T>(from: &mut dyn Read, bytes: usize, wrap: fn(Cow<'static, [T]>) -> Numbers<'static>) -> Result<Stored, Flaw>
where
    T: FromBytes + Clone,
    T::Bytes: for<'a> TryFrom<&'a [u8]> + Sized,
{
    let (mut numbers, mut checksum, mut chunk) = (Vec::new(), Hasher::new(), Vec::new());
    let mut left = bytes;
    while left > 0 {
        chunk.clear();
        read_all(from, CHUNK.min(left), &mut chunk)?;
        checksum.update(&chunk);
        let words = chunk.chunks_exact(size_of::<T>()).filter_map(|word| T::Bytes::try_from(word).ok());
        numbers.extend(words.map(|word| T::from_le_bytes(&word)));
        left -= chunk.len();
    }
    // They are moved into an optimizer, for long.
    numbers.shrink_to_fit();
    Ok(Stored { numbers: wrap(numbers.into()), checksum })
}

/// Puts the columns into the state, and returns the checksum of all.
fn fill(state: &mut State<'static>, mut columns: BTreeMap<String, Stored>, text: &str) -> Result<u32, Flaw> {
    let mut checksum = Hasher::new();
    checksum.update(text.as_bytes());
    for parameter in &mut state.parameters {
        for column in &mut parameter.columns {
            let name = tensor(&parameter.name, &column.name);
            let stored = columns.remove(&name).ok_or_else(|| bad(format!("no tensor `{name}`")))?;
            if stored.numbers.type_name() != column.numbers.type_name() || !column.numbers.is_empty() {
                return Err(bad(format!("the tensor `{name}` is not what its metadata says")));
            }
            column.numbers = stored.numbers;
            checksum.combine(&stored.checksum);
        }
    }
    match columns.into_keys().next() {
        Some(name) => Err(bad(format!("the tensor `{name}` belongs to no parameter"))),
        None => Ok(checksum.finalize()),
    }
}

/// Returns what a column is called in a file.
fn tensor(parameter: &str, column: &str) -> String {
    format!("{parameter}.{column}")
}

/// Returns the shape of a column: the parameter's, where it has a number for each weight; none for
/// one number; else its length, as for rows and columns.
fn shape(parameter: &ParameterState<'_>, column: &Column<'_>) -> Vec<usize> {
    match (column.numbers.len(), &parameter.shape) {
        // The product of axes beside an axis of 0 may not fit.
        (0, _) => vec![0],
        (len, Some(shape)) if len == parameter.len => shape.clone(),
        (1, _) if parameter.len != 1 => vec![],
        (len, _) => vec![len],
    }
}

impl Numbers<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::F32(_) => Dtype::F32,
            Self::F64(_) => Dtype::F64,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::F32(numbers) => size_of_val(&**numbers),
            Self::F64(numbers) => size_of_val(&**numbers),
        }
    }

    fn empty(&self) -> Numbers<'static> {
        match self {
            Self::F32(_) => Numbers::F32(Cow::default()),
            Self::F64(_) => Numbers::F64(Cow::default()),
        }
    }

    /// Calls `f` with the bytes, lowest first, chunk by chunk.
    fn each_chunk(&self, f: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::F32(numbers) => each_chunk(numbers, f),
            Self::F64(numbers) => each_chunk(numbers, f),
        }
    }
}

fn each_chunk<T: ToBytes>(numbers: &[T], mut f: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(CHUNK);
    for chunk in numbers.chunks(CHUNK / size_of::<T>()) {
        buffer.clear();
        chunk.iter().for_each(|x| buffer.extend_from_slice(x.to_le_bytes().as_ref()));
        f(&buffer)?;
    }
    Ok(())
}
