//! Where the time of kernels goes, and how near it comes to what the processor can do.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

/// What a kernel took over all its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spent {
    /// How often it was called.
    pub calls: u64,
    /// Seconds of all calls.
    pub seconds: f64,
    /// Multiplications and additions that its result needs by definition.
    pub operations: f64,
    /// Bytes that it reads and writes at least.
    pub bytes: f64,
}

/// What one thread of this processor can do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceilings {
    /// Bytes read and written a second, beyond the caches.
    pub bytes: f64,
    /// Multiplications and additions (f32) a second.
    pub operations: f64,
}

static WATCHED: AtomicBool = AtomicBool::new(false);
static SPENT: Mutex<BTreeMap<&'static str, Spent>> = Mutex::new(BTreeMap::new());

fn spent() -> MutexGuard<'static, BTreeMap<&'static str, Spent>> {
    SPENT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does `work` and returns with its result what each kernel took meanwhile, in the whole process, by
/// name.
pub fn profiled<R>(work: impl FnOnce() -> R) -> (R, Vec<(&'static str, Spent)>) {
    spent().clear();
    WATCHED.store(true, Ordering::Relaxed);
    let result = work();
    WATCHED.store(false, Ordering::Relaxed);
    (result, std::mem::take(&mut *spent()).into_iter().collect())
}

/// Does the work of the kernel `name`, of which so many operations and values of four bytes are to be
/// told.
pub(crate) fn timed<R>(
    name: &'static str,
    operations: usize,
    values: usize,
    work: impl FnOnce() -> R,
) -> R {
    if !WATCHED.load(Ordering::Relaxed) {
        return work();
    }
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    let mut spent = spent();
    let spent = spent.entry(name).or_default();
    spent.calls += 1;
    spent.seconds += seconds;
    spent.operations += operations as f64;
    spent.bytes += (4 * values) as f64;
    result
}

/// Measures for about a second what one thread can do.
pub fn ceilings() -> Ceilings {
    // The best of some: what a shared machine takes away is no property of the processor.
    let best = |rate: &mut dyn FnMut() -> f64| (0..8).map(|_| rate()).fold(0.0, f64::max);
    let mut values = vec![1.0f32; 1 << 25];
    Ceilings {
        operations: best(&mut || {
            let start = Instant::now();
            let operations = Arch::new().dispatch(Multiply);
            operations / start.elapsed().as_secs_f64()
        }),
        bytes: best(&mut || {
            let bytes = 8.0 * values.len() as f64;
            let start = Instant::now();
            Arch::new().dispatch(Stream(&mut values));
            black_box(&mut values);
            bytes / start.elapsed().as_secs_f64()
        }),
    }
}

/// Independent multiplications and additions in as many registers as hide their latency.
struct Multiply;

impl WithSimd for Multiply {
    /// How many.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        const CHAINS: usize = 12;
        const ROUNDS: usize = 2_000_000;
        let factor = black_box(simd.splat_f32s(0.5));
        let mut sums = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, factor);
            }
        }
        black_box(sums);
        (2 * S::F32_LANES * CHAINS * ROUNDS) as f64
    }
}

/// Every value is read and written.
struct Stream<'a>(&'a mut [f32]);

impl WithSimd for Stream<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for value in self.0 {
            *value = *value * 0.5 + 0.5;
        }
    }
}
