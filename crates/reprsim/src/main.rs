//! The `reprsim` program.

use std::process::ExitCode;

/// A fifth of the CPU training time with the system allocator went into page
/// faults for large short-lived blocks; mimalloc keeps them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    quiet_mesa();
    reprsim::main()
}

/// Where no XDG_RUNTIME_DIR is set, as in a container or a batch job, Mesa prints
/// an error for every look at its Vulkan devices, though nothing is wrong.
#[expect(
    unsafe_code,
    reason = "no other thread runs yet that could read the environment"
)]
fn quiet_mesa() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first thing the program does, on its only thread.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
