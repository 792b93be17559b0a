//! How many models side by side a GPU is fastest with.

#[cfg(feature = "wgpu")]
use std::time::{Duration, Instant};

use burn::tensor::Device;
#[cfg(feature = "wgpu")]
use reprsim_graph::{Gpu, GraphError, Load, Program, Session};

#[cfg(feature = "wgpu")]
use super::plan::Plan;
#[cfg(feature = "wgpu")]
use crate::batches::{Batches, Streams};
use crate::error::TrainError;
use crate::job::Job;

/// Models that are trained side by side, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occupancy {
    /// Models.
    pub models: usize,
    /// Samples a second of all of them together.
    pub samples_per_s: f64,
    /// Bytes that they take on the device, without the samples.
    pub bytes: u64,
}

/// A doubling that does not make it so much faster is the last.
const GAIN: f64 = 1.15;
/// How long each number of models is timed.
#[cfg(feature = "wgpu")]
const TIMED: Duration = Duration::from_millis(150);

/// Times steps of 1, 2, 4, ... models, up to `most` and `bytes` bytes, until more of them at once
/// are no faster; empty where steps are not replayed.
///
/// # Errors
/// Those of building the model and of its device.
#[cfg_attr(
    not(feature = "wgpu"),
    expect(unused_variables, reason = "no GPU to be timed")
)]
pub fn occupancy(
    job: &Job<'_>,
    device: &Device,
    most: usize,
    bytes: u64,
) -> Result<Vec<Occupancy>, TrainError> {
    #[cfg(feature = "wgpu")]
    return timed(job, device, most, bytes);
    #[cfg(not(feature = "wgpu"))]
    Ok(vec![])
}

#[cfg(feature = "wgpu")]
fn timed(
    job: &Job<'_>,
    device: &Device,
    most: usize,
    bytes: u64,
) -> Result<Vec<Occupancy>, TrainError> {
    let Some(gpu) = Gpu::of(device) else {
        return Ok(vec![]);
    };
    let streams = Streams::of(job.stream);
    let batches = Batches::new(job, &streams, device);
    let Some(plan) = Plan::new(job, &batches, gpu.hardware)? else {
        return Ok(vec![]);
    };
    let learned = job.set.supply.on_gpu(&gpu)?;
    let load = |program: &Program| Load {
        program: program.clone(),
        data: learned.clone(),
    };
    let loads: Vec<Load> = plan.programs.iter().map(load).collect();
    let Some((&size, (program, _))) = plan.steps.iter().next_back() else {
        return Ok(vec![]);
    };
    let mut found: Vec<Occupancy> = vec![];
    for models in std::iter::successors(Some(1), |models| Some(2 * models)) {
        let session = match models <= most {
            true => Session::new(&gpu, &plan.arrays, models, loads.clone()),
            false => break,
        };
        let session = match session {
            Err(GraphError::Memory { .. }) => break,
            session => session?,
        };
        if models > 1 && session.bytes() > bytes {
            break;
        }
        // What a step is fed is not looked at: any sample, and no step of the optimiser.
        let steps = |count: usize| -> Result<Duration, GraphError> {
            let feed = vec![0; count * models * session.fed(*program)];
            let started = Instant::now();
            session.run(*program, feed)?;
            session.wait()?;
            Ok(started.elapsed())
        };
        steps(1)?;
        let once = steps(1)?;
        let count = (TIMED.as_secs_f64() / once.as_secs_f64()) as usize;
        let seconds = match count {
            0 | 1 => once.as_secs_f64(),
            _ => {
                let count = count.min(256);
                steps(count)?.as_secs_f64() / count as f64
            }
        };
        let now = Occupancy {
            models,
            samples_per_s: (models * size) as f64 / seconds,
            bytes: session.bytes(),
        };
        let before = found.last().copied();
        found.push(now);
        if before.is_some_and(|before| now.samples_per_s < GAIN * before.samples_per_s) {
            break;
        }
    }
    Ok(found)
}

/// The fewest models that are nearly as fast as any number of them; `None` where nothing was
/// timed.
pub fn suits(found: &[Occupancy]) -> Option<&Occupancy> {
    let best = found.iter().map(|o| o.samples_per_s).fold(0.0, f64::max);
    found.iter().find(|o| GAIN * o.samples_per_s >= best)
}
