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

/// Without those of NVIDIA's that are not `assigned`: numbers in the order of their places on the
/// bus. What is not numbers says nothing here.
fn visible(found: Vec<Adapter>, assigned: Option<&str>) -> Vec<Adapter> {
    let numbers = assigned.map(|text| {
        let number = |part: &str| part.trim().parse::<usize>();
        text.split(',').map(number).collect::<Result<Vec<_>, _>>()
    });
    let Some(Ok(numbers)) = numbers else {
        return found;
    };
    let is_nvidia = |adapter: &Adapter| adapter.info.vendor == NVIDIA;
    let bus = |adapter: &Adapter| adapter.info.device_pci_bus_id.clone();
    let mut places: Vec<String> = found.iter().filter(|a| is_nvidia(a)).map(bus).collect();
    places.sort();
    let is_assigned = |adapter: &Adapter| {
        let place = places.iter().position(|place| *place == bus(adapter));
        place.is_some_and(|place| numbers.contains(&place))
    };
    let keep = |adapter: &Adapter| !is_nvidia(adapter) || is_assigned(adapter);
    found.into_iter().filter(keep).collect()
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
