//! Which device to compute on, and why.

use burn::tensor::Device;

use crate::error::DeviceError;
use crate::list::{Listed, cores, gpu_adapters};
use crate::memory::host_memory;

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
    /// Bytes of memory that it works in, where the system says: of a processor, a software
    /// GPU and a GPU that shares the host's memory what this process may use of it. A GPU
    /// with memory of its own does not say.
    pub memory: Option<u64>,
    /// Bytes of the largest single buffer that a GPU allows, by which nothing larger can
    /// lie there in one piece; it says nothing of how many such buffers fit.
    pub largest_buffer: Option<u64>,
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
                Some(adapter) => gpu(adapter, "the first real GPU that wgpu found"),
                None => cpu(&match adapters.first() {
                    None if cfg!(feature = "wgpu") => "no GPU was found".into(),
                    None => "this build has no GPU backend".into(),
                    Some(software) => format!(
                        "the only GPU found is a software one ({}), which is slower than the CPU \
                         itself; --device wgpu takes it all the same",
                        software.name
                    ),
                }),
            })
        }
        "cpu" => Ok(cpu("asked for")),
        "wgpu" | "vulkan" => {
            require(cfg!(feature = "wgpu"), name)?;
            require(name == "wgpu" || cfg!(feature = "vulkan"), name)?;
            // Prefer a real GPU; take what there is.
            let adapters = gpu_adapters();
            let adapter = (adapters.iter().find(|a| a.auto)).or(adapters.first());
            Ok(gpu(adapter.ok_or(DeviceError::NoGpu)?, "asked for"))
        }
        "cuda" => cuda(),
        "ndarray" => ndarray(),
        other => Err(DeviceError::Unknown(other.into())),
    }
}

fn cpu(why: &str) -> Chosen {
    Chosen {
        device: Device::flex(),
        name: format!("CPU ({} cores, burn's flex backend)", cores()),
        why: why.into(),
        cpu: true,
        memory: host_memory(),
        largest_buffer: None,
    }
}

fn gpu(adapter: &Listed, why: &str) -> Chosen {
    Chosen {
        device: gpu_device(adapter),
        name: format!("{} ({}, {})", adapter.name, adapter.kind, adapter.interface),
        why: why.into(),
        cpu: false,
        memory: match adapter.shares_memory() {
            true => host_memory(),
            false => None,
        },
        largest_buffer: adapter.largest_buffer,
    }
}

fn require(built: bool, name: &str) -> Result<(), DeviceError> {
    match built {
        true => Ok(()),
        false => Err(DeviceError::NotBuilt(name.into())),
    }
}

#[cfg(feature = "wgpu")]
fn gpu_device(adapter: &Listed) -> Device {
    use crate::list::kind;
    use burn::tensor::DeviceKind;
    Device::wgpu(match adapter.kind.as_str() {
        kind::DISCRETE => DeviceKind::DiscreteGpu(0),
        kind::INTEGRATED => DeviceKind::IntegratedGpu(0),
        kind::VIRTUAL => DeviceKind::VirtualGpu(0),
        kind::SOFTWARE => DeviceKind::Cpu,
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
        memory: None,
        largest_buffer: None,
    })
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Result<Chosen, DeviceError> {
    Err(DeviceError::NotBuilt("cuda".into()))
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
        memory: host_memory(),
        largest_buffer: None,
    })
}

#[cfg(not(feature = "ndarray"))]
fn ndarray() -> Result<Chosen, DeviceError> {
    Err(DeviceError::NotBuilt("ndarray".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_says_how_much_memory_it_has() {
        let chosen = choose("cpu");
        assert!(chosen.is_ok_and(|c| c.cpu && c.memory > Some(1 << 20)));
    }

    #[test]
    fn an_unknown_device_names_the_nearest() {
        let message = choose("wpgu").err().map(|e| e.to_string());
        assert!(message.is_some_and(|m| m.contains("did you mean 'wgpu'")));
    }

    #[test]
    fn what_was_not_built_is_told_with_its_remedy() {
        for (name, built) in [
            ("wgpu", cfg!(feature = "wgpu")),
            ("cuda", cfg!(feature = "cuda")),
            ("ndarray", cfg!(feature = "ndarray")),
        ] {
            if !built {
                assert_eq!(choose(name).err(), Some(DeviceError::NotBuilt(name.into())));
            }
        }
    }

    #[test]
    fn a_gpu_says_how_large_a_buffer_may_be() {
        // Where the machine has one, a software one included.
        if let Ok(gpu) = choose("wgpu") {
            assert!(gpu.largest_buffer > Some(1 << 20), "{gpu:?}");
        }
    }
}
