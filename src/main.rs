//! The `entra-ssh` command.

fn main() {}
