//! The command `jaula`.
fn main() {}
