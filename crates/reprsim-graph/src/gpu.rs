//! A GPU through wgpu: opened once a process, its pipelines compiled side by side.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use burn::tensor::{Device, DeviceKind};

use crate::adapters::{Adapter, adapters};
use crate::bank::BANKS;
use crate::error::GraphError;
use crate::hardware::{Hardware, Units};
use crate::program::{DATA, Dispatch, FED};

/// A GPU that is open.
#[derive(Clone, Debug)]
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    pub(crate) layout: wgpu::PipelineLayout,
    pub(crate) bindings: wgpu::BindGroupLayout,
    /// Its name.
    pub name: String,
    /// What programs have to know of it.
    pub hardware: Hardware,
    /// What was compiled, by its code: models with layers of the same shapes share it.
    compiled: Arc<Mutex<HashMap<String, wgpu::ComputePipeline>>>,
    /// What went wrong since it was opened.
    trouble: Arc<Mutex<Option<String>>>,
}

/// Data that lie on a GPU and do not change, such as the samples of a data set; clones are the
/// same data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    pub(crate) buffer: wgpu::Buffer,
}

/// Bytes of the array in which all of a model's data lie, at least; a device that allows less
/// is not used.
const LEAST: u64 = 1 << 26;

/// After which it is said what takes so long.
const PATIENCE: Duration = Duration::from_secs(1);

impl Gpu {
    /// The GPU that is taken where none is named: the first real one, else a software one.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] if there is none or it cannot be opened.
    pub fn get() -> Result<Self, GraphError> {
        Self::opened(None)
    }

    /// The GPU that computes tensors of `device`, if it is one of wgpu's and can be opened.
    pub fn of(device: &Device) -> Option<Self> {
        // burn's types of devices behind its dispatch are not public; their names are.
        let name = format!("{:?}", device.as_dispatch());
        if !name.contains("Wgpu") {
            return None;
        }
        Self::opened(Some(&name)).ok()
    }

    /// Opens the GPU of a device's name, once a process.
    fn opened(name: Option<&str>) -> Result<Self, GraphError> {
        /// By what burn calls them.
        static OPEN: Mutex<Vec<(String, Result<Gpu, String>)>> = Mutex::new(vec![]);
        let named = |adapter: &Adapter| {
            let kind = format!("{:?}", adapter.kind);
            // One that has no name of its own is the one that is taken by default.
            let is_named = adapter.kind != DeviceKind::DefaultDevice;
            name.is_some_and(|name| is_named && name.contains(&kind))
        };
        static ADAPTERS: OnceLock<Vec<Adapter>> = OnceLock::new();
        let found = ADAPTERS.get_or_init(adapters);
        let adapter = (found.iter().find(|adapter| named(adapter)))
            .or(found.iter().find(|adapter| adapter.is_real()))
            .or(found.first());
        let adapter = adapter.ok_or_else(|| GraphError::Gpu("no GPU was found".into()))?;
        let kind = format!("{:?}", adapter.kind);
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, there)) = open.iter().find(|(known, _)| *known == kind) {
            return there.clone().map_err(GraphError::Gpu);
        }
        let made = pollster::block_on(self::open(&adapter.adapter));
        open.push((kind, made.clone()));
        made.map_err(GraphError::Gpu)
    }

    /// Bytes of the largest array that a kernel can be given.
    pub fn largest_array(&self) -> u64 {
        largest_array(&self.device.limits())
    }

    /// An array that kernels use, zero.
    ///
    /// # Errors
    /// [`GraphError::Memory`] if the device does not allow it or has no such memory left.
    pub(crate) fn array(
        &self,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, GraphError> {
        let largest = self.largest_array();
        let refused = GraphError::Memory {
            needed: bytes,
            largest,
        };
        if bytes > largest {
            return Err(refused);
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let array = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.max(256),
            usage: wgpu::BufferUsages::STORAGE | usage,
            mapped_at_creation: false,
        });
        match pollster::block_on(scope.pop()) {
            None => Ok(array),
            Some(_) => Err(refused),
        }
    }

    /// Puts data where programs can read them.
    ///
    /// # Errors
    /// [`GraphError::Memory`] as for any array.
    pub fn resident(&self, words: &[u32]) -> Result<Resident, GraphError> {
        let buffer = self.array(4 * words.len() as u64, wgpu::BufferUsages::COPY_DST)?;
        self.queue
            .write_buffer(&buffer, 0, bytemuck::cast_slice(words));
        Ok(Resident { buffer })
    }

    /// The pipelines of launches, compiled by as many threads as there are cores.
    pub(crate) fn pipelines(&self, dispatches: &[Dispatch]) -> Vec<wgpu::ComputePipeline> {
        let next = AtomicUsize::new(0);
        let made: Vec<OnceLock<wgpu::ComputePipeline>> =
            dispatches.iter().map(|_| OnceLock::new()).collect();
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (working, all_done) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            for _ in 0..threads.min(dispatches.len()) {
                let working = working.clone();
                let (next, made) = (&next, &made);
                scope.spawn(move || {
                    let _until_done = working;
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(dispatch) = dispatches.get(i) else {
                            return;
                        };
                        let _ = made[i].set(self.pipeline(dispatch));
                    }
                });
            }
            drop(working);
            if let Err(RecvTimeoutError::Timeout) = all_done.recv_timeout(PATIENCE) {
                log::info!(
                    "compiling {} kernels for {} (most drivers keep them for the next time)",
                    dispatches.len(),
                    self.name
                );
            }
        });
        made.into_iter().filter_map(OnceLock::into_inner).collect()
    }

    fn pipeline(&self, dispatch: &Dispatch) -> wgpu::ComputePipeline {
        let enabled = match dispatch.units {
            true => "enable f16;\nenable wgpu_cooperative_matrix;\n",
            false => "",
        };
        let code = format!("{enabled}{}", dispatch.code);
        let known = self.compiled.lock().ok();
        if let Some(pipeline) = known.and_then(|known| known.get(&code).cloned()) {
            return pipeline;
        }
        let pipeline = self.compile(&code);
        if let Ok(mut known) = self.compiled.lock() {
            known.insert(code, pipeline.clone());
        }
        pipeline
    }

    fn compile(&self, code: &str) -> wgpu::ComputePipeline {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(code.into()),
        };
        #[expect(
            unsafe_code,
            reason = "every index is kept inside its array by the code that is generated, and \
                      every loop ends; checks would cost a third of a contraction's time"
        )]
        // SAFETY: see the reason above.
        let module = unsafe {
            self.device
                .create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        };
        self.device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&self.layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[],
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
    }

    /// What the device has ever complained of: nothing that it did since is to be trusted, by
    /// whichever model.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] with its words.
    pub(crate) fn check(&self) -> Result<(), GraphError> {
        match self.trouble.lock().ok().and_then(|t| t.clone()) {
            Some(trouble) => Err(GraphError::Gpu(trouble)),
            None => Ok(()),
        }
    }
}

