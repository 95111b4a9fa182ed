//! Who lives and runs what: leases, and work that goes back to the queue.

use domain::desk::{LeaseReply, LeaseRequest};
use domain::ids::{ProjectId, TaskId};
use domain::project::TaskState;
use infra::nats::ReplyTo;
use infra::postgres::dispatches;
use infra::postgres::views::tasks;

use super::Desk;
use crate::EngineError;

impl Desk {
    pub(super) async fn lease(&self, request: &LeaseRequest, reply_to: ReplyTo) {
        let renewed = self.leases().renew(request);
        if renewed.name_taken {
            tracing::warn!(
                worker = request.worker.name,
                "two workers go by one name; the earlier one is to end"
            );
            let reply = LeaseReply { name_taken: true, drain: true, ..LeaseReply::default() };
            return self.engine.bus.answer(reply_to, &reply).await;
        }
        if renewed.is_new
            && let Err(error) = self.free_earlier_lives(request).await
        {
            tracing::warn!(worker = request.worker.name, %error, "an earlier life's jobs wait for their lease to end");
        }
        let stop = match self.no_longer_wanted(request).await {
            Ok(stop) => stop,
            Err(error) => {
                tracing::debug!(%error, "a lease is renewed without a look at its tasks");
                Vec::new()
            }
        };
        self.engine.bus.answer(reply_to, &LeaseReply { stop, drain: renewed.drain, name_taken: false }).await;
    }

    /// A worker that was restarted has lost what it ran: those jobs are sent again at once.
    async fn free_earlier_lives(&self, request: &LeaseRequest) -> Result<(), EngineError> {
        let mut lost = self.leases().of_earlier_lives(&request.worker);
        let under_its_name = tasks::processed_by(&self.engine.pool, &request.worker.name).await?;
        lost.extend(under_its_name.into_iter().filter(|(_, task)| !self.leases().covers(*task)));
        lost.retain(|(_, task)| request.running.iter().all(|running| running.task != *task));
        self.send_again(&lost).await
    }

    pub(super) async fn expire_leases(&self) {
        if !self.engine.bus.is_connected() {
            self.leases().excuse_silence();
            return;
        }
        let expired = self.leases().expire();
        if !expired.is_empty() {
            tracing::warn!(jobs = expired.len(), "leases ran out; their jobs are sent again");
        }
        if let Err(error) = self.send_again(&expired).await {
            tracing::warn!(%error, "expired jobs wait for the queue to deliver them again");
        }
    }

    async fn send_again(&self, lost: &[(ProjectId, TaskId)]) -> Result<(), EngineError> {
        for (project, task) in lost {
            self.leases().free(*task);
            self.engine.bus.remove_job(*project, *task).await?;
        }
        if !lost.is_empty() {
            let tasks: Vec<TaskId> = lost.iter().map(|(_, task)| *task).collect();
            dispatches::mark_unsent(&self.engine.pool, &tasks, &self.fence).await?;
            self.leases().unsent = true;
            self.engine.bus.wake().await;
        }
        Ok(())
    }

    /// Of what a worker runs, the tasks that nobody wants any more or that another has; the rest is its.
    async fn no_longer_wanted(&self, request: &LeaseRequest) -> Result<Vec<TaskId>, EngineError> {
        let mut stop = Vec::new();
        for running in &request.running {
            let state = self.engine.store.load(running.project).await?.state;
            let present = state.tasks.get(&running.task).map(|task| &task.state);
            let is_its =
                matches!(present, Some(TaskState::Processing { claim, .. }) if *claim == running.claim);
            if is_its {
                self.leases().grant(*running, &request.worker);
            } else {
                stop.push(running.task);
            }
        }
        Ok(stop)
    }
}
