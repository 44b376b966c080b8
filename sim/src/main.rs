//! The `cooltwin` command.

fn main() {}