/// Bytes of the largest array that can be made and bound.
fn largest_array(limits: &wgpu::Limits) -> u64 {
    (limits.max_storage_buffer_binding_size).min(limits.max_buffer_size)
}

async fn open(adapter: &wgpu::Adapter) -> Result<Gpu, String> {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let largest = largest_array(&limits);
    if largest < LEAST {
        return Err(format!("{} allows only small arrays", info.name));
    }
    let plain = wgpu::DeviceDescriptor {
        required_limits: limits,
        ..Default::default()
    };
    let with_units = match units(adapter) {
        Some(units) => (adapter.request_device(&wgpu::DeviceDescriptor {
            required_features: UNITS,
            experimental_features: experimental(),
            ..plain.clone()
        }))
        .await
        .ok()
        .map(|opened| (opened, Some(units))),
        None => None,
    };
    // A driver that promises more than it opens is used for the rest.
    let ((device, queue), units) = match with_units {
        Some(opened) => opened,
        None => {
            let opened = adapter.request_device(&plain).await;
            let opened = opened.map_err(|error| format!("{}: {error}", info.name))?;
            (opened, None)
        }
    };
    let trouble = Arc::new(Mutex::new(None));
    let note = trouble.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        if let Ok(mut trouble) = note.lock() {
            trouble.get_or_insert_with(|| error.to_string());
        }
    }));
    let note = trouble.clone();
    device.set_device_lost_callback(move |_, message| {
        if let Ok(mut trouble) = note.lock() {
            *trouble = Some(format!("the GPU was lost: {message}"));
        }
    });
    let entry = |binding: u32, read_only: bool, dynamic: bool| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only },
            has_dynamic_offset: dynamic,
            min_binding_size: None,
        },
        count: None,
    };
    // Of a model's banks, the samples and the feed.
    let mut entries: Vec<_> = (0..BANKS as u32).map(|i| entry(i, false, false)).collect();
    entries.push(entry(DATA, true, false));
    entries.push(entry(FED, true, true));
    let bindings = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: None,
        entries: &entries,
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &[Some(&bindings)],
        immediate_size: 0,
    });
    Ok(Gpu {
        device,
        queue,
        layout,
        bindings,
        hardware: Hardware {
            units,
            // But for what the optimiser adds at the end.
            bank: (largest / 4) as usize - 1024,
            ..match info.device_type {
                wgpu::DeviceType::Cpu => Hardware::SOFTWARE,
                _ => Hardware::CARD,
            }
        },
        name: info.name,
        compiled: Arc::default(),
        trouble,
    })
}

/// What matrix units need.
const UNITS: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

/// Matrix units whose factors are f16 and whose sums are f32, where all threads of a subgroup
/// are sure to be there.
fn units(adapter: &wgpu::Adapter) -> Option<Units> {
    let info = adapter.get_info();
    let fixed = info.subgroup_min_size == info.subgroup_max_size;
    if !fixed || info.subgroup_min_size == 0 || !adapter.features().contains(UNITS) {
        return None;
    }
    let kinds = adapter.cooperative_matrix_properties();
    let suits = |side: u32| {
        kinds.iter().any(|kind| {
            [kind.m_size, kind.n_size, kind.k_size] == [side; 3]
                && kind.ab_type == wgpu::CooperativeScalarType::F16
                && kind.cr_type == wgpu::CooperativeScalarType::F32
        })
    };
    let side = [16, 8].into_iter().find(|&side| suits(side))?;
    Some(Units {
        side: side as usize,
        subgroup: info.subgroup_min_size as usize,
    })
}

#[expect(
    unsafe_code,
    reason = "the tests of products compare what they give with what f64 gives"
)]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: see the reason above.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}
