//! Reports of external nodes (docs/adr/0018): what is signed with the shared secret is a worker's result, once it is
//! fetched, looked at and stored. A report is dealt with here to its end, whether or not a worker waits for it.

mod fetch;
mod media;
mod mp4;
mod packets;
mod upload;
mod wav;

pub(crate) use media::Wanted;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use domain::asset::Asset;
use domain::ids::{CommandId, ProjectId, TaskId};
use domain::job::{Failure, MadeWith, Output};
use domain::metadata::Context;
use domain::project::{Command, Envelope, Project, Task, TaskState};
use domain::report::{Ended, Report, ReportError};
use infra::postgres::event_store::Receipt;
use infra::postgres::views::tasks::{self, TaskRow};
use infra::postgres::{PostgresError, dispatches, reports};
use std::time::Duration;
use uuid::Uuid;

use crate::App;
use crate::auth::Client;
use crate::body;
use crate::caller::RequestId;
use crate::problem::Problem;

/// The provider that takes name, and who acted in a project's history.
const PROVIDER: &str = "external";
/// Largest report, in bytes.
const REPORT_LIMIT: usize = 64 * 1024;
/// Namespace of the command ids that follow from reports.
const REPORTS: Uuid = Uuid::from_u128(0x7d2b_0f4e_51c8_4a57_9b36_e0a9_63c1_d84f);
/// A node may be faster than the read tables: its task is looked for so often, with such pauses.
const LOOKS: usize = 20;
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Time to tell a waiting worker, and the queue: without that they hear by lease and claim.
const WORD_PATIENCE: Duration = Duration::from_secs(2);

/// Where what was made may be brought.
pub(crate) const UPLOAD: &str = "/api/webhook/task_upload/{task}";

/// A task as a report finds it.
struct Found {
    project: ProjectId,
    row: TaskRow,
    /// What it is while it is open, or may be tried again.
    task: Option<Task>,
}

impl App {
    /// Deals with a report, and answers which task it was about. What was reported before, and what nobody waits
    /// for any more, has no effect.
    pub(crate) async fn take_report(&self, request: Request, client: Client) -> Result<TaskId, Problem> {
        let (parts, body) = request.into_parts();
        let secret = self.shared_secret()?;
        let body = body::whole(&parts, body, REPORT_LIMIT).await?;
        let report = self.read_report(&body, secret, client)?;
        let task = report.task.ok_or_else(crate::read::no_such_task)?;
        let found = self.found(task).await?;
        if reports::is_known(&self.api.pool, task, &report.signature).await? {
            return Ok(task);
        }
        let recorded = match self.command(&report, &found).await? {
            Some(command) => {
                let envelope = self.envelope(task, &report.signature, command, &parts.headers);
                Some(self.record(found.project, task, envelope).await?)
            }
            None => None,
        };
        reports::remember(&self.api.pool, task, &report.signature).await?;
        if let Some(receipt) = recorded {
            self.conclude(task, &receipt).await?;
        }
        Ok(task)
    }

    /// What external nodes share with us.
    fn shared_secret(&self) -> Result<&str, Problem> {
        self.api.access.auth().webhook_secret.as_deref().ok_or_else(|| {
            let detail = "this server takes no reports: webhooks.inbound_secret is not set";
            Problem::not_found("reports_not_taken", detail)
        })
    }

    /// Records how a node's work ended. Whoever waited for the node is told before the read tables are waited for: a
    /// moment later the next attempt may run, and that one is not to be stopped.
    async fn record(&self, project: ProjectId, task: TaskId, envelope: Envelope) -> Result<Receipt, Problem> {
        let receipt = self.append(project, envelope).await?;
        let runs = |state: &Project| {
            let open = state.tasks.get(&task);
            open.is_some_and(|open| matches!(open.state, TaskState::Processing { .. }))
        };
        // A repeated report was told of the first time.
        if receipt.state.as_ref().is_some_and(|state| !runs(state)) {
            let telling = self.api.bus.publish_cancel(project, task);
            if !matches!(tokio::time::timeout(WORD_PATIENCE, telling).await, Ok(Ok(()))) {
                tracing::debug!(%task, "whoever waits for a report hears of it by its lease");
            }
        }
        Ok(receipt)
    }

