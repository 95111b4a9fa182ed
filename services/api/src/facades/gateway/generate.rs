//! `POST /v1/generate`: one step for a task of the StoryToVideo server, as its workers passed it on.

use axum::Json;
use domain::ids::{ShotId, TaskId};
use domain::job::Kind;
use domain::project::{
    Command, CreateProject, Generate, GivenShot, Only, Parameters, ProjectPatch, SceneName, ShotPatch,
};
use serde_json::json;

use super::Answer;
use super::errand::{Known, scene_name};
use crate::execute::Wanted;
use crate::facades::asked::Asked;
use crate::facades::call::{Call, transition_named};
use crate::facades::fields::Fields;
use crate::problem::Problem;

const TYPES: &str = "generate_storyboard, generate_shot, generate_audio, generate_video";
/// The words for a shot's id or name.
const SHOT: &str = "shotId";

/// What the parts of `parameters` say.
struct Said {
    defaults: Fields,
    shot: Fields,
    video: Fields,
    tts: Fields,
}

pub(super) async fn post(call: Call) -> Answer {
    let parameters = call.fields.within("parameters");
    let said = Said {
        defaults: parameters.within("shotDefaults"),
        shot: parameters.within("shot"),
        video: parameters.within("video"),
        tts: parameters.within("tts"),
    };
    let known = call.known_project().await?;
    let kind = match kind_of(&call.fields)? {
        Kind::Video if known.is_some() && scene_name(&said.shot, SHOT).is_none() => Kind::Film,
        kind => kind,
    };
    let (parameters, mut words) = said.parameters(kind)?;
    let job = match (kind, known) {
        (Kind::Storyboard, known) => call.tell(&said, known).await?,
        (Kind::Film, Some(known)) => call.render(known.id, parameters).await?,
        (kind, Some(known)) => call.make_in(&known, &said, (kind, parameters)).await?,
        (kind, None) => {
            let mut asked = Asked::of(&said.shot);
            let (style, settings) = (said.style(), asked.settings()?);
            words = asked.answer(&words);
            let shots = vec![call.shot(&said, (kind, parameters)).await?];
            let project = CreateProject { style, settings, ..call.project(None) };
            let given = Command::GiveShots { shots };
            let executed = call.errand(project, Parameters::default(), vec![given]).await?;
            call.take_of(&executed, kind).await?
        }
    };
    Ok(Json(json!({ "job_id": job, "message": words, "error": "" })))
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
        Kind::Video | Kind::Film | Kind::Storyboard => "parameters.shot.frame, the address of a picture",
    };
    Problem::bad_request("nothing_to_make", format!("without a project of ours, a call must bring {what}"))
}

impl Said {
    fn style(&self) -> String {
        self.shot.text(&["style"]).or_else(|| self.defaults.text(&["style"])).unwrap_or_default()
    }

    /// How a take is to be made, and what to say about that.
    fn parameters(&self, kind: Kind) -> Result<(Parameters, String), Problem> {
        let mut asked = Asked::of(if kind == Kind::Tts { &self.tts } else { &self.video });
        let parameters = match kind {
            Kind::Tts => asked.voice()?,
            Kind::Video => asked.clip()?,
            Kind::Film => asked.film()?,
            Kind::Image | Kind::Storyboard => Parameters::default(),
        };
        Ok((parameters, asked.answer("the job is queued")))
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

impl Call {
    /// The storyboard: of the project that the call names, else of an errand.
    async fn tell(&self, said: &Said, known: Option<Known>) -> Result<TaskId, Problem> {
        let (story, style) = (said.defaults.text(&["storyText"]), said.defaults.text(&["style"]));
        let shot_count = said.defaults.count("shotCount")?;
        let make = |shot_count| Command::MakeStoryboard { force: false, shot_count, alone: true };
        let executed = match known {
            Some(known) => {
                let revise = Command::ReviseProject(ProjectPatch { story, style, ..ProjectPatch::default() });
                self.execute(known.id, Command::Together(vec![revise, make(shot_count)])).await?
            }
            None => {
                let style = style.unwrap_or_default();
                let project = CreateProject { style, shot_count, ..self.project(story) };
                self.errand(project, Parameters::default(), vec![make(None)]).await?
            }
        };
        self.app.task_of(&executed, &Wanted { kind: Kind::Storyboard, shot: None, parameters: None }).await
    }

    /// A take of the shot that the call names; without one, of all shots.
    async fn make_in(
        &self,
        known: &Known,
        said: &Said,
        (kind, parameters): (Kind, Parameters),
    ) -> Result<TaskId, Problem> {
        let Some(name) = scene_name(&said.shot, SHOT) else {
            let only = if kind == Kind::Tts { Only::All } else { Only::Missing };
            let wanted = Command::Generate(Generate { kinds: vec![kind], shots: None, only, parameters });
            let executed = self.execute(known.id, wanted).await?;
            return self.app.batch_of(&executed).await;
        };
        match known_shot(known, &name) {
            Some(shot) if kind == Kind::Image => {
                self.redo_shot(&self.app.shot_row(shot).await?, said.edit()).await
            }
            Some(shot) => self.generate_take(&self.app.shot_row(shot).await?, kind, parameters).await,
            None => self.make_new(known, said, (kind, parameters)).await,
        }
    }

    /// A shot more of an errand. In a project that is somebody's own, a shot that is not there is a mistake.
    async fn make_new(
        &self,
        known: &Known,
        said: &Said,
        (kind, parameters): (Kind, Parameters),
    ) -> Result<TaskId, Problem> {
        if known.state.errand.is_none() {
            return Err(Problem::not_found("shot_not_found", "the project has no such shot"));
        }
        let shots = vec![self.shot(said, (kind, parameters)).await?];
        let executed = self.execute(known.id, Command::GiveShots { shots }).await?;
        self.take_of(&executed, kind).await
    }

    /// What the call tells of a shot, if that is enough for such a take.
    async fn shot(&self, said: &Said, (kind, parameters): (Kind, Parameters)) -> Result<GivenShot, Problem> {
        let mut given = GivenShot {
            name: scene_name(&said.shot, SHOT),
            content: said.edit(),
            picture: None,
            take: Some((kind, parameters)),
        };
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
        if is_enough { Ok(given) } else { Err(needs(kind)) }
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
