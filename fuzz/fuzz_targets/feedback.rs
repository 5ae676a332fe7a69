#![no_main]
#![allow(unsafe_code, reason = "the entry point that libFuzzer calls")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| parley_fuzz::feedback(data));
