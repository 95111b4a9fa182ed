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

/// Of a request that has no body worth comparing: those that are no POST have no key either.
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
    /// if it has to say something else: all at once, in place of what is open for it. Answers the picture's task.
    pub(super) async fn redo_shot(
        &self,
        caller: &Caller,
        shot: &ShotRow,
        patch: ShotPatch,
        digest: [u8; 32],
    ) -> Result<TaskId, Problem> {
        let says = patch.narration.as_ref().filter(|narration| **narration != shot.narration);
        let speaks_anew = says.is_some_and(|narration| !narration.trim().is_empty());
        let take =
            |kind, parameters| Command::GenerateTake { shot: shot.id, kind, parameters, candidates: 1 };
        let mut commands = vec![Command::ReviseShot { shot: shot.id, patch, generate: false }];
        commands.extend(speaks_anew.then(|| take(Kind::Tts, Parameters::default())));
        commands.push(take(Kind::Image, Parameters { seed: Some(new_seed()), ..Parameters::default() }));
        let executed = self.execute(caller, shot.project_id, Command::Together(commands), digest).await?;
        self.task_of(&executed, &Wanted { kind: Kind::Image, shot: Some(shot.id), parameters: None }).await
    }

    /// Makes a picture, clip or voice of a shot; answers its task.
    pub(super) async fn generate_take(
        &self,
        caller: &Caller,
        shot: &ShotRow,
        kind: Kind,
        parameters: Parameters,
        digest: [u8; 32],
    ) -> Result<TaskId, Problem> {
        let command = Command::GenerateTake { shot: shot.id, kind, parameters, candidates: 1 };
        let executed = self.execute(caller, shot.project_id, command, digest).await?;
        self.task_of(&executed, &Wanted { kind, shot: Some(shot.id), parameters: None }).await
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
