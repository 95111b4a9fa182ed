//! A route for each step of the chain, and one for the whole of it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::job::Kind;
use domain::project::{Command, GivenShot, Parameters, ShotPatch};
use domain::settings::{Music, Settings};
use serde_json::json;

use super::call::{Call, Start, scene_name, sized, sized_as_said};
use super::{Answer, view};
use crate::App;
use crate::caller::Caller;
use crate::execute::Wanted;
use crate::extract::Base;
use crate::facades::fields::Fields;
use crate::problem::Problem;

/// The words for a scene's number or name.
const SCENE: &str = "sceneId";

/// `{story, style, scenes}`: the storyboard.
pub(super) async fn storyboard(
    State(app): State<Arc<App>>,
    base: Base,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let call = Call { app: &app, caller, fields };
    let start = told(&call.fields)?;
    let make = Command::MakeStoryboard { force: false, shot_count: None, alone: true };
    let executed = call.errand(start, vec![make]).await?;
    let wanted = Wanted { kind: Kind::Storyboard, shot: None, parameters: None };
    Ok(Json(view::task(&app, app.task_of(&executed, &wanted).await?, &base).await?))
}

/// `{storyboard[], image_style{resolution, num_steps, cfg_scale, seed}}`: a picture of each scene.
pub(super) async fn frames(
    State(app): State<Arc<App>>,
    base: Base,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let call = Call { app: &app, caller, fields };
    let scenes = call.fields.list("storyboard", "prompt")?;
    let shots = scenes.iter().map(drawn).collect::<Result<_, _>>()?;
    let style = call.fields.within("imageStyle");
    let resolution = style.text(&["resolution"]);
    let start = Start {
        style: call.fields.text(&["style"]).or_else(|| style.text(&["style"])).unwrap_or_default(),
        settings: sized_as_said(Settings::default(), resolution.as_deref())?,
        ..Start::default()
    };
    let parameters = Parameters {
        steps: style.count("numSteps")?,
        cfg_scale: style.number("cfgScale")?,
        seed: style.count("seed")?,
        ..Parameters::default()
    };
    let batch = call.takes(start, shots, (Kind::Image, parameters)).await?;
    Ok(Json(view::task(&app, batch, &base).await?))
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
    Ok(GivenShot { name: scene_name(scene, SCENE), content, picture: None })
}

/// `{frames[], video{fps, resolution, transition_duration}}`: a clip of each frame. Clips are made one by one, so
/// there is no transition to have a duration.
pub(super) async fn clips(State(app): State<Arc<App>>, base: Base, caller: Caller, fields: Fields) -> Answer {
    let call = Call { app: &app, caller, fields };
    let mut shots = Vec::new();
    for scene in call.fields.list("frames", "frame")? {
        let frame = scene.text(&["frame", "imageUrl", "url", "path"]).unwrap_or_default();
        let picture = Some(call.picture(&frame).await?);
        let content = ShotPatch { prompt: scene.text(&["prompt"]), ..ShotPatch::default() };
        shots.push(GivenShot { name: scene_name(&scene, SCENE), content, picture });
    }
    let video = call.fields.within("video");
    let resolution = video.text(&["resolution"]);
    let settings = sized_as_said(Settings::default(), resolution.as_deref())?;
    let parameters = Parameters {
        fps: video.count("fps")?,
        duration_seconds: video.number("duration")?,
        ..Parameters::default()
    };
    let start = Start { settings, ..Start::default() };
    let batch = call.takes(start, shots, (Kind::Video, parameters)).await?;
    Ok(Json(view::task(&app, batch, &base).await?))
}

/// `{lines[{scene_id, text}], voice, speed, format}`: a voice for each line.
pub(super) async fn narration(
    State(app): State<Arc<App>>,
    base: Base,
    caller: Caller,
    fields: Fields,
) -> Answer {
    let call = Call { app: &app, caller, fields };
    let lines = call.fields.list("lines", "text")?;
    let shots = lines.iter().map(spoken).collect::<Result<_, _>>()?;
    let parameters = voice(&call.fields)?;
    let batch = call.takes(Start::default(), shots, (Kind::Tts, parameters)).await?;
    Ok(Json(view::task(&app, batch, &base).await?))
}

fn spoken(line: &Fields) -> Result<GivenShot, Problem> {
    let needs_text = || Problem::bad_request("invalid", "lines: every line must have a text");
    let narration = line.text(&["text", "narration"]).ok_or_else(needs_text)?;
    let content = ShotPatch { narration: Some(narration), ..ShotPatch::default() };
    Ok(GivenShot { name: scene_name(line, SCENE), content, picture: None })
}

/// How a voice is asked for. A language stands for its own voice.
pub(super) fn voice(fields: &Fields) -> Result<Parameters, Problem> {
    Ok(Parameters {
        voice: fields.text(&["voice", "speaker", "lang"]),
        speed: fields.number("speed")?,
        sample_rate: fields.count("sampleRate")?,
        voice_format: fields.text(&["format"]),
        ..Parameters::default()
    })
}

/// `{story, style?, scenes?, width?, height?, img_steps?, cfg_scale?, fps?, clip_seconds?, speaker?, speed?, bgm?}`:
/// the whole chain, up to the film.
pub(super) async fn render(State(app): State<Arc<App>>, caller: Caller, fields: Fields) -> Answer {
    let call = Call { app: &app, caller, fields };
    let make = Command::MakeStoryboard { force: false, shot_count: None, alone: false };
    let parameters = Parameters::default();
    let wanted = Wanted { kind: Kind::Film, shot: None, parameters: Some(parameters.clone()) };
    let film = Command::RenderFilm { parameters };
    let executed = call.errand(chained(&call.fields)?, vec![make, film]).await?;
    let job = app.task_of(&executed, &wanted).await?;
    Ok(Json(json!({ "job_id": job, "message": "the film is made", "error": "" })))
}

fn told(fields: &Fields) -> Result<Start, Problem> {
    Ok(Start {
        story: fields.text(&["story", "storyText"]).unwrap_or_default(),
        style: fields.text(&["style"]).unwrap_or_default(),
        shot_count: fields.count("scenes")?,
        ..Start::default()
    })
}

fn chained(fields: &Fields) -> Result<Start, Problem> {
    let clip_seconds = fields.number("clipSeconds")?;
    let usual = Parameters {
        steps: fields.count("imgSteps")?,
        cfg_scale: fields.number("cfgScale")?,
        duration_seconds: clip_seconds,
        speed: fields.number("speed")?,
        ..Parameters::default()
    };
    let size = fields.count("width")?.zip(fields.count("height")?);
    let plain = Settings::default();
    let plain = size.map_or(plain.clone(), |size| sized(plain, size));
    let settings = Settings {
        fps: fields.count("fps")?.unwrap_or(plain.fps),
        voice: fields.text(&["speaker"]),
        music: music(fields),
        // Whoever says how long clips are wants clips.
        image_to_video: clip_seconds.is_some(),
        ..plain
    };
    Ok(Start { settings, usual, ..told(fields)? })
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
