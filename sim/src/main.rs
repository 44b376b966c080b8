//! The `cooltwin` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    cooltwin::cli::main(std::env::args_os())
}
