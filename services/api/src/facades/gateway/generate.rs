//! `POST /v1/generate`: one step for a task of the StoryToVideo server, as its workers passed it on.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::ids::{ShotId, TaskId};
use domain::job::Kind;
use domain::project::{Command, Generate, GivenShot, Only, Parameters, ProjectPatch, SceneName, ShotPatch};
use domain::settings::Settings;
use serde_json::json;

use super::Answer;
use super::call::{Call, Known, Start, scene_name, sized};
use super::steps::voice;
use crate::App;
use crate::caller::Caller;
use crate::execute::Wanted;
use crate::facades::edit::transition_named;
use crate::facades::fields::Fields;
use crate::facades::render::film_parameters;
use crate::problem::Problem;

const TYPES: &str = "generate_storyboard, generate_shot, generate_audio, generate_video";

/// What the parts of `parameters` say.
struct Said {
    defaults: Fields,
    shot: Fields,
    video: Fields,
    tts: Fields,
}

pub(super) async fn post(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Answer {
    let parameters = fields.within("parameters");
    let said = Said {
        defaults: parameters.within("shotDefaults"),
        shot: parameters.within("shot"),
        video: parameters.within("video"),
        tts: parameters.within("tts"),
    };
    let kind = kind_of(&fields)?;
    let call = Call { app: &app, caller, fields };
    let known = call.known_project().await?;
    let job = match (kind, known) {
        (Kind::Storyboard, known) => call.tell(&said, known).await?,
        (kind, Some(known)) => call.make_in(&said, kind, &known).await?,
        (kind, None) => {
            let start = Start { style: said.style(), settings: said.settings(), ..Start::default() };
            let shot = call.shot(&said, kind).await?.ok_or_else(|| needs(kind))?;
            call.take(start, shot, (kind, said.parameters(kind)?)).await?
        }
    };
    Ok(Json(json!({ "job_id": job, "message": "the job is queued", "error": "" })))
}

fn kind_of(fields: &Fields) -> Result<Kind, Problem> {
    let text = fields.text(&["type"]).unwrap_or_default();
    let kinds = [Kind::Storyboard, Kind::Image, Kind::Tts, Kind::Video];
    let unknown = || Problem::bad_request("unknown_type", format!("type: must be one of {TYPES}"));
    kinds.into_iter().find(|kind| kind.task_type() == text).ok_or_else(unknown)
}

/// What a call without a project of ours must bring.
fn needs(kind: Kind) -> Problem {
    let what = match kind {
        Kind::Image => "parameters.shot.prompt",
        Kind::Tts => "the words to say: parameters.tts.text, shot.narration or shot_defaults.storyText",
        Kind::Video | Kind::Film | Kind::Storyboard => "parameters.shot.frame, a picture that is stored here",
    };
    Problem::bad_request("nothing_to_make", format!("without a project of ours, a call must bring {what}"))
}

impl Said {
    fn style(&self) -> String {
        self.shot.text(&["style"]).or_else(|| self.defaults.text(&["style"])).unwrap_or_default()
    }

    fn settings(&self) -> Settings {
        let pixels = |name| self.shot.count(name).ok().flatten();
        let size = pixels("imageWidth").zip(pixels("imageHeight"));
        size.map_or_else(Settings::default, |size| sized(Settings::default(), size))
    }

    fn parameters(&self, kind: Kind) -> Result<Parameters, Problem> {
        match kind {
            Kind::Tts => voice(&self.tts),
            Kind::Video => Ok(Parameters { fps: self.video.count("fps")?, ..Parameters::default() }),
            Kind::Image | Kind::Storyboard | Kind::Film => Ok(Parameters::default()),
        }
    }

    fn edit(&self) -> ShotPatch {
        ShotPatch {
            title: self.shot.text(&["title"]),
            prompt: self.shot.text(&["prompt"]),
            negative_prompt: self.shot.text(&["negativePrompt"]),
            transition: self.shot.text(&["transition"]).and_then(|name| transition_named(&name)).map(Some),
            ..ShotPatch::default()
        }
    }
}

impl Call<'_> {
    /// The storyboard: of the project that the call names, else of an errand.
    async fn tell(&self, said: &Said, known: Option<Known>) -> Result<TaskId, Problem> {
        let (story, style) = (said.defaults.text(&["storyText"]), said.defaults.text(&["style"]));
        let shot_count = said.defaults.count("shotCount")?;
        let make = |shot_count| Command::MakeStoryboard { force: false, shot_count, alone: true };
        let executed = match known {
            Some(known) => {
                let revise = Command::ReviseProject(ProjectPatch { story, style, ..ProjectPatch::default() });
                let together = Command::Together(vec![revise, make(shot_count)]);
                self.app.execute(&self.caller, known.id, together, self.fields.digest).await?
            }
            None => {
                let (story, style) = (story.unwrap_or_default(), style.unwrap_or_default());
                self.errand(Start { story, style, shot_count, ..Start::default() }, vec![make(None)]).await?
            }
        };
        self.app.task_of(&executed, &Wanted { kind: Kind::Storyboard, shot: None, parameters: None }).await
    }

    /// A take of the shot that the call names; without one, of all shots, or the film.
    async fn make_in(&self, said: &Said, kind: Kind, known: &Known) -> Result<TaskId, Problem> {
        let parameters = said.parameters(kind)?;
        match scene_name(&said.shot, "shotId") {
            Some(name) => match known_shot(known, &name) {
                Some(shot) => self.make_again(said, kind, (shot, parameters)).await,
                None => self.make_new(said, kind, (known, parameters)).await,
            },
            None if kind == Kind::Video => {
                let parameters = film_parameters(&said.video)?;
                let wanted = Wanted { kind: Kind::Film, shot: None, parameters: Some(parameters.clone()) };
                let film = Command::RenderFilm { parameters };
                let executed = self.app.execute(&self.caller, known.id, film, self.fields.digest).await?;
                self.app.task_of(&executed, &wanted).await
            }
            None => {
                let only = if kind == Kind::Tts { Only::All } else { Only::Missing };
                let wanted = Command::Generate(Generate { kinds: vec![kind], shots: None, only, parameters });
                let executed = self.app.execute(&self.caller, known.id, wanted, self.fields.digest).await?;
                self.app.batch_of(&executed).await
            }
        }
    }

    async fn make_again(
        &self,
        said: &Said,
        kind: Kind,
        (shot, parameters): (ShotId, Parameters),
    ) -> Result<TaskId, Problem> {
        let row = self.app.shot_row(shot).await?;
        if kind == Kind::Image {
            return self.app.redo_shot(&self.caller, &row, said.edit(), self.fields.digest).await;
        }
        self.app.generate_take(&self.caller, &row, kind, parameters, self.fields.digest).await
    }

    /// A shot more of an errand. In a project that is somebody's own, a shot that is not there is a mistake.
    async fn make_new(
        &self,
        said: &Said,
        kind: Kind,
        (known, parameters): (&Known, Parameters),
    ) -> Result<TaskId, Problem> {
        let unknown = || Problem::not_found("shot_not_found", "the project has no such shot");
        if known.state.errand.is_none() {
            return Err(unknown());
        }
        let shots = vec![self.shot(said, kind).await?.ok_or_else(|| needs(kind))?];
        let caller = self.caller.clone().for_several_commands();
        let given = Command::GiveShots { shots };
        let executed = self.app.execute(&caller, known.id, given, self.fields.digest).await?;
        let shot =
            executed.receipt.state.as_ref().and_then(|state| state.shots.last()).ok_or_else(unknown)?;
        let row = self.app.shot_row(shot.id).await?;
        self.app.generate_take(&caller, &row, kind, parameters, self.fields.digest).await
    }

    /// What the call tells of a shot, if that is enough for a take of this kind.
    async fn shot(&self, said: &Said, kind: Kind) -> Result<Option<GivenShot>, Problem> {
        let mut given =
            GivenShot { name: scene_name(&said.shot, "shotId"), content: said.edit(), picture: None };
        let is_enough = match kind {
            Kind::Image => given.content.prompt.is_some(),
            Kind::Tts => {
                let words = said.tts.text(&["text"]).or_else(|| said.shot.text(&["narration"]));
                given.content.narration = words.or_else(|| said.defaults.text(&["storyText"]));
                given.content.narration.is_some()
            }
            Kind::Video => {
                if let Some(frame) = said.shot.text(&["frame", "image", "imageUrl"]) {
                    given.picture = Some(self.picture(&frame).await?);
                }
                given.picture.is_some()
            }
            Kind::Storyboard | Kind::Film => false,
        };
        Ok(is_enough.then_some(given))
    }
}

/// A shot by our id, or by the client's own name for it.
fn known_shot(known: &Known, name: &SceneName) -> Option<ShotId> {
    let by_id = |text: &String| text.parse().ok().filter(|id| known.state.shot(*id).is_some());
    let ours = match name {
        SceneName::Text(text) => by_id(text),
        SceneName::Number(_) => None,
    };
    let theirs = || known.state.shots.iter().find(|shot| known.state.scene_name(shot.id) == Some(name));
    ours.or_else(|| theirs().map(|shot| shot.id))
}
