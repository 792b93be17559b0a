#![no_main]

mod read_all;

libfuzzer_sys::fuzz_target!(|data: &[u8]| read_all::read_all("npy", data));
