//! The `storytovideo` program.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    standalone::main().await
}
