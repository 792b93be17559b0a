//! Files that carry their own digest, so that nothing stored is believed unread: a bit that
//! flipped, a line that was edited or a part that is missing is found when they are read.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde_json::Value;

use crate::digest::{Digest, sha256};
use crate::header::{join, sorted_header, split};

/// What the digest is called.
const FIELD: &str = "sha256";
/// Bytes read at once.
const PIECE: usize = 1 << 20;
/// Characters of a digest.
const LENGTH: usize = 64;

/// Why a file is not what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It carries no digest.
    #[error("it carries no digest")]
    Missing,
    /// Its content is not what it was when it was written.
    #[error("its content is not what was written: its digest is another")]
    Broken,
}

/// The text of a JSON object with the digest of all else as its first field.
pub fn seal(json: &str) -> String {
    let Some(rest) = json.trim_start().strip_prefix('{') else {
        return json.to_string();
    };
    let comma = match rest.trim_start().starts_with('}') {
        true => "",
        false => ",",
    };
    let with = |digest: &str| format!("{{\n  \"{FIELD}\": \"{digest}\"{comma}{rest}");
    with(&sha256(with(&"0".repeat(LENGTH))))
}

/// Checks that a text is what [`seal`] made.
///
/// # Errors
/// [`SealError`] if it is not.
pub fn check_seal(text: &str) -> Result<(), SealError> {
    let head = format!("{{\n  \"{FIELD}\": \"");
    let rest = text.strip_prefix(&head).ok_or(SealError::Missing)?;
    let (digest, rest) = rest.split_at_checked(LENGTH).ok_or(SealError::Broken)?;
    match sha256(format!("{head}{}{rest}", "0".repeat(LENGTH))) == digest {
        true => Ok(()),
        false => Err(SealError::Broken),
    }
}

/// JSON lines with the digest of all else, and of whom they belong to, as the last field of the
/// last line; nothing is there to carry it where there is no line.
pub fn seal_lines(lines: &str, owner: &str) -> String {
    let Some(body) = lines.strip_suffix("}\n") else {
        return lines.to_string();
    };
    let with = |digest: &str| format!("{body},\"{FIELD}\":\"{digest}\"}}\n");
    let digest = sha256(format!("{owner}\n{}", with(&"0".repeat(LENGTH))));
    with(&digest)
}

/// Checks that lines are what [`seal_lines`] made for that owner.
///
/// # Errors
/// [`SealError`] if they are not.
pub fn check_lines(lines: &str, owner: &str) -> Result<(), SealError> {
    let head = format!(",\"{FIELD}\":\"");
    let last = lines.lines().next_back().unwrap_or_default();
    if !last.contains(&head) {
        return Err(SealError::Missing);
    }
    let place = lines.rfind(&head).ok_or(SealError::Missing)? + head.len();
    let (before, rest) = lines.split_at(place);
    let (digest, rest) = rest.split_at_checked(LENGTH).ok_or(SealError::Broken)?;
    match sha256(format!("{owner}\n{before}{}{rest}", "0".repeat(LENGTH))) == digest {
        true => Ok(()),
        false => Err(SealError::Broken),
    }
}

/// A whole safetensors file with its header sorted and the digest of all else in its metadata.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] of bytes that are no such file.
pub fn seal_safetensors(file: &[u8]) -> io::Result<Vec<u8>> {
    let (header, data) = split(file)?;
    let mut entries = entries(header)?;
    metadata(&mut entries).remove(FIELD);
    let digest = digest(&entries, data)?;
    metadata(&mut entries).insert(FIELD.into(), digest.into());
    Ok(join(&sorted_header(&serde_json::to_vec(&entries)?)?, data))
}

/// Checks that a file is what [`seal_safetensors`] made, and returns its metadata.
///
/// # Errors
/// [`SealError`] if it is not.
pub fn check_safetensors(file: &[u8]) -> Result<BTreeMap<String, String>, SealError> {
    let (header, mut data) = split(file).map_err(|_| SealError::Broken)?;
    check_safetensors_stream(header, &mut data).map_err(|_| SealError::Broken)??;
    let mut entries = entries(header).map_err(|_| SealError::Broken)?;
    metadata(&mut entries).remove(FIELD);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let found = metadata(&mut entries).iter();
    Ok(found
        .map(|(name, value)| (name.clone(), text(value)))
        .collect())
}

