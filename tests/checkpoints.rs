//! Checkpoints that models begin as: where they come from, which model of a pair takes which, what
//! stays as it was, and what is said of files that are none.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use reprsim_base::Stream;
use reprsim_models::{
    CnnSettings, ModelConfig, ModelShape, Network, ResNetSettings, SampleShape, Stem,
};
use reprsim_train::save_checkpoint;

use common::{TINY, experiment, reprsim, run, stderr, stdout};

/// What the models of the small experiment are for.
const SHAPE: ModelShape = ModelShape {
    input: SampleShape::Image {
        channels: 3,
        height: 28,
        width: 28,
    },
    classes: 4,
};

fn cnn(width: usize) -> ModelConfig {
    ModelConfig::Cnn(CnnSettings { width })
}

fn resnet(depth: usize) -> ModelConfig {
    ModelConfig::ResNet(ResNetSettings {
        depth,
        width: 1,
        stem: Stem::default(),
    })
}

/// Writes a checkpoint of a new model and returns its path.
fn write(path: PathBuf, model: &ModelConfig, seed: u64) -> PathBuf {
    let rng = &mut Stream::new(seed).rng();
    let network = Network::new(model, SHAPE, rng, &Device::flex()).unwrap();
    save_checkpoint(&network, &path, &[]).unwrap();
    path
}

/// A data axis alone, of models that begin so.
fn begun(initial: &str, training: &str) -> String {
    let start = TINY.find("[[axis]]\nkind = \"class\"").unwrap();
    let end = TINY.find("[[probe]]").unwrap();
    let text = format!("{}{}", &TINY[..start], &TINY[end..]);
    let text = text.replace("[training]\n", &format!("[training]\n{training}\n"));
    text + &format!("\n[initial]\n{initial}\n")
}

/// Runs an experiment whose models begin so; the exit code and what is said of it.
fn said(folder: &Path, initial: &str, change: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut text = begun(initial, "");
    for (from, to) in change {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let file = experiment(folder, &text);
    let output = run(&file, &folder.join("run"), &["--cell", "0"]);
    (output.status.code(), stderr(&output))
}

/// Each file that is not what it should be is exit code 2, before anything is trained, with its name,
/// what it is and what to do.
#[test]
fn wrong_files_are_told_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let whole = fs::read(write(at("right.safetensors"), &cnn(2), 1)).unwrap();
    write(at("wide.safetensors"), &cnn(3), 1);
    write(at("shallow.safetensors"), &resnet(18), 1);
    write(at("deep.safetensors"), &resnet(34), 1);
    fs::write(at("cut.safetensors"), &whole[..whole.len() / 2]).unwrap();
    // What a pickle runs where it is believed.
    let touched = at("touched");
    let command = format!("touch {}", touched.display());
    let mut code = b"\x80\x02cos\nsystem\nX".to_vec();
    code.extend((command.len() as u32).to_le_bytes());
    code.extend(command.bytes());
    code.extend(b"\x85R.");
    fs::write(at("code.pth"), code).unwrap();
    fs::write(
        at("pointer.pth"),
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    )
    .unwrap();
    fs::write(
        at("page.pth"),
        "<!DOCTYPE html>\n<html><body>Not found</body></html>",
    )
    .unwrap();
    fs::write(at("empty.pt"), "").unwrap();
    fs::create_dir(at("folder.pth")).unwrap();
    let index =
        "{\"metadata\": {\"total_size\": 8}, \"weight_map\": {\"a\": \"1-of-2.safetensors\"}}";
    fs::write(at("model.safetensors.index.json"), index).unwrap();
    let mut archive = zip::ZipWriter::new(fs::File::create(at("archive.pth")).unwrap());
    let stored = zip::write::SimpleFileOptions::default();
    archive.start_file("readme.txt", stored).unwrap();
    archive.write_all(b"no weights").unwrap();
    archive.finish().unwrap();

    let resnet = |depth: &str| {
        let model = format!("name = \"resnet\"\ndepth = {depth}\nwidth = 1");
        ("name = \"cnn\"\nwidth = 2", model)
    };
    let (of_18, of_34) = (resnet("18"), resnet("34"));
    let none: &[(&str, &str)] = &[];
    for (name, change, words) in [
        (
            "deep.safetensors",
            &[(of_18.0, of_18.1.as_str())][..],
            &[
                "it has the tensor 'layer",
                " more (",
                "deeper",
                "depth under [model]",
            ][..],
        ),
        (
            "shallow.safetensors",
            &[(of_34.0, of_34.1.as_str())],
            &[
                "it lacks",
                " of the ",
                "layer",
                ", ...",
                "shallower",
                "depth under [model]",
            ],
        ),
        (
            "wide.safetensors",
            none,
            &[
                "other sizes",
                "conv1",
                "more",
                "width under [model]",
                "head = \"fresh\"",
            ],
        ),
        (
            "cut.safetensors",
            none,
            &["it is cut", "bytes are there", "fetch it again"],
        ),
        (
            "code.pth",
            none,
            &["(os.system)", "never run", "model.state_dict()"],
        ),
        ("pointer.pth", none, &["Git LFS", "git lfs pull"]),
        ("page.pth", none, &["it is a page", "fetch the file itself"]),
        ("empty.pt", none, &["it is empty", "fetch it again"]),
        ("archive.pth", none, &["ZIP archive", "torch.save"]),
        ("folder.pth", none, &["it is a folder", "name the file"]),
        (
            "model.safetensors.index.json",
            none,
            &["in parts", "as one file"],
        ),
        (
            "missing.pth",
            none,
            &["no such file", "reprsim weights list"],
        ),
        (
            "resnet18-imagenet1k-v9",
            none,
            &["did you mean 'resnet18-imagenet1k-v1'"],
        ),
        ("hub:owner", none, &["write hub:OWNER/NAME"]),
    ] {
        let initial = format!("checkpoint = \"{name}\"\nreference = \"random\"\nhead = \"file\"");
        let (exit, told) = said(dir.path(), &initial, change);
        assert_eq!(exit, Some(2), "{name}: {told}");
        for word in words.iter().chain(&[name]) {
            assert!(told.contains(word), "{name}: {word}: {told}");
        }
        let errors = told.lines().filter(|line| line.contains("error: "));
        assert_eq!(errors.count(), 1, "{told}");
        assert!(!dir.path().join("run/cells").exists(), "{name}");
    }
    assert!(!touched.exists(), "nothing in a pickle is run");
}

