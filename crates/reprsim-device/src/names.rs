//! What devices are called.

/// What `--device` and the `device` key accept; `wgpu` and `vulkan` also with a number or a part of
/// a GPU's name (`wgpu:1`, `wgpu:RTX`), and GPUs with commas between them.
pub const NAMES: [&str; 7] = ["auto", "cpu", "all", "wgpu", "vulkan", "cuda", "ndarray"];
