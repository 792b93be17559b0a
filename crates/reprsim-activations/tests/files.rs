//! Files as other tools write them are read right; files that lie are refused.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Cursor, Write};
use std::path::PathBuf;

use half::{bf16, f16};
use proptest::prelude::*;
use reprsim_activations::{
    ActivationError, ActivationFile, Axes, Labels, LayerMatrix, Layers, Mask, Pool, Problem,
    Reading, SampleIds,
};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn open(&self, name: &str, bytes: &[u8]) -> Result<ActivationFile, ActivationError> {
        ActivationFile::open(&self.file(name, bytes))
    }

    /// The message about a file that must be refused, with its causes.
    fn refused(&self, name: &str, bytes: &[u8]) -> String {
        match self.open(name, bytes) {
            Ok(file) => panic!("{name} was taken: {file:?}"),
            Err(error) => {
                let first: &dyn std::error::Error = &error;
                let chain = std::iter::successors(Some(first), |e| (*e).source());
                let message = chain
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(": ");
                assert!(message.contains(name), "{message}");
                message
            }
        }
    }
}

/// A .npy file as NumPy writes it.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn npz(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in members {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn values(matrix: &LayerMatrix) -> Vec<f64> {
    let [n, d] = matrix.shape();
    let mut out = vec![f64::NAN; n * d];
    matrix.read(0..n, &mut out).unwrap();
    // Rows one by one are the same.
    for i in 0..n {
        let mut row = vec![f64::NAN; d];
        matrix.read(i..i + 1, &mut row).unwrap();
        // By bits: NaN is to stay NaN.
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&row), bits(&out[i * d..(i + 1) * d]));
    }
    out
}

fn masked(pool: Pool, mask: &Mask) -> Reading {
    Reading {
        mask: Some(mask.clone()),
        ..Reading::pooled(pool)
    }
}

fn only_layer(file: &ActivationFile) -> Vec<f64> {
    assert_eq!(file.layers.len(), 1);
    values(&file.layers[0].matrix(&Reading::default()).unwrap())
}

#[test]
fn every_type_and_order_reads_the_same() {
    let folder = Folder::new();
    let wanted = [1.0, -2.5, 3.0, 0.0, 0.5, -0.25];
    type Encode = fn(f64) -> Vec<u8>;
    let types: [(&str, Encode); 6] = [
        ("<f2", |v| f16::from_f64(v).to_le_bytes().to_vec()),
        (">f2", |v| f16::from_f64(v).to_be_bytes().to_vec()),
        ("<f4", |v| (v as f32).to_le_bytes().to_vec()),
        (">f4", |v| (v as f32).to_be_bytes().to_vec()),
        ("<f8", |v| v.to_le_bytes().to_vec()),
        (">f8", |v| v.to_be_bytes().to_vec()),
    ];
    for (descr, encode) in types {
        // Two samples of three dimensions.
        let c: Vec<u8> = wanted.iter().flat_map(|v| encode(*v)).collect();
        let by_columns = [0, 3, 1, 4, 2, 5];
        let f: Vec<u8> = by_columns.iter().flat_map(|i| encode(wanted[*i])).collect();
        for (fortran, data) in [(false, c), (true, f)] {
            let bytes = npy(descr, fortran, "(2, 3)", &data);
            let file = folder.open("layer.npy", &bytes).unwrap();
            assert_eq!(only_layer(&file), wanted, "{descr} {fortran}");
            assert_eq!(file.layers[0].name, "layer");
            for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
                let archive = npz(&[("conv1.npy", &bytes)], method);
                let file = folder.open("model.npz", &archive).unwrap();
                assert_eq!(only_layer(&file), wanted, "{descr} {fortran} in an archive");
                assert_eq!(file.layers[0].name, "conv1");
            }
        }
    }
    let bf: Vec<u8> = wanted
        .iter()
        .flat_map(|v| bf16::from_f64(*v).to_le_bytes())
        .collect();
    let header = r#"{"x":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#;
    let file = folder
        .open("a.safetensors", &safetensors(header, &bf))
        .unwrap();
    assert_eq!(only_layer(&file), wanted);
}

#[test]
fn layers_and_samples_keep_their_names_and_order() {
    let folder = Folder::new();
    let one = f32s(&[1.0, 2.0]);
    let data = [one.clone(), one.clone(), one.clone()].concat();
    let header = r#"{"block10":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},
        "block2":{"dtype":"F32","shape":[2,1],"data_offsets":[8,16]},
        "sample_ids":{"dtype":"I32","shape":[2],"data_offsets":[16,24]},
        "__metadata__":{"framework":"pt"}}"#;
    let file = folder
        .open("a.safetensors", &safetensors(header, &data))
        .unwrap();
    let names: Vec<&str> = file.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["block2", "block10"]);
    assert!(matches!(file.ids, Some(SampleIds::Numbers(ref ids)) if ids.len() == 2));

    // An archive keeps the order in which it was written.
    let layer = npy("<f4", false, "(2, 1)", &one);
    let big: Vec<u8> = [7i32, -8].iter().flat_map(|v| v.to_be_bytes()).collect();
    let archive = npz(
        &[
            ("zeta.npy", &layer),
            ("alpha.npy", &layer),
            ("sample_ids.npy", &npy(">i4", false, "(2,)", &big)),
        ],
        CompressionMethod::Stored,
    );
    let file = folder.open("b.npz", &archive).unwrap();
    let names: Vec<&str> = file.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["zeta", "alpha"]);
    assert_eq!(file.ids, Some(SampleIds::Numbers(vec![7, -8])));
    let other = SampleIds::Numbers(vec![7, -9]);
    let message = file.ids.unwrap().check(&other).unwrap_err().to_string();
    assert!(
        message.contains("row 1") && message.contains("-9"),
        "{message}"
    );
    let few = npz(
        &[
            ("a.npy", &layer),
            ("sample_ids.npy", &npy(">i4", false, "(1,)", &big[..4])),
        ],
        CompressionMethod::Stored,
    );
    let few = folder.open("few.npz", &few).unwrap();
    let message = few.matrices(&Reading::default()).unwrap_err().to_string();
    assert!(
        message.contains("few.npz: it has 1 sample ids"),
        "{message}"
    );
}

