//! What becomes of a program whose output nobody reads, or that is asked to stop.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{TINY, experiment, reprsim, run, start, stderr};

/// The end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn full() -> Stdio {
    File::options()
        .write(true)
        .open("/dev/full")
        .unwrap()
        .into()
}

/// An experiment one of whose models cannot be trained at its rate.
fn failing() -> String {
    TINY.replace("lr = 0.1", "lr = 1e30")
}

#[test]
fn a_closed_standard_output_changes_no_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), &failing());
    let out = dir.path().join("run");
    assert_eq!(run(&file, &out, &[]).status.code(), Some(3));
    let again = |stdout: Stdio, stderr: Stdio| {
        let mut command = reprsim();
        command.arg("run").arg(&file).arg("--out").arg(&out);
        command
            .args(["--device", "cpu"])
            .stdout(stdout)
            .stderr(stderr);
        command.status().unwrap().code()
    };
    assert_eq!(again(closed(), Stdio::null()), Some(3));
    assert_eq!(again(Stdio::null(), closed()), Some(3));
    assert_eq!(again(Stdio::null(), full()), Some(3));
    assert_eq!(again(closed(), closed()), Some(3));
}

#[test]
fn what_nobody_reads_is_no_error_and_what_is_lost_is_one() {
    let commands: [&[&str]; 6] = [
        &["completions", "bash"],
        &["measures"],
        &["models"],
        &["schema"],
        &["devices"],
        &["data", "list", "--format", "csv"],
    ];
    for args in commands {
        let status = |stdout: Stdio, stderr: Stdio| {
            let mut command = reprsim();
            let status = command.args(args).stdout(stdout).stderr(stderr).status();
            status.unwrap().code()
        };
        assert_eq!(status(closed(), Stdio::null()), Some(0), "{args:?}");
        assert_eq!(status(closed(), closed()), Some(0), "{args:?}");
        assert_eq!(status(full(), Stdio::null()), Some(1), "{args:?}");
        assert_eq!(status(full(), full()), Some(1), "{args:?}");
    }
    // Errors that nobody reads keep their code.
    let status = |stderr: Stdio| {
        let mut command = reprsim();
        let status = command
            .args(["run", "nothing.toml"])
            .stderr(stderr)
            .status();
        status.unwrap().code()
    };
    assert_eq!(status(closed()), Some(2));
    assert_eq!(status(full()), Some(2));
}

/// Sends a signal.
fn send(name: &str, pid: u32) {
    let status = Command::new("kill")
        .args(["-s", name, &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}

fn until(what: impl Fn() -> bool) {
    let begin = Instant::now();
    while !what() && begin.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(2));
    }
}

/// Files of a run that are there for a moment.
fn temporaries(run: &Path) -> Vec<String> {
    let mut found = vec![];
    let mut folders = vec![run.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.path().is_dir() {
                true => folders.push(entry.path()),
                false if name.starts_with(".tmp") => found.push(name),
                false => {}
            }
        }
    }
    found
}

/// A run that is asked to stop leaves snapshots, says what to do, and ends as if it had not been.
#[test]
fn a_signal_stops_a_run_that_goes_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let slow = TINY
        .replace("epochs = 2", "epochs = 400")
        .replace("width = 2", "width = 6");
    let file = experiment(dir.path(), &slow);
    let whole = dir.path().join("whole");
    assert!(run(&file, &whole, &["--jobs", "2"]).status.success());
    let out = dir.path().join("run");
    let (mut stops, mut snapshots) = (0, 0);
    for signal in ["TERM", "INT", "HUP", "USR1", "USR2"] {
        let mut command = reprsim();
        command.arg("run").arg(&file).arg("--out").arg(&out);
        command.args(["--device", "cpu", "--jobs", "2"]);
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        until(|| out.join("plan.json").exists());
        sleep(Duration::from_millis(400));
        send(signal, pid);
        let begin = Instant::now();
        let status = child.wait().unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        if status.success() {
            break; // it was faster
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "{signal}");
        assert_eq!(status.code(), Some(75), "{signal}: {said}");
        assert!(said.contains("run again to go on"), "{signal}: {said}");
        assert_eq!(temporaries(&out), Vec::<String>::new());
        stops += 1;
        let cells = fs::read_dir(out.join("cells")).unwrap().flatten();
        let has = |cell: &Path| {
            ["a.snapshot", "b.snapshot"]
                .iter()
                .any(|s| cell.join(s).exists())
        };
        snapshots += cells.filter(|cell| has(&cell.path())).count();
    }
    assert!(
        stops > 0 && snapshots > 0,
        "{stops} stops, {snapshots} snapshots"
    );
    let output = run(&file, &out, &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["results.csv", "analysis.json"] {
        let of = |run: &Path| fs::read(run.join(name)).unwrap();
        assert!(of(&whole) == of(&out), "{name}");
    }
}

/// A fetch that is asked to stop ends with the code of runs, with all that it started, and leaves its
/// lock. The program of the registry is one that hangs.
#[test]
fn a_signal_stops_a_fetch() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let npm = dir.path().join("npm");
    let pid = dir.path().join("pid");
    let script = format!(
        "#!/bin/sh\nsleep 300 &\necho $! > {}\nwait\n",
        pid.display()
    );
    fs::write(&npm, script).unwrap();
    fs::set_permissions(&npm, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    for signal in ["TERM", "INT"] {
        let mut command = reprsim();
        command.args(["data", "fetch", "emoji", "--data-dir"]);
        command.arg(dir.path().join("data"));
        command.env("PATH", format!("{}:{path}", dir.path().display()));
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        until(|| fs::read_to_string(&pid).is_ok_and(|pid| pid.ends_with('\n')));
        let sleeps = fs::read_to_string(&pid).unwrap();
        fs::remove_file(&pid).unwrap();
        send(signal, child.id());
        let begin = Instant::now();
        let status = child.wait().unwrap();
        let mut said = String::new();
        child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        assert_eq!(status.code(), Some(75), "{signal}: {said}");
        assert!(begin.elapsed() < Duration::from_secs(5), "{signal}");
        assert!(said.contains("run again to go on"), "{signal}: {said}");
        let stat = format!("/proc/{}/stat", sleeps.trim());
        let ended = || fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z"));
        until(ended);
        assert!(ended(), "{signal}: what it started goes on");
        let lock = File::open(dir.path().join("data/.emoji.lock")).unwrap();
        lock.try_lock().unwrap();
    }
}

#[test]
fn a_second_signal_ends_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let slow = TINY
        .replace("epochs = 2", "epochs = 4000")
        .replace("width = 2", "width = 16");
    let file = experiment(dir.path(), &slow);
    let out = dir.path().join("run");
    let mut child = start(&file, &out);
    until(|| out.join("plan.json").exists());
    sleep(Duration::from_millis(300));
    send("TERM", child.id());
    send("TERM", child.id());
    let begin = Instant::now();
    let status = child.wait().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10));
    assert!(
        status.code() == Some(75) || status.signal().is_some(),
        "{status}"
    );
}

#[test]
fn without_locks_a_run_is_not_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let file = experiment(dir.path(), TINY);
    let out = dir.path().join("run");
    assert!(run(&file, &out, &["--no-lock"]).status.success());
    assert!(!out.join("run.lock").exists());
    // Where somebody holds the lock it is not looked at.
    let lock = File::create(out.join("run.lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(run(&file, &out, &[]).status.code(), Some(2));
    assert!(run(&file, &out, &["--no-lock"]).status.success());
}
