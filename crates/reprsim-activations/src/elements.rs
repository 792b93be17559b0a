//! An array in a file: type, shape, order, and where its bytes are.

use std::borrow::Cow;
use std::fmt::Debug;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use half::{bf16, f16};

use crate::error::Problem;

/// Opens what is a file: whatever else may be read once, and may never begin.
pub(crate) fn open(path: &Path) -> Result<File, Problem> {
    match std::fs::metadata(path)?.is_file() {
        true => Ok(File::open(path)?),
        false => Err(Problem::NotAFile),
    }
}

/// Type of an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// IEEE 754 half precision.
    F16,
    /// The upper half of [`Element::F32`].
    Bf16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
}

impl Element {
    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// How far a number is from the next one of the type, as a share of it.
    pub fn epsilon(self) -> f64 {
        match self {
            Self::F16 => 2f64.powi(-10),
            Self::Bf16 => 2f64.powi(-7),
            Self::F32 => f32::EPSILON.into(),
            Self::F64 => f64::EPSILON,
        }
    }

    /// Its name, as Python's libraries call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }

    /// Decodes one element per `bytes()` of `from`.
    pub(crate) fn decode(self, from: &[u8], big_endian: bool, out: &mut [f64]) {
        fn all<const N: usize>(
            from: &[u8],
            big_endian: bool,
            out: &mut [f64],
            of: impl Fn([u8; N]) -> f64,
        ) {
            let elements = from.as_chunks::<N>().0.iter();
            // Apart, so that the usual order becomes a few vector instructions.
            if big_endian {
                for (element, out) in elements.zip(out) {
                    let mut element = *element;
                    element.reverse();
                    *out = of(element);
                }
            } else {
                for (element, out) in elements.zip(out) {
                    *out = of(*element);
                }
            }
        }
        match self {
            Self::F16 => all(from, big_endian, out, |b| f16::from_le_bytes(b).to_f64()),
            Self::Bf16 => all(from, big_endian, out, |b| bf16::from_le_bytes(b).to_f64()),
            Self::F32 => all(from, big_endian, out, |b| f64::from(f32::from_le_bytes(b))),
            Self::F64 => all(from, big_endian, out, f64::from_le_bytes),
        }
    }
}

/// An array whose bytes are neither in a file nor in memory of this library: in another program's,
/// say, which lends them.
pub trait Elsewhere: Debug + Send + Sync {
    /// A range of its bytes in C order; `None` if it does not have them.
    fn bytes(&self, range: Range<usize>) -> Option<Cow<'_, [u8]>>;
}

/// Where the bytes of an array are.
#[derive(Clone, Debug)]
pub(crate) enum Bytes {
    /// In a file, from an offset.
    File { file: Arc<Mutex<File>>, offset: u64 },
    /// In memory.
    Memory(Arc<[u8]>),
    /// Lent.
    Elsewhere(Arc<dyn Elsewhere>),
}

/// An array whose size has been checked against its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub element: Element,
    pub big_endian: bool,
    pub shape: Vec<usize>,
    pub bytes: Bytes,
}

/// The size in bytes of an array, unless it is beyond any file.
pub(crate) fn size(shape: &[usize], element_bytes: usize) -> Option<usize> {
    // Zero axes must not hide an overflow of the others.
    shape
        .iter()
        .filter(|d| **d > 0)
        .try_fold(element_bytes, |size, d| size.checked_mul(*d))
        .map(|size| if shape.contains(&0) { 0 } else { size })
        .filter(|size| isize::try_from(*size).is_ok())
}

impl Array {
    /// Elements of one sample.
    pub fn sample(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Reads samples from `start` into `out`, as many as fit.
    pub fn read_samples(&self, start: usize, out: &mut [f64]) -> Result<(), Problem> {
        let sample = self.sample();
        if sample == 0 || out.is_empty() {
            return Ok(());
        }
        let bytes = self.element.bytes();
        self.with_bytes(start * sample * bytes, out.len() * bytes, |raw| {
            self.element.decode(raw, self.big_endian, out);
        })
    }

    /// The same array with the last axis running fastest, in memory.
    pub fn into_c_order(mut self) -> Result<Self, Problem> {
        let bytes = self.element.bytes();
        let count: usize = self.shape.iter().product();
        let mut turned = vec![0u8; count * bytes];
        let shape = self.shape.clone();
        self.with_bytes(0, count * bytes, |raw| {
            // Strides in C order of the axes, the first of which runs fastest.
            let mut strides = vec![bytes; shape.len()];
            for axis in (1..shape.len()).rev() {
                strides[axis - 1] = strides[axis] * shape[axis];
            }
            let mut index = vec![0usize; shape.len()];
            let mut at = 0;
            for element in raw.chunks_exact(bytes) {
                turned[at..at + bytes].copy_from_slice(element);
                for (axis, i) in index.iter_mut().enumerate() {
                    *i += 1;
                    at += strides[axis];
                    if *i < shape[axis] {
                        break;
                    }
                    at -= *i * strides[axis];
                    *i = 0;
                }
            }
        })?;
        self.bytes = Bytes::Memory(turned.into());
        Ok(self)
    }

    fn with_bytes(
        &self,
        from: usize,
        count: usize,
        work: impl FnOnce(&[u8]),
    ) -> Result<(), Problem> {
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let part = from.checked_add(count).and_then(|end| bytes.get(from..end));
                work(part.ok_or_else(Problem::short)?);
                Ok(())
            }
            Bytes::Elsewhere(lent) => {
                let range = from.checked_add(count).map(|end| from..end);
                let part = range.and_then(|range| lent.bytes(range));
                work(&part.ok_or_else(Problem::short)?);
                Ok(())
            }
            Bytes::File { file, offset } => {
                let mut buffer = vec![0; count];
                // A lock that a panic left behind guards nothing but the position.
                let mut file = file.lock().unwrap_or_else(|e| e.into_inner());
                file.seek(SeekFrom::Start(offset + from as u64))
                    .and_then(|_| file.read_exact(&mut buffer))?;
                work(&buffer);
                Ok(())
            }
        }
    }
}
