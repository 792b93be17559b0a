//! The devices of this machine.

use burn::tensor::Device;

use reprsim_base::host_memory;

/// What kinds of GPU are called.
#[cfg_attr(not(feature = "wgpu"), allow(dead_code, reason = "no GPU to name"))]
pub(crate) mod kind {
    pub const DISCRETE: &str = "discrete GPU";
    pub const INTEGRATED: &str = "integrated GPU";
    pub const VIRTUAL: &str = "virtual GPU";
    pub const SOFTWARE: &str = "software GPU";
    pub const OTHER: &str = "other";
}

/// A device that this machine has.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Listed {
    /// The value of `--device` that takes it.
    pub option: String,
    /// Its name.
    pub name: String,
    /// What kind of device it is.
    pub kind: String,
    /// The interface it is reached by.
    pub interface: String,
    /// Its driver, as it names itself.
    pub driver: String,
    /// Whether it is a real GPU, which `auto` would take.
    pub auto: bool,
    /// Bytes of the largest array that a GPU allows.
    pub largest_array: Option<u64>,
    /// Bytes of memory that it works in, where the system says: of a processor, a software
    /// GPU and a GPU that shares the host's memory what this process may use of it.
    pub memory: Option<u64>,
    /// The device itself.
    #[serde(skip)]
    pub(crate) device: Device,
}

/// The CPU and all GPUs that wgpu finds on this machine.
pub fn list() -> Vec<Listed> {
    let mut devices = vec![Listed {
        option: "cpu".into(),
        name: format!("{} cores", cores()),
        kind: "CPU".into(),
        interface: "flex".into(),
        driver: String::new(),
        auto: false,
        largest_array: None,
        memory: host_memory(),
        device: Device::flex(),
    }];
    devices.extend(gpu_adapters());
    devices
}

/// Processor cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(feature = "wgpu")]
pub(crate) fn gpu_adapters() -> Vec<Listed> {
    let adapters = reprsim_graph::adapters();
    (adapters.into_iter().enumerate())
        .map(|(number, adapter)| {
            let kind = match adapter.info.device_type {
                wgpu::DeviceType::DiscreteGpu => kind::DISCRETE,
                wgpu::DeviceType::IntegratedGpu => kind::INTEGRATED,
                wgpu::DeviceType::VirtualGpu => kind::VIRTUAL,
                wgpu::DeviceType::Cpu => kind::SOFTWARE,
                wgpu::DeviceType::Other => kind::OTHER,
            };
            let shares_memory = [kind::INTEGRATED, kind::SOFTWARE].contains(&kind);
            Listed {
                option: format!("wgpu:{number}"),
                kind: kind.into(),
                interface: format!("{:?}", adapter.info.backend),
                driver: format!("{} {}", adapter.info.driver, adapter.info.driver_info)
                    .trim()
                    .to_string(),
                auto: adapter.is_real(),
                largest_array: Some(adapter.largest_array()),
                memory: match shares_memory {
                    true => host_memory(),
                    false => adapter.memory,
                },
                device: Device::wgpu(adapter.kind),
                name: adapter.info.name,
            }
        })
        .collect()
}

#[cfg(not(feature = "wgpu"))]
pub(crate) fn gpu_adapters() -> Vec<Listed> {
    Vec::new()
}
