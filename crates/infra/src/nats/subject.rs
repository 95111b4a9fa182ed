//! Every subject, written once. Lower case, broad to narrow.

use domain::ids::{ProjectId, TaskId};
use domain::job::Kind;

/// The stream of jobs.
pub const JOBS: &str = "STV_JOBS";
/// The stream of advisories about jobs.
pub const ADVISORIES: &str = "STV_ADVISORIES";
/// All jobs.
pub const ALL_JOBS: &str = "stv.jobs.>";
/// Somebody committed events.
pub const WAKE: &str = "stv.wake.log";
/// Where the answers to a user's requests go.
pub fn inbox(user: &str) -> String {
    format!("_INBOX_{}", token(user))
}

/// All claims.
pub const CLAIMS: &str = "stv.claim.*";
/// All leases.
pub const LEASES: &str = "stv.lease.*";
/// All uploads.
pub const UPLOADS: &str = "stv.upload.*";
/// All results.
pub const RESULTS: &str = "stv.result.*";
/// Who the workers are.
pub const WORKERS: &str = "stv.workers";
/// A worker is to take no more jobs.
pub const DRAIN: &str = "stv.drain";
/// All cancellations.
pub const CANCELS: &str = "stv.cancel.>";

/// A task's job.
pub fn job(kind: Kind, project: ProjectId, task: TaskId) -> String {
    format!("stv.jobs.{kind}.{project}.{task}")
}

/// A task's job, whatever its kind.
pub fn job_of_any_kind(project: ProjectId, task: TaskId) -> String {
    format!("stv.jobs.*.{project}.{task}")
}

/// The consumer of a kind's jobs.
pub fn consumer(kind: Kind) -> String {
    format!("worker-{kind}")
}

/// Claims of a kind.
pub fn claim(kind: Kind) -> String {
    format!("stv.claim.{kind}")
}

/// Leases of a worker. A name is made one token.
pub fn lease(worker: &str) -> String {
    format!("stv.lease.{}", token(worker))
}

/// Uploads of a kind.
pub fn upload(kind: Kind) -> String {
    format!("stv.upload.{kind}")
}

/// Results of a kind.
pub fn result(kind: Kind) -> String {
    format!("stv.result.{kind}")
}

/// One event of a project; the type in kebab-case.
pub fn event(project: ProjectId, event_type: &str) -> String {
    let mut kebab = String::with_capacity(event_type.len() + 4);
    for character in event_type.chars() {
        if character.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(character.to_ascii_lowercase());
    }
    format!("stv.events.{project}.{kebab}")
}

/// All that is said live about a project: its events, progress and cancellations.
pub fn all_of_project(project: ProjectId) -> String {
    format!("stv.*.{project}.*")
}

/// Progress of all tasks.
pub const ALL_PROGRESS: &str = "stv.progress.>";

/// Progress of a task.
pub fn progress(project: ProjectId, task: TaskId) -> String {
    format!("stv.progress.{project}.{task}")
}

/// Cancellation of a task.
pub fn cancel(project: ProjectId, task: TaskId) -> String {
    format!("stv.cancel.{project}.{task}")
}

/// The task that a subject ends with.
pub fn task_in(subject: &str) -> Option<TaskId> {
    subject.rsplit('.').next()?.parse().ok()
}

fn token(name: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    name.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_type_becomes_one_kebab_case_token() {
        let project = ProjectId(uuid::Uuid::nil());
        assert_eq!(event(project, "ShotPromptRevised"), format!("stv.events.{project}.shot-prompt-revised"));
    }

    #[test]
    fn a_workers_name_cannot_widen_its_subject() {
        assert_eq!(lease("gpu.0 >*"), "stv.lease.gpu_0___");
    }
}
