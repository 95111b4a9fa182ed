//! `storytovideo up`: everything as a server, until Ctrl-C.

use infra::runtime::{LogTo, init_logging};
use tokio::net::TcpListener;

use crate::cli::{UpArgs, say_to_stderr};
use crate::exit::Failed;
use crate::roles::{interrupted, listen};
use crate::stack::Stack;

/// Runs until it is interrupted.
pub(crate) async fn run(args: UpArgs) -> Result<(), Failed> {
    init_logging(&LogTo::Stderr).map_err(Failed::because)?;
    if !args.bind.ip().is_loopback() {
        return Err(Failed::Usage(format!(
            "{} can be reached from other machines, and there is no authentication yet: choose an address of 127.0.0.0/8",
            args.bind
        )));
    }
    let listener: TcpListener = listen(args.bind).await?;
    let address = listener.local_addr().map_err(Failed::because)?;
    let stack = tokio::select! {
        stack = Stack::start(&args.data, &|line| say_to_stderr(line)) => stack?,
        () = interrupted() => return Err(Failed::Interrupted),
    };
    let shutdown = stack.lifecycle.shutdown().clone();
    stack.lifecycle.spawn("api", api::run(listener, api::Config::default(), stack.shared.api(), shutdown));
    say_to_stderr(&format!("StoryToVideo listens on http://{address}  (Ctrl-C ends it)"));
    tokio::select! {
        () = interrupted() => {}
        () = stack.died() => {}
    }
    say_to_stderr("Stopping");
    stack.stop().await
}
