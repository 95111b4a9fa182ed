//! Who runs what, and until when. Lives in the leader's memory: workers say again every 15 s what they
//! run, so a new leader knows after one lease's length, and until then presumes that work goes on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use domain::desk::{LeaseRequest, RunningJob, WorkerId};
use domain::ids::{ClaimId, ProjectId, TaskId};
use domain::job::Kind;
use tokio::time::Instant;
use uuid::Uuid;

/// All leases.
#[derive(Debug)]
pub struct Leases {
    length: Duration,
    jobs: HashMap<TaskId, Lease>,
    workers: HashMap<String, Worker>,
    /// Tasks whose present claim is known to be dead.
    freed: HashSet<TaskId>,
    /// Until then a claim that nobody spoke of may still be alive.
    unknown_until: Instant,
    /// Jobs were marked as unsent; tells the dispatcher to look.
    pub(crate) unsent: bool,
}

#[derive(Debug)]
struct Lease {
    project: ProjectId,
    claim: ClaimId,
    worker: WorkerId,
    until: Instant,
}

#[derive(Debug)]
struct Worker {
    incarnation: Uuid,
    slots: BTreeMap<Kind, u32>,
    until: Instant,
}

/// What is known of a task's present claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// This worker runs it under that claim.
    ByAsker(ClaimId),
    /// Another one does, or may do, for at most so long.
    ByAnother(Duration),
    /// Nobody does.
    Free,
}

impl Leases {
    /// No leases yet; each lasts `length` without renewal.
    pub fn new(length: Duration) -> Self {
        Self {
            length,
            jobs: HashMap::new(),
            workers: HashMap::new(),
            freed: HashSet::new(),
            unknown_until: Instant::now() + length,
            unsent: false,
        }
    }

    /// Who holds a task that the project says is being processed.
    pub(crate) fn holder(&self, task: TaskId, asker: &WorkerId) -> Held {
        let now = Instant::now();
        match self.jobs.get(&task) {
            Some(lease) if lease.worker == *asker => Held::ByAsker(lease.claim),
            Some(lease) if lease.until > now => Held::ByAnother(lease.until - now),
            Some(_) => Held::Free,
            None if self.freed.contains(&task) || self.unknown_until <= now => Held::Free,
            None => Held::ByAnother(self.unknown_until - now),
        }
    }

    pub(crate) fn grant(&mut self, running: RunningJob, worker: &WorkerId) {
        let RunningJob { project, task, claim } = running;
        self.freed.remove(&task);
        let lease = Lease { project, claim, worker: worker.clone(), until: Instant::now() + self.length };
        self.jobs.insert(task, lease);
    }

    pub(crate) fn end(&mut self, task: TaskId) {
        self.jobs.remove(&task);
        self.freed.remove(&task);
    }

    /// Marks a task whose claim is known to be dead.
    pub(crate) fn free(&mut self, task: TaskId) {
        self.jobs.remove(&task);
        self.freed.insert(task);
    }

    /// Notes that a worker lives. Answers whether this life of it is new here.
    pub(crate) fn renew(&mut self, request: &LeaseRequest) -> bool {
        let until = Instant::now() + self.length;
        let worker = Worker { incarnation: request.worker.incarnation, slots: request.slots.clone(), until };
        let before = self.workers.insert(request.worker.name.clone(), worker);
        for running in &request.running {
            if let Some(lease) = self.jobs.get_mut(&running.task).filter(|lease| lease.claim == running.claim)
            {
                lease.until = until;
            }
        }
        before.is_none_or(|before| before.incarnation != request.worker.incarnation)
    }

    /// Jobs of earlier lives of this worker.
    pub(crate) fn of_earlier_lives(&self, worker: &WorkerId) -> Vec<(ProjectId, TaskId)> {
        let earlier = |lease: &&Lease| {
            lease.worker.name == worker.name && lease.worker.incarnation != worker.incarnation
        };
        self.jobs
            .iter()
            .filter(|(_, lease)| earlier(lease))
            .map(|(task, lease)| (lease.project, *task))
            .collect()
    }

