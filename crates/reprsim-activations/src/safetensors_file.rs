//! `.safetensors`: a JSON header and the arrays' bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::sync::{Arc, Mutex};

use reprsim_base::{SealError, check_safetensors_stream};
use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::contents::{Contents, Found, natural_key};
use crate::elements::{Array, Bytes, Element, size};
use crate::error::Problem;
use crate::ids::SampleIds;

/// In the metadata of what this program writes.
const SCHEMA: &str = "reprsim_schema";

/// The longest header that is believed.
const HEADER_BYTES: u64 = 100 << 20;

pub(crate) fn read(mut file: File) -> Result<Contents, Problem> {
    let length = file.metadata()?.len();
    let mut prefix = [0; 8];
    file.read_exact(&mut prefix)
        .map_err(|_| Problem::Damaged("is too short for a safetensors file".into()))?;
    let header_length = u64::from_le_bytes(prefix);
    if header_length > HEADER_BYTES || header_length + 8 > length {
        return Err(Problem::Damaged(format!(
            "its header claims {header_length} bytes, of a file of {length}: it is truncated or \
             not a safetensors file"
        )));
    }
    let mut text = vec![0; header_length as usize];
    file.read_exact(&mut text)?;
    let header: Header = serde_json::from_slice(&text).map_err(|e| Problem::Unsound {
        what: "its header is damaged",
        source: e.into(),
    })?;
    // Files of other programs carry no digest, or one of something else.
    if header.info.contains_key(SCHEMA) {
        match check_safetensors_stream(&text, &mut file)? {
            Ok(()) | Err(SealError::Missing) => {}
            Err(broken) => return Err(broken.into()),
        }
    }
    let mut found = header.layers;
    let mut sorted: Vec<&String> = found.iter().map(|(name, _)| name).collect();
    sorted.sort();
    if let Some(twice) = sorted.windows(2).find(|w| w[0] == w[1]) {
        return Err(Problem::LayerTwice(twice[0].clone()));
    }

    let start = header_length + 8;
    let data = (length - start) as usize;
    let file = Arc::new(Mutex::new(file));
    let info = header.info;
    found.sort_by_key(|(_, info)| info.data_offsets);
    // The bytes must be those of the arrays, without gaps: anything else is a
    // file that was cut off or put together wrongly.
    let mut at = 0;
    for (name, info) in &found {
        let (from, to) = info.data_offsets;
        if from != at || to < from {
            return Err(Problem::Damaged(format!(
                "layer '{name}' claims bytes {from} to {to} of the data, where {at} is next"
            )));
        }
        at = to;
    }
    if at != data {
        return Err(Problem::Damaged(format!(
            "its layers take {at} bytes and the file holds {data}: it is truncated or longer than \
             it says"
        )));
    }
    let order: Option<Vec<String>> =
        (info.get("layers")).map(|names| names.split(',').map(String::from).collect());
    found.sort_by_key(|(name, _)| {
        let place = order
            .as_ref()
            .and_then(|o| o.iter().position(|n| n == name));
        (place.unwrap_or(usize::MAX), natural_key(name))
    });

    let mut contents = Contents {
        hash: info.get("sample_ids_sha256").cloned().map(SampleIds::Hash),
        ..Contents::default()
    };
    for (name, info) in &found {
        let (from, to) = info.data_offsets;
        let element = match info.dtype {
            Dtype::F8_E4M3 => Element::F8E4M3,
            Dtype::F8_E5M2 => Element::F8E5M2,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::Bf16,
            Dtype::F32 => Element::F32,
            Dtype::F64 => Element::F64,
            Dtype::BOOL | Dtype::U8 => Element::U8,
            Dtype::U16 => Element::U16,
            Dtype::U32 => Element::U32,
            Dtype::U64 => Element::U64,
            Dtype::I8 => Element::I8,
            Dtype::I16 => Element::I16,
            Dtype::I32 => Element::I32,
            Dtype::I64 => Element::I64,
            other => {
                return Err(Problem::Type(format!(
                    "layer '{name}' has type {other:?}; known: F8_E4M3, F8_E5M2, F16, BF16, F32, F64, \
                     integers and BOOL"
                )));
            }
        };
        if size(&info.shape, element.bytes()) != Some(to - from) {
            return Err(Problem::Damaged(format!(
                "layer '{name}' of shape {:?} cannot be {} bytes",
                info.shape,
                to - from
            )));
        }
        let array = Array {
            element,
            big_endian: false,
            shape: info.shape.clone(),
            bytes: Bytes::File {
                file: file.clone(),
                offset: start + from as u64,
            },
        };
        contents.add(name.clone(), Found::Array(array))?;
    }
    Ok(contents)
}

/// The header, each entry as often as it is there.
#[derive(Default)]
struct Header {
    layers: Vec<(String, TensorInfo)>,
    info: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        header.info = map.next_value()?;
                    } else {
                        header.layers.push((name, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}
