//! A tiny experiment and the program itself, for end-to-end tests.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of this"
)]

use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// An experiment of 8 cells that takes a second or two.
pub const TINY: &str = r#"
name = "tiny"
seeds = 1

[dataset]
name = "color-shape-digit"
preset = "varied"
factor_classes = 4
label = ["digit"]
train_samples = 400
train_per_model = 64

[model]
name = "cnn"
width = 2

[training]
epochs = 2
batch = 32
optimizer = { name = "sgd", lr = 0.1, momentum = 0.9, weight_decay = 5e-4 }
schedule = { name = "triangular", peak = 0.5 }
drop_last = true

[[axis]]
kind = "data"
levels = [0, 0.5, 1]

[[axis]]
kind = "class"
levels = [0, 1]

[[axis]]
kind = "task"
factors = ["shape", "digit"]
factors_per_task = 1
levels = [0, 1]

[[probe]]
name = "test"
samples = 60

[[probe]]
name = "plain"
preset = "plain"
samples = 50

[[probe]]
name = "common"
kind = "common-classes"
samples = 50

[analysis]
primary = { measure = "cka_linear_debiased", probe = "test", layer = "penultimate" }

[task]
name = "classify"
label_smoothing = 0.1
"#;

/// The program, computing on the CPU unless told otherwise.
pub fn reprsim() -> Command {
    // Where the tests were carried to, the program lies elsewhere.
    let program = std::env::var_os("REPRSIM_PROGRAM");
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_reprsim").into());
    let mut command = Command::new(program);
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command
}

/// Writes an experiment file and returns its path.
pub fn experiment(dir: &Path, text: &str) -> std::path::PathBuf {
    let path = dir.join("experiment.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The command that runs `experiment` into `out` on the CPU.
fn run_command(experiment: &Path, out: &Path) -> Command {
    let mut command = reprsim();
    command
        .arg("run")
        .arg(experiment)
        .arg("--out")
        .arg(out)
        .args(["--device", "cpu"]);
    command
}

/// Runs `experiment` into `out` on the CPU.
pub fn run(experiment: &Path, out: &Path, more: &[&str]) -> Output {
    run_command(experiment, out).args(more).output().unwrap()
}

/// Runs `experiment` into `out` on the CPU; its output, and the most memory it had, in bytes.
#[cfg(target_os = "linux")]
pub fn watched_run(experiment: &Path, out: &Path, more: &[&str]) -> (Output, u64) {
    let mut command = run_command(experiment, out);
    command.args(more);
    watched(command)
}

/// Starts a run in the background, silently.
pub fn start(experiment: &Path, out: &Path) -> Child {
    run_command(experiment, out)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs a command to its end; its output, and the most memory it had, in bytes.
#[cfg(target_os = "linux")]
pub fn watched(mut command: Command) -> (Output, u64) {
    let (mut out, mut err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(out.try_clone().unwrap());
    command.stderr(err.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let mut peak = 0u64;
    let status = loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        for line in status.unwrap_or_default().lines() {
            if let Some(rest) = line.strip_prefix("VmHWM:") {
                peak = rest.trim().trim_end_matches(" kB").parse().unwrap_or(peak);
            }
        }
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(std::time::Duration::from_millis(2)),
        }
    };
    let mut said = [vec![], vec![]];
    for (file, said) in [&mut out, &mut err].into_iter().zip(&mut said) {
        file.rewind().unwrap();
        file.read_to_end(said).unwrap();
    }
    let [stdout, stderr] = said;
    let output = Output {
        status,
        stdout,
        stderr,
    };
    (output, 1024 * peak)
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Copies a folder with all in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy_folder(&from, &to),
            false => drop(std::fs::copy(from, to).unwrap()),
        }
    }
}
