//! Brings what a report or a client names into the store: fetched under the rules for addresses that others name,
//! bounded in size and time, and looked at before it is kept.

use std::time::Duration;

use domain::asset::Asset;
use infra::media::Incoming;
use infra::outbound::Fetched;

use super::media::Wanted;
use crate::App;
use crate::problem::Problem;

/// Time for all of a file to arrive; less than a request has.
const PATIENCE: Duration = Duration::from_secs(45);

impl App {
    /// Fetches a result and stores it, if there is room for one more.
    pub(super) async fn bring(&self, wanted: &Wanted, url: &str) -> Result<Asset, Problem> {
        let busy = "too many results are being fetched; report again in a moment";
        let turn = self.fetches.clone().try_acquire_owned();
        let _turn = turn.map_err(|_| Problem::unavailable("too_many_fetches", busy))?;
        self.fetch(wanted, url).await
    }

    /// Fetches a file and stores it.
    pub(crate) async fn fetch(&self, wanted: &Wanted, url: &str) -> Result<Asset, Problem> {
        self.check_disk().await?;
        let refused = |words: String| Problem::invalid(wanted.field(), words);
        self.api.outbound.check_url(url).map_err(|error| refused(error.to_string()))?;
        let fetched = self.api.outbound.fetch(url, PATIENCE).await;
        let mut fetched = fetched.map_err(|error| refused(error.to_string()))?;
        check_head(wanted, &fetched).map_err(refused)?;
        let file = self.receive(wanted, &mut fetched).await?;
        self.take_in(wanted, file).await
    }

    /// Stores a file that has arrived, as what it is.
    pub(crate) async fn take_in(&self, wanted: &Wanted, mut file: Incoming) -> Result<Asset, Problem> {
        if file.bytes() == 0 {
            return Err(Problem::invalid(wanted.field(), "there is nothing in it"));
        }
        file.settle().await?;
        let (path, look) = (file.path().to_owned(), wanted.look);
        let looked = self.decoders.run(move || look(&path)).await?;
        let seen = looked.map_err(|problem| problem.about(&wanted.field()))?;
        let asset = self.api.media.keep(file, wanted.kind.as_str(), seen.extension).await?;
        Ok(Asset { duration_seconds: seen.seconds, ..asset })
    }

    async fn receive(&self, wanted: &Wanted, fetched: &mut Fetched) -> Result<Incoming, Problem> {
        let refused = |words: String| Problem::invalid(wanted.field(), words);
        let mut file = self.api.media.receive_file().await?;
        while let Some(chunk) = fetched.chunk().await.map_err(|error| refused(error.to_string()))? {
            if file.bytes() + chunk.len() as u64 > wanted.limit {
                return Err(refused(wanted.too_large()));
            }
            file.write(&chunk).await?;
        }
        Ok(file)
    }
}

/// Whether it is worth reading on, by what the answer says before its body.
fn check_head(wanted: &Wanted, fetched: &Fetched) -> Result<(), String> {
    match fetched.status() {
        200 => {}
        status @ 300..=399 => return Err(format!("the answer was {status}, and redirects are not followed")),
        status => return Err(format!("the answer was {status}")),
    }
    let is_words = |kind: &str| kind.starts_with("text/") || kind.ends_with("json") || kind.ends_with("xml");
    if let Some(kind) = fetched.media_type().filter(|kind| is_words(kind)) {
        return Err(format!("must lead to {}, not to {kind}", wanted.words));
    }
    if fetched.length().is_some_and(|length| length > wanted.limit) {
        return Err(wanted.too_large());
    }
    Ok(())
}