    /// Waits until the read tables have what was recorded, and takes the job of a task that has ended out of the
    /// queue, as nobody needs to begin it. Its sender must know of the end first, else it might come after that;
    /// if that takes long, whoever begins it hears of it by its claim.
    async fn conclude(&self, task: TaskId, receipt: &Receipt) -> Result<(), Problem> {
        self.wait_until_read(receipt.project, receipt.version).await?;
        if receipt.state.as_ref().is_none_or(|state| state.tasks.contains_key(&task)) {
            return Ok(());
        }
        let withdrawing = async {
            while !dispatches::open_among(&self.api.pool, &[task]).await?.is_empty() {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
            Ok::<_, PostgresError>(self.api.bus.remove_job(receipt.project, task).await)
        };
        if !matches!(tokio::time::timeout(WORD_PATIENCE, withdrawing).await, Ok(Ok(Ok(())))) {
            tracing::debug!(%task, "whoever takes the job of a task that has ended hears of it by its claim");
        }
        Ok(())
    }

    fn read_report(&self, body: &[u8], secret: &str, client: Client) -> Result<Report, Problem> {
        let text = std::str::from_utf8(body)
            .map_err(|_| Problem::bad_request("malformed_json", "the report is not UTF-8"))?;
        Report::read(text, secret, self.now()).map_err(|error| {
            let detail = error.to_string();
            match error {
                ReportError::Malformed(_) => Problem::bad_request("malformed_json", detail),
                ReportError::Invalid { field, message } => Problem::invalid(field, message),
                ReportError::Unsigned => {
                    let problem = Problem::new(StatusCode::UNAUTHORIZED, "signature_invalid", detail);
                    self.auth.refusal(problem, client, self.now())
                }
                ReportError::Stale => {
                    let problem = Problem::new(StatusCode::UNAUTHORIZED, "timestamp_stale", detail);
                    self.auth.refusal(problem, client, self.now())
                }
            }
        })
    }

    /// A task that a node may be at: it may be faster than the read tables.
    async fn found(&self, task: TaskId) -> Result<Found, Problem> {
        let mut row = tasks::find(&self.api.pool, task).await?;
        for _ in 1..LOOKS {
            if row.is_some() {
                break;
            }
            tokio::time::sleep(LOOK_PAUSE).await;
            row = tasks::find(&self.api.pool, task).await?;
        }
        let row = row.ok_or_else(crate::read::no_such_task)?;
        let project = row.project_id;
        let state = self.api.store.load(project).await?.state;
        Ok(Found { project, row, task: state.tasks.get(&task).cloned() })
    }

    /// What a report asks to be recorded; `None` when the task is not one that waits for it.
    async fn command(&self, report: &Report, found: &Found) -> Result<Option<Command>, Problem> {
        let Some((task, wanted)) = found.wanted()? else { return Ok(None) };
        match &report.ended {
            Ended::Success { urls, model } => {
                let missing = || Problem::invalid(wanted.field(), "must be there: it is what was asked for");
                let url = urls.get(wanted.name).ok_or_else(missing)?;
                let asset = self.bring(&wanted, url).await?;
                let attempt = report.attempt.unwrap_or(task.attempt);
                Ok(Some(found.finished(attempt, asset, model.clone(), self.now())))
            }
            Ended::Failed { message } => Ok(failed(report, task, found.row.id, message)),
        }
    }

    /// The same proof is the same command, so that it has one effect even when it is shown twice at once.
    fn envelope(&self, task: TaskId, proof: &[u8], command: Command, headers: &HeaderMap) -> Envelope {
        let name = [task.0.as_bytes().as_slice(), proof].concat();
        let context = Context {
            command: CommandId(Uuid::new_v5(&REPORTS, &name)),
            at: self.now(),
            actor: format!("worker:{PROVIDER}"),
            owner: None,
            correlation: RequestId::of(headers).0,
            causation: None,
            traceparent: None,
        };
        Envelope { context, if_version: None, command }
    }
}

impl Found {
    /// The task with what it must be answered with; `None` when it waits for no answer.
    fn wanted(&self) -> Result<Option<(&Task, Wanted)>, Problem> {
        let waits = |task: &&Task| matches!(task.state, TaskState::Pending | TaskState::Processing { .. });
        let Some(task) = self.task.as_ref().filter(waits) else { return Ok(None) };
        let not_made = || {
            let words = "must be a picture's, a clip's or a voice's: others are not made elsewhere";
            Problem::invalid("task_id", words)
        };
        Ok(Some((task, Wanted::of(task.kind).ok_or_else(not_made)?)))
    }

    /// A success counts for any attempt since the task was last queued by somebody.
    fn finished(
        &self,
        attempt: u32,
        asset: Asset,
        model: Option<String>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Command {
        let took = self.row.started_at.map_or(0, |started| (now - started).num_milliseconds());
        let millis = u64::try_from(took).unwrap_or(0);
        let made_with = MadeWith { provider: PROVIDER.to_owned(), model, millis, ..MadeWith::default() };
        Command::RecordTaskFinished { task: self.row.id, attempt, output: Output::Media { asset }, made_with }
    }
}

/// A failure counts for the attempt that runs: one that was told of an earlier attempt must not end this one.
fn failed(report: &Report, task: &Task, id: TaskId, message: &str) -> Option<Command> {
    let TaskState::Processing { claim, .. } = task.state else { return None };
    let is_present = report.attempt.is_none_or(|attempt| attempt == task.attempt);
    let failure = Failure::retry("external_failed", message);
    is_present.then_some(Command::RecordTaskFailed { task: id, claim: Some(claim), failure })
}
