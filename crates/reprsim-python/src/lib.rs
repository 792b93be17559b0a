//! The extension behind the Python package `reprsim`: Python's values in, the libraries' answers out.
//!
//! What a Python user sees is in `python/reprsim/`, which is documented there; here is only what
//! needs Rust. Computing runs without Python's lock on a thread of its own (`work`), arrays are
//! borrowed (`memory`), and every error becomes one of the package's exceptions (`errors`).

mod arrays;
mod calibration;
mod comparison;
mod errors;
mod files;
mod matrix;
mod memory;
mod metric;
mod models;
mod tables;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

/// As in the program, which the wheel brings too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs the program with these arguments, its name first; its exit code.
#[pyfunction]
fn program(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| reprsim::main(args))
}

#[pymodule]
fn _reprsim(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<arrays::Array>()?;
    module.add_class::<files::File>()?;
    module.add_class::<metric::Sums>()?;
    module.add_function(wrap_pyfunction!(program, module)?)?;
    module.add_function(wrap_pyfunction!(models::orders_of_axes, module)?)?;
    module.add_function(wrap_pyfunction!(comparison::compare, module)?)?;
    module.add_function(wrap_pyfunction!(matrix::matrix, module)?)?;
    module.add_function(wrap_pyfunction!(calibration::permutations, module)?)?;
    module.add_function(wrap_pyfunction!(calibration::calibration, module)?)?;
    module.add_function(wrap_pyfunction!(tables::measures, module)?)?;
    module.add_function(wrap_pyfunction!(tables::analyze, module)?)?;
    module.add_function(wrap_pyfunction!(tables::run, module)?)?;
    Ok(())
}
