//! Timing launches and a device's ceilings.

use std::time::Instant;

use crate::error::GraphError;
use crate::gpu::Gpu;
use crate::profile::{Ceilings, Profile, Timed};
use crate::program::{Dispatch, grid};
use crate::session::Session;

/// Values that are copied.
const COPIED: usize = 1 << 22;
/// Threads that multiply, and how often each does.
const MULTIPLYING: usize = 1 << 18;
const TIMES: usize = 512;

/// Seconds that a device may take while the host is timed.
const HOST: f64 = 0.2;

/// Copies each value, 16 bytes a thread.
fn copying() -> Dispatch {
    let half = COPIED / 2;
    let code = format!(
        "@group(0) @binding(0) var<storage, read_write> arena: array<vec4<f32>>;\n\
         @compute @workgroup_size(256)\n\
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n\
         arena[id.x + {}u] = arena[id.x];\n}}\n",
        half / 4
    );
    Dispatch {
        code,
        units: false,
        groups: grid(half / 4 / 256),
        kernels: vec!["copy".into()],
        bytes: 4 * COPIED as u64,
        work: 0,
    }
}

/// Eight chains of multiplications and additions a thread.
fn multiplying() -> Dispatch {
    let chains = 0..8;
    let each = |line: &dyn Fn(usize) -> String| chains.clone().map(line).collect::<String>();
    let code = format!(
        "@group(0) @binding(0) var<storage, read_write> arena: array<f32>;\n\
         @compute @workgroup_size(256)\n\
         fn main(@builtin(global_invocation_id) id: vec3<u32>) {{\n\
         let a = arena[id.x % 64u] + 0.5;\n{}\
         for (var i = 0u; i < {TIMES}u; i++) {{\n{}}}\n\
         arena[id.x] = {} 0.0;\n}}\n",
        each(&|c| format!("var x{c} = f32(id.x) * {c}.25;\n")),
        each(&|c| format!("x{c} = fma(x{c}, a, 0.25);\n")),
        each(&|c| format!("x{c} + ")),
    );
    Dispatch {
        code,
        units: false,
        groups: grid(MULTIPLYING / 256),
        kernels: vec!["multiply".into()],
        bytes: 0,
        work: (2 * 8 * TIMES * MULTIPLYING) as u64,
    }
}

/// Measures what a device can do.
///
/// # Errors
/// [`GraphError::Gpu`].
fn ceilings(gpu: &Gpu) -> Result<Ceilings, GraphError> {
    let found = Session::bare(gpu, COPIED.max(MULTIPLYING), vec![copying(), multiplying()])?;
    let seconds = found.timed(0, 20)?;
    Ok(Ceilings {
        bytes: 4.0 * COPIED as f64 / seconds[0],
        work: multiplying().work as f64 / seconds[1],
    })
}

impl Session {
    /// Times a program, whose steps are fed with zeros: labels and places are then the first.
    ///
    /// # Errors
    /// [`GraphError::Gpu`].
    pub fn profile(&self, program: usize) -> Result<Profile, GraphError> {
        let seconds = self.timed(program, 20)?;
        // Few of those that take long: what is timed is the host.
        let device: f64 = seconds.iter().sum();
        let steps = ((HOST / device) as usize).clamp(1, 64);
        let feed = vec![0; self.fed(program) * steps * self.models()];
        self.run(program, feed.clone())?;
        self.wait()?;
        let started = Instant::now();
        self.run(program, feed.clone())?;
        let host = started.elapsed().as_secs_f64();
        self.wait()?;
        let dispatches = self.dispatches(program);
        Ok(Profile {
            host_seconds: host / (steps * dispatches.len()) as f64,
            dispatches: (dispatches.iter().cloned().zip(seconds))
                .map(|(dispatch, seconds)| Timed { dispatch, seconds })
                .collect(),
            compile_seconds: self.compile_seconds(program),
            ceilings: ceilings(self.gpu())?,
        })
    }
}
