//! `storytovideo up`: everything as a server, until Ctrl-C.

use infra::runtime::{LogTo, init_logging};

use crate::cli::{Globals, UpArgs, say_to_stderr};
use crate::config::Config;
use crate::exit::Failed;
use crate::roles::{interrupted, listen};
use crate::stack::Stack;
use crate::supervise::DataFolder;

/// Runs until it is interrupted.
pub(crate) async fn run(args: UpArgs, globals: &Globals, config: &Config) -> Result<(), Failed> {
    init_logging(&LogTo::Stderr, &globals.log).map_err(Failed::because)?;
    let access = args.http.access(config)?;
    let external = args.external.read(config)?;
    let among = args.running.surroundings(globals);
    if among.database_url.is_none() && DataFolder::postgres_major(&args.data).is_none() {
        // Without a database there is no API key either.
        args.http.refuse_strangers_without_keys(&access)?;
    }
    let listeners = listen(&args.http).await?;
    let address = listeners.api.local_addr().map_err(Failed::because)?;
    let stack = tokio::select! {
        stack = Stack::start(&args.data, among, Some(external), &|line| say_to_stderr(line)) => stack?,
        () = interrupted() => return Err(Failed::Interrupted),
    };
    if let Err(refused) = args.http.refuse_strangers(&access, &stack.shared.pool).await {
        stack.stop().await?;
        return Err(refused);
    }
    let shutdown = stack.lifecycle.shutdown().clone();
    stack.lifecycle.spawn("api", api::run(listeners, args.http.limited(stack.shared.api(access)), shutdown));
    let scheme = args.http.reach.scheme();
    say_to_stderr(&format!(
        "StoryToVideo listens on {scheme}://{address}  (/docs shows its API; Ctrl-C ends it)"
    ));
    tokio::select! {
        () = interrupted() => {}
        () = stack.died() => {}
    }
    say_to_stderr("Stopping");
    stack.stop().await
}
