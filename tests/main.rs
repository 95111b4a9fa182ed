//! The whole system, from outside.
fn main() {}
