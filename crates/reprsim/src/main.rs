//! The `reprsim` program.

use std::process::ExitCode;

/// A fifth of the CPU training time with the system allocator went into page
/// faults for large short-lived blocks; mimalloc keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    reprsim::main(std::env::args_os()).into()
}