#[test]
fn pooling_is_what_it_says_and_never_guessed() {
    let folder = Folder::new();
    let counting: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let data = f32s(&counting);
    let tokens = folder
        .open("t.npy", &npy("<f4", false, "(2, 3, 2)", &data))
        .unwrap();
    let tokens = &tokens.layers[0];
    let message = tokens.matrix(&Reading::default()).unwrap_err().to_string();
    assert!(
        message.contains("--pool") && message.contains("tokens"),
        "{message}"
    );
    let pooled = |pool: &str| {
        values(
            &tokens
                .matrix(&Reading::pooled(pool.parse().unwrap()))
                .unwrap(),
        )
    };
    assert_eq!(pooled("mean"), [2.0, 3.0, 8.0, 9.0]);
    assert_eq!(pooled("max"), [4.0, 5.0, 10.0, 11.0]);
    assert_eq!(pooled("first"), [0.0, 1.0, 6.0, 7.0]);
    assert_eq!(pooled("last"), [4.0, 5.0, 10.0, 11.0]);
    assert_eq!(pooled("flatten"), counting.map_f64());

    let maps = folder
        .open("m.npy", &npy("<f4", false, "(1, 3, 2, 2)", &data))
        .unwrap();
    let maps = &maps.layers[0];
    assert!(maps.matrix(&Reading::default()).is_err());
    let pooled = |pool: Pool| values(&maps.matrix(&Reading::pooled(pool)).unwrap());
    assert_eq!(pooled(Pool::Mean), [1.5, 5.5, 9.5]);
    assert_eq!(pooled(Pool::Max), [3.0, 7.0, 11.0]);
    let message = maps
        .matrix(&Reading::pooled(Pool::Last))
        .unwrap_err()
        .to_string();
    assert!(message.contains("no first or last token"), "{message}");
    // Fortran order, four axes: flattened in C order all the same.
    let by_first: Vec<f32> = (0..12)
        .map(|at| {
            let (c, h, w) = (at % 3, at / 3 % 2, at / 6);
            counting[c * 4 + h * 2 + w]
        })
        .collect();
    let bytes = npy("<f4", true, "(1, 3, 2, 2)", &f32s(&by_first));
    let turned = folder.open("f.npy", &bytes).unwrap();
    let flat = turned.layers[0]
        .matrix(&Reading::pooled(Pool::Flatten))
        .unwrap();
    assert_eq!(values(&flat), counting.map_f64());

    let one_axis = folder
        .open("v.npy", &npy("<f4", false, "(12,)", &data))
        .unwrap();
    for reading in [Reading::default(), Reading::pooled(Pool::Mean)] {
        let column = one_axis.layers[0].matrix(&reading).unwrap();
        assert_eq!(column.shape(), [12, 1]);
        assert_eq!(values(&column), counting.map_f64());
    }
    let nan = f32s(&[f32::NAN, 1.0]);
    let with_nan = folder
        .open("n.npy", &npy("<f4", false, "(1, 2, 1)", &nan))
        .unwrap();
    assert!(
        values(
            &with_nan.layers[0]
                .matrix(&Reading::pooled(Pool::Max))
                .unwrap()
        )[0]
        .is_nan()
    );
}

trait MapF64 {
    fn map_f64(&self) -> Vec<f64>;
}

impl MapF64 for Vec<f32> {
    fn map_f64(&self) -> Vec<f64> {
        self.iter().map(|v| f64::from(*v)).collect()
    }
}

#[test]
fn npy_files_that_lie_are_refused() {
    let folder = Folder::new();
    let data = f32s(&[1.0; 6]);
    let sound = npy("<f4", false, "(2, 3)", &data);
    let says = |bytes: &[u8], what: &str| {
        let message = folder.refused("x.npy", bytes);
        assert!(message.contains(what), "{message}");
    };
    for cut in [0, 5, 7, 9, 40, sound.len() - 1] {
        folder.refused("x.npy", &sound[..cut]);
    }
    says(&sound[..sound.len() - 4], "truncated");
    says(&[sound.clone(), vec![0]].concat(), "longer");
    says(&npy("|O", false, "(2, 3)", &data), "Python objects");
    says(&npy("<c8", false, "(2, 3)", &data), "type");
    says(&npy("<i4", false, "(6,)", &data), "[samples, 1]");
    says(&npy("|S4", false, "(2, 3)", &data), "labels of samples");
    says(&npy("<M8[s]", false, "(3,)", &data), "type");
    says(
        &npy("<f4", false, "(4294967296, 4294967296, 4294967296)", &data),
        "beyond",
    );
    says(
        &npy("<f4", false, "(0, 4294967296, 4294967296, 4294967296)", &[]),
        "beyond",
    );
    says(&npy("<f4", false, "(1000000000, 3)", &data), "truncated");
    says(&npy("<f4", false, "(2, -3)", &data), "damaged");
    says(&npy("<f4", false, &"(".repeat(30_000), &data), "structured");
    says(b"PK\x03\x04 not an array at all", "does not begin");
    let mut long = sound.clone();
    long[6] = 2;
    says(&long, "header");
}

