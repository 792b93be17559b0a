//! What is generated from the types of the program is what stands in the repository.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{reprsim, stderr, stdout};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn schema(arguments: &[&str]) -> String {
    let output = reprsim().arg("schema").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[test]
fn the_reference_of_experiment_files_is_that_of_the_types() {
    for (path, arguments) in [
        ("experiments/schema.json", &[][..]),
        ("docs/experiment.md", &["--markdown"][..]),
        ("experiments/pretrain/schema.json", &["--pretrain"][..]),
        ("docs/pretraining.md", &["--pretrain", "--markdown"][..]),
    ] {
        let there = fs::read_to_string(repository().join(path)).unwrap_or_default();
        assert!(
            there == schema(arguments),
            "{path} is not what the program says: reprsim schema {} > {path}",
            arguments.join(" ")
        );
    }
}

/// Every shipped experiment names the schema, fits it as far as its keys go, and is read.
#[test]
fn shipped_experiments_name_the_schema_and_keep_to_it() {
    let of = |arguments: &[&str]| -> serde_json::Value {
        serde_json::from_str(&schema(arguments)).unwrap()
    };
    let (experiments, pretrainings) = (of(&[]), of(&["--pretrain"]));
    let folder = repository().join("experiments");
    let mut seen = 0;
    for (folder, schema) in [
        (folder.clone(), &experiments),
        (folder.join("paper"), &experiments),
        (folder.join("pretrain"), &pretrainings),
    ] {
        let known = schema["properties"].as_object().unwrap();
        for file in fs::read_dir(&folder).unwrap().flatten() {
            let path = file.path();
            if path.extension().is_none_or(|e| e != "toml") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let named = text
                .lines()
                .next()
                .unwrap()
                .strip_prefix("#:schema ")
                .unwrap();
            let named = folder.join(named).canonicalize().unwrap();
            assert_eq!(
                named.file_name().unwrap(),
                "schema.json",
                "{}",
                path.display()
            );
            let table: toml::Table = text.parse().unwrap();
            for key in table.keys() {
                assert!(known.contains_key(key), "{}: {key}", path.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}

/// Every architecture is listed, with parameters that PyTorch counts too.
#[test]
fn models_are_listed_with_their_parameters() {
    let arguments = [
        "models",
        "--input",
        "3x32x32",
        "--classes",
        "10",
        "--format",
        "json",
    ];
    let output = reprsim().args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let rows: Vec<serde_json::Value> = serde_json::from_str(&stdout(&output)).unwrap();
    let parameters = |name: &str| {
        let row = rows.iter().find(|row| row["model"] == name).unwrap();
        row["parameters"].as_u64().unwrap()
    };
    // torch: Linear(3072, 512), Linear(512, 256), Linear(256, 10).
    assert_eq!(parameters("mlp"), 3072 * 512 + 512 + 512 * 256 + 256 + 2570);
    // torchvision.models.resnet18(num_classes=10) has 11 181 642; a 3x3 stem for 7x7 is
    // 64 * 3 * (49 - 9) fewer.
    assert_eq!(parameters("resnet"), 11_181_642 - 64 * 3 * (49 - 9));
    // torchvision.models.vgg11_bn(num_classes=10).features has 9 225 984, a linear layer follows.
    assert_eq!(parameters("vgg"), 9_225_984 + 512 * 10 + 10);
    // densenet121 and convnext_tiny of 10 classes; of the former the stem is as the ResNet's.
    assert_eq!(parameters("densenet"), 6_964_106 - 64 * 3 * (49 - 9));
    assert_eq!(parameters("convnext"), 27_827_818);
    // timm's VisionTransformer(img_size=32, patch_size=4, embed_dim=192, depth=6, num_heads=3).
    assert_eq!(parameters("vit"), 2_693_578);
    for row in &rows {
        assert!(row["layers"].as_str().unwrap().contains(','), "{row}");
    }
}
