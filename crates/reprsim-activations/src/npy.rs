//! `.npy`: a small header and one array.

use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use crate::contents::Contents;
use crate::elements::{Array, Bytes, Element, size};
use crate::error::Problem;
use crate::ids::{ARRAY, Integers};

/// The longest header that is believed; NumPy's own limit is a sixth of it.
const HEADER_BYTES: usize = 1 << 16;

/// An array's header.
pub(crate) struct Header {
    kind: Kind,
    big_endian: bool,
    fortran: bool,
    shape: Vec<usize>,
    /// Bytes of the header.
    pub length: usize,
    /// Bytes of the array.
    pub data: usize,
}

enum Kind {
    Float(Element),
    Integer { bytes: usize, signed: bool },
}

/// What an array is good for.
pub(crate) enum Found {
    Layer(Array),
    Integers(Integers),
}

impl Header {
    pub fn read(from: &mut impl Read) -> Result<Self, Problem> {
        let damaged = |what: &str| Problem::Damaged(what.into());
        let short = |_| damaged("is too short for a .npy file");
        let mut head = [0; 8];
        from.read_exact(&mut head).map_err(short)?;
        if &head[..6] != b"\x93NUMPY" {
            return Err(damaged("does not begin as a .npy file"));
        }
        // Version 1 has a length of two bytes, later ones of four.
        let wide = head[6] > 1;
        let mut length = [0; 4];
        let count = if wide { 4 } else { 2 };
        from.read_exact(&mut length[..count]).map_err(short)?;
        let text = u32::from_le_bytes(length) as usize;
        if text > HEADER_BYTES {
            return Err(Problem::Damaged(format!("its header claims {text} bytes")));
        }
        let mut whole = head.to_vec();
        whole.extend(&length[..count]);
        whole.resize(8 + count + text, 0);
        from.read_exact(&mut whole[8 + count..])
            .map_err(|_| damaged("its header is cut off"))?;
        // The time its parser takes doubles with each bracket within another; the
        // header of a plain array has one brace and one parenthesis.
        let count = |brackets: &[u8]| {
            let text = whole[8 + count..].iter();
            text.filter(|b| brackets.contains(b)).count()
        };
        if count(b"{") > 1 || count(b"([") > 6 {
            return Err(damaged(
                "its header is damaged, or that of a structured array",
            ));
        }
        let header = NpyHeader::from_reader(Cursor::new(&whole)).map_err(|e| Problem::Unsound {
            what: "its header is damaged",
            source: e.into(),
        })?;
        if header.uses_pickled_array() {
            return Err(Problem::Type(
                "holds Python objects, not numbers; save it with a float dtype".into(),
            ));
        }
        let DType::Plain(kind) = header.dtype() else {
            return Err(Problem::Type(
                "is a structured array; known: float16, float32, float64".into(),
            ));
        };
        let bytes = kind.size_field() as usize;
        let element = match (kind.type_char(), kind.size_field()) {
            (TypeChar::Float, 2) => Kind::Float(Element::F16),
            (TypeChar::Float, 4) => Kind::Float(Element::F32),
            (TypeChar::Float, 8) => Kind::Float(Element::F64),
            (TypeChar::Bool, 1) => Kind::Integer {
                bytes,
                signed: false,
            },
            (TypeChar::Int, 1 | 2 | 4 | 8) => Kind::Integer {
                bytes,
                signed: true,
            },
            (TypeChar::Uint, 1 | 2 | 4) => Kind::Integer {
                bytes,
                signed: false,
            },
            _ => {
                return Err(Problem::Type(format!(
                    "has type '{kind}'; known: float16, float32, float64 (bfloat16 in safetensors)"
                )));
            }
        };
        let shape = (header.shape().iter())
            .map(|d| usize::try_from(*d).ok())
            .collect::<Option<Vec<usize>>>()
            .ok_or_else(|| damaged("its shape is beyond this machine"))?;
        let data = size(&shape, bytes)
            .ok_or_else(|| Problem::Damaged(format!("its shape {shape:?} is beyond any file")))?;
        Ok(Self {
            kind: element,
            big_endian: kind.endianness() == Endianness::Big,
            fortran: header.order() == Order::Fortran && shape.len() > 1,
            shape,
            length: whole.len(),
            data,
        })
    }

