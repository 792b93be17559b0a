//! Which samples the rows are.

use crate::elements::{Array, Bytes};
use crate::error::{DifferentSamples, Problem};

/// What a file says of its samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SampleIds {
    /// A hash over all of them, in order.
    Hash(String),
    /// Each of them: an integer array `sample_ids` beside the layers.
    Numbers(Vec<i64>),
}

/// The name of the array of sample ids.
pub(crate) const ARRAY: &str = "sample_ids";

impl SampleIds {
    /// Whether row i is the same sample here and there.
    ///
    /// # Errors
    /// Where they part. A hash and a list cannot be compared and are let pass.
    pub fn check(&self, other: &Self) -> Result<(), DifferentSamples> {
        match (self, other) {
            (Self::Hash(a), Self::Hash(b)) if a != b => Err(DifferentSamples::Hashes {
                a: a.clone(),
                b: b.clone(),
            }),
            (Self::Numbers(a), Self::Numbers(b)) => {
                if a.len() != b.len() {
                    return Err(DifferentSamples::Counts {
                        a: a.len(),
                        b: b.len(),
                    });
                }
                match a.iter().zip(b).position(|(x, y)| x != y) {
                    Some(row) => Err(DifferentSamples::Row {
                        row,
                        a: a[row],
                        b: b[row],
                    }),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// An integer array that is read whole.
pub(crate) struct Integers {
    pub bytes: usize,
    pub signed: bool,
    pub big_endian: bool,
    pub array: Array,
}

impl Integers {
    pub fn ids(&self) -> Result<SampleIds, Problem> {
        let &[n] = self.array.shape.as_slice() else {
            return Err(Problem::IdShape(self.array.shape.clone()));
        };
        let raw = self.raw(n * self.bytes)?;
        let ids = raw.chunks_exact(self.bytes).map(|chunk| {
            let mut bytes = [0u8; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            if self.big_endian {
                bytes[..chunk.len()].reverse();
            }
            let value = i64::from_le_bytes(bytes);
            let shift = 64 - 8 * self.bytes as u32;
            match self.signed {
                true => value << shift >> shift,
                false => value,
            }
        });
        Ok(SampleIds::Numbers(ids.collect()))
    }

    fn raw(&self, count: usize) -> Result<Vec<u8>, Problem> {
        use std::io::{Read, Seek, SeekFrom};
        match &self.array.bytes {
            Bytes::Memory(bytes) => Ok(bytes.get(..count).ok_or_else(Problem::short)?.to_vec()),
            Bytes::Elsewhere(lent) => Ok(lent
                .bytes(0..count)
                .ok_or_else(Problem::short)?
                .into_owned()),
            Bytes::File { file, offset } => {
                let mut buffer = vec![0; count];
                let mut file = file.lock().unwrap_or_else(|e| e.into_inner());
                file.seek(SeekFrom::Start(*offset))
                    .and_then(|_| file.read_exact(&mut buffer))?;
                Ok(buffer)
            }
        }
    }
}