    /// Starts every lease anew: nobody could be heard, so nobody's silence means anything.
    pub(crate) fn excuse_silence(&mut self) {
        let until = Instant::now() + self.length;
        self.unknown_until = self.unknown_until.max(until);
        self.jobs.values_mut().for_each(|lease| lease.until = until);
        self.workers.values_mut().for_each(|worker| worker.until = until);
    }

    /// Takes out the leases that have run out.
    pub(crate) fn expire(&mut self) -> Vec<(ProjectId, TaskId)> {
        let now = Instant::now();
        let out: Vec<_> = self
            .jobs
            .iter()
            .filter(|(_, lease)| lease.until <= now)
            .map(|(task, lease)| (lease.project, *task))
            .collect();
        out.iter().for_each(|(_, task)| self.free(*task));
        self.workers.retain(|_, worker| worker.until > now);
        out
    }

    /// Whether somebody runs a task.
    pub(crate) fn covers(&self, task: TaskId) -> bool {
        self.jobs.get(&task).is_some_and(|lease| lease.until > Instant::now())
    }

    /// How many jobs of a kind all workers together can run at once.
    pub(crate) fn slots(&self, kind: Kind) -> u32 {
        self.workers.values().map(|worker| worker.slots.get(&kind).copied().unwrap_or(0)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> WorkerId {
        WorkerId { name: name.to_owned(), incarnation: Uuid::new_v4() }
    }

    fn running() -> RunningJob {
        RunningJob {
            project: ProjectId(Uuid::new_v4()),
            task: TaskId(Uuid::new_v4()),
            claim: ClaimId(Uuid::new_v4()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_leader_presumes_that_unknown_work_goes_on_for_one_lease() {
        let leases = Leases::new(Duration::from_secs(40));
        assert!(matches!(leases.holder(running().task, &worker("a")), Held::ByAnother(_)));
        tokio::time::advance(Duration::from_secs(41)).await;
        assert_eq!(leases.holder(running().task, &worker("a")), Held::Free);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_not_renewed_frees_its_task() {
        let mut leases = Leases::new(Duration::from_secs(40));
        let (job, owner) = (running(), worker("a"));
        leases.grant(job, &owner);
        assert!(leases.covers(job.task));
        tokio::time::advance(Duration::from_secs(41)).await;
        assert_eq!(leases.expire(), vec![(job.project, job.task)]);
        assert_eq!(leases.holder(job.task, &worker("b")), Held::Free);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_that_was_not_the_workers_costs_no_lease() {
        let mut leases = Leases::new(Duration::from_secs(40));
        let (job, owner) = (running(), worker("a"));
        leases.grant(job, &owner);
        tokio::time::advance(Duration::from_secs(39)).await;
        leases.excuse_silence();
        tokio::time::advance(Duration::from_secs(39)).await;
        assert_eq!(leases.expire(), vec![]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_lease_goes_on() {
        let mut leases = Leases::new(Duration::from_secs(40));
        let (job, owner) = (running(), worker("a"));
        leases.grant(job, &owner);
        tokio::time::advance(Duration::from_secs(30)).await;
        leases.renew(&LeaseRequest { worker: owner, running: vec![job], slots: BTreeMap::new() });
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(leases.expire(), vec![]);
        assert!(leases.covers(job.task));
    }

    #[tokio::test(start_paused = true)]
    async fn a_restarted_worker_loses_what_its_earlier_life_ran() {
        let mut leases = Leases::new(Duration::from_secs(40));
        let (job, earlier) = (running(), worker("a"));
        leases.grant(job, &earlier);
        let later = WorkerId { incarnation: Uuid::new_v4(), ..earlier };
        assert_eq!(leases.of_earlier_lives(&later), vec![(job.project, job.task)]);
    }
}
