//! Programs of package registries, which are not waited for for ever.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reprsim_base::size_of;

use super::error::FetchError;
use super::patience::Patience;

/// How often it is looked at what a program has written.
const LOOK: Duration = Duration::from_millis(500);

/// Runs a program that writes to the folder `work` and its output to `stdout`. One that writes nothing
/// for too long, is not done in time or writes too much is ended with all that it started; so it
/// is when a stop is asked for.
pub(super) fn run(
    command: &mut Command,
    stdout: Stdio,
    work: &Path,
    patience: &Patience<'_>,
) -> Result<(), FetchError> {
    patience.go_on()?;
    let program = command.get_program().to_string_lossy().into_owned();
    let say = FetchError::io(work);
    let mut said = tempfile::tempfile_in(work).map_err(&say)?;
    let to = said.try_clone().map_err(&say)?;
    command.stdin(Stdio::null()).stdout(stdout).stderr(to);
    let mut running = match Running::start(command) {
        Ok(running) => running,
        Err(source) => return Err(FetchError::Program { program, source }),
    };
    let begin = Instant::now();
    let (mut looked, mut moved, mut before) = (begin, begin, None);
    let status = loop {
        if let Some(status) = running.0.try_wait().map_err(&say)? {
            break status;
        }
        patience.step(patience.stall)?;
        let now = Instant::now();
        if now - looked < LOOK.min(patience.stall / 4) {
            continue;
        }
        looked = now;
        let size = size_of(work).ok();
        let written = (size, said.metadata().map(|m| m.len()).ok());
        // What cannot be counted is changing.
        if size.is_none() || before != Some(written) {
            (moved, before) = (now, Some(written));
        }
        if size.is_some_and(|size| size > patience.most) {
            return Err(FetchError::TooMuch(patience.most));
        }
        if now - moved > patience.stall {
            let silence = patience.stall;
            return Err(FetchError::Stalled { program, silence });
        }
        if now - begin > patience.total {
            let total = patience.total;
            return Err(FetchError::Slow { program, total });
        }
    };
    if status.success() {
        return Ok(());
    }
    Err(FetchError::Failed {
        program,
        message: last_line(&mut said),
    })
}

/// The last line that is not blank.
fn last_line(said: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = said.rewind().and_then(|()| said.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    match (read, last) {
        (Ok(_), Some(line)) => line.trim().into(),
        _ => "no message".into(),
    }
}

/// A program with a group of its own, which ends at the latest when this is dropped.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> std::io::Result<Self> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        command.spawn().map(Self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.0.try_wait() {
            return;
        }
        #[cfg(unix)]
        if let Some(group) = rustix::process::Pid::from_raw(self.0.id() as i32) {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn quick() -> Patience<'static> {
        Patience {
            stall: Duration::from_millis(400),
            total: Duration::from_secs(2),
            most: 1 << 20,
            ..Patience::default()
        }
    }

    /// What becomes of a script, in how many seconds, and whether a program that it started in
    /// the background is still there.
    fn script(text: &str, patience: &Patience<'_>) -> (Result<(), FetchError>, f32, bool) {
        let work = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", text]).current_dir(work.path());
        let begin = Instant::now();
        let ended = run(&mut command, Stdio::null(), work.path(), patience);
        let took = begin.elapsed().as_secs_f32();
        let child = std::fs::read_to_string(work.path().join("child")).unwrap_or_default();
        let state = format!("/proc/{}/stat", child.trim());
        let alive = || std::fs::read_to_string(&state).is_ok_and(|stat| !stat.contains(") Z"));
        // What is killed takes a moment to go.
        let end = Instant::now() + Duration::from_secs(5);
        while alive() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
        let alive = alive();
        (ended, took, alive)
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_all_that_it_started() {
        let hangs = "sleep 60 & echo $! > child; wait";
        let (ended, took, alive) = script(hangs, &quick());
        assert!(
            matches!(ended, Err(FetchError::Stalled { .. })),
            "{ended:?}"
        );
        assert!(took < 2.0 && !alive, "{took} s, {alive}");
        let drips = "while true; do echo x >> out; sleep 0.05; done";
        let (ended, took, _) = script(drips, &quick());
        assert!(matches!(ended, Err(FetchError::Slow { .. })), "{ended:?}");
        assert!((2.0..5.0).contains(&took), "{took} s");
        let (ended, took, _) = script("head -c 9000000 /dev/zero > out; sleep 60", &quick());
        assert!(matches!(ended, Err(FetchError::TooMuch(_))), "{ended:?}");
        assert!(took < 2.0, "{took} s");
    }

    #[test]
    fn a_program_ends_when_a_stop_is_asked_for() {
        let stop = AtomicBool::new(false);
        let patience = Patience {
            stop: Some(&stop),
            ..Patience::default()
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                stop.store(true, Ordering::Relaxed);
            });
            let (ended, took, alive) = script("sleep 60 & echo $! > child; wait", &patience);
            assert!(matches!(ended, Err(FetchError::Stopped)), "{ended:?}");
            assert!(took < 5.0 && !alive, "{took} s");
        });
        assert!(matches!(
            script("true", &patience).0,
            Err(FetchError::Stopped)
        ));
    }

    #[test]
    fn a_program_that_is_missing_or_fails_is_told() {
        let work = tempfile::tempdir().unwrap();
        let mut command = Command::new("/nowhere/npm");
        let missing = run(&mut command, Stdio::null(), work.path(), &quick()).unwrap_err();
        assert!(matches!(missing, FetchError::Program { .. }));
        let text = missing.to_string();
        assert!(
            text.starts_with("the program '/nowhere/npm' cannot be run (No such"),
            "{text}"
        );
        let (ended, ..) = script("echo one >&2; echo 'the reason' >&2; exit 3", &quick());
        assert_eq!(ended.unwrap_err().to_string(), "'sh' failed: the reason");
        assert!(script("echo well", &quick()).0.is_ok());
    }
}
