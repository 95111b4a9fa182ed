//! Who runs what, and until when. Lives in the leader's memory: workers say again every 15 s what they
//! run, so a new leader knows after one lease's length, and until then presumes that work goes on.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use domain::desk::{LeaseRequest, RunningJob, WorkerId, WorkerState};
use domain::ids::{ClaimId, ProjectId, TaskId};
use domain::job::Kind;
use tokio::time::Instant;
use uuid::Uuid;

/// Earlier lives of a worker that are remembered.
const LIVES_KEPT: usize = 16;

/// All leases.
#[derive(Debug)]
pub struct Leases {
    length: Duration,
    jobs: HashMap<TaskId, Lease>,
    workers: HashMap<String, Worker>,
    /// Earlier lives of the workers that live.
    replaced: HashMap<String, VecDeque<Uuid>>,
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
    draining: bool,
    heard_at: Instant,
    until: Instant,
}

/// What a renewal came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Renewed {
    /// This life of the worker was not known here.
    pub(crate) is_new: bool,
    /// It is to take no more jobs.
    pub(crate) drain: bool,
    /// Another life of this name came after this one, and yet this one goes on: there are two workers.
    pub(crate) name_taken: bool,
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
            replaced: HashMap::new(),
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

    /// Notes that a worker lives.
    pub(crate) fn renew(&mut self, request: &LeaseRequest) -> Renewed {
        let (heard_at, until) = (Instant::now(), Instant::now() + self.length);
        let WorkerId { name, incarnation } = request.worker.clone();
        if self.replaced.get(&name).is_some_and(|lives| lives.contains(&incarnation)) {
            return Renewed { is_new: false, drain: true, name_taken: true };
        }
        if let Some(earlier) = self.workers.get(&name).filter(|before| before.incarnation != incarnation) {
            let lives = self.replaced.entry(name.clone()).or_default();
            lives.push_back(earlier.incarnation);
            lives.drain(..lives.len().saturating_sub(LIVES_KEPT));
        }
        let before = self.workers.get(&name).filter(|before| before.incarnation == incarnation);
        let is_new = before.is_none();
        let draining = request.draining || before.is_some_and(|before| before.draining);
        let worker = Worker { incarnation, slots: request.slots.clone(), draining, heard_at, until };
        self.workers.insert(name, worker);
        for running in &request.running {
            if let Some(lease) = self.jobs.get_mut(&running.task).filter(|lease| lease.claim == running.claim)
            {
                lease.until = until;
            }
        }
        Renewed { is_new, drain: draining, name_taken: false }
    }

    /// A worker is to take no more jobs. Answers whether there is one of that name.
    pub(crate) fn drain(&mut self, name: &str) -> bool {
        let worker = self.workers.get_mut(name);
        worker.map(|worker| worker.draining = true).is_some()
    }

    /// The workers that live, by name.
    pub(crate) fn workers(&self) -> Vec<WorkerState> {
        let state = |(name, worker): (&String, &Worker)| WorkerState {
            name: name.clone(),
            slots: worker.slots.clone(),
            running: self.running_on(name),
            draining: worker.draining,
            silent_ms: u64::try_from(worker.heard_at.elapsed().as_millis()).unwrap_or(u64::MAX),
        };
        let mut workers: Vec<WorkerState> = self.workers.iter().map(state).collect();
        workers.sort_by(|a, b| a.name.cmp(&b.name));
        workers
    }

    fn running_on(&self, name: &str) -> Vec<RunningJob> {
        let own = self.jobs.iter().filter(|(_, lease)| lease.worker.name == name);
        own.map(|(task, lease)| RunningJob { project: lease.project, task: *task, claim: lease.claim })
            .collect()
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
        self.replaced.retain(|name, _| self.workers.contains_key(name));
        out
    }

    /// Whether somebody runs a task.
    pub(crate) fn covers(&self, task: TaskId) -> bool {
        self.jobs.get(&task).is_some_and(|lease| lease.until > Instant::now())
    }

    /// Whether somebody runs a task, or may do so for all that is known.
    pub(crate) fn may_be_run(&self, task: TaskId) -> bool {
        let now = Instant::now();
        match self.jobs.get(&task) {
            Some(lease) => lease.until > now,
            None => !self.freed.contains(&task) && self.unknown_until > now,
        }
    }

    /// How many jobs of a kind all workers that take jobs can run at once.
    pub(crate) fn slots(&self, kind: Kind) -> u32 {
        let taking = self.workers.values().filter(|worker| !worker.draining);
        taking.map(|worker| worker.slots.get(&kind).copied().unwrap_or(0)).sum()
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
        leases.renew(&LeaseRequest {
            worker: owner,
            running: vec![job],
            slots: BTreeMap::new(),
            draining: false,
        });
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

    #[tokio::test(start_paused = true)]
    async fn a_draining_worker_stays_so_until_its_life_ends_and_counts_for_no_slots() {
        let mut leases = Leases::new(Duration::from_secs(40));
        let owner = worker("a");
        let lease = |worker: &WorkerId| LeaseRequest {
            worker: worker.clone(),
            running: Vec::new(),
            slots: BTreeMap::from([(Kind::Image, 3)]),
            draining: false,
        };
        assert!(!leases.drain("a"), "nobody of that name");
        assert_eq!(leases.renew(&lease(&owner)), Renewed { is_new: true, drain: false, name_taken: false });
        assert_eq!(leases.slots(Kind::Image), 3);
        assert!(leases.drain("a"));
        assert_eq!(leases.renew(&lease(&owner)), Renewed { is_new: false, drain: true, name_taken: false });
        assert_eq!((leases.slots(Kind::Image), leases.workers()[0].draining), (0, true));
        let later = WorkerId { incarnation: Uuid::new_v4(), ..owner };
        assert_eq!(leases.renew(&lease(&later)), Renewed { is_new: true, drain: false, name_taken: false });
    }

    #[tokio::test(start_paused = true)]
    async fn of_two_workers_with_one_name_the_earlier_is_told_until_the_later_is_gone() {
        let mut leases = Leases::new(Duration::from_secs(40));
        let earlier = worker("a");
        let later = WorkerId { incarnation: Uuid::new_v4(), ..earlier.clone() };
        let heard = |leases: &mut Leases, worker: &WorkerId| {
            let (running, slots) = (Vec::new(), BTreeMap::new());
            leases.renew(&LeaseRequest { worker: worker.clone(), running, slots, draining: false }).name_taken
        };
        assert!(!heard(&mut leases, &earlier));
        assert!(!heard(&mut leases, &later));
        assert!(heard(&mut leases, &earlier));
        assert!(!heard(&mut leases, &later), "the later one keeps the name");
        tokio::time::advance(Duration::from_secs(41)).await;
        leases.expire();
        assert!(!heard(&mut leases, &earlier), "nobody else has the name any more");
    }
}
