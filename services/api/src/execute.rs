//! Executes a command, and answers once the read tables have what it did.

use std::time::Duration;

use domain::ids::{CommandId, ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, Envelope, Event, Lifecycle, Parameters, ProjectError, Task};
use infra::postgres::event_store::{ExecuteError, Receipt};
use infra::postgres::tail::{self, Recorded};
use infra::postgres::views::projects::Owners;
use serde::Deserialize;
use tokio::time::Instant;

use crate::App;
use crate::caller::Caller;
use crate::problem::Problem;

/// Most events of one command that are searched for the task it made.
const EVENTS_OF_A_COMMAND: u64 = 2_000;
/// A wake-up is worth no wait: without it the readers look a moment later.
const WAKE_PATIENCE: Duration = Duration::from_millis(50);

/// A command that was executed, now or earlier, and is in the read tables.
#[derive(Debug)]
pub(crate) struct Executed {
    /// What it came to.
    pub(crate) receipt: Receipt,
    command: CommandId,
}

/// What an event says about the command it came from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Origin {
    command_id: Option<String>,
    causation_id: Option<String>,
}

impl Origin {
    fn of(recorded: &Recorded) -> Result<Self, Problem> {
        serde_json::from_str(recorded.metadata.get()).map_err(|error| Problem::internal(error.to_string()))
    }
}

impl App {
    /// Executes a command. `body` is the digest of the request's body.
    pub(crate) async fn execute(
        &self,
        caller: &Caller,
        project: ProjectId,
        command: Command,
        body: [u8; 32],
    ) -> Result<Executed, Problem> {
        self.check_owner(caller, project).await?;
        if let Some(repeated) = self.repeated(caller, body).await? {
            return Ok(repeated);
        }
        self.check_room(caller, project, command.asks()).await?;
        let context = caller.context(self.now(), body);
        Ok(self.try_execute(project, Envelope { context, if_version: caller.if_version, command }).await??)
    }

    /// The same with a whole envelope. The inner error is why the command itself was refused.
    pub(crate) async fn try_execute(
        &self,
        project: ProjectId,
        envelope: Envelope,
    ) -> Result<Result<Executed, ExecuteError>, Problem> {
        let (command, cause) = (envelope.context.command, envelope.context.causation.clone());
        let receipt = match self.append(project, envelope).await {
            Ok(receipt) => receipt,
            Err(error) => return Ok(Err(error)),
        };
        if receipt.duplicate {
            self.check_repeat(&receipt, cause.as_deref()).await?;
        }
        self.wait_until_read(receipt.project, receipt.version).await?;
        Ok(Ok(Executed { receipt, command }))
    }

    /// Appends what a command comes to, and wakes those who read the log. The read tables may not have it yet.
    pub(crate) async fn append(
        &self,
        project: ProjectId,
        envelope: Envelope,
    ) -> Result<Receipt, ExecuteError> {
        let started = Instant::now();
        let appended = self.api.store.execute(project, envelope).await;
        self.metrics.command(started.elapsed());
        if appended.as_ref().is_ok_and(|receipt| !receipt.duplicate) {
            let _ = tokio::time::timeout(WAKE_PATIENCE, self.api.bus.wake()).await;
        }
        appended
    }

    /// A project that exists must be the caller's own, however its id got here. The guard has looked at the
    /// ids in the path; those in bodies come only here.
    pub(crate) async fn check_owner(&self, caller: &Caller, project: ProjectId) -> Result<(), Problem> {
        if caller.identity.owners() == Owners::All {
            return Ok(());
        }
        let state = self.api.store.load(project).await?.state;
        let is_known = state.lifecycle != Lifecycle::Missing;
        if is_known && !caller.identity.may_see(project, state.owner.as_deref()) {
            return Err(Problem::from(ProjectError::NotFound).hiding());
        }
        Ok(())
    }

