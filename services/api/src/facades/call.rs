//! One call of a client that may change something: who calls, what was sent, and what several façades do with it.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use domain::ids::{ProjectId, ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, CreateProject, Parameters, ProjectError, ShotPatch};
use domain::settings::{Settings, Transition};
use infra::postgres::views::projects::{self, ProjectRow};
use infra::postgres::views::shots::{self, ShotRow};
use infra::postgres::views::tasks::TaskRow;
use uuid::Uuid;

use super::fields::Fields;
use crate::App;
use crate::caller::Caller;
use crate::commands::create_project::new_id;
use crate::execute::{Executed, Wanted};
use crate::extract::Base;
use crate::problem::Problem;

/// Of a request that has no body worth comparing: those that are no POST have no key either.
pub(super) const NO_DIGEST: [u8; 32] = [0; 32];

/// One call.
pub(super) struct Call {
    pub(super) app: Arc<App>,
    pub(super) base: Base,
    pub(super) caller: Caller,
    pub(super) fields: Fields,
}

impl FromRequest<Arc<App>> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let base = Base::from_request_parts(&mut parts, app).await?;
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let fields = Fields::from_request(Request::from_parts(parts, body), app).await?;
        Ok(Self { app: app.clone(), base, caller, fields })
    }
}

impl Call {
    /// Executes what the call comes to.
    pub(super) async fn execute(&self, project: ProjectId, command: Command) -> Result<Executed, Problem> {
        self.app.execute(&self.caller, project, command, self.fields.digest).await
    }

    /// A project of this story, with what all façades call alike.
    pub(super) fn project(&self, story: Option<String>) -> CreateProject {
        let text = |name| self.fields.text(&[name]).unwrap_or_default();
        CreateProject {
            id: new_id(&self.app),
            story: story.unwrap_or_default(),
            title: text("title"),
            description: String::new(),
            style: text("style"),
            shot_count: None,
            settings: Settings::default(),
        }
    }

    /// Starts a project; a repeated call answers the first one.
    pub(super) async fn create(&self, project: CreateProject) -> Result<ProjectId, Problem> {
        let executed = self.execute(project.id, Command::CreateProject(project)).await?;
        Ok(executed.receipt.project)
    }

    /// Edits a shot and makes its picture again, with another seed even if the prompt is the same; the voice too,
    /// if it has to say something else: all at once, in place of what is open for it. Answers the picture's task.
    pub(super) async fn redo_shot(&self, shot: &ShotRow, patch: ShotPatch) -> Result<TaskId, Problem> {
        let says = patch.narration.as_ref().filter(|narration| **narration != shot.narration);
        let speaks_anew = says.is_some_and(|narration| !narration.trim().is_empty());
        let take =
            |kind, parameters| Command::GenerateTake { shot: shot.id, kind, parameters, candidates: 1 };
        let mut commands = vec![Command::ReviseShot { shot: shot.id, patch, generate: false }];
        commands.extend(speaks_anew.then(|| take(Kind::Tts, Parameters::default())));
        commands.push(take(Kind::Image, Parameters { seed: Some(new_seed()), ..Parameters::default() }));
        let executed = self.execute(shot.project_id, Command::Together(commands)).await?;
        self.app
            .task_of(&executed, &Wanted { kind: Kind::Image, shot: Some(shot.id), parameters: None })
            .await
    }

    /// Makes a picture, clip or voice of a shot; answers its task.
    pub(super) async fn generate_take(
        &self,
        shot: &ShotRow,
        kind: Kind,
        parameters: Parameters,
    ) -> Result<TaskId, Problem> {
        let command = Command::GenerateTake { shot: shot.id, kind, parameters, candidates: 1 };
        let executed = self.execute(shot.project_id, command).await?;
        self.app.task_of(&executed, &Wanted { kind, shot: Some(shot.id), parameters: None }).await
    }

    /// Makes the film; answers its task.
    pub(super) async fn render(&self, project: ProjectId, parameters: Parameters) -> Result<TaskId, Problem> {
        let wanted = Wanted { kind: Kind::Film, shot: None, parameters: Some(parameters.clone()) };
        let executed = self.execute(project, Command::RenderFilm { parameters }).await?;
        self.app.task_of(&executed, &wanted).await
    }
}

impl App {
    /// A task and its project, which may be in the trash: whoever watches a task sees how it ended. What it made is
    /// gone with a project that is given up.
    pub(super) async fn shown_task(&self, id: TaskId) -> Result<(TaskRow, ProjectRow), Problem> {
        let row = self.task_row(id).await?;
        let project = projects::find(&self.api.pool, row.project_id).await?;
        let project = project.filter(|project| !project.purged).ok_or(ProjectError::NotFound)?;
        Ok((row, project))
    }

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
}

fn new_seed() -> u32 {
    let [a, b, c, d, ..] = *Uuid::new_v4().as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

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
