//! The devices that the numeric tests run on, and what they share.

#![allow(
    dead_code,
    unused_macros,
    clippy::unwrap_used,
    reason = "each test file uses a part of this"
)]

use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use reprsim_device as device;

/// Makes each of the named tests twice, `cpu::NAME` and `wgpu::NAME`. Each takes
/// the device and the tolerance of its arithmetic.
macro_rules! on_every_device {
    ($($name:ident),* $(,)?) => {
        mod cpu {
            $(#[test] fn $name() { super::$name(&crate::devices::cpu(), 1e-6); })*
        }
        mod wgpu {
            $(#[test] fn $name() {
                if let Some(device) = crate::devices::gpu() {
                    super::$name(&device, 1e-4);
                }
            })*
        }
        #[cfg(feature = "cuda")]
        mod cuda {
            $(#[test] fn $name() { super::$name(&crate::devices::cuda(), 1e-4); })*
        }
    };
}

/// The same for tests whose results are the same on every device to the last digit, or
/// that have bounds of their own: they take the device alone.
macro_rules! alike_on_every_device {
    ($($name:ident),* $(,)?) => {
        mod cpu {
            $(#[test] fn $name() { super::$name(&crate::devices::cpu()); })*
        }
        mod wgpu {
            $(#[test] fn $name() {
                if let Some(device) = crate::devices::gpu() {
                    super::$name(&device);
                }
            })*
        }
        #[cfg(feature = "cuda")]
        mod cuda {
            $(#[test] fn $name() { super::$name(&crate::devices::cuda()); })*
        }
    };
}

pub fn cpu() -> Device {
    device::choose("cpu").unwrap().device
}

/// The first CUDA device, which a build with that backend is expected to have.
#[cfg(feature = "cuda")]
pub fn cuda() -> Device {
    device::choose("cuda").unwrap().device
}

/// The GPU, a software one included. Where there is none the tests are skipped
/// and say so, unless `REPRSIM_REQUIRE_WGPU` is set.
pub fn gpu() -> Option<Device> {
    match device::choose("wgpu") {
        Ok(gpu) => Some(gpu.device),
        Err(error) => {
            assert!(
                std::env::var_os("REPRSIM_REQUIRE_WGPU").is_none(),
                "{error}"
            );
            say(&format!("SKIPPED on wgpu: {error}"));
            None
        }
    }
}

/// Speaks past the test harness, which keeps the output of tests that pass.
pub fn say(text: &str) {
    use std::io::Write;
    let mut stream = std::io::stderr();
    stream.write_all(text.as_bytes()).unwrap();
    stream.write_all(b"\n").unwrap();
}

pub fn gaussian(n: usize, d: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Sums of 12 uniforms are close enough to normal here.
    (0..n * d)
        .map(|_| (0..12).map(|_| rng.random_range(-0.5f32..0.5)).sum())
        .collect()
}

pub fn tensor(values: Vec<f32>, n: usize, d: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, [n, d]), device)
}

pub fn close(a: f64, b: f64, tolerance: f64, what: &str) {
    assert!(
        (a - b).abs() <= tolerance * b.abs().max(1.0),
        "{what}: {a} is not {b}"
    );
}

/// Reads a float32 matrix in C order.
pub fn npy(path: &Path) -> (Vec<f32>, usize, usize) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..6], b"\x93NUMPY");
    let header_len = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let header = String::from_utf8_lossy(&bytes[10..10 + header_len]).into_owned();
    assert!(
        header.contains("'<f4'") && header.contains("'fortran_order': False"),
        "{header}"
    );
    let shape = header.split('(').nth(1).unwrap().split(')').next().unwrap();
    let dims: Vec<usize> = shape
        .split(',')
        .map(|d| d.trim().parse().unwrap())
        .collect();
    let values = bytes[10 + header_len..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    (values, dims[0], dims[1])
}
