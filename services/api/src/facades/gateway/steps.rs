//! A route for each step of the chain, and one for the whole of it.

use axum::Json;
use domain::ids::TaskId;
use domain::job::Kind;
use domain::project::{Command, CreateProject, GivenShot, Parameters, ShotPatch};
use domain::settings::{Music, Settings};
use serde_json::json;

use super::errand::scene_name;
use super::{Answer, view};
use crate::execute::Wanted;
use crate::facades::asked::{Asked, Size};
use crate::facades::call::Call;
use crate::facades::fields::Fields;
use crate::problem::Problem;

/// The words for a scene's number or name.
pub(super) const SCENE: &str = "sceneId";

/// `{story, style, scenes}`: the storyboard.
pub(super) async fn storyboard(call: Call) -> Answer {
    let make = Command::MakeStoryboard { force: false, shot_count: None, alone: true };
    let executed = call.errand(call.told()?, Parameters::default(), vec![make]).await?;
    let wanted = Wanted { kind: Kind::Storyboard, shot: None, parameters: None };
    call.answer(call.app.task_of(&executed, &wanted).await?, "").await
}

/// `{storyboard[], image_style{resolution, num_steps, cfg_scale, seed}}`: a picture of each scene.
pub(super) async fn frames(call: Call) -> Answer {
    let scenes = call.fields.list("storyboard", "prompt")?;
    let shots = scenes.iter().map(drawn).collect::<Result<_, _>>()?;
    let style = call.fields.within("imageStyle");
    let mut asked = Asked::of(&style);
    let (settings, parameters) = (asked.settings()?, asked.picture()?);
    let plain = call.project(None);
    let named = Some(plain.style.clone()).filter(|style| !style.is_empty());
    let style = named.or_else(|| style.text(&["style"])).unwrap_or_default();
    let project = CreateProject { style, settings, ..plain };
    let batch = call.takes(project, shots, (Kind::Image, parameters)).await?;
    call.answer(batch, &asked.answer("")).await
}

/// A scene of which a picture is made: of its prompt, else of what it says.
fn drawn(scene: &Fields) -> Result<GivenShot, Problem> {
    let needs_prompt = || Problem::bad_request("invalid", "storyboard: every scene must have a prompt");
    let prompt = scene.text(&["prompt", "narration", "title"]).ok_or_else(needs_prompt)?;
    let content = ShotPatch {
        title: scene.text(&["title"]),
        prompt: Some(prompt),
        negative_prompt: scene.text(&["negativePrompt"]),
        narration: scene.text(&["narration"]),
        mood: scene.text(&["bgm"]).and_then(|mood| mood.parse().ok()),
        ..ShotPatch::default()
    };
    Ok(GivenShot { name: scene_name(scene, SCENE), content, ..GivenShot::default() })
}

/// `{frames[], video{fps, resolution, transition_duration}}`: a clip of each frame. Clips are made one by one, so
/// there is no transition to have a duration.
pub(super) async fn clips(call: Call) -> Answer {
    let video = call.fields.within("video");
    let mut asked = Asked::of(&video);
    let (settings, parameters) = (asked.settings()?, asked.clip()?);
    let scenes = call.fields.list("frames", "frame")?;
    // The pictures of a repeated call may be gone, or its addresses too old.
    let batch = match call.app.repeated(&call.caller, call.fields.digest).await? {
        Some(repeated) => call.app.batch_of(&repeated).await?,
        None => {
            let shots = call.framed(&scenes).await?;
            let project = CreateProject { settings, ..call.project(None) };
            call.takes(project, shots, (Kind::Video, parameters)).await?
        }
    };
    call.answer(batch, &asked.answer("")).await
}

/// `{lines[{scene_id, text}], voice, speed, format}`: a voice for each line.
pub(super) async fn narration(call: Call) -> Answer {
    let lines = call.fields.list("lines", "text")?;
    let shots = lines.iter().map(spoken).collect::<Result<_, _>>()?;
    let mut asked = Asked::of(&call.fields);
    let parameters = asked.voice()?;
    let batch = call.takes(call.project(None), shots, (Kind::Tts, parameters)).await?;
    call.answer(batch, &asked.answer("")).await
}

fn spoken(line: &Fields) -> Result<GivenShot, Problem> {
    let needs_text = || Problem::bad_request("invalid", "lines: every line must have a text");
    let narration = line.text(&["text", "narration"]).ok_or_else(needs_text)?;
    let content = ShotPatch { narration: Some(narration), ..ShotPatch::default() };
    Ok(GivenShot { name: scene_name(line, SCENE), content, ..GivenShot::default() })
}

/// `{story, style?, scenes?, width?, height?, img_steps?, cfg_scale?, fps?, clip_seconds?, speaker?, speed?, bgm?}`:
/// the whole chain, up to the film.
pub(super) async fn render(call: Call) -> Answer {
    let mut asked = Asked::of(&call.fields);
    let (picture, clip, voice) = (asked.picture()?, asked.clip()?, asked.voice()?);
    let settings = Settings {
        music: music(&call.fields),
        // Whoever says how long clips are wants clips.
        image_to_video: clip.duration_seconds.is_some(),
        seed: picture.seed,
        ..asked.size()?.map(Size::of_pictures).unwrap_or_default()
    };
    let settings = Settings { fps: clip.fps.unwrap_or(settings.fps), voice: voice.voice, ..settings };
    let usual =
        Parameters { seed: None, duration_seconds: clip.duration_seconds, speed: voice.speed, ..picture };
    let project = CreateProject { settings, ..call.told()? };
    // The film has the very size; pictures of the nearest shape are cropped.
    let parameters = Parameters { resolution: asked.frame()?, ..Parameters::default() };
    let wanted = Wanted { kind: Kind::Film, shot: None, parameters: Some(parameters.clone()) };
    let make = Command::MakeStoryboard { force: false, shot_count: None, alone: false };
    let executed = call.errand(project, usual, vec![make, Command::RenderFilm { parameters }]).await?;
    let job = call.app.task_of(&executed, &wanted).await?;
    Ok(Json(json!({ "job_id": job, "message": asked.answer("the film is made"), "error": "" })))
}

/// `bgm` names a mood, or says whether there is music at all.
fn music(fields: &Fields) -> Music {
    match fields.value("bgm") {
        Some(said) if said.as_bool() == Some(false) => Music::None,
        said => {
            let named = said.and_then(|said| said.as_str()?.trim().to_lowercase().parse().ok());
            named.filter(|music| *music != Music::Own).unwrap_or(Music::Auto)
        }
    }
}

impl Call {
    /// A project that is told from its story.
    fn told(&self) -> Result<CreateProject, Problem> {
        let plain = self.project(self.fields.text(&["story", "storyText"]));
        Ok(CreateProject { shot_count: self.fields.count("scenes")?, ..plain })
    }

    /// The task that was asked for, with these words if there are any.
    async fn answer(&self, task: TaskId, words: &str) -> Answer {
        let mut task = view::task(&self.app, task, &self.base).await?;
        if !words.is_empty() {
            task["message"] = json!(words);
        }
        Ok(Json(task))
    }
}
