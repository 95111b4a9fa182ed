//! Who may run a job: claims.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::asset::{Asset, AssetKey};
use domain::desk::{ClaimReply, ClaimRequest, Job, Place, RunReport, RunningJob};
use domain::ids::{ClaimId, TaskId};
use domain::job::{Kind, MadeWith, Output, SpecHash};
use domain::project::{Command, Project, Task, TaskState};
use infra::postgres::views::takes;
use uuid::Uuid;

use super::{AfterRecording, Answer, Desk, Prepared, SHORTEST_BUSY_MS, Waiting};
use crate::EngineError;
use crate::leases::Held;

impl Desk {
    /// What was made earlier for the specifications that a batch claims.
    pub(super) async fn known_results(
        &self,
        state: &Project,
        batch: &[Waiting],
    ) -> Result<HashMap<SpecHash, (Asset, MadeWith)>, EngineError> {
        let claimed = batch.iter().filter_map(|waiting| match waiting {
            Waiting::Claim(request, _) => state.tasks.get(&request.job.task),
            Waiting::Result(..) => None,
        });
        let reusable = claimed.filter(|task| matches!(task.kind, Kind::Image | Kind::Video | Kind::Tts));
        let specs: Vec<SpecHash> = reusable.filter_map(|task| task.spec_hash.clone()).collect();
        let mut known = takes::by_spec(&self.engine.pool, &specs).await?;
        let mut stored = HashMap::with_capacity(known.len());
        for (spec, (asset, made_with)) in known.drain() {
            if self.engine.media.want(&asset.key).await?.is_some() {
                stored.insert(spec, (asset, MadeWith { millis: 0, cost: None, ..made_with }));
            }
        }
        Ok(stored)
    }

    pub(super) async fn prepare_claim(
        &self,
        state: &Project,
        request: &ClaimRequest,
        known: &HashMap<SpecHash, (Asset, MadeWith)>,
    ) -> Result<Prepared, EngineError> {
        let stop = Prepared::Answer(Answer::Claim(ClaimReply::Stop));
        let Some(task) = state.tasks.get(&request.job.task) else { return Ok(stop) };
        match &task.state {
            _ if task.attempt != request.job.attempt => return Ok(stop),
            TaskState::Pending => {}
            TaskState::Processing { .. } => {
                let holder = self.leases().holder(request.job.task, &request.worker);
                match holder {
                    Held::ByAsker(claim) => {
                        return Ok(Prepared::Answer(Answer::Claim(self.grant(state, request, claim))));
                    }
                    Held::ByAnother(left) => return Ok(busy_for(left)),
                    Held::Free => {}
                }
            }
            TaskState::Blocked | TaskState::Failed | TaskState::Cancelled(_) => return Ok(stop),
        }
        if let Some((asset, made_with)) = task.spec_hash.as_ref().and_then(|spec| known.get(spec)) {
            return Ok(finished(request.job, Output::Media { asset: asset.clone() }, made_with.clone()));
        }
        if let Some(spec) = &task.spec_hash
            && let Some((output, made_with)) = self.finished_by_lost_run(request.job.task, spec).await?
        {
            return Ok(finished(request.job, output, made_with));
        }
        let claim = ClaimId(Uuid::new_v4());
        let command = Command::RecordTaskStarted {
            task: request.job.task,
            attempt: request.job.attempt,
            claim,
            worker: request.worker.name.clone(),
        };
        Ok(Prepared::Record(Box::new(command), AfterRecording::Run(claim)))
    }

    /// A run that uploaded everything and wrote its report, and was lost before the desk heard of it. What it
    /// made is of use only when it was asked for what the task asks for now.
    async fn finished_by_lost_run(
        &self,
        task: TaskId,
        spec: &SpecHash,
    ) -> Result<Option<(Output, MadeWith)>, EngineError> {
        for (claim, report) in self.engine.media.reports(task).await? {
            let Ok(report) = serde_json::from_slice::<RunReport>(&report) else { continue };
            if report.spec != *spec {
                continue;
            }
            match self.receive(task, claim, *report.output).await {
                Ok(output) => return Ok(Some((output, report.made_with))),
                Err(error) if error.is_outage() => return Err(error.into()),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Grants a claim: the lease, what is asked for, and where its inputs are.
    pub(super) fn grant(&self, state: &Project, request: &ClaimRequest, claim: ClaimId) -> ClaimReply {
        let job = request.job;
        let is_its = |task: &&Task| matches!(task.state, TaskState::Processing { claim: present, .. } if present == claim);
        let Some(spec) = state.tasks.get(&job.task).filter(is_its).and_then(|task| state.spec(task)) else {
            return ClaimReply::Stop;
        };
        self.leases().grant(RunningJob { project: job.project, task: job.task, claim }, &request.worker);
        let place = |key: &AssetKey| (key.clone(), Place::Path(self.engine.media.path(key)));
        let inputs: BTreeMap<AssetKey, Place> = spec.inputs().into_iter().map(place).collect();
        ClaimReply::Run { claim, spec: Box::new(spec), inputs }
    }
}

fn finished(job: Job, output: Output, made_with: MadeWith) -> Prepared {
    let command = Command::RecordTaskFinished { task: job.task, attempt: job.attempt, output, made_with };
    Prepared::Record(Box::new(command), AfterRecording::Done)
}

/// Busy for what is left of another's lease.
pub(super) fn busy_for(left: Duration) -> Prepared {
    let millis = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let retry_after_ms = millis.max(SHORTEST_BUSY_MS);
    Prepared::Answer(Answer::Claim(ClaimReply::Busy { retry_after_ms }))
}
