//! What films and voices are made with: found or installed once for all tests of this process.

use standalone::stack::PROVIDER_TOOLS;
use standalone::tools::{Places, Toolbox};
use tokio::sync::OnceCell;

static TOOLS: OnceCell<Toolbox> = OnceCell::const_new();

/// The tools of the built-in providers, as the program itself would use them.
pub(crate) async fn provider_tools() -> &'static Toolbox {
    let prepare = async || {
        let places = Places::from_environment();
        Toolbox::prepare(&places, &PROVIDER_TOOLS, &|line| eprintln!("{line}")).await.unwrap()
    };
    TOOLS.get_or_init(prepare).await
}
