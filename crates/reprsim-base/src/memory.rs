//! How much memory there is, and how much of it may be used: one budget for the process, which is
//! asked before much is taken.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use bytesize::ByteSize;
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What may be used of the memory that there is, in eighths, where nobody says.
const SHARE: u64 = 6;
/// The budget where the system does not say what it has.
const UNKNOWN: u64 = 4 << 30;

/// The budget that was set; 0 where none was.
static BUDGET: AtomicU64 = AtomicU64::new(0);

/// Bytes of memory that this process may use: the machine's, or less where the system
/// puts it into a group with a limit of its own (a container) or limits it; `None` where the
/// system does not say.
pub fn host_memory() -> Option<u64> {
    let memory = MemoryRefreshKind::nothing().with_ram();
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(memory));
    let machine = Some(system.total_memory());
    let group = system.cgroup_limits().map(|limits| limits.total_memory);
    // A group without a limit may say 0 or more than there is.
    let known = [machine, group, limit()].into_iter().flatten();
    known.filter(|bytes| *bytes > 0).min()
}

/// The limit of the process (`ulimit -v` or `-d`).
#[cfg(unix)]
fn limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};
    let limits = [Resource::As, Resource::Data].map(|of| getrlimit(of).current);
    limits.into_iter().flatten().min()
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

/// Gives what an allocator keeps of freed memory back to the system.
static GIVE_BACK: OnceLock<fn()> = OnceLock::new();

/// Says how free memory is given back to the system, where the program's allocator keeps it; the first
/// who says it is heard.
pub fn set_give_back(give_back: fn()) {
    let _ = GIVE_BACK.set(give_back);
}

/// Gives free memory back to the system, between two stages of work whose needs differ: what the last one
/// left in pieces would else stay taken beside what the next one takes.
pub fn give_back_memory() {
    if let Some(give_back) = GIVE_BACK.get() {
        give_back();
    }
}

/// Sets the budget, in bytes, for all that is asked later.
pub fn set_memory_budget(bytes: u64) {
    BUDGET.store(bytes.max(1), Ordering::Relaxed);
}

/// Bytes that may be used: what was set, or three quarters of what there is.
pub fn memory_budget() -> u64 {
    static DEFAULT: OnceLock<u64> = OnceLock::new();
    match BUDGET.load(Ordering::Relaxed) {
        0 => *DEFAULT.get_or_init(|| host_memory().map_or(UNKNOWN, |bytes| bytes / 8 * SHARE)),
        set => set,
    }
}

/// Asks whether `bytes` may be taken at once for `what`, before they are. Nothing is set aside:
/// what is refused is what could never be had.
///
/// # Errors
/// [`OverBudget`] if that is more than the budget.
pub fn ask_memory(bytes: u128, what: impl fmt::Display) -> Result<(), OverBudget> {
    let budget = memory_budget();
    match bytes > u128::from(budget) {
        false => Ok(()),
        true => Err(OverBudget(Box::new(Refused {
            what: what.to_string(),
            bytes,
            budget,
        }))),
    }
}

/// More memory than may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget(Box<Refused>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    what: String,
    bytes: u128,
    budget: u64,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refused {
            what,
            bytes,
            budget,
        } = &*self.0;
        // What no number of 64 bits holds is no different from the largest that one does.
        let bytes = u64::try_from(*bytes).unwrap_or(u64::MAX);
        write!(
            f,
            "{what} takes {} of memory, and {} may be used\n  if this machine has more, say so with \
             --memory",
            ByteSize::b(bytes),
            ByteSize::b(*budget)
        )
    }
}

impl std::error::Error for OverBudget {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn no_more_than_the_system_says() {
        let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib: Option<u64> = (text.lines())
            .find_map(|line| line.strip_prefix("MemTotal:"))
            .and_then(|rest| rest.trim().strip_suffix(" kB")?.trim().parse().ok());
        let said = kib.map_or(0, |kib| 1024 * kib);
        assert!(host_memory().is_some_and(|bytes| bytes > 1 << 20 && bytes <= said));
        assert!(memory_budget() < said);
    }

    #[test]
    fn what_could_never_be_had_is_refused_with_its_number() {
        assert!(ask_memory(1 << 20, "a little").is_ok());
        let refused = ask_memory(1 << 70, "a model of many weights").unwrap_err();
        let text = refused.to_string();
        assert!(text.starts_with("a model of many weights takes "), "{text}");
        assert!(text.contains("--memory"), "{text}");
        assert_eq!(refused.0.bytes, 1 << 70);
    }
}
