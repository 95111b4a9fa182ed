//! Where files go, and what a run came to: uploads and results.

use domain::asset::Asset;
use domain::desk::{Outcome, Place, ResultReport, UploadReply, UploadRequest};
use domain::ids::{ClaimId, TaskId};
use domain::job::{Failure, Output};
use domain::project::Command;
use futures::future::try_join_all;
use infra::media::MediaError;
use infra::nats::ReplyTo;

use super::{AfterRecording, Desk, Prepared, RETRY_AFTER_MS};
use crate::EngineError;

impl Desk {
    pub(super) async fn upload(&self, request: &UploadRequest, reply_to: ReplyTo) {
        let reply = match self.place_for(request).await {
            Ok(reply) => reply,
            Err(error) => {
                tracing::warn!(task = %request.task, %error, "media cannot be written");
                UploadReply::Busy { retry_after_ms: RETRY_AFTER_MS }
            }
        };
        self.engine.bus.answer(reply_to, &reply).await;
    }

    async fn place_for(&self, request: &UploadRequest) -> Result<UploadReply, MediaError> {
        if self.engine.media.want(&request.key).await?.is_some() {
            return Ok(UploadReply::Have);
        }
        let path = self.engine.media.incoming(request.task, request.claim, &request.key).await?;
        Ok(UploadReply::Put { place: Place::Path(path) })
    }

    pub(super) async fn prepare_result(&self, report: &ResultReport) -> Result<Prepared, EngineError> {
        let (task, claim) = (report.job.task, report.claim);
        let command = match &report.outcome {
            Outcome::Finished { output, made_with } => {
                match self.receive(task, claim, (**output).clone()).await {
                    Ok(output) => {
                        let (attempt, made_with) = (report.job.attempt, made_with.clone());
                        Command::RecordTaskFinished { task, attempt, output, made_with }
                    }
                    Err(error) if error.is_outage() => return Err(error.into()),
                    Err(error) => {
                        let failure = Failure::retry("upload_incomplete", error);
                        Command::RecordTaskFailed { task, claim: Some(claim), failure }
                    }
                }
            }
            Outcome::Failed { failure } => {
                Command::RecordTaskFailed { task, claim: Some(claim), failure: failure.clone() }
            }
            Outcome::Deferred { until, reason } => {
                Command::RecordTaskDeferred { task, claim, until: *until, reason: reason.clone() }
            }
        };
        Ok(Prepared::Record(Box::new(command), AfterRecording::Recorded))
    }

    /// Moves what a run uploaded to its content address, so that no event names a missing asset.
    pub(super) async fn receive(
        &self,
        task: TaskId,
        claim: ClaimId,
        mut output: Output,
    ) -> Result<Output, MediaError> {
        let assets: Vec<&mut Asset> = match &mut output {
            Output::Storyboard(_) => return Ok(output),
            Output::Media { asset } => vec![asset],
            Output::Film(film) => vec![&mut film.film, &mut film.srt, &mut film.vtt, &mut film.poster],
        };
        let media = &self.engine.media;
        try_join_all(assets.into_iter().map(|asset| async move {
            asset.bytes = media.receive(task, claim, &asset.key).await?.bytes;
            Ok::<(), MediaError>(())
        }))
        .await?;
        Ok(output)
    }
}
