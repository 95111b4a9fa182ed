//! Takes what a node brings itself, to the address that came with its order: for nodes that nobody else can reach.
//! That is its report, too.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use domain::ids::TaskId;
use domain::upload_pass::{PassError, UploadPass};
use domain::webhook::Secret;
use infra::media::Incoming;

use super::media::Wanted;
use crate::App;
use crate::auth::Client;
use crate::body::declared_length;
use crate::problem::Problem;
use crate::transfer::Arriving;

impl App {
    /// Stores a result and records it, unless nobody waits for it any more.
    pub(crate) async fn take_upload(
        &self,
        task: TaskId,
        pass: &UploadPass,
        request: Request,
        client: Client,
    ) -> Result<(), Problem> {
        let secret = Secret::new(self.shared_secret()?);
        pass.check(task, &secret, self.now()).map_err(|error| {
            let code = match error {
                PassError::Forged => "signature_invalid",
                PassError::Over => "upload_expired",
            };
            let problem = Problem::new(StatusCode::UNAUTHORIZED, code, error.to_string());
            self.auth.refusal(problem, client, self.now())
        })?;
        let found = self.found(task).await?;
        let Some((_, wanted)) = found.wanted()? else { return Ok(()) };
        let (parts, body) = request.into_parts();
        let file = self.receive_upload(&wanted, &parts.headers, body).await?;
        let asset = self.take_in(&wanted, file).await.map_err(|problem| problem.about("file"))?;
        let command = found.finished(pass.attempt, asset, None, self.now());
        let envelope = self.envelope(task, pass.signature.as_bytes(), command, &parts.headers);
        let receipt = self.record(found.project, task, envelope).await?;
        self.conclude(task, &receipt).await
    }

    async fn receive_upload(
        &self,
        wanted: &Wanted,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Incoming, Problem> {
        self.check_disk().await?;
        let busy = "too many results are being brought; come again in a moment";
        let turn = self.uploads.try_acquire();
        let _turn = turn.map_err(|_| Problem::unavailable("too_many_uploads", busy))?;
        let too_large =
            || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", wanted.too_large());
        if declared_length(headers).is_some_and(|length| length > wanted.limit) {
            return Err(too_large());
        }
        let (mut arriving, mut file) = (Arriving::new(body), self.api.media.receive_file().await?);
        while let Some(piece) = arriving.piece().await? {
            if file.bytes() + piece.len() as u64 > wanted.limit {
                return Err(too_large());
            }
            file.write(&piece).await?;
        }
        Ok(file)
    }
}