/// Checks that a file is what [`seal_safetensors`] made without holding it: from its header and a
/// reader of all that follows.
///
/// # Errors
/// Those of reading; the inner one if it is not.
pub fn check_safetensors_stream(
    header: &[u8],
    data: &mut impl Read,
) -> io::Result<Result<(), SealError>> {
    let Ok(mut entries) = entries(header) else {
        return Ok(Err(SealError::Broken));
    };
    let Some(said) = metadata(&mut entries).remove(FIELD) else {
        return Ok(Err(SealError::Missing));
    };
    let mut digest = Digest::new();
    digest.update(serde_json::to_vec(&entries)?);
    let mut buffer = vec![0; PIECE];
    loop {
        match data.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => digest.update(&buffer[..count]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(match said.as_str() == Some(&digest.hex()) {
        true => Ok(()),
        false => Err(SealError::Broken),
    })
}

type Entries = BTreeMap<String, BTreeMap<String, Value>>;

fn entries(header: &[u8]) -> io::Result<Entries> {
    Ok(serde_json::from_slice(header)?)
}

fn metadata(entries: &mut Entries) -> &mut BTreeMap<String, Value> {
    entries.entry("__metadata__".into()).or_default()
}

fn digest(entries: &Entries, data: &[u8]) -> io::Result<String> {
    let mut digest = Digest::new();
    digest.update(serde_json::to_vec(entries)?);
    digest.update(data);
    Ok(digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_text_is_found() {
        for json in ["{}", "{\n  \"a\": 1,\n  \"b\": [0.1, null]\n}\n"] {
            let sealed = seal(json);
            assert_eq!(check_seal(&sealed), Ok(()));
            let value: Value = serde_json::from_str(&sealed).unwrap();
            let plain: Value = serde_json::from_str(json).unwrap();
            for (name, expected) in plain.as_object().unwrap() {
                assert_eq!(value.get(name), Some(expected));
            }
            for at in 0..sealed.len() {
                let mut bytes = sealed.clone().into_bytes();
                bytes[at] ^= 1;
                let text = String::from_utf8(bytes).unwrap();
                assert!(check_seal(&text).is_err(), "{at}");
                assert!(check_seal(&sealed[..at]).is_err(), "{at}");
            }
            assert!(check_seal(&format!("{sealed} ")).is_err());
        }
        assert_eq!(check_seal("{\n  \"a\": 1\n}"), Err(SealError::Missing));
    }

    #[test]
    fn every_flipped_bit_of_lines_is_found() {
        let sealed = seal_lines("{\"a\":1}\n{\"a\":2}\n", "cell a");
        assert_eq!(check_lines(&sealed, "cell a"), Ok(()));
        assert_eq!(check_lines(&sealed, "cell b"), Err(SealError::Broken));
        let last: Value = serde_json::from_str(sealed.lines().nth(1).unwrap()).unwrap();
        assert_eq!(last["a"], 2);
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] ^= 1;
            let text = String::from_utf8(bytes).unwrap();
            assert!(check_lines(&text, "cell a").is_err(), "{at}");
            assert!(check_lines(&sealed[..at], "cell a").is_err(), "{at}");
        }
        let half = sealed.lines().next().unwrap();
        assert_eq!(check_lines(half, "cell a"), Err(SealError::Missing));
        assert_eq!(seal_lines("", "cell a"), "");
    }

    #[test]
    fn every_flipped_bit_of_tensors_is_found() {
        let header = br#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"cell":"a"}}"#;
        let file = join(header, &[1, 2, 3, 4]);
        let sealed = seal_safetensors(&file).unwrap();
        assert_eq!(seal_safetensors(&sealed).unwrap(), sealed);
        assert_eq!(check_safetensors(&sealed).unwrap()["cell"], "a");
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone();
            bytes[at] ^= 1;
            // A blank of the padding is of no content.
            if bytes[at] ^ 1 != b' ' {
                assert!(check_safetensors(&bytes).is_err(), "{at}");
                if let Ok((header, mut data)) = split(&bytes) {
                    let found = check_safetensors_stream(header, &mut data).unwrap();
                    assert!(found.is_err(), "{at}");
                }
            }
            assert!(check_safetensors(&sealed[..at]).is_err(), "{at}");
        }
        assert_eq!(check_safetensors(&file), Err(SealError::Missing));
        let stream = |file: &[u8]| {
            let (header, mut data) = split(file).unwrap();
            check_safetensors_stream(header, &mut data).unwrap()
        };
        assert_eq!(stream(&sealed), Ok(()));
        assert_eq!(stream(&file), Err(SealError::Missing));
        assert_eq!(check_safetensors(b"no"), Err(SealError::Broken));
    }
}
