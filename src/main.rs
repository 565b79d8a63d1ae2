//! The `entra-ssh` command.

use std::process::ExitCode;

/// What the system calls before Rust's runtime begins, which hides a closed standard output.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the attribute that has the loader call a function; the function itself is safe"
)]
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_THE_RUNTIME: extern "C" fn() = entra_ssh::internal::look_at_standard_output;

fn main() -> ExitCode {
    entra_ssh::internal::run()
}
