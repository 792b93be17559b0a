//! An array in a file: type, shape, order, and where its bytes are.

use std::borrow::Cow;
use std::fmt::Debug;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use half::{bf16, f16};
use reprsim_base::ask_memory;

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
    /// 8 bits, 3 of them the fraction, without infinities (Micikevicius et al. 2022): what PyTorch and
    /// ml_dtypes call `float8_e4m3fn`, safetensors `F8_E4M3`. With infinities it is another type.
    F8E4M3,
    /// 8 bits, 2 of them the fraction: the upper half of a [`Element::F16`].
    F8E5M2,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of [`Element::F32`].
    Bf16,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// 8 bits without a sign; truth values too: 0 and 1.
    U8,
    /// 16 bits without a sign.
    U16,
    /// 32 bits without a sign.
    U32,
    /// 64 bits without a sign.
    U64,
    /// 8 bits, two's complement, as those below.
    I8,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
}

impl Element {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::F8E4M3,
        Self::F8E5M2,
        Self::F16,
        Self::Bf16,
        Self::F32,
        Self::F64,
        Self::U8,
        Self::U16,
        Self::U32,
        Self::U64,
        Self::I8,
        Self::I16,
        Self::I32,
        Self::I64,
    ];

    /// Bytes of one.
    pub fn bytes(self) -> usize {
        match self {
            Self::F8E4M3 | Self::F8E5M2 | Self::U8 | Self::I8 => 1,
            Self::F16 | Self::Bf16 | Self::U16 | Self::I16 => 2,
            Self::F32 | Self::U32 | Self::I32 => 4,
            Self::F64 | Self::U64 | Self::I64 => 8,
        }
    }

    /// Whether it is a whole number.
    pub fn is_integer(self) -> bool {
        matches!(
            self,
            Self::U8
                | Self::U16
                | Self::U32
                | Self::U64
                | Self::I8
                | Self::I16
                | Self::I32
                | Self::I64
        )
    }

    /// How far a number is from the next one of the type, as a share of it. Whole numbers are not
    /// rounded but for what f64 does not hold.
    pub fn epsilon(self) -> f64 {
        match self {
            Self::F8E4M3 => 2f64.powi(-3),
            Self::F8E5M2 => 2f64.powi(-2),
            Self::F16 => 2f64.powi(-10),
            Self::Bf16 => 2f64.powi(-7),
            Self::F32 => f32::EPSILON.into(),
            _ => f64::EPSILON,
        }
    }

    /// Its name, as Python's libraries call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F8E4M3 => "float8_e4m3fn",
            Self::F8E5M2 => "float8_e5m2",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
        }
    }

    /// Decodes whole numbers exactly, one per `bytes()` of `from`; `None` of those beyond i64 and of
    /// what is no whole number.
    pub fn whole_numbers(self, from: &[u8], big_endian: bool) -> Option<Vec<i64>> {
        fn each<const N: usize>(
            from: &[u8],
            big_endian: bool,
            of: impl Fn([u8; N]) -> Option<i64>,
        ) -> Option<Vec<i64>> {
            let elements = from.as_chunks::<N>().0.iter();
            let read = elements.map(|element| {
                let mut element = *element;
                if big_endian {
                    element.reverse();
                }
                of(element)
            });
            read.collect()
        }
        match self {
            Self::U8 => each(from, big_endian, |b| Some(u8::from_le_bytes(b).into())),
            Self::U16 => each(from, big_endian, |b| Some(u16::from_le_bytes(b).into())),
            Self::U32 => each(from, big_endian, |b| Some(u32::from_le_bytes(b).into())),
            Self::U64 => each(from, big_endian, |b| u64::from_le_bytes(b).try_into().ok()),
            Self::I8 => each(from, big_endian, |b| Some(i8::from_le_bytes(b).into())),
            Self::I16 => each(from, big_endian, |b| Some(i16::from_le_bytes(b).into())),
            Self::I32 => each(from, big_endian, |b| Some(i32::from_le_bytes(b).into())),
            Self::I64 => each(from, big_endian, |b| Some(i64::from_le_bytes(b))),
            _ => None,
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
            Self::F8E4M3 => all(from, big_endian, out, |[b]| e4m3(b)),
            Self::F8E5M2 => all(from, big_endian, out, |[b]| {
                f16::from_le_bytes([0, b]).to_f64()
            }),
            Self::U8 => all(from, big_endian, out, |b| f64::from(u8::from_le_bytes(b))),
            Self::U16 => all(from, big_endian, out, |b| f64::from(u16::from_le_bytes(b))),
            Self::U32 => all(from, big_endian, out, |b| f64::from(u32::from_le_bytes(b))),
            Self::U64 => all(from, big_endian, out, |b| u64::from_le_bytes(b) as f64),
            Self::I8 => all(from, big_endian, out, |b| f64::from(i8::from_le_bytes(b))),
            Self::I16 => all(from, big_endian, out, |b| f64::from(i16::from_le_bytes(b))),
            Self::I32 => all(from, big_endian, out, |b| f64::from(i32::from_le_bytes(b))),
            Self::I64 => all(from, big_endian, out, |b| i64::from_le_bytes(b) as f64),
        }
    }
}

