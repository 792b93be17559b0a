//! Models in training on a GPU: their arrays, and the programs that run on them.

use std::ops::Range;
use std::time::Instant;

use crate::error::GraphError;
use crate::gpu::Gpu;
use crate::layout::{Layout, Shapes};
use crate::program::{Dispatch, Program};

/// Bytes of a feed that are sent at once.
const FEED: u64 = 8 << 20;
/// Seconds of launches that are timed together.
const LONG: f64 = 0.1;
/// Launches that are handed to the driver together.
const TOGETHER: usize = 2048;

/// Several models of the same shapes on a GPU, with the programs that run on all of them at
/// once.
#[derive(Debug)]
pub struct Session {
    gpu: Gpu,
    layout: Layout,
    arena: wgpu::Buffer,
    /// Values of a model.
    stride: usize,
    models: usize,
    programs: Vec<Ready>,
}

/// A program whose pipelines are compiled.
#[derive(Debug)]
struct Ready {
    program: Program,
    pipelines: Vec<wgpu::ComputePipeline>,
    feed: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    /// Steps that the feed has room for.
    steps: usize,
    /// Seconds of compiling the pipelines.
    compile_seconds: f64,
}

/// A region of a model's memory. Arrays begin at borders of four values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// All parameters.
    Parameters,
    /// A parameter.
    Parameter(usize),
    /// All that the optimiser remembers.
    Moments,
    /// All that a model keeps beside parameters.
    States,
    /// An array of it.
    State(usize),
}

