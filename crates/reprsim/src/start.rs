//! What the program sets once, before it does anything else.

/// Prepares the process: how long memory is kept, what drivers look for.
///
/// No other thread may run yet: what is set here is read without a lock.
pub(crate) fn prepare() {
    keep_memory();
    quiet_mesa();
}

/// Where no XDG_RUNTIME_DIR is set, as in a container or a batch job, Mesa prints
/// an error for every look at its Vulkan devices, though nothing is wrong.
#[expect(
    unsafe_code,
    reason = "no other thread runs yet that could read the environment"
)]
fn quiet_mesa() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: the program has no other thread yet.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}

/// By default mimalloc gives free memory back to the system after ten milliseconds, and
/// every training step asks for it again: the system then clears each page anew, which
/// took a quarter of the time of a ResNet. Here it keeps it until a stage of work ends.
#[expect(unsafe_code, reason = "no other thread runs yet that could allocate")]
fn keep_memory() {
    /// `mi_option_purge_delay` of mimalloc's header, which the bindings leave out.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    /// Milliseconds, which mimalloc multiplies by ten for large blocks: longer than a stage takes.
    const DAY: std::ffi::c_long = 86_400_000;
    // SAFETY: the program has no other thread yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, DAY) };
    reprsim_base::set_give_back(give_back);
}

/// Gives what is free in this thread, and all large blocks that are free, back to the system.
#[expect(unsafe_code, reason = "a function of the allocator")]
fn give_back() {
    // SAFETY: any thread may call it at any time.
    unsafe { libmimalloc_sys::mi_collect(true) };
}
