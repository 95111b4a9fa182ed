//! `storytovideo up`: everything as a server, until Ctrl-C.

use infra::runtime::{LogTo, init_logging};

use crate::cli::{Globals, UpArgs, say_to_stderr};
use crate::exit::Failed;
use crate::roles::{interrupted, listen};
use crate::stack::Stack;

/// Runs until it is interrupted.
pub(crate) async fn run(args: UpArgs, globals: &Globals) -> Result<(), Failed> {
    init_logging(&LogTo::Stderr, globals.log.as_deref()).map_err(Failed::because)?;
    let (listeners, access) = listen(&args.http).await?;
    let address = listeners.api.local_addr().map_err(Failed::because)?;
    let stack = tokio::select! {
        stack = Stack::start(&args.data, args.running.surroundings(globals), &|line| say_to_stderr(line)) => stack?,
        () = interrupted() => return Err(Failed::Interrupted),
    };
    let shutdown = stack.lifecycle.shutdown().clone();
    stack.lifecycle.spawn("api", api::run(listeners, stack.shared.api(access), shutdown));
    say_to_stderr(&format!("StoryToVideo listens on http://{address}  (Ctrl-C ends it)"));
    tokio::select! {
        () = interrupted() => {}
        () = stack.died() => {}
    }
    say_to_stderr("Stopping");
    stack.stop().await
}
