//! Which device to compute on, and why.

use burn::tensor::Device;

use crate::error::DeviceError;
use crate::list::{Listed, cores, gpu_adapters};
use crate::names::NAMES;
use reprsim_base::host_memory;

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
    /// GPU and a GPU that shares the host's memory what this process may use of it.
    pub memory: Option<u64>,
    /// Bytes of the largest array that a GPU allows, by which nothing larger can
    /// lie there in one piece; it says nothing of how many such arrays fit.
    pub largest_array: Option<u64>,
}

/// Chooses one device by name.
///
/// `auto` takes the first real GPU that wgpu finds, never a software one, else the CPU; a machine
/// without any Vulkan library has no GPU. `wgpu:1` is GPU 1 of the list, `wgpu:RTX` the first whose
/// name holds that.
///
/// # Errors
/// [`DeviceError`] if the name is unknown, this build lacks the backend, no such device exists or
/// several are named.
pub fn choose(name: &str) -> Result<Chosen, DeviceError> {
    let mut chosen = choose_all(name)?;
    match (chosen.pop(), chosen.is_empty()) {
        (Some(one), true) => Ok(one),
        (_, false) => Err(DeviceError::Several(name.into())),
        (None, _) => Err(DeviceError::NoGpu),
    }
}

/// Chooses devices by names with commas between them; `all` are all real GPUs. One that is named
/// twice is taken twice.
///
/// # Errors
/// As [`choose`], and [`DeviceError::Mixed`] if they are not all GPUs.
pub fn choose_all(names: &str) -> Result<Vec<Chosen>, DeviceError> {
    let mut chosen = vec![];
    for name in names.split(',').map(str::trim) {
        chosen.extend(named(name)?);
    }
    match chosen.len() > 1 && chosen.iter().any(|one| one.cpu) {
        true => Err(DeviceError::Mixed(names.into())),
        false => Ok(chosen),
    }
}

/// Checks that devices are named as devices are, whether or not this machine has them.
///
/// # Errors
/// [`DeviceError::Unknown`] for the first that is not.
pub fn check_names(names: &str) -> Result<(), DeviceError> {
    for name in names.split(',').map(str::trim) {
        let (backend, which) = name.split_once(':').unwrap_or((name, ""));
        let may_be_numbered = ["wgpu", "vulkan"].contains(&backend);
        if !NAMES.contains(&backend) || !(which.is_empty() || may_be_numbered) {
            return Err(DeviceError::Unknown(name.into()));
        }
    }
    Ok(())
}

fn named(name: &str) -> Result<Vec<Chosen>, DeviceError> {
    let one = match name.split_once(':').unwrap_or((name, "")) {
        ("auto", "") => {
            let adapters = gpu_adapters();
            match adapters.iter().find(|a| a.auto) {
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
            }
        }
        ("cpu", "") => cpu("asked for"),
        ("all", "") => {
            require(cfg!(feature = "wgpu"), "wgpu")?;
            let adapters = gpu_adapters();
            let real = adapters.iter().filter(|a| a.auto);
            let all: Vec<Chosen> = real.map(|a| gpu(a, "all GPUs were asked for")).collect();
            return match all.is_empty() {
                true => Err(DeviceError::NoGpu),
                false => Ok(all),
            };
        }
        ("wgpu" | "vulkan", which) => {
            let backend = name.split(':').next().unwrap_or(name);
            require(cfg!(feature = "wgpu"), backend)?;
            require(backend == "wgpu" || cfg!(feature = "vulkan"), backend)?;
            let adapters = gpu_adapters();
            let is_numbered = |adapter: &&Listed| adapter.option == format!("wgpu:{which}");
            let is_named = |adapter: &&Listed| {
                let name = adapter.name.to_lowercase();
                name.contains(&which.to_lowercase())
            };
            // Prefer a real GPU; take what there is.
            let adapter = match which {
                "" => (adapters.iter().find(|a| a.auto)).or(adapters.first()),
                _ => (adapters.iter().find(is_numbered)).or(adapters.iter().find(is_named)),
            };
            match adapter {
                Some(adapter) => gpu(adapter, "asked for"),
                None if adapters.is_empty() => return Err(DeviceError::NoGpu),
                None => {
                    let there = |a: &Listed| format!("{} ({})", a.option, a.name);
                    let there: Vec<String> = adapters.iter().map(there).collect();
                    return Err(DeviceError::NoSuchGpu {
                        name: name.into(),
                        there: there.join(", "),
                    });
                }
            }
        }
        ("cuda", "") => cuda()?,
        ("ndarray", "") => ndarray()?,
        _ => return Err(DeviceError::Unknown(name.into())),
    };
    Ok(vec![one])
}

fn cpu(why: &str) -> Chosen {
    Chosen {
        device: Device::flex(),
        name: format!("CPU ({} cores, burn's flex backend)", cores()),
        why: why.into(),
        cpu: true,
        memory: host_memory(),
        largest_array: None,
    }
}

fn gpu(adapter: &Listed, why: &str) -> Chosen {
    Chosen {
        device: adapter.device.clone(),
        name: format!("{} ({}, {})", adapter.name, adapter.kind, adapter.interface),
        why: why.into(),
        cpu: false,
        memory: adapter.memory,
        largest_array: adapter.largest_array,
    }
}

fn require(built: bool, name: &str) -> Result<(), DeviceError> {
    match built {
        true => Ok(()),
        false => Err(DeviceError::NotBuilt(name.into())),
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> Result<Chosen, DeviceError> {
    Ok(Chosen {
        device: Device::cuda(0),
        name: "CUDA device 0".into(),
        why: "asked for".into(),
        cpu: false,
        memory: None,
        largest_array: None,
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
        largest_array: None,
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
    fn several_devices_are_named_with_commas() {
        if choose("wgpu").is_err() {
            return;
        }
        let twice = choose_all("wgpu:0, wgpu:0").map(|chosen| chosen.len());
        assert_eq!(twice, Ok(2));
        assert_eq!(
            choose("wgpu:0,wgpu:0").err(),
            Some(DeviceError::Several("wgpu:0,wgpu:0".into()))
        );
        assert!(matches!(
            choose_all("wgpu:0,cpu").err(),
            Some(DeviceError::Mixed(_))
        ));
        let name = choose("wgpu:0")
            .map(|chosen| chosen.name)
            .unwrap_or_default();
        let word = name.split([' ', '(']).next().unwrap_or_default();
        assert!(choose(&format!("wgpu:{}", word.to_uppercase())).is_ok());
        for none in ["wgpu:99999", "wgpu:no such card"] {
            let message = choose(none).err().map(|e| e.to_string());
            assert!(message.is_some_and(|m| m.contains("wgpu:0 (")));
        }
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
            assert!(gpu.largest_array > Some(1 << 20), "{gpu:?}");
        }
    }
}
