//! How much memory there is.

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// Bytes of memory that this process may use: the machine's, or less where the system
/// puts it into a group with a limit of its own (a container); `None` where the system
/// does not say.
pub fn host_memory() -> Option<u64> {
    let memory = MemoryRefreshKind::nothing().with_ram();
    let system = System::new_with_specifics(RefreshKind::nothing().with_memory(memory));
    let machine = Some(system.total_memory()).filter(|bytes| *bytes > 0);
    let group = system.cgroup_limits().map(|limits| limits.total_memory);
    // A group without a limit may say 0 or more than there is.
    match (machine, group.filter(|bytes| *bytes > 0)) {
        (Some(machine), Some(group)) => Some(machine.min(group)),
        (machine, group) => machine.or(group),
    }
}

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
    }
}
