//! `.npy`: a small header and one array.

use std::fs::File;
use std::io::{Cursor, Read};
use std::sync::{Arc, Mutex};

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use crate::contents::{Contents, Found, labels_of};
use crate::elements::{Array, Bytes, Element, size};
use crate::error::Problem;
use crate::labels::Labels;

/// The longest header that is believed; NumPy's own limit is a sixth of it.
const HEADER_BYTES: usize = 1 << 16;

/// Letters of a text at most.
const LONGEST_TEXT: u64 = 1 << 20;

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
    Number(Element),
    /// Texts of so many bytes each, of one byte or of four a letter.
    Text {
        bytes: usize,
        letter: usize,
    },
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
                "holds Python objects, not numbers; save it with a dtype of numbers or of texts"
                    .into(),
            ));
        }
        let DType::Plain(kind) = header.dtype() else {
            return Err(Problem::Type(
                "is a structured array; known: float16, float32, float64, integers".into(),
            ));
        };
        let element = match (kind.type_char(), kind.size_field()) {
            (TypeChar::Float, 2) => Kind::Number(Element::F16),
            (TypeChar::Float, 4) => Kind::Number(Element::F32),
            (TypeChar::Float, 8) => Kind::Number(Element::F64),
            (TypeChar::Bool | TypeChar::Uint, 1) => Kind::Number(Element::U8),
            (TypeChar::Uint, 2) => Kind::Number(Element::U16),
            (TypeChar::Uint, 4) => Kind::Number(Element::U32),
            (TypeChar::Uint, 8) => Kind::Number(Element::U64),
            (TypeChar::Int, 1) => Kind::Number(Element::I8),
            (TypeChar::Int, 2) => Kind::Number(Element::I16),
            (TypeChar::Int, 4) => Kind::Number(Element::I32),
            (TypeChar::Int, 8) => Kind::Number(Element::I64),
            (of @ (TypeChar::UnicodeStr | TypeChar::ByteStr), 1..=LONGEST_TEXT) => Kind::Text {
                bytes: kind.num_bytes().unwrap_or(0),
                letter: if of == TypeChar::ByteStr { 1 } else { 4 },
            },
            _ => {
                return Err(Problem::Type(format!(
                    "has type '{kind}'; known: float16, float32, float64 (bfloat16 in safetensors), \
                     integers"
                )));
            }
        };
        let bytes = match element {
            Kind::Number(element) => element.bytes(),
            Kind::Text { bytes, .. } => bytes,
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

    pub fn found(self, bytes: Bytes) -> Result<Found, Problem> {
        let array = |element| Array {
            element,
            big_endian: self.big_endian,
            shape: self.shape.clone(),
            bytes,
        };
        match self.kind {
            Kind::Number(element) if self.fortran => {
                // In memory the first axis runs fastest: an array of the axes in reverse.
                let mut array = array(element);
                array.shape.reverse();
                let order: Vec<usize> = (0..array.shape.len()).rev().collect();
                Ok(Found::Array(array.arranged(&order)?))
            }
            Kind::Number(element) => Ok(Found::Array(array(element))),
            Kind::Text {
                bytes: text,
                letter,
            } => {
                if !matches!(self.shape.as_slice(), [_] | [_, 1]) {
                    return Err(Problem::LabelShape(self.shape));
                }
                let (big_endian, data) = (self.big_endian, self.data);
                let raw = Array {
                    shape: vec![data],
                    ..array(Element::U8)
                };
                let raw = raw.bytes()?;
                let texts = raw
                    .chunks_exact(text)
                    .map(|raw| decoded(raw, letter, big_endian));
                let texts: Option<Vec<String>> = texts.collect();
                let texts =
                    texts.ok_or_else(|| Problem::Damaged("its texts are not Unicode".into()))?;
                Ok(Found::Texts(Labels::of_texts(texts)))
            }
        }
    }
}

/// A text that ends where zeros begin.
fn decoded(raw: &[u8], letter: usize, big_endian: bool) -> Option<String> {
    if letter == 1 {
        let end = raw
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |at| at + 1);
        return String::from_utf8(raw[..end].to_vec()).ok();
    }
    let letters = raw.as_chunks::<4>().0.iter().map(|code| match big_endian {
        true => u32::from_be_bytes(*code),
        false => u32::from_le_bytes(*code),
    });
    let text: Option<String> = letters.map(char::from_u32).collect();
    text.map(|text| text.trim_end_matches('\0').to_string())
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
    let Kind::Number(element) = header.kind else {
        return Err(Problem::Type("a mask holds 1 or 0, not texts".into()));
    };
    let size = element.bytes();
    let is_real = |bytes: &[u8]| -> Option<bool> {
        let mut value = [f64::NAN];
        element.decode(bytes, header.big_endian, &mut value);
        let value = value[0];
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

/// The array of a file.
fn array_of(mut file: File) -> Result<Found, Problem> {
    let header = header_of(&mut file)?;
    let bytes = Bytes::File {
        offset: header.length as u64,
        file: Arc::new(Mutex::new(file)),
    };
    header.found(bytes)
}

/// A label of each sample.
pub(crate) fn read_labels(file: File) -> Result<Labels, Problem> {
    match array_of(file)? {
        Found::Texts(labels) => Ok(labels),
        Found::Array(array) => match array.shape.as_slice() {
            [_] | [_, 1] => labels_of(&array),
            shape => Err(Problem::LabelShape(shape.to_vec())),
        },
    }
}

pub(crate) fn read_file(file: File, name: String) -> Result<Contents, Problem> {
    let mut contents = Contents::default();
    contents.add(name, array_of(file)?)?;
    Ok(contents)
}
