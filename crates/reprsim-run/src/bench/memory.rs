//! Peak memory of this process and of the device.

use burn::tensor::Device;

/// The most memory this process has had resident, in MiB; `None` where the system
/// does not say (it is read from Linux's `/proc`).
pub(super) fn host_peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// What the device's allocator holds, in MiB: it grows and is not given back within a
/// benchmark, so that this is the peak. `None` for the CPU, whose memory is the host's.
pub(super) fn device_mib(device: &Device) -> Option<f64> {
    let usage = device.memory_pool_usage()?;
    Some(usage.bytes_reserved as f64 / (1024.0 * 1024.0))
}
