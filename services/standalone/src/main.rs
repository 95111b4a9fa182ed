//! The `storytovideo` program.

use std::process::ExitCode;

/// Twice tokio's own, as unoptimised builds need.
const STACK_BYTES: usize = 4 * 1024 * 1024;

fn main() -> std::io::Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()?;
    Ok(runtime.block_on(Box::pin(standalone::main())))
}
