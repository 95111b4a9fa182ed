//! What several façades do to shots: in their clients' eyes an edit makes a new picture, always.

use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, Parameters, ProjectError, ShotPatch};
use domain::settings::Transition;
use infra::postgres::views::shots::{self, ShotRow};
use uuid::Uuid;

use crate::App;
use crate::caller::Caller;
use crate::execute::Wanted;
use crate::problem::Problem;

/// Most shots of a project fit into one command each; none of these requests has a body worth comparing.
pub(super) const NO_DIGEST: [u8; 32] = [0; 32];

/// A transition by our name, or by one that older clients use.
pub(super) fn transition_named(text: &str) -> Option<Transition> {
    let name = text.trim().to_lowercase().replace([' ', '-'], "_");
    match name.as_str() {
        "wipe" => Some(Transition::WipeLeft),
        "slide" => Some(Transition::SlideLeft),
        "zoom" | "volume_mix" => Some(Transition::Crossfade),
        // The picture moves in every shot.
        "ken_burns" => Some(Transition::Cut),
        name => name.parse().ok(),
    }
}

impl App {
    /// A shot, of whatever project that is not in the trash.
    pub(super) async fn shot_row(&self, shot: ShotId) -> Result<ShotRow, Problem> {
        let row = shots::find(&self.api.pool, shot).await?.ok_or(ProjectError::ShotNotFound)?;
        self.project_row(row.project_id).await?;
        Ok(row)
    }

    /// A shot of a project.
    pub(super) async fn shot_row_of(&self, project: ProjectId, shot: ShotId) -> Result<ShotRow, Problem> {
        let row = self.shot_row(shot).await?;
        if row.project_id == project { Ok(row) } else { Err(ProjectError::ShotNotFound.into()) }
    }

    /// Edits a shot and makes its picture again, with another seed even if the prompt is the same; the voice too,
    /// if it has to say something else. Answers the picture's task.
    pub(super) async fn redo_shot(
        &self,
        caller: Caller,
        shot: &ShotRow,
        patch: ShotPatch,
    ) -> Result<TaskId, Problem> {
        let caller = caller.for_several_commands();
        let says = patch.narration.as_ref().filter(|narration| **narration != shot.narration);
        let speaks_anew = says.is_some_and(|narration| !narration.trim().is_empty());
        self.cancel_picture(&caller, shot).await?;
        if patch != ShotPatch::default() {
            let revise = Command::ReviseShot { shot: shot.id, patch, generate: false };
            self.execute(&caller, shot.project_id, revise, NO_DIGEST).await?;
        }
        if speaks_anew {
            self.generate_take(&caller, shot, Kind::Tts, Parameters::default()).await?;
        }
        let parameters = Parameters { seed: Some(new_seed()), ..Parameters::default() };
        self.generate_take(&caller, shot, Kind::Image, parameters).await
    }

    /// Makes a picture, clip or voice of a shot; answers its task.
    pub(super) async fn generate_take(
        &self,
        caller: &Caller,
        shot: &ShotRow,
        kind: Kind,
        parameters: Parameters,
    ) -> Result<TaskId, Problem> {
        let command = Command::GenerateTake { shot: shot.id, kind, parameters, candidates: 1 };
        let executed = self.execute(caller, shot.project_id, command, NO_DIGEST).await?;
        self.task_of(&executed, &Wanted { kind, shot: Some(shot.id), parameters: None }).await
    }

    async fn cancel_picture(&self, caller: &Caller, shot: &ShotRow) -> Result<(), Problem> {
        let state = self.api.store.load(shot.project_id).await?.state;
        let is_open_picture = |(_, task): &(TaskId, &domain::project::Task)| {
            task.kind == Kind::Image && task.shot == Some(shot.id)
        };
        let Some((task, _)) = state.open_tasks().find(is_open_picture) else { return Ok(()) };
        match self.execute(caller, shot.project_id, Command::CancelTask { task }, NO_DIGEST).await {
            Ok(_) => Ok(()),
            // It ended meanwhile.
            Err(problem) if problem.code == "task_not_open" => Ok(()),
            Err(problem) => Err(problem),
        }
    }
}

fn new_seed() -> u32 {
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transitions_of_older_clients_have_a_meaning() {
        for (name, transition) in [
            ("wipe", Transition::WipeLeft),
            ("Zoom", Transition::Crossfade),
            ("Ken Burns", Transition::Cut),
            ("Volume Mix", Transition::Crossfade),
            ("crossfade", Transition::Crossfade),
            ("slide_left", Transition::SlideLeft),
        ] {
            assert_eq!(transition_named(name), Some(transition), "{name}");
        }
        assert_eq!(transition_named("anime"), None);
    }
}
