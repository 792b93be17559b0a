//! What a file of weights is by its bytes, and clear words for what it is instead.

use std::error::Error;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use burn_store::pytorch_reader::{PickleError, PickleValue, PytorchError, PytorchReader};
use reprsim_base::sum_while_copying;
use serde_json::{Map, Value};

use crate::error::TrainError;

type Reason = Box<dyn Error + Send + Sync>;

/// How weights are kept in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WeightsFormat {
    /// As safetensors.
    Safetensors,
    /// As `torch.save` writes them: a pickle, in a ZIP archive since PyTorch 1.6.
    PyTorch,
}

/// So many bytes tell what a file is.
const LOOKED_AT: u64 = 512;
/// No header of safetensors is longer, by its own rules.
const LONGEST_HEADER: u64 = 100_000_000;
/// Where a TAR archive says that it is one.
const TAR: (usize, &[u8]) = (257, b"ustar");
/// What is done about a file that is cut or damaged.
const AGAIN: &str = "fetch it again";

impl WeightsFormat {
    /// That of a file whose first bytes and, as far as they tell it, whole length are right.
    ///
    /// # Errors
    /// The operating system's, or what the file is instead and what to do about it.
    pub fn of(path: &Path) -> Result<Self, Reason> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_dir() {
            return Err("it is a folder: name the file of weights in it".into());
        }
        let mut file = File::open(path)?;
        let mut start = vec![];
        (&mut file).take(LOOKED_AT).read_to_end(&mut start)?;
        if start.is_empty() {
            return Err(format!("it is empty: {AGAIN}").into());
        }
        if let Some(length) = header_length(&start) {
            let mut header = vec![];
            let rest = file.take((8 + length).saturating_sub(start.len() as u64));
            let mut whole = start.as_slice().chain(rest);
            io::copy(&mut (&mut whole).take(8), &mut io::sink())?;
            whole.take(length).read_to_end(&mut header)?;
            check_length(&header, length, metadata.len())?;
            return Ok(Self::Safetensors);
        }
        if let Some(instead) = instead(&start) {
            return Err(instead.into());
        }
        let extension = path.extension().and_then(|e| e.to_str());
        let is_named = matches!(extension, Some("pth" | "pt" | "bin"));
        let (at, magic) = TAR;
        let is_tar = start
            .get(at..)
            .is_some_and(|there| there.starts_with(magic));
        if is_named || is_tar || start.starts_with(b"PK") || start.starts_with(&[0x80]) {
            check_pytorch(path)?;
            return Ok(Self::PyTorch);
        }
        Err("it is neither a safetensors file nor one of PyTorch's: take a .safetensors, .pth, .pt \
             or .bin file of weights"
            .into())
    }
}

/// The length of the header that a file of safetensors begins with.
fn header_length(start: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(start.get(..8)?.try_into().ok()?);
    // Text that happens to have this byte there says an impossible length.
    (start.get(8) == Some(&b'{') && length <= LONGEST_HEADER).then_some(length)
}

/// Refuses a file that is shorter or longer than its header says.
fn check_length(header: &[u8], length: u64, size: u64) -> Result<(), Reason> {
    let cut = |whole: u64| format!("it is cut: {size} of {whole} bytes are there, {AGAIN}");
    if (header.len() as u64) < length {
        return Err(cut(8 + length).into());
    }
    let header: Map<String, Value> = serde_json::from_slice(header)
        .map_err(|e| format!("its header is damaged ({e}): {AGAIN}"))?;
    let ends = (header.values()).filter_map(|entry| entry["data_offsets"][1].as_u64());
    let whole = ends.max().unwrap_or(0).saturating_add(8 + length);
    match size {
        size if size < whole => Err(cut(whole).into()),
        size if size > whole => Err(format!(
            "it is damaged: {size} bytes are there where its header says {whole}, {AGAIN}"
        )
        .into()),
        _ => Ok(()),
    }
}

/// What is often found where weights should be.
fn instead(start: &[u8]) -> Option<String> {
    let text = start.trim_ascii_start();
    if start.starts_with(b"version https://git-lfs") {
        return Some(
            "it is a pointer of Git LFS, not the file: run 'git lfs pull' where it comes from"
                .into(),
        );
    }
    if text.starts_with(b"<") {
        return Some(
            "it is a page (HTML or XML), as servers give for a wrong address or without a login: \
             fetch the file itself"
                .into(),
        );
    }
    // Also a pickle may begin with any of these, but none with a quoted name.
    let rest = text.strip_prefix(b"{")?.trim_ascii_start();
    if !rest.starts_with(b"\"") && !rest.starts_with(b"}") {
        return None;
    }
    let mentions = |word: &[u8]| text.windows(word.len()).any(|there| there == word);
    Some(match mentions(b"weight_map") || mentions(b"total_size") {
        true => {
            "it is the index of a checkpoint in parts, which are not put together here: save the \
                 model as one file, such as save_pretrained(FOLDER, max_shard_size=\"100GB\")"
                .into()
        }
        false => "it is JSON, not weights: name the file of weights beside it".into(),
    })
}