#[test]
fn npz_files_that_lie_are_refused() {
    let folder = Folder::new();
    let layer = npy("<f4", false, "(2, 3)", &f32s(&[1.0; 6]));
    let stored = CompressionMethod::Stored;
    let says = |bytes: &[u8], what: &str| {
        let message = folder.refused("x.npz", bytes);
        assert!(message.contains(what), "{message}");
    };
    let sound = npz(&[("a.npy", &layer)], stored);
    for cut in [0, 10, sound.len() / 2, sound.len() - 1] {
        folder.refused("x.npz", &sound[..cut]);
    }
    says(&npz(&[], stored), "no layers");
    says(&npz(&[("notes.txt", b"hello")], stored), "notes.txt");
    says(
        &npz(&[("a.npy", &layer[..layer.len() - 2])], stored),
        "it holds 22",
    );
    says(&npz(&[("a.npy", b"nonsense")], stored), "a.npy");
    // The reader of archives forgets the first of two members of one name.
    let twice = npz(&[("aa.npy", &layer), ("ab.npy", &layer)], stored);
    let twice: Vec<u8> = {
        let mut bytes = twice;
        for at in 0..bytes.len() - 6 {
            if &bytes[at..at + 6] == b"ab.npy" {
                bytes[at + 1] = b'a';
            }
        }
        bytes
    };
    says(&twice, "same name");
    // 100 MB of zeros in 100 kB.
    let zeros = npy("<f4", false, "(25000, 1000)", &vec![0; 100_000_000]);
    says(
        &npz(&[("bomb.npy", &zeros)], CompressionMethod::Deflated),
        "grows from",
    );
    // A flipped byte fails the checksum.
    let mut flipped = sound.clone();
    let at = flipped
        .windows(4)
        .position(|w| w == 1f32.to_le_bytes())
        .unwrap();
    flipped[at] ^= 1;
    says(&flipped, "hecksum");
}