    pub fn found(self, name: &str, bytes: Bytes) -> Result<Found, Problem> {
        let array = |element| Array {
            element,
            big_endian: self.big_endian,
            shape: self.shape,
            bytes,
        };
        match self.kind {
            Kind::Float(element) => Ok(Found::Layer(match self.fortran {
                true => array(element).into_c_order()?,
                false => array(element),
            })),
            Kind::Integer { bytes, signed } if name == ARRAY => Ok(Found::Integers(Integers {
                bytes,
                signed,
                big_endian: self.big_endian,
                // Its elements are not read as floats.
                array: array(Element::F64),
            })),
            Kind::Integer { .. } => Err(Problem::Type(format!(
                "'{name}' holds integers; activations are float16, float32 or float64"
            ))),
        }
    }
}

/// The header of a file that holds as many bytes as it says.
fn header_of(file: &mut File) -> Result<Header, Problem> {
    let length = file.metadata()?.len();
    let header = Header::read(file)?;
    let (claimed, held) = (
        header.data as u64,
        length.saturating_sub(header.length as u64),
    );
    if claimed != held {
        return Err(Problem::Damaged(format!(
            "its header says {claimed} bytes of data and the file holds {held}: it is truncated or \
             longer than it says"
        )));
    }
    Ok(header)
}

/// A mask: its shape, and for each token whether it is 1.
pub(crate) fn read_mask(mut file: File) -> Result<([usize; 2], Vec<bool>), Problem> {
    let header = header_of(&mut file)?;
    let [n, tokens] = match *header.shape.as_slice() {
        [n, tokens] if n > 0 && tokens > 0 => [n, tokens],
        _ => return Err(Problem::MaskShape(header.shape)),
    };
    let mut raw = vec![0; header.data];
    file.read_exact(&mut raw)?;
    let size = match header.kind {
        Kind::Float(element) => element.bytes(),
        Kind::Integer { bytes, .. } => bytes,
    };
    let is_real = |bytes: &[u8]| -> Option<bool> {
        let value = match header.kind {
            Kind::Float(element) => {
                let mut value = [0.0];
                element.decode(bytes, header.big_endian, &mut value);
                value[0]
            }
            Kind::Integer { .. } => {
                let (least, rest) = match header.big_endian {
                    true => bytes.split_last()?,
                    false => bytes.split_first()?,
                };
                match rest.iter().all(|byte| *byte == 0) {
                    true => f64::from(*least),
                    false => f64::NAN,
                }
            }
        };
        (value == 0.0 || value == 1.0).then_some(value == 1.0)
    };
    let mut real = Vec::with_capacity(n * tokens);
    for (row, token) in (0..n).flat_map(|i| (0..tokens).map(move |t| (i, t))) {
        let at = match header.fortran {
            true => token * n + row,
            false => row * tokens + token,
        };
        let found = is_real(&raw[at * size..(at + 1) * size]);
        real.push(found.ok_or(Problem::MaskValue { row, token })?);
    }
    Ok(([n, tokens], real))
}

pub(crate) fn read_file(mut file: File, name: String) -> Result<Contents, Problem> {
    let header = header_of(&mut file)?;
    let bytes = Bytes::File {
        offset: header.length as u64,
        file: Arc::new(Mutex::new(file)),
    };
    match header.found(&name, bytes)? {
        Found::Layer(array) => Ok(Contents {
            ids: None,
            integers: None,
            layers: vec![(name, array)],
        }),
        Found::Integers(_) => Err(Problem::Format("holds sample ids alone, no layer".into())),
    }
}
