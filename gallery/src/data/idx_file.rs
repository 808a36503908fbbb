//! IDX files as MNIST has them: a big-endian header, then one byte per pixel or label; plain or gzip.

use std::{
    fs::File,
    io::{BufReader, Error, ErrorKind, Read},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use ndarray::Array2;

use super::{CLASSES, DataError, Dataset};

const PIXEL_MAX: f32 = 255.0;

/// The most bytes after a header that are read: five times the training images of MNIST. A pixel takes four bytes once it is read,
/// so this keeps a header that lies, or a gzip that unpacks to gigabytes, from filling the memory.
const LARGEST: u64 = 256 << 20;

/// What a file holds, by the number that it starts with: unsigned bytes in one or three dimensions.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Labels = 0x0801,
    Images = 0x0803,
}

/// The names of a set's two files.
struct Names {
    images: &'static str,
    labels: &'static str,
}

const TRAIN: Names = Names { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" };
const TEST: Names = Names { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" };

/// The training set and, where the folder has one, the test set.
pub(super) fn read_folder(folder: &Path) -> Result<(Dataset, Option<Dataset>), DataError> {
    let train = read_set(folder, &TRAIN)?;
    if find(folder, TEST.images).is_err() && find(folder, TEST.labels).is_err() {
        return Ok((train, None));
    }
    let test = read_set(folder, &TEST)?;
    if test.features() != train.features() {
        return Err(DataError::Byte {
            file: find(folder, TEST.images)?,
            offset: 8,
            expected: format!("images of {} pixels, as in the training set", train.features()),
            found: format!("{} pixels", test.features()),
        });
    }
    Ok((train, Some(test)))
}

fn read_set(folder: &Path, names: &Names) -> Result<Dataset, DataError> {
    let images = Idx::open(find(folder, names.images)?, Kind::Images)?;
    let labels = Idx::open(find(folder, names.labels)?, Kind::Labels)?;
    let (n, labelled) = (images.dims[0], labels.dims[0]);
    if n != labelled {
        return Err(labels.wrong(4, format!("{n} labels, one per image"), labelled.to_string()));
    }
    let pixels = images.bytes.iter().map(|&pixel| f32::from(pixel) / PIXEL_MAX).collect();
    let shape = (n, images.dims[1] * images.dims[2]);
    let images = Array2::from_shape_vec(shape, pixels).expect("the header and the bytes agree");
    Ok(Dataset { images, labels: labels.digits()? })
}

/// The file of that name, or its gzip.
fn find(folder: &Path, name: &'static str) -> Result<PathBuf, DataError> {
    [folder.join(name), folder.join(format!("{name}.gz"))]
        .into_iter()
        .find(|path| path.exists())
        .ok_or_else(|| DataError::Missing { folder: folder.to_owned(), name })
}

/// A file whose header agrees with what follows it.
struct Idx {
    path: PathBuf,
    dims: Vec<usize>,
    bytes: Vec<u8>,
}

impl Idx {
    fn open(path: PathBuf, kind: Kind) -> Result<Self, DataError> {
        let mut idx = Self { path, dims: Vec::new(), bytes: Vec::new() };
        let file = BufReader::new(File::open(&idx.path).map_err(|error| idx.unreadable(error))?);
        if idx.path.extension().is_some_and(|extension| extension == "gz") {
            idx.read(MultiGzDecoder::new(file), kind)?;
        } else {
            idx.read(file, kind)?;
        }
        Ok(idx)
    }

    fn read(&mut self, mut from: impl Read, kind: Kind) -> Result<(), DataError> {
        let header = self.read_header(&mut from, kind)?;
        let size = self.announced_size()?;
        // The buffer grows with the bytes that are really there. One byte more than announced is asked for, to notice a file that
        // is too long; no more of it is unpacked.
        let error = from.take(size + 1).read_to_end(&mut self.bytes).err();
        let found = self.bytes.len() as u64;
        match error {
            Some(error) => Err(self.broken(header + found, error)),
            None if found > size => Err(self.wrong(header + size, "the end of the file".into(), "more bytes".into())),
            None if found < size => {
                let expected = format!("{size} bytes after the header, as it announces");
                Err(self.wrong(header + found, expected, format!("the end of the file after {found}")))
            }
            None => Ok(()),
        }
    }

    /// Reads magic number and dimensions; returns the header's length.
    fn read_header(&mut self, from: &mut impl Read, kind: Kind) -> Result<u64, DataError> {
        let expected = kind as u32;
        let magic = self.read_number(from, 0)?;
        if magic != expected {
            return Err(self.wrong(0, format!("the magic number {expected:#010x}"), format!("{magic:#010x}")));
        }
        let rank = u64::from(magic & 0xff);
        for dimension in 0..rank {
            let size = self.read_number(from, 4 + 4 * dimension)?;
            self.dims.push(size as usize);
        }
        Ok(4 + 4 * rank)
    }

    fn read_number(&self, from: &mut impl Read, offset: u64) -> Result<u32, DataError> {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => self.wrong(offset, "4 bytes of the header".into(), "the end of the file".into()),
            _ => self.broken(offset, error),
        })?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn announced_size(&self) -> Result<u64, DataError> {
        let size = self.dims.iter().try_fold(1_u64, |size, &dim| size.checked_mul(dim as u64));
        match size {
            Some(0) => Err(DataError::Empty { file: self.path.clone() }),
            Some(size) if size <= LARGEST => Ok(size),
            _ => Err(self.wrong(4, format!("sizes whose product is at most {LARGEST}"), format!("{:?}", self.dims))),
        }
    }

    fn digits(self) -> Result<Vec<usize>, DataError> {
        const HEADER: u64 = 8;
        match self.bytes.iter().position(|&label| usize::from(label) >= CLASSES) {
            None => Ok(self.bytes.into_iter().map(usize::from).collect()),
            Some(at) => {
                let expected = format!("a label from 0 to {}", CLASSES - 1);
                Err(self.wrong(HEADER + at as u64, expected, self.bytes[at].to_string()))
            }
        }
    }

    /// Offsets count bytes of the unpacked file.
    fn wrong(&self, offset: u64, expected: String, found: String) -> DataError {
        DataError::Byte { file: self.path.clone(), offset, expected, found }
    }

    /// A gzip stream that cannot be unpacked is a matter of the data; everything else is one of the file system.
    fn broken(&self, offset: u64, error: Error) -> DataError {
        match error.kind() {
            ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                self.wrong(offset, "gzip data".into(), error.to_string())
            }
            _ => self.unreadable(error),
        }
    }

    fn unreadable(&self, source: Error) -> DataError {
        DataError::Unreadable { file: self.path.clone(), source }
    }
}
