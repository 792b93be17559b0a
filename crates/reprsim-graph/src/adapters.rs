//! The GPUs of this machine, before one is opened.

use burn::tensor::DeviceKind;

/// A GPU that wgpu finds, not opened.
#[derive(Clone, Debug)]
pub struct Adapter {
    pub(crate) adapter: wgpu::Adapter,
    /// What it is and what drives it.
    pub info: wgpu::AdapterInfo,
    /// What burn calls it: the first, second ... of its type. Software GPUs are all called the
    /// same.
    pub kind: DeviceKind,
    /// Bytes of its own memory, or of the host's that it may use, where it says.
    pub memory: Option<u64>,
}

/// All GPUs that wgpu finds, in its order, which is burn's. A machine without any Vulkan library
/// has none. Where `CUDA_VISIBLE_DEVICES` assigns NVIDIA's by number, as cluster schedulers do,
/// the others of them are left out.
pub fn adapters() -> Vec<Adapter> {
    // OpenGL is left out: burn does not use it, and probing it starts a display.
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut counts = [0; 4];
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let found = adapters.into_iter().map(|adapter| {
        let info = adapter.get_info();
        let mut next = |of: usize| {
            counts[of] += 1;
            counts[of] - 1
        };
        Adapter {
            kind: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(next(0)),
                wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(next(1)),
                wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu(next(2)),
                wgpu::DeviceType::Cpu => DeviceKind::Cpu,
                wgpu::DeviceType::Other => DeviceKind::DefaultDevice,
            },
            memory: memory(&adapter),
            info,
            adapter,
        }
    });
    let assigned = std::env::var("CUDA_VISIBLE_DEVICES").ok();
    visible(found.collect(), assigned.as_deref())
}

/// NVIDIA's number among the vendors of PCI devices.
const NVIDIA: u32 = 0x10de;

/// Without those of NVIDIA's that are not `assigned`.
fn visible(found: Vec<Adapter>, assigned: Option<&str>) -> Vec<Adapter> {
    let is_nvidia = |adapter: &Adapter| adapter.info.vendor == NVIDIA;
    let bus = |adapter: &Adapter| adapter.info.device_pci_bus_id.clone();
    let buses = found.iter().filter(|a| is_nvidia(a)).map(bus).collect();
    let Some(kept) = assigned.and_then(|text| named(text, buses)) else {
        return found;
    };
    let keep = |adapter: &Adapter| !is_nvidia(adapter) || kept.contains(&bus(adapter));
    found.into_iter().filter(keep).collect()
}

/// The places on the bus that a list like CUDA's names: numbers in the order of these places, up to
/// the first that is none, as CUDA reads it. `None` where it names cards in another way, of which
/// nothing is known here.
fn named(text: &str, mut buses: Vec<String>) -> Option<Vec<String>> {
    buses.sort();
    let mut kept = vec![];
    for part in text.split(',').map(str::trim) {
        match part.parse::<usize>() {
            Ok(number) => match buses.get(number) {
                Some(bus) => kept.push(bus.clone()),
                None => break,
            },
            Err(_) if part.starts_with(char::is_alphabetic) => return None,
            Err(_) => break,
        }
    }
    Some(kept)
}

impl Adapter {
    /// Whether it is not a processor that plays a GPU.
    pub fn is_real(&self) -> bool {
        use wgpu::DeviceType::{DiscreteGpu, IntegratedGpu, VirtualGpu};
        matches!(
            self.info.device_type,
            DiscreteGpu | IntegratedGpu | VirtualGpu
        )
    }

    /// Bytes of the largest array that it allows.
    pub fn largest_array(&self) -> u64 {
        let limits = self.adapter.limits();
        (limits.max_storage_buffer_binding_size).min(limits.max_buffer_size)
    }
}

/// Bytes of the largest heap of the device's own, by Vulkan.
fn memory(adapter: &wgpu::Adapter) -> Option<u64> {
    /// `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT`.
    const OWN: u32 = 1;
    #[expect(unsafe_code, reason = "wgpu does not say how much memory there is")]
    // SAFETY: the adapter is only asked, and lives until it has answered.
    let properties = unsafe {
        let adapter = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = adapter.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(adapter.raw_physical_device())
    };
    let heaps = &properties.memory_heaps[..properties.memory_heap_count as usize];
    let own = heaps.iter().filter(|heap| heap.flags.as_raw() & OWN != 0);
    own.map(|heap| heap.size).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assigned_cards_are_those_of_their_places_on_the_bus() {
        let found = |text: &str| named(text, vec!["0:5".into(), "0:1".into(), "0:3".into()]);
        let some = |buses: &[&str]| Some(buses.iter().map(ToString::to_string).collect());
        assert_eq!(found("0"), some(&["0:1"]));
        assert_eq!(found("2, 1"), some(&["0:5", "0:3"]));
        for none in ["", "-1", "3"] {
            assert_eq!(found(none), some(&[]), "{none}");
        }
        assert_eq!(found("1,-1,0"), some(&["0:3"]));
        for unknown in ["GPU-8932f937", "MIG-1", "0,GPU-1"] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
    }
}