/// Looks at a file of PyTorch's as far as what its tensors are called. Nothing in a pickle is ever
/// run here.
fn check_pytorch(path: &Path) -> Result<(), Reason> {
    let found = PytorchReader::new(path);
    if found.as_ref().is_ok_and(|reader| !reader.is_empty()) {
        return Ok(());
    }
    // Python's objects, if there are any, say more than that there are no tensors.
    let foreign = PytorchReader::read_pickle_data(path, None);
    let object = foreign.ok().as_ref().and_then(foreign_object);
    match (found, object) {
        (_, Some(object)) => Err(objects(&object).into()),
        (Ok(_), None) => Err("it holds no tensors: name a file of weights".into()),
        (Err(error), None) => Err(words(&error).into()),
    }
}

/// The first of Python's objects in a pickle that are no plain values.
fn foreign_object(value: &PickleValue) -> Option<String> {
    match value {
        PickleValue::Unsupported(name) => Some(name.clone()),
        PickleValue::List(values) => values.iter().find_map(foreign_object),
        PickleValue::Dict(values) => {
            let mut found: Vec<String> = values.values().filter_map(foreign_object).collect();
            found.sort_unstable();
            found.into_iter().next()
        }
        _ => None,
    }
}

/// What to do about pickled objects.
fn objects(name: &str) -> String {
    format!(
        "it holds Python objects ({name}) in place of weights alone; code in a file is never run: \
         where it comes from, write torch.save(model.state_dict(), FILE)"
    )
}

/// What a file is that PyTorch's reader refuses.
pub(crate) fn words(error: &PytorchError) -> String {
    let cut = |error: &dyn Display| format!("it is cut or damaged ({error}): {AGAIN}");
    match error {
        PytorchError::Pickle(PickleError::UnsupportedType(name)) => objects(name),
        PytorchError::Pickle(PickleError::NoDataSource) => objects("a pickle without its tensors"),
        PytorchError::InvalidFormat(reason) if reason.contains("data.pkl") => {
            "it is a ZIP archive, but none that torch.save wrote: if the file of weights is in it, \
             unpack it"
                .into()
        }
        PytorchError::InvalidFormat(reason) if reason.contains("not a PyTorch checkpoint") => {
            "it is neither a safetensors file nor one of PyTorch's".into()
        }
        PytorchError::Io(e) if e.kind() != ErrorKind::UnexpectedEof => e.to_string(),
        PytorchError::InvalidFormat(reason) if reason.contains("beyond the end") => cut(reason),
        PytorchError::InvalidFormat(reason) => format!("it cannot be read: {reason}"),
        other => cut(other),
    }
}

/// What names the content of a file of weights, which is looked at as far as no architecture is
/// needed for it.
///
/// # Errors
/// [`TrainError::Checkpoint`] if it cannot be read, with what it is instead and what to do.
pub fn content_of_weights(path: &Path) -> Result<String, TrainError> {
    let fail = |reason: Reason| TrainError::Checkpoint {
        path: path.to_path_buf(),
        reason,
    };
    WeightsFormat::of(path).map_err(fail)?;
    let summed = File::open(path)
        .and_then(|mut file| sum_while_copying(&mut file, &mut io::sink()))
        .map_err(|e| fail(e.into()))?;
    Ok(summed.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of safetensors with one tensor of four bytes.
    fn safetensors() -> Vec<u8> {
        let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header);
        bytes.extend_from_slice(&1f32.to_le_bytes());
        bytes
    }

    fn told(name: &str, bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        match content_of_weights(&path) {
            Ok(content) => content,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn files_that_are_no_weights_are_told_by_what_they_are() {
        let whole = safetensors();
        assert_eq!(told("a.safetensors", &whole), reprsim_base::sha256(&whole));
        let longer = [whole.as_slice(), b"x"].concat();
        let index = br#"{"metadata":{"total_size":9},"weight_map":{"a":"b"}}"#;
        // `cos\nsystem\n(S'true'\ntR.`: what a pickle runs where it is believed.
        let code = b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.";
        for (name, bytes, said) in [
            (
                "a.safetensors",
                &whole[..whole.len() - 1],
                "it is cut: 65 of 66 bytes",
            ),
            ("a.safetensors", &whole[..20], "it is cut: 20 of "),
            ("a.safetensors", &longer, "it is damaged"),
            ("a.safetensors", b"", "it is empty"),
            ("a.pth", b"", "it is empty"),
            (
                "a.pth",
                b"version https://git-lfs.github.com/spec/v1\n",
                "'git lfs pull'",
            ),
            ("a.pth", b"\n<!DOCTYPE html><html>", "it is a page"),
            ("a.json", index, "the index of a checkpoint in parts"),
            ("a.bin", b"{\"a\": 1}", "it is JSON"),
            ("a.pth", code, "it holds Python objects (os.system)"),
            ("a.pth", b"PK\x03\x04 and no more", "it is cut or damaged"),
            ("a.pth", b"weights", "it is neither"),
            ("a.weights", b"weights", "it is neither"),
        ] {
            let told = told(name, bytes);
            assert!(told.contains(said), "{name}: {told}");
            assert!(told.contains(name) && told.lines().count() == 1, "{told}");
        }
        let folder = tempfile::tempdir().unwrap();
        let error = content_of_weights(folder.path()).unwrap_err().to_string();
        assert!(error.contains("it is a folder"), "{error}");
    }
}
