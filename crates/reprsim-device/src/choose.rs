//! Which device to compute on, and why.

use burn::tensor::Device;
use reprsim_base::unknown;

use crate::error::DeviceError;
use crate::list::{Listed, cores, gpu_adapters};

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

/// Chooses a device by name.
///
/// `auto` takes the first real GPU that wgpu finds, never a software one, else
/// the CPU; a machine without any Vulkan library has no GPU.
///
/// # Errors
/// [`DeviceError`] if the name is unknown, this build lacks the
/// backend, or no such device exists.
pub fn choose(name: &str) -> Result<Chosen, DeviceError> {
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
                    DeviceError(
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
        other => Err(DeviceError(unknown("device", other, &NAMES))),
    }
}

fn cpu(why: &str) -> Chosen {
    Chosen {
        device: Device::flex(),
        name: format!("CPU ({} cores, burn's flex backend)", cores()),
        why: why.into(),
        cpu: true,
    }
}

fn require(built: bool, name: &str) -> Result<(), DeviceError> {
    if built {
        return Ok(());
    }
    Err(DeviceError(format!(
        "this build has no {name} backend\n  build it with: cargo build --release --features {name}"
    )))
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
fn cuda() -> Result<Chosen, DeviceError> {
    Ok(Chosen {
        device: Device::cuda(0),
        name: "CUDA device 0".into(),
        why: "asked for".into(),
        cpu: false,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Chosen, DeviceError> {
    require(false, "cuda").and(Ok(cpu("")))
}

#[cfg(feature = "ndarray")]
fn ndarray() -> Result<Chosen, DeviceError> {
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
fn ndarray() -> Result<Chosen, DeviceError> {
    require(false, "ndarray").and(Ok(cpu("")))
}