#[test]
fn safetensors_files_that_lie_are_refused() {
    let folder = Folder::new();
    let data = f32s(&[1.0; 6]);
    let entry = |shape: &str, from: usize, to: usize| {
        format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}"#)
    };
    let sound = safetensors(&format!(r#"{{"x":{}}}"#, entry("[2,3]", 0, 24)), &data);
    assert!(folder.open("x.safetensors", &sound).is_ok());
    let says = |bytes: &[u8], what: &str| {
        let message = folder.refused("x.safetensors", bytes);
        assert!(message.contains(what), "{message}");
    };
    for cut in [0, 7, 8, 30, sound.len() - 1] {
        folder.refused("x.safetensors", &sound[..cut]);
    }
    let mut header = sound.clone();
    header[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    says(&header, "header claims");
    header[..8].copy_from_slice(&5u64.to_le_bytes());
    says(&header, "damaged");
    let x = |entry: String| safetensors(&format!(r#"{{"x":{entry}}}"#), &data);
    says(&x(entry("[2,4]", 0, 24)), "24 bytes");
    says(&x(entry("[2,3]", 4, 28)), "claims bytes");
    says(&x(entry("[2,3]", 24, 0)), "claims bytes");
    says(&x(entry("[2,2]", 0, 16)), "longer");
    says(
        &x(entry("[4294967296,4294967296,4294967296]", 0, 24)),
        "cannot be",
    );
    says(
        &x(r#"{"dtype":"C64","shape":[3],"data_offsets":[0,24]}"#.into()),
        "C64",
    );
    let half = entry("[1,3]", 0, 12);
    let twice = format!(r#"{{"x":{half},"x":{}}}"#, entry("[1,3]", 12, 24));
    says(&safetensors(&twice, &data), "two layers called 'x'");
    let both = format!(r#"{{"x":{half},"y":{}}}"#, entry("[1,3]", 6, 18));
    says(&safetensors(&both, &data), "claims bytes");
    says(&safetensors("[]", &data), "damaged");
    says(&safetensors("{}", &[]), "no layers");
}

/// Many members of an archive, each of which grows less than one may.
#[test]
fn archives_that_grow_by_many_members_are_refused() {
    let folder = Folder::new();
    let zeros = npy("<f4", false, "(2500, 1000)", &vec![0; 10_000_000]);
    let names: Vec<String> = (0..8).map(|i| format!("layer{i}.npy")).collect();
    let members: Vec<(&str, &[u8])> = names.iter().map(|n| (n.as_str(), &zeros[..])).collect();
    let bomb = npz(&members, CompressionMethod::Deflated);
    assert!(folder.refused("x.npz", &bomb).contains("grows from"));
    assert!(
        folder
            .open("x.npz", &npz(&members[..6], CompressionMethod::Deflated))
            .is_ok()
    );
}

/// Rows by the billion that hold nothing are no samples.
#[test]
fn arrays_without_values_are_refused() {
    let folder = Folder::new();
    for shape in ["(1152921504606846976, 0)", "(0, 4)", "(4000000000, 0, 3)"] {
        let file = folder
            .open("x.npy", &npy("<f4", false, shape, &[]))
            .unwrap();
        let message = file.layers[0]
            .matrix(&Reading::pooled(Pool::Mean))
            .unwrap_err();
        assert!(
            message.to_string().contains("axis of length 0"),
            "{message}"
        );
    }
}

#[test]
fn what_is_no_file_is_refused_before_it_is_opened() {
    let folder = Folder::new();
    let says = |path: &std::path::Path| {
        let error = ActivationFile::open(path).unwrap_err();
        assert!(matches!(error.problem, Problem::NotAFile), "{error}");
        assert!(error.to_string().contains("write them to a file first"));
    };
    let inside = folder.0.path().join("a.npy");
    std::fs::create_dir(&inside).unwrap();
    let error = ActivationFile::open(&inside).unwrap_err();
    assert!(matches!(error.problem, Problem::EmptyFolder), "{error}");
    #[cfg(unix)]
    {
        // Nobody writes to it: to open it would be to wait forever.
        let pipe = folder.0.path().join("b.npy");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        says(&pipe);
        says(std::path::Path::new("/dev/null"));
        assert!(matches!(
            Mask::open(&pipe).unwrap_err().problem,
            Problem::NotAFile
        ));
    }
}

/// Own files carry a digest, which is looked at; those of others need none.
#[test]
fn own_files_that_were_changed_are_refused() {
    let folder = Folder::new();
    let entries = r#""x":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}"#;
    let with = |metadata: &str| {
        let header = format!("{{{entries},\"__metadata__\":{{{metadata}}}}}");
        safetensors(&header, &f32s(&[1.0; 6]))
    };
    let own = reprsim_base::seal_safetensors(&with(r#""reprsim_schema":"1""#)).unwrap();
    assert_eq!(
        only_layer(&folder.open("a.safetensors", &own).unwrap()),
        [1.0; 6]
    );
    for at in [own.len() - 1, own.len() - 24] {
        let mut changed = own.clone();
        changed[at] ^= 1;
        let message = folder.refused("a.safetensors", &changed);
        assert!(message.contains("its digest is another"), "{message}");
    }
    for foreign in [r#""reprsim_schema":"1""#, r#""sha256":"of something else""#] {
        assert!(folder.open("b.safetensors", &with(foreign)).is_ok());
    }
}

#[test]
fn masks_say_which_tokens_are_pooled() {
    let folder = Folder::new();
    let counting: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let file = folder
        .open("t.npy", &npy("<f4", false, "(2, 3, 2)", &f32s(&counting)))
        .unwrap();
    let tokens = &file.layers[0];
    let mask = |descr: &str, fortran: bool, shape: &str, data: &[u8]| {
        let path = folder.file("mask.npy", &npy(descr, fortran, shape, data));
        Mask::open(&path)
    };
    let said = |pool: Pool, mask: &Mask| values(&tokens.matrix(&masked(pool, mask)).unwrap());
    // The first sample is padded at its end, the second at its beginning; in every type and order.
    let rows = [1, 1, 0, 0, 0, 1];
    let columns = [1, 0, 1, 0, 0, 1];
    let wide = |of: [u8; 6]| {
        of.iter()
            .flat_map(|v| i64::from(*v).to_be_bytes())
            .collect()
    };
    let floats = |of: [u8; 6]| f32s(&of.map(f32::from));
    let all: [(&str, bool, Vec<u8>); 5] = [
        ("|b1", false, rows.to_vec()),
        ("|u1", true, columns.to_vec()),
        (">i8", false, wide(rows)),
        ("<f4", true, floats(columns)),
        ("<f4", false, floats(rows)),
    ];
    for (descr, fortran, data) in all {
        let mask = mask(descr, fortran, "(2, 3)", &data).unwrap();
        assert_eq!(said(Pool::Mean, &mask), [1.0, 2.0, 10.0, 11.0], "{descr}");
        assert_eq!(said(Pool::Max, &mask), [2.0, 3.0, 10.0, 11.0]);
        assert_eq!(said(Pool::First, &mask), [0.0, 1.0, 10.0, 11.0]);
        assert_eq!(said(Pool::Last, &mask), [2.0, 3.0, 10.0, 11.0]);
    }
    let refused = |descr: &str, shape: &str, data: &[u8], what: &str| {
        let message = mask(descr, false, shape, data).unwrap_err().to_string();
        assert!(
            message.contains(what) && message.contains("mask.npy"),
            "{message}"
        );
    };
    refused("|u1", "(6,)", &rows, "[samples, tokens]");
    refused("|u1", "(2, 3)", &[1, 1, 2, 1, 1, 1], "row 0, token 2");
    refused(
        "|u1",
        "(2, 3)",
        &[1, 1, 0, 0, 0, 0],
        "row 1 has no real token",
    );
    refused("|i1", "(2, 3)", &[1, 1, 0, 255, 1, 1], "row 1, token 0");
    refused(
        "<f4",
        "(2, 3)",
        &f32s(&[1.0, 0.5, 1.0, 1.0, 1.0, 1.0]),
        "row 0, token 1",
    );
    let told = |mask: &Mask, pool: Pool, what: &str| {
        let message = file.matrices(&masked(pool, mask)).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    };
    let fits = mask("|u1", false, "(2, 3)", &rows).unwrap();
    told(&fits, Pool::Flatten, "not with flatten");
    let other = mask("|u1", false, "(3, 2)", &[1; 6]).unwrap();
    told(&other, Pool::Mean, "does not fit the mask");
    let plain = folder
        .open("p.npy", &npy("<f4", false, "(6, 2)", &f32s(&counting)))
        .unwrap();
    let message = plain.matrices(&masked(Pool::Mean, &fits)).unwrap_err();
    assert!(message.to_string().contains("leave it out"), "{message}");
}

/// A value for each sample, position and channel.
fn value(n: usize, p: usize, c: usize) -> f32 {
    (n * 100 + p * 10 + c * c) as f32
}

/// Maps of 2 samples, 2 x 3 positions and 4 channels with their axes in any order have the same means.
#[test]
fn axes_in_any_order_are_pooled_the_same() {
    let folder = Folder::new();
    let sizes = |letter: char| match letter {
        'n' | 'h' => 2,
        'w' => 3,
        _ => 4,
    };
    let wanted: Vec<f64> = (0..2)
        .flat_map(|n| {
            (0..4).map(move |c| (0..6).map(|p| f64::from(value(n, p, c))).sum::<f64>() / 6.0)
        })
        .collect();
    for axes in ["nchw", "nhwc", "nhcw", "chwn", "hwcn", "hnwc"] {
        let shape: Vec<usize> = axes.chars().map(sizes).collect();
        let mut data = Vec::new();
        for at in 0..48 {
            let mut rest = at;
            let mut place = std::collections::BTreeMap::new();
            let letters: Vec<char> = axes.chars().collect();
            for (letter, size) in letters.into_iter().zip(&shape).rev() {
                place.insert(letter, rest % size);
                rest /= size;
            }
            data.push(value(
                place[&'n'],
                place[&'h'] * 3 + place[&'w'],
                place[&'c'],
            ));
        }
        let text = format!(
            "({},)",
            shape
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        );
        let file = folder
            .open("x.npy", &npy("<f4", false, &text, &f32s(&data)))
            .unwrap();
        let reading = |pool| Reading {
            axes: vec![axes.parse().unwrap()],
            ..Reading::pooled(pool)
        };
        let mean = file.layers[0].matrix(&reading(Pool::Mean)).unwrap();
        assert_eq!(values(&mean), wanted, "{axes}");
        assert!(
            mean.shaping().contains("mean over height, width"),
            "{}",
            mean.shaping()
        );
        let flat = file.layers[0].matrix(&reading(Pool::Flatten)).unwrap();
        assert_eq!(flat.shape(), [2, 24]);
        let mut row = values(&flat)[..24].to_vec();
        row.sort_by(f64::total_cmp);
        let mut all: Vec<f64> = (0..6)
            .flat_map(|p| (0..4).map(move |c| f64::from(value(0, p, c))))
            .collect();
        all.sort_by(f64::total_cmp);
        assert_eq!(row, all, "{axes}");
        let message = file.layers[0]
            .matrix(&reading(Pool::Last))
            .unwrap_err()
            .to_string();
        assert!(message.contains("no first or last token"), "{message}");
    }
    // Channels before places along a line, and tokens before samples.
    let data: Vec<f32> = (0..12).map(|v| v as f32).collect();
    let open = |shape: &str| {
        folder
            .open("t.npy", &npy("<f4", false, shape, &f32s(&data)))
            .unwrap()
    };
    let pooled = |file: &ActivationFile, axes: &str, pool| {
        let reading = Reading {
            axes: vec![axes.parse().unwrap()],
            ..Reading::pooled(pool)
        };
        values(&file.layers[0].matrix(&reading).unwrap())
    };
    let line = open("(2, 2, 3)");
    assert_eq!(pooled(&line, "ncl", Pool::Mean), [1.0, 4.0, 7.0, 10.0]);
    assert_eq!(pooled(&line, "nct", Pool::Last), [2.0, 5.0, 8.0, 11.0]);
    assert_eq!(
        pooled(&line, "ntc", Pool::First),
        [0.0, 1.0, 2.0, 6.0, 7.0, 8.0]
    );
    let first = open("(3, 2, 2)");
    assert_eq!(pooled(&first, "tnc", Pool::Last), [8.0, 9.0, 10.0, 11.0]);
    assert_eq!(pooled(&first, "tnc", Pool::Mean), [4.0, 5.0, 6.0, 7.0]);
    // Units before samples need no pooling.
    let turned = open("(3, 4)");
    let reading = Reading {
        axes: vec!["cn".parse().unwrap()],
        ..Reading::default()
    };
    let matrix = turned.layers[0].matrix(&reading).unwrap();
    assert_eq!(matrix.shape(), [4, 3]);
    assert_eq!(values(&matrix)[..3], [0.0, 4.0, 8.0]);
}

#[test]
fn axes_of_one_element_and_more_than_four_axes() {
    let folder = Folder::new();
    let data: Vec<f32> = (0..24).map(|v| v as f32).collect();
    let open = |shape: &str| {
        folder
            .open("x.npy", &npy("<f4", false, shape, &f32s(&data)))
            .unwrap()
    };
    for shape in [
        "(4, 6, 1, 1)",
        "(4, 1, 6)",
        "(4, 1, 1, 6)",
        "(4, 6, 1, 1, 1)",
        "(4, 1, 1, 6, 1)",
    ] {
        for reading in [Reading::default(), Reading::pooled(Pool::Mean)] {
            let file = open(shape);
            let matrix = file.layers[0].matrix(&reading).unwrap();
            assert_eq!(matrix.shape(), [4, 6], "{shape}");
            assert_eq!(values(&matrix), data.map_f64());
        }
    }
    let volume = open("(1, 2, 2, 2, 3)");
    let flat = volume.layers[0]
        .matrix(&Reading::pooled(Pool::Flatten))
        .unwrap();
    assert_eq!(values(&flat), data.map_f64());
    let told = |pool: Option<Pool>, what: &str| {
        let reading = Reading {
            pool,
            ..Reading::default()
        };
        let message = volume.layers[0].matrix(&reading).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    };
    told(Some(Pool::Mean), "--axes ncdhw");
    told(None, "--pool");
    let reading = Reading {
        axes: vec!["ncdhw".parse().unwrap()],
        ..Reading::pooled(Pool::Mean)
    };
    assert_eq!(
        values(&volume.layers[0].matrix(&reading).unwrap()),
        [5.5, 17.5]
    );
    let single = folder
        .open("s.npy", &npy("<f4", false, "()", &f32s(&[1.0])))
        .unwrap();
    let message = single.layers[0].matrix(&Reading::default()).unwrap_err();
    assert!(message.to_string().contains("single number"), "{message}");
}

#[test]
fn whole_numbers_are_numbers_and_quantised_ones_what_they_stand_for() {
    let folder = Folder::new();
    let wanted = [1.0, 0.0, 100.0, 3.0, 7.0, 127.0];
    type Encode = fn(f64) -> Vec<u8>;
    let types: [(&str, Encode); 9] = [
        ("|i1", |v| (v as i8).to_le_bytes().to_vec()),
        ("|u1", |v| (v as u8).to_le_bytes().to_vec()),
        ("<i2", |v| (v as i16).to_le_bytes().to_vec()),
        (">u2", |v| (v as u16).to_be_bytes().to_vec()),
        (">i4", |v| (v as i32).to_be_bytes().to_vec()),
        ("<u4", |v| (v as u32).to_le_bytes().to_vec()),
        ("<i8", |v| (v as i64).to_le_bytes().to_vec()),
        (">u8", |v| (v as u64).to_be_bytes().to_vec()),
        ("<f4", |v| (v as f32).to_le_bytes().to_vec()),
    ];
    for (descr, encode) in types {
        let data: Vec<u8> = wanted.iter().flat_map(|v| encode(*v)).collect();
        let file = folder
            .open("x.npy", &npy(descr, false, "(2, 3)", &data))
            .unwrap();
        assert_eq!(only_layer(&file), wanted, "{descr}");
    }
    // Below zero, and the names of safetensors.
    let bytes = [254u8, 1, 128, 0, 5, 127];
    for (dtype, read) in [
        ("I8", [-2.0, 1.0, -128.0, 0.0, 5.0, 127.0]),
        ("U8", [254.0, 1.0, 128.0, 0.0, 5.0, 127.0]),
        // By torch 2.15: tensor.view(torch.float8_e5m2).double(), and float8_e4m3fn.
        (
            "F8_E5M2",
            [
                f64::NAN,
                2f64.powi(-16),
                -0.0,
                0.0,
                5.0 * 2f64.powi(-16),
                f64::NAN,
            ],
        ),
        (
            "F8_E4M3",
            [
                -448.0,
                2f64.powi(-9),
                -0.0,
                0.0,
                5.0 * 2f64.powi(-9),
                f64::NAN,
            ],
        ),
    ] {
        let header = format!(r#"{{"x":{{"dtype":"{dtype}","shape":[2,3],"data_offsets":[0,6]}}}}"#);
        let file = folder
            .open("a.safetensors", &safetensors(&header, &bytes))
            .unwrap();
        let found = only_layer(&file);
        let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
        assert!(found.iter().zip(&read).all(same), "{dtype}: {found:?}");
    }
    // (q - zero point) * scale: of all, or of each channel.
    let q = npy("|i1", false, "(2, 3)", &[1, 2, 3, 4, 5, 6]);
    let of = |members: &[(&str, &[u8])]| {
        let mut all: Vec<(&str, &[u8])> = vec![("x.npy", &q)];
        all.extend(members);
        folder.open("q.npz", &npz(&all, CompressionMethod::Stored))
    };
    let scale = npy("<f4", false, "()", &f32s(&[0.5]));
    let zero = npy("<i4", false, "(1,)", &2i32.to_le_bytes());
    let file = of(&[("x_scale.npy", &scale), ("x_zero_point.npy", &zero)]).unwrap();
    assert_eq!(only_layer(&file), [-0.5, 0.0, 0.5, 1.0, 1.5, 2.0]);
    assert!(file.columns.is_empty());
    let scales = npy("<f4", false, "(3,)", &f32s(&[1.0, 10.0, 100.0]));
    let file = of(&[("x.scale.npy", &scales)]).unwrap();
    assert_eq!(only_layer(&file), [1.0, 20.0, 300.0, 4.0, 50.0, 600.0]);
    let two = npy("<f4", false, "(2,)", &f32s(&[1.0, 10.0]));
    let file = of(&[("x_scale.npy", &two)]).unwrap();
    let message = file.layers[0]
        .matrix(&Reading::default())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("2 scales") && message.contains("3 channels"),
        "{message}"
    );
    let nan = npy("<f4", false, "(1,)", &f32s(&[f32::NAN]));
    assert!(
        of(&[("x_scale.npy", &nan)])
            .unwrap_err()
            .to_string()
            .contains("not finite")
    );
    // Channels that are not last, and pooled.
    let maps = npy("|u1", false, "(1, 2, 2, 1)", &[1, 2, 3, 4]);
    let scales = npy("<f4", false, "(2,)", &f32s(&[1.0, 10.0]));
    let bytes = npz(
        &[("m.npy", &maps), ("m_scale.npy", &scales)],
        CompressionMethod::Stored,
    );
    let file = folder.open("m.npz", &bytes).unwrap();
    let pooled = file.layers[0].matrix(&Reading::pooled(Pool::Mean)).unwrap();
    assert_eq!(values(&pooled), [1.5, 35.0]);
}

/// Ids of numbers and of texts are compared as they are written.
#[test]
fn ids_of_numbers_and_of_texts_are_compared() {
    let numbers = SampleIds::Numbers(vec![1, 20]);
    let names = |ids: [&str; 2]| SampleIds::Names(ids.map(String::from).to_vec());
    assert!(numbers.check(&names(["1", "20"])).is_ok());
    for (a, b) in [
        (&numbers, &names(["1", "x"])),
        (&names(["1", "x"]), &numbers),
    ] {
        let message = a.check(b).unwrap_err().to_string();
        assert!(message.starts_with("row 1 is sample"), "{message}");
    }
    assert!(numbers.check(&SampleIds::Names(vec!["1".into()])).is_err());
    // What a list hashes to depends on who hashed it.
    let hash = SampleIds::Hash("ab".into());
    assert!(hash.check(&numbers).is_ok() && numbers.check(&hash).is_ok());
}

/// A scale is found in the layer's file, or in another one of its folder.
#[test]
fn scales_are_found_where_they_are() {
    let folder = Folder::new();
    let path = folder.0.path().join("model");
    std::fs::create_dir(&path).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).unwrap();
    let read = || -> Vec<(String, Vec<f64>)> {
        let file = ActivationFile::open(&path).unwrap();
        let matrices = file.matrices(&Reading::default()).unwrap();
        let layers = matrices.iter().map(|(name, of)| (name.clone(), values(of)));
        layers.collect()
    };
    let of = |name: &str, values: &[f64]| (name.to_string(), values.to_vec());
    let q = npy("|i1", false, "(2, 2)", &[1, 2, 3, 4]);
    let scale = npy("<f4", false, "()", &f32s(&[0.5]));
    let zero = npy("<i4", false, "(1,)", &2i32.to_le_bytes());
    write("layer1.npy", &q);
    write("layer1_scale.npy", &scale);
    assert_eq!(read(), [of("layer1", &[0.5, 1.0, 1.5, 2.0])]);
    write("layer1_zero_point.npy", &zero);
    assert_eq!(read(), [of("layer1", &[-0.5, 0.0, 0.5, 1.0])]);
    // Without a scale a zero point is what it is.
    std::fs::remove_file(path.join("layer1_scale.npy")).unwrap();
    let file = ActivationFile::open(&path).unwrap();
    assert_eq!(
        values(&file.layers[0].matrix(&Reading::default()).unwrap()),
        [1.0, 2.0, 3.0, 4.0]
    );
    assert_eq!(file.columns.len(), 1);
    // Texts, and one of two, are no scale.
    let texts = npy("|S3", false, "(2,)", b"0.50.5");
    write("layer1_scale.npy", &texts);
    let told = || ActivationFile::open(&path).unwrap_err().to_string();
    assert!(told().contains("'layer1_scale' holds texts"), "{}", told());
    let more = |members: &[(&str, &[u8])]| npz(members, CompressionMethod::Stored);
    write("layer1_scale.npy", &scale);
    write("z.npz", &more(&[("layer1_scale.npy", &scale)]));
    assert!(told().contains("several files"), "{}", told());
    // Layers of one name each have the scale in their own file.
    for name in ["layer1.npy", "layer1_scale.npy", "layer1_zero_point.npy"] {
        std::fs::remove_file(path.join(name)).unwrap();
    }
    let tenth = npy("<f4", false, "()", &f32s(&[10.0]));
    write(
        "y.npz",
        &more(&[("layer1.npy", &q), ("layer1_scale.npy", &tenth)]),
    );
    write(
        "z.npz",
        &more(&[("layer1.npy", &q), ("layer1_scale.npy", &scale)]),
    );
    assert_eq!(
        read(),
        [
            of("y/layer1", &[10.0, 20.0, 30.0, 40.0]),
            of("z/layer1", &[0.5, 1.0, 1.5, 2.0])
        ]
    );
}

#[test]
fn what_is_said_of_samples_is_no_layer() {
    let folder = Folder::new();
    let layer = npy("<f4", false, "(2, 1)", &f32s(&[1.0, 2.0]));
    let groups = npy("|u1", false, "(2,)", &[3, 3]);
    let unicode: Vec<u8> = ["a\u{e4}", "b"]
        .iter()
        .flat_map(|name| {
            let mut codes: Vec<u32> = name.chars().map(u32::from).collect();
            codes.resize(3, 0);
            codes.into_iter().flat_map(u32::to_le_bytes)
        })
        .collect();
    let names = npy("<U3", false, "(2,)", &unicode);
    let bytes = npz(
        &[
            ("x.npy", &layer),
            ("subject.npy", &groups),
            ("sample_ids.npy", &names),
        ],
        CompressionMethod::Stored,
    );
    let file = folder.open("a.npz", &bytes).unwrap();
    assert_eq!(file.layers.len(), 1);
    assert_eq!(
        file.columns,
        [("subject".to_string(), Labels::Numbers(vec![3, 3]))]
    );
    let ids = vec!["a\u{e4}".to_string(), "b".to_string()];
    assert_eq!(file.ids, Some(SampleIds::Names(ids.clone())));
    // The same labels by themselves.
    let read = |name: &str, bytes: &[u8], column: Option<&str>| {
        Labels::read(&folder.file(name, bytes), column)
    };
    assert_eq!(read("n.npy", &names, None).unwrap(), Labels::Names(ids));
    assert_eq!(
        read("g.npy", &groups, None).unwrap(),
        Labels::Numbers(vec![3, 3])
    );
    let bytes = npy("|S3", false, "(2,)", b"ab\0c\0\0");
    assert_eq!(
        read("s.npy", &bytes, None).unwrap(),
        Labels::Names(vec!["ab".into(), "c".into()])
    );
    assert_eq!(
        read("t.txt", b"5\n-7\n", None).unwrap(),
        Labels::Numbers(vec![5, -7])
    );
    let padded = read("t.txt", b"05\n7\n", None).unwrap();
    assert_eq!(padded, Labels::Names(vec!["05".into(), "7".into()]));
    let table = b"\xef\xbb\xbfid,who\n1,\"a, b\"\n2,c\n";
    assert_eq!(
        read("t.csv", table, Some("id")).unwrap(),
        Labels::Numbers(vec![1, 2])
    );
    let who = read("t.csv", table, Some("who")).unwrap();
    assert_eq!(who.numbered(), [0, 1]);
    assert_eq!(who.text(0), "a, b");
    let told = |name: &str, bytes: &[u8], column: Option<&str>, what: &str| {
        let message = read(name, bytes, column).unwrap_err().to_string();
        assert!(
            message.contains(what) && message.contains(name),
            "{message}"
        );
    };
    told("t.csv", table, None, "the columns id, who");
    told("t.csv", table, Some("whu"), "did you mean 'who'?");
    told("t.csv", b"a,b\n1\n", Some("a"), "not a sound table");
    told("t.csv", b"a\n\xff\n", Some("a"), "not UTF-8");
    told("t.npy", &groups, Some("a"), "no columns");
    told(
        "t.npy",
        &npy("<f4", false, "(1,)", &f32s(&[1.0])),
        None,
        "not whole numbers",
    );
    told("t.xlsx", b"", None, "known: .csv");
    let big = npy("<u8", false, "(1,)", &u64::MAX.to_le_bytes());
    told("t.npy", &big, None, "below 2^63");
}

#[test]
fn a_folder_of_files_is_one_model() {
    let folder = Folder::new();
    let path = folder.0.path().join("model");
    std::fs::create_dir(&path).unwrap();
    let layer = |value: f32| npy("<f4", false, "(2, 1)", &f32s(&[value, 2.0]));
    let write = |name: &str, bytes: &[u8]| std::fs::write(path.join(name), bytes).unwrap();
    write("layer10.npy", &layer(10.0));
    write("layer2.npy", &layer(2.0));
    write("notes.md", b"hello");
    write(
        "more.npz",
        &npz(
            &[("head.npy", &layer(5.0)), ("layer2.npy", &layer(3.0))],
            CompressionMethod::Stored,
        ),
    );
    let ids: Vec<u8> = [4i64, 9].iter().flat_map(|v| v.to_le_bytes()).collect();
    write("sample_ids.npy", &npy("<i8", false, "(2,)", &ids));
    let file = ActivationFile::open(&path).unwrap();
    let names: Vec<&str> = file.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["layer2/layer2", "layer10", "head", "more/layer2"]);
    assert_eq!(file.ids, Some(SampleIds::Numbers(vec![4, 9])));
    let reading = Reading {
        layers: Layers::Named(vec!["layer1*".into()]),
        ..Reading::default()
    };
    let picked = file.matrices(&reading).unwrap();
    assert_eq!(picked.len(), 1);
    assert_eq!(values(&picked[0].1), [10.0, 2.0]);
    let none = Reading {
        layers: Layers::Named(vec!["conv*".into()]),
        ..Reading::default()
    };
    let message = file.matrices(&none).unwrap_err().to_string();
    assert!(
        message.contains("'conv*'") && message.contains("head"),
        "{message}"
    );
    let other: Vec<u8> = [4i64, 8].iter().flat_map(|v| v.to_le_bytes()).collect();
    let with = npz(
        &[
            ("x.npy", &layer(1.0)),
            ("sample_ids.npy", &npy("<i8", false, "(2,)", &other)),
        ],
        CompressionMethod::Stored,
    );
    write("z.npz", &with);
    let message = ActivationFile::open(&path).unwrap_err().to_string();
    assert!(
        message.contains("row 1 is sample 9 in one and 8"),
        "{message}"
    );
    assert!(Axes::several("nhwc").is_ok());
}

#[test]
fn other_files_say_what_to_do() {
    let folder = Folder::new();
    assert!(folder.refused("a.pt", b"").contains("save_file"));
    assert!(folder.refused("a.csv", b"").contains(".npz"));
    let missing = ActivationFile::open(&folder.0.path().join("none.npy"));
    assert!(missing.unwrap_err().to_string().contains("none.npy"));
}

proptest! {
    #[test]
    fn any_array_survives_any_format(
        n in 1usize..6,
        d in 1usize..6,
        fortran: bool,
        deflate: bool,
        seed in proptest::collection::vec(-1e6f32..1e6, 36),
    ) {
        let folder = Folder::new();
        let wanted: Vec<f32> = seed[..n * d].to_vec();
        let stored: Vec<f32> = match fortran {
            false => wanted.clone(),
            true => (0..d).flat_map(|j| (0..n).map(move |i| (i, j)))
                .map(|(i, j)| wanted[i * d + j]).collect(),
        };
        let bytes = npy("<f4", fortran, &format!("({n}, {d})"), &f32s(&stored));
        let file = folder.open("x.npy", &bytes).unwrap();
        prop_assert_eq!(only_layer(&file), wanted.map_f64());
        let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let file = folder.open("x.npz", &npz(&[("l.npy", &bytes)], method)).unwrap();
        prop_assert_eq!(only_layer(&file), wanted.map_f64());
    }

    #[test]
    fn a_flipped_bit_never_panics(at in 0usize..200, bit in 0u8..8) {
        let folder = Folder::new();
        let layer = npy("<f4", true, "(3, 2)", &f32s(&[1.0; 6]));
        let header = r#"{"x":{"dtype":"F32","shape":[3,2],"data_offsets":[0,24]}}"#;
        let files = [
            ("x.npy", layer.clone()),
            ("x.npz", npz(&[("a.npy", &layer)], CompressionMethod::Deflated)),
            ("x.safetensors", safetensors(header, &f32s(&[1.0; 6]))),
        ];
        for (name, mut bytes) in files {
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(file) = folder.open(name, &bytes) {
                for layer in &file.layers {
                    if let Ok(matrix) = layer.matrix(&Reading::pooled(Pool::Mean)) {
                        values(&matrix);
                    }
                }
            }
        }
    }
}