impl Session {
    /// `models` models of these shapes, all zero but for constants, and the data whose samples
    /// programs read.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] if the device refuses, [`GraphError::Memory`] if it does not allow
    /// arrays of that size.
    pub fn new(
        gpu: &Gpu,
        shapes: &Shapes,
        models: usize,
        programs: Vec<Program>,
        data: &[u32],
    ) -> Result<Self, GraphError> {
        let layout = Layout::of(shapes);
        let ends = programs.iter().map(|p| p.layout.end);
        let stride = ends.max().unwrap_or(layout.end).max(4);
        let largest = gpu.largest_array();
        for needed in [4 * (stride * models) as u64, 4 * data.len() as u64] {
            if needed > largest {
                return Err(GraphError::Memory { needed, largest });
            }
        }
        let buffer = |size: u64, usage| {
            gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: size.max(256),
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | usage,
                mapped_at_creation: false,
            })
        };
        let arena = buffer(4 * (stride * models) as u64, wgpu::BufferUsages::COPY_SRC);
        let resident = buffer(4 * data.len() as u64, wgpu::BufferUsages::empty());
        gpu.queue
            .write_buffer(&resident, 0, bytemuck::cast_slice(data));
        let programs = programs
            .into_iter()
            .map(|program| {
                let started = Instant::now();
                let pipelines = gpu.pipelines(program.dispatches(), stride);
                let compile_seconds = started.elapsed().as_secs_f64();
                let step = 4 * (program.layout.fed * models) as u64;
                let steps = (FEED / step).clamp(1, 1024);
                let feed = buffer(step * steps, wgpu::BufferUsages::empty());
                let window = wgpu::BufferBinding {
                    buffer: &feed,
                    offset: 0,
                    size: wgpu::BufferSize::new(step),
                };
                let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
                let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                    label: None,
                    layout: &gpu.bindings,
                    entries: &[
                        entry(0, arena.as_entire_binding()),
                        entry(1, resident.as_entire_binding()),
                        entry(2, wgpu::BindingResource::Buffer(window)),
                    ],
                });
                Ready {
                    program,
                    pipelines,
                    feed,
                    bindings,
                    steps: steps as usize,
                    compile_seconds,
                }
            })
            .collect();
        gpu.check()?;
        let session = Self {
            gpu: gpu.clone(),
            layout,
            arena,
            stride,
            models,
            programs,
        };
        for model in 0..models {
            for (constant, values) in session.layout.constants.iter().zip(&shapes.constants) {
                session.write_at(model, *constant, values);
            }
        }
        Ok(session)
    }

    /// A session without a model: `values` values, and launches of their own.
    pub(crate) fn bare(
        gpu: &Gpu,
        values: usize,
        dispatches: Vec<Dispatch>,
    ) -> Result<Self, GraphError> {
        let program = Program::bare(values, dispatches);
        Self::new(gpu, &Shapes::default(), 1, vec![program], &[])
    }

    pub(crate) fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Seconds of compiling a program's pipelines.
    pub fn compile_seconds(&self, program: usize) -> f64 {
        self.programs[program].compile_seconds
    }

    /// Waits until the device has done all that it was given.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn wait(&self) -> Result<(), GraphError> {
        let polled = self.gpu.device.poll(wgpu::PollType::wait_indefinitely());
        self.gpu.check()?;
        polled
            .map(|_| ())
            .map_err(|error| GraphError::Gpu(error.to_string()))
    }

    /// Seconds that the device takes for each launch of a program, from `most` in a row, or
    /// fewer of those that take long.
    pub(crate) fn timed(&self, program: usize, most: usize) -> Result<Vec<f64>, GraphError> {
        let ready = &self.programs[program];
        let groups: Vec<[u32; 2]> = ready.program.dispatches.iter().map(|d| d.groups).collect();
        let mut found = vec![];
        for (pipeline, [x, y]) in ready.pipelines.iter().zip(&groups) {
            let launch = |times: usize| {
                let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
                {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    pass.set_bind_group(0, &ready.bindings, &[0]);
                    pass.set_pipeline(pipeline);
                    for _ in 0..times {
                        pass.dispatch_workgroups(*x, *y, self.models as u32);
                    }
                }
                self.gpu.queue.submit([encoder.finish()]);
                self.wait()
            };
            launch(1)?;
            let started = Instant::now();
            launch(1)?;
            let once = started.elapsed().as_secs_f64();
            let repeats = ((LONG / once) as usize).clamp(1, most);
            // What it takes to be told that there is nothing left is the same for any number.
            let mut seconds = [f64::INFINITY; 2];
            for _ in 0..3 {
                for (least, times) in seconds.iter_mut().zip([1, 1 + repeats]) {
                    let started = Instant::now();
                    launch(times)?;
                    *least = least.min(started.elapsed().as_secs_f64());
                }
            }
            found.push(((seconds[1] - seconds[0]) / repeats as f64).max(1e-9));
        }
        Ok(found)
    }

    /// The launches of a program.
    pub fn dispatches(&self, program: usize) -> &[Dispatch] {
        self.programs[program].program.dispatches()
    }

    /// Words of a step's feed of one model.
    pub fn fed(&self, program: usize) -> usize {
        self.programs[program].program.layout.fed
    }

    /// Where a feed lies in them.
    pub fn feed_place(&self, program: usize, feed: usize) -> usize {
        self.programs[program].program.layout.feed(feed)
    }

    /// Runs a program once for each step of `feed`, which holds the words of every model one
    /// after another; returns before the device has done it.
    ///
    /// # Errors
    /// [`GraphError::Gpu`] if the device has refused something before.
    pub fn run(&self, program: usize, feed: &[u32]) -> Result<(), GraphError> {
        let ready = &self.programs[program];
        let step = ready.program.layout.fed * self.models;
        let together = (TOGETHER / ready.pipelines.len().max(1)).clamp(1, ready.steps);
        let groups: Vec<[u32; 2]> = ready.program.dispatches.iter().map(|d| d.groups).collect();
        for words in feed.chunks(step * together) {
            self.gpu
                .queue
                .write_buffer(&ready.feed, 0, bytemuck::cast_slice(words));
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                for i in 0..words.len() / step {
                    pass.set_bind_group(0, &ready.bindings, &[(4 * i * step) as u32]);
                    for (pipeline, [x, y]) in ready.pipelines.iter().zip(&groups) {
                        pass.set_pipeline(pipeline);
                        pass.dispatch_workgroups(*x, *y, self.models as u32);
                    }
                }
            }
            self.gpu.queue.submit([encoder.finish()]);
        }
        self.gpu.check()
    }

    fn range(&self, region: Region) -> Range<usize> {
        let Layout {
            parameters,
            states,
            count,
            moments,
            ..
        } = &self.layout;
        let end =
            |places: &[usize], i: usize, end: usize| places.get(i + 1).copied().unwrap_or(end);
        let constants = self.layout.constants.first().copied();
        let after_states = constants.unwrap_or(self.layout.free);
        match region {
            Region::Parameters => 0..*count,
            Region::Parameter(i) => parameters[i]..end(parameters, i, *count),
            Region::Moments => {
                let first = states.first().or(self.layout.constants.first());
                *moments..first.copied().unwrap_or(self.layout.free)
            }
            Region::States => states.first().copied().unwrap_or(after_states)..after_states,
            Region::State(i) => states[i]..end(states, i, after_states),
        }
    }

    /// Values of a region.
    pub fn length(&self, region: Region) -> usize {
        self.range(region).len()
    }

    /// Where an array of a region begins in what is read of the whole region.
    pub fn offset(&self, array: Region) -> usize {
        let whole = match array {
            Region::State(_) => Region::States,
            _ => Region::Parameters,
        };
        self.range(array).start - self.range(whole).start
    }

    fn write_at(&self, model: usize, at: usize, values: &[f32]) {
        let place = 4 * (model * self.stride + at) as u64;
        self.gpu
            .queue
            .write_buffer(&self.arena, place, bytemuck::cast_slice(values));
    }

    /// Writes values of a model.
    pub fn write(&self, model: usize, region: Region, values: &[f32]) {
        self.write_at(model, self.range(region).start, values);
    }

    /// Reads a region of a model, when all that was run is done.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn read(&self, model: usize, region: Region) -> Result<Vec<f32>, GraphError> {
        let range = self.range(region);
        self.read_at(model, range.start, range.len())
    }

    /// Sends what a program's last step left of its outputs that are read back on its way to
    /// the host: later steps do not change it.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn stage(&self, program: usize) -> Result<Staged, GraphError> {
        let read = &self.programs[program].program.read;
        let of_model = |model: usize| {
            let place = move |&(at, count): &(usize, usize)| (model * self.stride + at, count);
            read.iter().map(place)
        };
        self.copy((0..self.models).flat_map(of_model).collect())
    }

    /// Those outputs, in order; of each model after another.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn fetch(&self, staged: Staged) -> Result<Vec<Vec<f32>>, GraphError> {
        let failed = |error: &dyn std::fmt::Display| GraphError::Gpu(error.to_string());
        let index = Some(staged.submission);
        let until = wgpu::PollType::Wait {
            submission_index: index,
            timeout: None,
        };
        let polled = self.gpu.device.poll(until);
        self.gpu.check()?;
        polled.map_err(|error| failed(&error))?;
        let view = staged.buffer.slice(..).get_mapped_range();
        let view = view.map_err(|error| failed(&error))?;
        let mut at = 0;
        let mut next = |count: usize| {
            at += 4 * count;
            bytemuck::cast_slice(&view[at - 4 * count..at]).to_vec()
        };
        Ok(staged.counts.into_iter().map(&mut next).collect())
    }

    fn read_at(&self, model: usize, at: usize, count: usize) -> Result<Vec<f32>, GraphError> {
        let staged = self.copy(vec![(model * self.stride + at, count)])?;
        Ok(self.fetch(staged)?.pop().unwrap_or_default())
    }

    /// Sends values of the arena on their way to the host: where they begin, and how many.
    fn copy(&self, places: Vec<(usize, usize)>) -> Result<Staged, GraphError> {
        let size = 4 * places.iter().map(|(_, count)| *count as u64).sum::<u64>();
        let buffer = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: size.max(4),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
        let mut to = 0;
        for &(at, count) in &places {
            let size = 4 * count as u64;
            encoder.copy_buffer_to_buffer(&self.arena, 4 * at as u64, &buffer, to, size);
            to += size;
        }
        let submission = self.gpu.queue.submit([encoder.finish()]);
        buffer.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        self.gpu.check()?;
        Ok(Staged {
            buffer,
            submission,
            counts: places.into_iter().map(|(_, count)| count).collect(),
        })
    }
}

/// Values on their way to the host.
#[derive(Debug)]
pub struct Staged {
    buffer: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    counts: Vec<usize>,
}
