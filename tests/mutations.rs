//! Every reader under random mutations of what it reads: it may refuse, with an error of its own, but
//! neither panic nor take memory that the file could not fill. `REPRSIM_FUZZ_SECONDS` says how long
//! each is tried (a second, where it is not set); a failure says the seed and keeps the file.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use rand::{Rng, RngExt};
use reprsim_activations::{ActivationFile, Axes, Labels, Pool, Reading};
use reprsim_base::{Stream, seal, seal_lines, set_memory_budget};
use reprsim_config::Plan;
use reprsim_data::{DatasetSpec, Part, TextSettings, open};
use reprsim_models::{ModelShape, SampleShape};
use reprsim_report::read_parquet;
use reprsim_run::store::finished;
use reprsim_train::{load_checkpoint, read_epochs};

use common::{TINY, copy_folder, experiment, run, stderr};

/// What a mutated file may take, at most, beside what the tests themselves hold.
const BUDGET: u64 = 256 << 20;

/// Values that readers of sizes and counts get wrong.
const NUMBERS: [&[u8]; 12] = [
    b"0",
    b"-1",
    b"99999999999999999999",
    b"1e999",
    b"NaN",
    b"null",
    b"\"\"",
    b"[]",
    &[0xff; 8],
    &[0, 0, 0, 0, 0, 0, 0, 0x10],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0; 16],
];

fn mutated(bytes: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..64)).min(bytes.len());
        match rng.random_range(0..8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = rng.random(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let part = bytes[at..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                drop(bytes.splice(to..to, part));
            }
            5 => {
                let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
                drop(bytes.splice(at..at, number.iter().copied()));
            }
            6 => {
                let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
                let end = (at + number.len()).min(bytes.len());
                drop(bytes.splice(at..end, number.iter().copied()));
            }
            _ => {
                // A number in digits becomes another.
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes[at + digit] = b'0' + rng.random_range(0..10);
                }
            }
        }
    }
    bytes
}

/// Gives `read` mutations of `seeds` in turn, each written to `path`.
fn try_mutations(name: &str, path: &Path, seeds: &[Vec<u8>], read: impl Fn()) {
    let seconds = std::env::var("REPRSIM_FUZZ_SECONDS").ok();
    let seconds = seconds.and_then(|s| s.parse().ok()).unwrap_or(1.0);
    set_memory_budget(BUDGET);
    let begun = Instant::now();
    let stream = Stream::new(0).child("mutations").child(name);
    let mut tried = 0u64;
    while begun.elapsed() < Duration::from_secs_f64(seconds) || tried < 50 {
        let mut rng = stream.rng_at(tried);
        let seed = &seeds[tried as usize % seeds.len()];
        fs::write(path, mutated(seed, &mut rng)).unwrap();
        let one = Instant::now();
        if catch_unwind(AssertUnwindSafe(&read)).is_err() {
            let kept = std::env::temp_dir().join(format!("reprsim-mutation-{name}-{tried}"));
            fs::copy(path, &kept).unwrap();
            panic!(
                "{name}: mutation {tried} panics, kept as {}",
                kept.display()
            );
        }
        assert!(
            one.elapsed().as_secs() < 20,
            "{name}: mutation {tried} takes too long"
        );
        tried += 1;
    }
    let peak = peak();
    assert!(peak < 2 << 30, "{name}: {peak} bytes at the most");
    let said = format!("{name}: {tried} mutations\n");
    let _ = std::io::stderr().write_all(said.as_bytes());
}

/// The most memory that this process had so far, in bytes; 0 where the system does not say.
fn peak() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok());
    kib.map_or(0, |kib: u64| kib * 1024)
}

/// A run that is done, made once.
fn done() -> &'static Path {
    static RUN: OnceLock<tempfile::TempDir> = OnceLock::new();
    RUN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let start = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
        let end = TINY.find("[[probe]]\nname = \"plain\"").unwrap();
        let analysis = TINY.find("[analysis]").unwrap();
        let (head, probes) = (&TINY[..start], &TINY[TINY.find("[[probe]]").unwrap()..end]);
        let text = format!("{head}{probes}{}", &TINY[analysis..]);
        let file = experiment(dir.path(), &text);
        let output = run(&file, &dir.path().join("run"), &[]);
        assert!(output.status.success(), "{}", stderr(&output));
        dir
    })
    .path()
}

/// A copy of that run of its own, and its first cell with trained models.
fn own_run() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    copy_folder(&done().join("run"), dir.path());
    let cells = fs::read_dir(dir.path().join("cells")).unwrap().flatten();
    let mut cells: Vec<PathBuf> = cells.map(|entry| entry.path()).collect();
    cells.sort();
    (dir, cells[1].clone())
}

/// The file's digest made right again, so that what is behind it is reached.
fn sealed(path: &Path) {
    if let Ok(text) = fs::read_to_string(path)
        && let Ok(serde_json::Value::Object(mut object)) = serde_json::from_str(&text)
    {
        object.retain(|key, _| key != "sha256");
        let text = serde_json::to_string_pretty(&object).unwrap();
        fs::write(path, seal(&(text + "\n"))).unwrap();
    }
}

