//! `storytovideo bench`.

use crate::exit::Failed;

pub(crate) async fn run(_json: bool) -> Result<(), Failed> {
    Err(Failed::Failed("not yet".to_owned()))
}
