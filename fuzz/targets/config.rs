//! A jail's configuration: any text is either understood or refused.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Err(problems) = model::config::Config::parse(text) {
        // What a user would see must also hold on any text.
        _ = problems.to_string();
    }
});
