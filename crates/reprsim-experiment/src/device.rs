//! Which device to compute on, and why.

use burn::tensor::Device;

use crate::ExperimentError;

/// What `--device` and the `device` key accept.
pub const NAMES: [&str; 6] = ["auto", "cpu", "wgpu", "vulkan", "cuda", "ndarray"];

/// A device that was chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The device.
    pub device: Device,
    /// What it is, in words.
    pub name: String,
    /// Why it was taken.
    pub why: String,
    /// Whether it computes on the host's processor with the embedded backend,
    /// where one single-threaded model a core is fastest.
    pub cpu: bool,
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
}

/// Chooses a device by name.
///
/// `auto` takes the first real GPU that wgpu finds, never a software one, else
/// the CPU; a machine without any Vulkan library has no GPU.
///
/// # Errors
/// [`ExperimentError::Usage`] if the name is unknown, this build lacks the
/// backend, or no such device exists.
pub fn choose(name: &str) -> Result<Chosen, ExperimentError> {
    match name {
        "auto" => {
            let adapters = gpu_adapters();
            Ok(match adapters.iter().find(|a| a.auto) {
                Some(adapter) => Chosen {
                    device: gpu_device(adapter),
                    name: format!("{} ({}, {})", adapter.name, adapter.kind, adapter.interface),
                    why: "the first real GPU that wgpu found".into(),
                    cpu: false,
                },
                None => Chosen {
                    why: match adapters.first() {
                        None if cfg!(feature = "wgpu") => "no GPU was found".into(),
                        None => "this build has no GPU backend".into(),
                        Some(software) => format!(
                            "the only GPU found is a software one ({}), which is slower than the CPU \
                         itself; --device wgpu takes it all the same",
                            software.name
                        ),
                    },
                    ..cpu("")
                },
            })
        }
        "cpu" => Ok(cpu("asked for")),
        "wgpu" | "vulkan" => {
            require(cfg!(feature = "wgpu"), name)?;
            require(name == "wgpu" || cfg!(feature = "vulkan"), name)?;
            // Prefer a real GPU; take what there is.
            let adapters = gpu_adapters();
            let adapter = adapters
                .iter()
                .find(|a| a.auto)
                .or(adapters.first())
                .ok_or_else(|| {
                    ExperimentError::Usage(
                        "no wgpu device was found\n  install a Vulkan driver (on Debian: \
                         mesa-vulkan-drivers is a software one) or use --device cpu"
                            .into(),
                    )
                })?;
            Ok(Chosen {
                device: gpu_device(adapter),
                name: format!("{} ({}, {})", adapter.name, adapter.kind, adapter.interface),
                why: "asked for".into(),
                cpu: false,
            })
        }
        "cuda" => {
            require(cfg!(feature = "cuda"), name)?;
            cuda()
        }
        "ndarray" => {
            require(cfg!(feature = "ndarray"), name)?;
            ndarray()
        }
        other => Err(ExperimentError::Usage(format!(
            "unknown device '{other}'; known: {}",
            NAMES.join(", ")
        ))),
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
    }];
    devices.extend(gpu_adapters());
    devices
}

/// Processor cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

fn cpu(why: &str) -> Chosen {
    Chosen {
        device: Device::flex(),
        name: format!("CPU ({} cores, burn's flex backend)", cores()),
        why: why.into(),
        cpu: true,
    }
}

fn require(built: bool, name: &str) -> Result<(), ExperimentError> {
    if built {
        return Ok(());
    }
    Err(ExperimentError::Usage(format!(
        "this build has no {name} backend\n  build it with: cargo build --release --features {name}"
    )))
}

#[cfg(feature = "wgpu")]
fn gpu_adapters() -> Vec<Listed> {
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
                    wgpu::DeviceType::DiscreteGpu => "discrete GPU",
                    wgpu::DeviceType::IntegratedGpu => "integrated GPU",
                    wgpu::DeviceType::VirtualGpu => "virtual GPU",
                    wgpu::DeviceType::Cpu => "software GPU",
                    wgpu::DeviceType::Other => "other",
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
            }
        })
        .collect()
}

#[cfg(not(feature = "wgpu"))]
fn gpu_adapters() -> Vec<Listed> {
    Vec::new()
}

#[cfg(feature = "wgpu")]
fn gpu_device(adapter: &Listed) -> Device {
    use burn::tensor::DeviceKind;
    Device::wgpu(match adapter.kind.as_str() {
        "discrete GPU" => DeviceKind::DiscreteGpu(0),
        "integrated GPU" => DeviceKind::IntegratedGpu(0),
        "virtual GPU" => DeviceKind::VirtualGpu(0),
        "software GPU" => DeviceKind::Cpu,
        _ => DeviceKind::DefaultDevice,
    })
}

#[cfg(not(feature = "wgpu"))]
fn gpu_device(_: &Listed) -> Device {
    Device::flex()
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Chosen, ExperimentError> {
    Ok(Chosen {
        device: Device::cuda(0),
        name: "CUDA device 0".into(),
        why: "asked for".into(),
        cpu: false,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Chosen, ExperimentError> {
    require(false, "cuda").and(Ok(cpu("")))
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Chosen, ExperimentError> {
    #[expect(
        deprecated,
        reason = "kept as a second CPU backend to compare numbers with"
    )]
    Ok(Chosen {
        device: Device::ndarray(),
        name: "CPU (burn's ndarray backend)".into(),
        why: "asked for".into(),
        cpu: true,
    })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Chosen, ExperimentError> {
    require(false, "ndarray").and(Ok(cpu("")))
}