#[test]
fn plans() {
    let (dir, _) = own_run();
    let path = dir.path().join("plan.json");
    let seeds = [fs::read(&path).unwrap()];
    try_mutations("plan", &path, &seeds, || {
        let _ = Plan::read(dir.path());
        sealed(&path);
        if let Ok(plan) = Plan::read(dir.path()) {
            let _ = finished(dir.path(), &plan);
        }
    });
}

#[test]
fn results() {
    let (dir, cell) = own_run();
    let plan = Plan::read(dir.path()).unwrap();
    for name in ["result.json", "similarity.json"] {
        let path = cell.join(name);
        let whole = fs::read(&path).unwrap();
        try_mutations(name, &path, std::slice::from_ref(&whole), || {
            let _ = finished(dir.path(), &plan);
            sealed(&path);
            let _ = finished(dir.path(), &plan);
        });
        fs::write(path, whole).unwrap();
    }
}

#[test]
fn histories() {
    let (_dir, cell) = own_run();
    let path = cell.join("a.train.jsonl");
    // Without its digest, which is made right again so that what is behind it is reached.
    let text = fs::read_to_string(&path).unwrap();
    let (lines, _) = text.rsplit_once(",\"sha256\"").unwrap();
    let seeds = [format!("{lines}}}\n").into_bytes()];
    let reached = AtomicUsize::new(0);
    try_mutations("history", &path, &seeds, || {
        if let Ok(lines) = fs::read_to_string(&path) {
            fs::write(&path, seal_lines(&lines, "someone")).unwrap();
        }
        let read = read_epochs(&path, "someone");
        reached.fetch_add(usize::from(read.is_ok()), Ordering::Relaxed);
    });
    assert!(reached.into_inner() > 0, "some mutations do no harm");
}

#[test]
fn checkpoints() {
    let (dir, cell) = own_run();
    let plan = Plan::read(dir.path()).unwrap();
    let path = cell.join("a.safetensors");
    // As another program writes it: without a digest.
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let seeds = [safetensors::serialize(file.tensors(), None).unwrap()];
    let shape = ModelShape {
        input: SampleShape::Image {
            channels: 3,
            height: 28,
            width: 28,
        },
        classes: 4,
    };
    let reached = AtomicUsize::new(0);
    try_mutations("checkpoint", &path, &seeds, || {
        let read = load_checkpoint(&path, &plan.experiment.model, shape, &Device::flex());
        reached.fetch_add(usize::from(read.is_ok()), Ordering::Relaxed);
    });
    assert!(reached.into_inner() > 0, "a changed weight is a weight");
}

#[test]
fn experiments() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("experiment.toml");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut seeds = vec![TINY.as_bytes().to_vec()];
    for name in ["quick.toml", "text.toml"] {
        seeds.extend(fs::read(folder.join(name)));
    }
    try_mutations("experiment", &path, &seeds, || {
        if let Ok(experiment) = reprsim_run::read_experiment(&path) {
            let _ = Plan::new(&experiment);
        }
    });
}

/// An array of 12 rows and 5 columns as NumPy writes it.
fn npy() -> Vec<u8> {
    let mut head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (12, 5), }".to_vec();
    head.resize(117, b' ');
    head.push(b'\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((head.len() as u16).to_le_bytes());
    file.extend(head);
    (0..60u32).for_each(|i| file.extend((i as f32 * 0.37).sin().to_le_bytes()));
    file
}

