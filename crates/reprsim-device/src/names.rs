//! What devices are called.

/// What `--device` and the `device` key accept.
pub const NAMES: [&str; 6] = ["auto", "cpu", "wgpu", "vulkan", "cuda", "ndarray"];