/// What is not there is told with what brings it; what is there is found, by its name and by that of
/// the hub.
#[test]
fn weights_are_found_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let text = |entry: &str| {
        begun(
            &format!("checkpoint = \"{entry}\"\nreference = \"random\""),
            "",
        )
        .replace(
            "name = \"cnn\"\nwidth = 2",
            "name = \"resnet\"\ndepth = 18\nwidth = 1",
        )
        .replace("epochs = 2", "epochs = 1")
    };
    let plan = |entry: &str| {
        let file = experiment(dir.path(), &text(entry));
        let mut command = reprsim();
        command.env("REPRSIM_DATA", dir.path().join("data"));
        command.env("HF_HOME", dir.path().join("hub"));
        command.args(["run", "--device", "cpu", "--cell", "0", "--out"]);
        command.arg(dir.path().join("run")).arg(file);
        command.output().unwrap()
    };
    let card = "resnet18-imagenet1k-v1";
    let file = dir
        .path()
        .join(format!("data/weights/{card}/resnet18-f37072fd.pth"));
    let model = dir.path().join("hub/hub/models--owner--name");
    for (entry, looked_in, remedy) in [
        (card, &file, format!("reprsim weights fetch {card}")),
        (
            "hub:owner/name",
            &model,
            "hf download owner/name".to_string(),
        ),
    ] {
        let output = plan(entry);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(&looked_in.display().to_string()), "{told}");
        assert!(told.contains(&remedy), "{told}");
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    write(file, &resnet(18), 1);
    let snapshot = model.join("snapshots/abc");
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir(model.join("refs")).unwrap();
    fs::write(model.join("refs/main"), "abc").unwrap();
    write(snapshot.join("model.safetensors"), &resnet(18), 1);
    for entry in [card, "hub:owner/name", "hub:owner/name/model.safetensors"] {
        let output = plan(entry);
        assert!(output.status.success(), "{entry}: {}", stderr(&output));
    }

    let mut list = reprsim();
    list.env("REPRSIM_DATA", dir.path().join("data"));
    let output = list
        .args(["weights", "list", "--format", "csv"])
        .output()
        .unwrap();
    let table = stdout(&output);
    assert!(table.contains(&format!("{card},yes,resnet18,")), "{table}");
    assert!(
        table.contains("vgg11-bn-imagenet1k-v1,no,vgg11_bn,"),
        "{table}"
    );
    let output = reprsim()
        .args(["weights", "fetch", "resnet"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

/// The tensors of a checkpoint of a run.
fn tensors(path: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut found: Vec<_> = (file.tensors().into_iter())
        .map(|(name, view)| (name, view.data().to_vec()))
        .collect();
    found.sort();
    found
}

/// Model a begins as a checkpoint and b does not; what is frozen stays, with its statistics, and the
/// rest is trained.
#[test]
fn a_checkpoint_beside_random_weights() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path().join("first.safetensors"), &cnn(2), 1);
    let initial = "checkpoint = [\"first.safetensors\", \"random\"]\nshared = false\nhead = \"file\"\n\
                   reference = \"initial\"";
    let freeze = "freeze = [\"conv1..bn2\"]\nrates = [{ name = \"fc\", times = 2.0 }]";
    let text = begun(initial, freeze).replace("epochs = 2", "epochs = 1");
    let path = experiment(dir.path(), &text);
    let out = dir.path().join("run");
    let output = run(&path, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let given = tensors(&file);
    let mut trained = 0;
    for cell in fs::read_dir(out.join("cells")).unwrap().flatten() {
        let [a, b] = ["a", "b"].map(|name| cell.path().join(format!("{name}.safetensors")));
        if !a.exists() {
            continue; // not trained
        }
        trained += 1;
        let (a, b) = (tensors(&a), tensors(&b));
        for ((name, given), ((_, a), (_, b))) in given.iter().zip(a.iter().zip(&b)) {
            let is_frozen = ["conv1.", "bn1.", "conv2.", "bn2."];
            let is_frozen = is_frozen.iter().any(|part| name.starts_with(part));
            assert_eq!(given == a, is_frozen, "{name}");
            if name.ends_with("conv1.weight") {
                assert_ne!(given, b, "{name}");
            }
        }
    }
    assert_eq!(trained, 3);

    for (wrong, told) in [
        (
            "freeze = [\"conv9\"]",
            "unknown part 'conv9' (did you mean 'conv1'?)",
        ),
        ("freeze = [\"fc..conv1\"]", "turn them round"),
        ("freeze = [\"conv1..fc\"]", "leaves nothing to train"),
        (
            "rates = [{ name = \"head\", times = 2.0 }]",
            "known: conv1, bn1",
        ),
        (
            "rates = [{ name = \"fc\", times = 0.0 }]",
            "it must be above 0",
        ),
    ] {
        let path = experiment(dir.path(), &begun(initial, wrong));
        let output = run(&path, &dir.path().join("wrong"), &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {said}");
        assert!(said.contains(told), "{wrong}: {said}");
    }
}