fn npz() -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, how) in [
        ("a.npy", zip::CompressionMethod::Stored),
        ("b.npy", zip::CompressionMethod::Deflated),
    ] {
        let options = zip::write::SimpleFileOptions::default().compression_method(how);
        archive.start_file(name, options).unwrap();
        archive.write_all(&npy()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn tensors() -> Vec<u8> {
    let bytes: Vec<u8> = (0..60u32).flat_map(|i| (i as f32).to_le_bytes()).collect();
    let view = |shape: &[usize]| {
        let dtype = safetensors::Dtype::F32;
        safetensors::tensor::TensorView::new(dtype, shape.to_vec(), &bytes).unwrap()
    };
    let layers = [("a", view(&[12, 5])), ("b", view(&[6, 2, 5]))];
    safetensors::serialize(layers, None).unwrap()
}

#[test]
fn activations() {
    let dir = tempfile::tempdir().unwrap();
    for (ending, seed) in [("npy", npy()), ("npz", npz()), ("safetensors", tensors())] {
        let path = dir.path().join(format!("x.{ending}"));
        try_mutations(ending, &path, &[seed], || {
            let Ok(file) = ActivationFile::open(&path) else {
                return;
            };
            let turned = Reading {
                axes: Axes::several("cn,tnc").unwrap(),
                ..Reading::pooled(Pool::Mean)
            };
            for layer in &file.layers {
                for reading in [&Reading::default(), &turned] {
                    if let Ok(matrix) = layer.matrix(reading) {
                        let [n, d] = matrix.shape();
                        let mut rows = vec![0.0; n.min(100) * d];
                        let _ = matrix.read(0..n.min(100), &mut rows);
                    }
                }
            }
        });
    }
}

#[test]
fn labels_of_samples() {
    let dir = tempfile::tempdir().unwrap();
    let mut texts = npy();
    let header = b"{'descr': '<U5', 'fortran_order': False, 'shape': (12,), }  ";
    texts[10..10 + header.len()].copy_from_slice(header);
    texts.truncate(128);
    texts.extend((0..60u32).flat_map(|i| (97 + i % 26).to_le_bytes()));
    let table = b"id,who\n1,\"a, b\"\n2,c\n".to_vec();
    for (ending, seed, column) in [("npy", texts, None), ("csv", table, Some("who"))] {
        let path = dir.path().join(format!("x.{ending}"));
        fs::write(&path, &seed).unwrap();
        assert!(Labels::read(&path, column).is_ok_and(|labels| labels.len() >= 2));
        try_mutations(&format!("labels-{ending}"), &path, &[seed], || {
            if let Ok(labels) = Labels::read(&path, column) {
                let _ = labels.numbered();
            }
        });
    }
}

#[test]
fn tables() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.parquet");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/tables");
    let seeds = ["pandas", "pandas-gzip", "polars-snappy"]
        .map(|name| fs::read(folder.join(format!("{name}.parquet"))).unwrap());
    try_mutations("tables", &path, &seeds, || {
        let _ = read_parquet(fs::File::open(&path).unwrap());
    });
}

fn idx(dims: &[u32]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend((0..dims.iter().product::<u32>()).map(|i| (i % 10) as u8));
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    file.write_all(bytes).unwrap();
    file.finish().unwrap()
}

#[test]
fn arrays_of_images() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    for prefix in ["train", "t10k"] {
        fs::write(
            folder.join(format!("{prefix}-labels-idx1-ubyte")),
            idx(&[20]),
        )
        .unwrap();
        fs::write(
            folder.join(format!("{prefix}-images-idx3-ubyte")),
            idx(&[20, 4, 4]),
        )
        .unwrap();
    }
    let path = folder.join("train-images-idx3-ubyte");
    let seeds = [idx(&[20, 4, 4]), gzip(&idx(&[20, 4, 4]))];
    let spec = DatasetSpec {
        name: "mnist".into(),
        ..DatasetSpec::default()
    };
    try_mutations("idx", &path, &seeds, || {
        if let Ok(set) = open(&spec, Part::Train, dir.path()) {
            set.content();
        }
    });
}

#[test]
fn pictures() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pictures");
    let mut seeds = vec![];
    for (part, class) in [("train", "a"), ("train", "b"), ("test", "a"), ("test", "b")] {
        fs::create_dir_all(folder.join(part).join(class)).unwrap();
        for (i, ending) in ["png", "jpg"].into_iter().enumerate() {
            let path = folder.join(format!("{part}/{class}/{i}.{ending}"));
            let shade = |x: u32, y: u32| image::Rgb([(9 * x) as u8, (5 * y) as u8, i as u8]);
            image::RgbImage::from_fn(16, 16, shade).save(&path).unwrap();
            seeds.push(fs::read(path).unwrap());
        }
    }
    let path = folder.join("train/a/0.png");
    let spec = DatasetSpec {
        name: "folder".into(),
        path: Some(folder),
        size: Some(8),
        ..DatasetSpec::default()
    };
    try_mutations("picture", &path, &seeds, || {
        if let Ok(set) = open(&spec, Part::Train, &dir.path().join("cache")) {
            set.content();
        }
    });
}

#[test]
fn texts() {
    let dir = tempfile::tempdir().unwrap();
    let words = "Die Größe of a text is what it says, again and again. ";
    let plain = words.repeat(400).into_bytes();
    let line = serde_json::json!({ "text": words.repeat(8), "id": 1 }).to_string() + "\n";
    let lines = line.repeat(60).into_bytes();
    let wide: Vec<u8> = (0xfeffu16..=0xfeff)
        .chain(words.repeat(300).encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    for ending in ["txt", "jsonl"] {
        let path = dir.path().join(format!("x.{ending}"));
        let seeds = [plain.clone(), lines.clone(), wide.clone(), gzip(&plain)];
        let spec = DatasetSpec {
            name: "text".into(),
            text: Some(TextSettings {
                corpora: vec![path.display().to_string()],
                window: 8,
                chunks: 3,
                ..TextSettings::default()
            }),
            ..DatasetSpec::default()
        };
        try_mutations(ending, &path, &seeds, || {
            let _ = open(&spec, Part::Train, &dir.path().join("cache"));
            let _ = fs::remove_dir_all(dir.path().join("cache"));
        });
    }
}
