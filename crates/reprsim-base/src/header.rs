//! The header of a safetensors file, in order.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

/// Bytes before the header that say how long it is.
const LENGTH: usize = 8;

/// The JSON header of a safetensors file with all names sorted, padded as the format wants
/// it. The library keeps metadata in a hash map and so writes them in another order each
/// time: the same content would not be the same bytes.
///
/// # Errors
/// That of a header that is no JSON object.
pub fn sorted_header(header: &[u8]) -> io::Result<Vec<u8>> {
    let entries: BTreeMap<String, Value> = serde_json::from_slice(header)?;
    let sorted: BTreeMap<String, BTreeMap<String, Value>> = entries
        .into_iter()
        .map(|(name, entry)| Ok((name, serde_json::from_value(entry)?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let mut header = serde_json::to_vec(&sorted)?;
    header.resize(header.len().next_multiple_of(LENGTH), b' ');
    Ok(header)
}

/// The header of a safetensors file, and what follows it.
pub(crate) fn split(file: &[u8]) -> io::Result<(&[u8], &[u8])> {
    let cut = || io::Error::new(io::ErrorKind::InvalidData, "no safetensors file");
    let (length, rest) = file.split_first_chunk::<LENGTH>().ok_or_else(cut)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
    rest.split_at_checked(length).ok_or_else(cut)
}

/// A safetensors file of a header and what follows it.
pub(crate) fn join(header: &[u8], data: &[u8]) -> Vec<u8> {
    let mut file = Vec::with_capacity(LENGTH + header.len() + data.len());
    file.extend((header.len() as u64).to_le_bytes());
    file.extend(header);
    file.extend(data);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_safetensors(file: &[u8]) -> io::Result<Vec<u8>> {
        let (header, data) = split(file)?;
        Ok(join(&sorted_header(header)?, data))
    }

    fn file(header: &str) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [&length[..], header.as_bytes(), &[1, 2, 3, 4]].concat()
    }

    #[test]
    fn order_is_that_of_names_and_all_else_stays() {
        let one = file(
            r#"{"__metadata__":{"b":"é","a":"2"},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  "#,
        );
        let other = file(
            r#"{"x":{"shape":[1],"dtype":"F32","data_offsets":[0,4]},"__metadata__":{"a":"2","b":"é"}}"#,
        );
        let sorted = sorted_safetensors(&one).unwrap();
        assert_eq!(sorted, sorted_safetensors(&other).unwrap());
        assert_eq!(sorted, sorted_safetensors(&sorted).unwrap());
        assert!(sorted.ends_with(&[1, 2, 3, 4]));
        assert_eq!((sorted.len() - 4) % 8, 0, "padded");
        for damaged in [&one[..7], &one[..20], &file("[]"), &file("{\"x\":1}")] {
            assert!(sorted_safetensors(damaged).is_err());
        }
    }
}
