//! The devices of this machine.

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
    /// Bytes of the largest single buffer that a GPU allows.
    pub largest_buffer: Option<u64>,
}

impl Listed {
    /// Whether it works in the host's memory, as far as is known.
    pub(crate) fn shares_memory(&self) -> bool {
        [kind::INTEGRATED, kind::SOFTWARE].contains(&self.kind.as_str())
    }
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
        largest_buffer: None,
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
    // OpenGL is left out: burn does not use it, and probing it starts a display.
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters
        .iter()
        .map(|adapter| {
            let info = adapter.get_info();
            Listed {
                option: "wgpu".into(),
                kind: match info.device_type {
                    wgpu::DeviceType::DiscreteGpu => kind::DISCRETE,
                    wgpu::DeviceType::IntegratedGpu => kind::INTEGRATED,
                    wgpu::DeviceType::VirtualGpu => kind::VIRTUAL,
                    wgpu::DeviceType::Cpu => kind::SOFTWARE,
                    wgpu::DeviceType::Other => kind::OTHER,
                }
                .into(),
                interface: format!("{:?}", info.backend),
                driver: format!("{} {}", info.driver, info.driver_info)
                    .trim()
                    .to_string(),
                auto: matches!(
                    info.device_type,
                    wgpu::DeviceType::DiscreteGpu
                        | wgpu::DeviceType::IntegratedGpu
                        | wgpu::DeviceType::VirtualGpu
                ),
                name: info.name,
                largest_buffer: Some(adapter.limits().max_buffer_size),
            }
        })
        .collect()
}

#[cfg(not(feature = "wgpu"))]
pub(crate) fn gpu_adapters() -> Vec<Listed> {
    Vec::new()
}
