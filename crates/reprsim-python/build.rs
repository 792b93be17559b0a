//! What the linker of some systems wants to hear of symbols that only an interpreter has.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