/// The name of a type that activations do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an array of {0}: activations are floating-point (of 8 bits float8_e4m3fn and float8_e5m2) or whole \
     numbers; convert it first"
)]
pub struct UnknownElement(pub String);

impl FromStr for Element {
    type Err = UnknownElement;

    /// The type that [`Element::name`] is the name of.
    fn from_str(name: &str) -> Result<Self, UnknownElement> {
        let mut known = Self::ALL.into_iter();
        let found = known.find(|element| element.name() == name);
        found.ok_or_else(|| UnknownElement(name.to_string()))
    }
}

/// An array whose bytes are neither in a file nor in memory of this library: in another program's,
/// say, which lends them.
pub trait Elsewhere: Debug + Send + Sync {
    /// A range of its bytes in C order; `None` if it does not have them.
    fn bytes(&self, range: Range<usize>) -> Option<Cow<'_, [u8]>>;
}

/// A number of 8 bits: sign, 4 of the exponent (bias 7), 3 of the fraction; all ones are NaN.
fn e4m3(byte: u8) -> f64 {
    let (exponent, fraction) = (i32::from(byte >> 3 & 15), f64::from(byte & 7) / 8.0);
    let size = match (exponent, byte & 7) {
        (15, 7) => f64::NAN,
        (0, _) => fraction * 2f64.powi(-6),
        _ => (1.0 + fraction) * 2f64.powi(exponent - 7),
    };
    if byte & 0x80 == 0 { size } else { -size }
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

    /// The array with its axes in another order, in memory: axis i is the one that was `order[i]`,
    /// which names each once.
    pub fn arranged(&self, order: &[usize]) -> Result<Self, Problem> {
        let bytes = self.element.bytes();
        let shape: Vec<usize> = order.iter().map(|axis| self.shape[*axis]).collect();
        let count: usize = shape.iter().product();
        ask_memory(
            2 * (count as u128) * bytes as u128,
            format!(
                "an array of {:?} whose axes are put in another order",
                self.shape
            ),
        )?;
        let mut turned = vec![0u8; count * bytes];
        // Where an element goes, for a step along each axis as it is stored.
        let mut strides = vec![0; shape.len()];
        let mut stride = bytes;
        for axis in order.iter().rev() {
            strides[*axis] = stride;
            stride *= self.shape[*axis];
        }
        self.with_bytes(0, count * bytes, |raw| {
            let mut index = vec![0usize; shape.len()];
            let mut at = 0;
            for element in raw.chunks_exact(bytes) {
                turned[at..at + bytes].copy_from_slice(element);
                for axis in (0..index.len()).rev() {
                    index[axis] += 1;
                    at += strides[axis];
                    if index[axis] < self.shape[axis] {
                        break;
                    }
                    at -= index[axis] * strides[axis];
                    index[axis] = 0;
                }
            }
        })?;
        Ok(Self {
            shape,
            bytes: Bytes::Memory(turned.into()),
            ..self.clone()
        })
    }

    /// The bytes of all its elements.
    pub fn bytes(&self) -> Result<Vec<u8>, Problem> {
        let mut out = Vec::new();
        let count = self.shape.iter().product::<usize>() * self.element.bytes();
        self.with_bytes(0, count, |raw| out.extend_from_slice(raw))?;
        Ok(out)
    }

    /// All its elements, exactly, if they are whole numbers that i64 holds.
    pub fn whole_numbers(&self) -> Result<Option<Vec<i64>>, Problem> {
        let count = self.shape.iter().product::<usize>() * self.element.bytes();
        let mut found = None;
        self.with_bytes(0, count, |raw| {
            found = self.element.whole_numbers(raw, self.big_endian);
        })?;
        Ok(found)
    }

    /// All its elements.
    pub fn values(&self) -> Result<Vec<f64>, Problem> {
        let count: usize = self.shape.iter().product();
        let mut out = vec![0.0; count];
        self.with_bytes(0, count * self.element.bytes(), |raw| {
            self.element.decode(raw, self.big_endian, &mut out);
        })?;
        Ok(out)
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
