//! Readers ask whether what they are to hold may be held, before they do. The budget is that of the
//! process, so that this is one of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use reprsim_base::set_memory_budget;
use reprsim_data::{DataError, DatasetSpec, Part, TextSettings, Tokenizer, open};

fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn idx(dims: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes
}

/// A `.tar.gz` of members of so many zeros.
fn tar_gz(members: &[(&str, usize)]) -> Vec<u8> {
    let packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(packed);
    for (name, size) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(*size as u64);
        let content = vec![0u8; *size];
        archive
            .append_data(&mut header, name, content.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A MATLAB file that says that it holds the images of SVHN's test part, and ends there.
fn mat() -> Vec<u8> {
    let element = |kind: u32, data: &[u8]| {
        let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
        bytes.extend(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    };
    let count = 26_032i32;
    let dims: Vec<u8> = [32, 32, 3, count]
        .iter()
        .flat_map(|d| d.to_le_bytes())
        .collect();
    let size = 32 * 32 * 3 * count as u32;
    let inside = [
        element(6, &[9, 0, 0, 0, 0, 0, 0, 0]),
        element(5, &dims),
        element(1, b"X"),
        [2u32.to_le_bytes(), size.to_le_bytes()].concat(),
    ]
    .concat();
    let array = [
        14u32.to_le_bytes().to_vec(),
        (inside.len() as u32 + size).to_le_bytes().to_vec(),
        inside,
    ]
    .concat();
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&array).unwrap();
    let packed = packed.finish().unwrap();
    let mut bytes = b"MATLAB 5.0 MAT-file".to_vec();
    bytes.resize(124, b' ');
    bytes.extend([0, 1, b'I', b'M']);
    bytes.extend(15u32.to_le_bytes());
    bytes.extend((packed.len() as u32).to_le_bytes());
    bytes.extend(packed);
    bytes
}

fn zip(path: &Path, name: &str, size: usize) {
    let mut archive = zip::ZipWriter::new(File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    archive.start_file(name, options).unwrap();
    archive.write_all(&vec![b'n'; size]).unwrap();
    archive.finish().unwrap();
}

#[test]
fn no_reader_takes_more_than_the_budget() {
    set_memory_budget(4 << 20);
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for prefix in ["train", "t10k"] {
        let images = idx(&[60_000, 28, 28]);
        write(&at(&format!("mnist/{prefix}-images-idx3-ubyte")), &images);
        let labels = idx(&[60_000]);
        write(&at(&format!("mnist/{prefix}-labels-idx1-ubyte")), &labels);
    }
    let card = |name: &str| reprsim_data::find_card(name).unwrap();
    let file = |set: &str| at(&format!("{set}/{}", card(set).files[0].name));
    let batch = [("cifar-10-batches-bin/test_batch.bin", 3073 * 10_000)];
    write(&file("cifar-10"), &tar_gz(&batch));
    for name in ["train_32x32.mat", "test_32x32.mat"] {
        write(&at("svhn").join(name), &mat());
    }
    fs::create_dir_all(at("tiny-imagenet")).unwrap();
    zip(
        &file("tiny-imagenet"),
        "tiny-imagenet-200/wnids.txt",
        5 << 20,
    );
    for of_card in &card("emoji").files {
        let list = [("package/emoji.json", 5 << 20)];
        write(&at("emoji").join(&of_card.name), &tar_gz(&list));
    }
    for name in ["mnist", "cifar-10", "svhn", "tiny-imagenet", "emoji"] {
        let spec = DatasetSpec {
            name: name.into(),
            ..DatasetSpec::default()
        };
        let error = open(&spec, Part::Test, dir.path()).unwrap_err();
        assert!(matches!(error, DataError::TooLarge(_)), "{name}: {error}");
        assert!(
            error.is_usage() && error.to_string().contains(name),
            "{error}"
        );
    }

    // Text: as many tokens as fit, however it is packed, and however small it is then.
    let words: String = (0..400_000).map(|i| format!("{i:x} ")).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(words.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let line = format!("{{\"text\": \"{words}\"}}\n");
    let array = format!("[{{\"text\": \"{words}\"}}]");
    for (name, bytes) in [
        ("words.txt", words.as_bytes()),
        ("words.txt.gz", &packed),
        ("line.jsonl", line.as_bytes()),
        ("array.json", array.as_bytes()),
    ] {
        write(&at(name), bytes);
        let spec = DatasetSpec {
            name: "text".into(),
            text: Some(TextSettings {
                corpora: vec![at(name).display().to_string()],
                tokenizer: Tokenizer::Bytes,
                ..TextSettings::default()
            }),
            ..DatasetSpec::default()
        };
        let error = open(&spec, Part::Test, dir.path()).unwrap_err();
        match name.ends_with(".txt") || name.ends_with(".gz") {
            true => assert!(matches!(error, DataError::TooLarge(_)), "{name}: {error}"),
            // An object is held whole.
            false => assert!(
                error.to_string().contains("has more than 524288 bytes"),
                "{error}"
            ),
        }
    }
}