    /// What a request with an idempotency key came to when it came before. Asked before anything that has
    /// changed since could refuse the request.
    pub(crate) async fn repeated(
        &self,
        caller: &Caller,
        body: [u8; 32],
    ) -> Result<Option<Executed>, Problem> {
        let context = caller.context(self.now(), body);
        let Some(cause) = context.causation else { return Ok(None) };
        let Some(receipt) = self.api.store.first_receipt(context.command).await? else { return Ok(None) };
        self.check_repeat(&receipt, Some(&cause)).await?;
        self.wait_until_read(receipt.project, receipt.version).await?;
        Ok(Some(Executed { receipt, command: context.command }))
    }

    /// A repeated key must come with the same body as the first time.
    async fn check_repeat(&self, receipt: &Receipt, cause: Option<&str>) -> Result<(), Problem> {
        let first_time = match &receipt.cause {
            Some(cause) => Some(cause.clone()),
            None => {
                let before = receipt.version.saturating_sub(1);
                let last = tail::read_stream(&self.api.pool, receipt.project, before, 1).await?;
                last.first().map(Origin::of).transpose()?.and_then(|origin| origin.causation_id)
            }
        };
        if first_time.as_deref() == cause {
            return Ok(());
        }
        Err(Problem::reused_key())
    }

    /// The task that a command queued, or that was open for the same already.
    pub(crate) async fn task_of(&self, executed: &Executed, wanted: &Wanted) -> Result<TaskId, Problem> {
        let open = executed.receipt.state.as_ref().and_then(|state| {
            let same_film = |task: &Task| {
                let asked = wanted.parameters.as_ref().filter(|_| task.kind == Kind::Film);
                asked.is_some_and(|asked| state.is_same_film(asked, &task.parameters))
            };
            let fits = |task: &Task| wanted.fits(task.kind, task.shot, &task.parameters) || same_film(task);
            state.open_tasks().filter(|(_, task)| fits(task)).map(|(id, _)| id).max()
        });
        let mut found = open;
        // What was asked for in other words, too.
        for wanted in [wanted, &Wanted { parameters: None, ..*wanted }] {
            if found.is_none() {
                found = self.in_log(executed, |event| wanted.found_in(event)).await?;
            }
        }
        found.ok_or_else(|| Problem::internal("a command made no task"))
    }

    /// The batch that a command put together.
    pub(crate) async fn batch_of(&self, executed: &Executed) -> Result<TaskId, Problem> {
        let batch = |event: &Event| match event {
            Event::BatchPlanned(batch) => Some(batch.task_id),
            _ => None,
        };
        self.in_log(executed, batch).await?.ok_or_else(|| Problem::internal("a command made no batch"))
    }

    /// What is looked for in the events of a command. What a repeated one made may be gone from the state,
    /// but its events are still there; one that recorded none had found what others made last before it.
    pub(crate) async fn in_log<T>(
        &self,
        executed: &Executed,
        found_in: impl Fn(&Event) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Executed { receipt, command } = executed;
        let from = receipt.version.saturating_sub(EVENTS_OF_A_COMMAND);
        let limit = i64::try_from(receipt.version - from).unwrap_or(i64::MAX);
        let events = tail::read_stream(&self.api.pool, receipt.project, from, limit).await?;
        let command = command.to_string();
        for recorded in events.iter().rev() {
            if receipt.cause.is_none() && Origin::of(recorded)?.command_id.as_deref() != Some(&command) {
                return Ok(None);
            }
            if let Some(found) = found_in(&recorded.event) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// The task that a command is asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its shot.
    pub(crate) shot: Option<ShotId>,
    /// Its parameters, where several such tasks may be open.
    pub(crate) parameters: Option<Parameters>,
}

impl Wanted {
    fn fits(&self, kind: Kind, shot: Option<ShotId>, parameters: &Parameters) -> bool {
        kind == self.kind
            && shot == self.shot
            && self.parameters.as_ref().is_none_or(|wanted| wanted == parameters)
    }

    fn found_in(&self, event: &Event) -> Option<TaskId> {
        let (task, fits) = match event {
            Event::TaskQueued(task) => (task.task_id, self.fits(task.kind, task.shot_id, &task.parameters)),
            Event::TaskPlanned(task) => (task.task_id, self.fits(task.kind, task.shot_id, &task.parameters)),
            _ => return None,
        };
        fits.then_some(task)
    }
}
