//! The ranges of everything that comes from outside.

use std::ops::RangeInclusive;

use super::command::Parameters;
use super::error::ProjectError;
use crate::ids::ShotId;
use crate::job::StoryboardOutput;
use crate::settings::Settings;

/// Longest story, in characters.
pub const STORY: usize = 20_000;
/// Longest title, in characters.
pub const TITLE: usize = 200;
/// Longest description or style, in characters.
pub const TEXT: usize = 2_000;
/// Longest prompt or negative prompt, in characters.
pub const PROMPT: usize = 2_000;
/// Longest narration of a shot, in characters.
pub const NARRATION: usize = 10_000;
/// Most shots of a project.
pub const SHOTS: u32 = 200;
/// Most candidates of a take that can be asked for at once.
pub const CANDIDATES: u32 = 4;
/// For so many days a project comes back out of the trash.
pub const TRASH_DAYS: i64 = 30;
/// Length of a shot or clip that can be asked for, in seconds.
pub const SHOT_SECONDS: RangeInclusive<f64> = 0.5..=600.0;
/// Longest a film can be asked to be, in seconds.
pub const FILM_SECONDS: RangeInclusive<f64> = 1.0..=36_000.0;
/// Sampling steps of a picture.
pub const STEPS: RangeInclusive<u32> = 1..=200;
/// Guidance scale of a picture.
pub const CFG_SCALE: RangeInclusive<f64> = 0.0..=50.0;
/// Frames per second of a clip or film.
pub const FPS: RangeInclusive<u32> = 12..=60;
/// Speed of a voice.
pub const SPEED: RangeInclusive<f64> = 0.5..=2.0;
/// Samples per second of a voice.
pub const SAMPLE_RATE: RangeInclusive<u32> = 8_000..=192_000;
/// No shot of a film is shorter, in seconds.
pub const SHORTEST_SHOT: f64 = 2.5;
/// No two shots of a film overlap for longer, in seconds: half a second, rounded up to a frame.
pub const LONGEST_TRANSITION: f64 = 0.6;

type Check = Result<(), ProjectError>;

fn invalid(field: &'static str, message: impl Into<String>) -> Check {
    Err(ProjectError::Invalid { field, message: message.into() })
}

fn at_most(field: &'static str, text: &str, characters: usize) -> Check {
    let has = text.chars().count();
    if has > characters {
        return invalid(field, format!("must have at most {characters} characters; it has {has}"));
    }
    if text.contains('\0') {
        return invalid(field, "must not contain the character U+0000");
    }
    Ok(())
}

fn within<T: PartialOrd + std::fmt::Display>(
    field: &'static str,
    value: Option<T>,
    range: RangeInclusive<T>,
) -> Check {
    match value {
        Some(value) if !range.contains(&value) => {
            let (low, high) = range.into_inner();
            invalid(field, format!("must be between {low} and {high}; it is {value}"))
        }
        _ => Ok(()),
    }
}

pub(super) fn check_project(story: &str, title: &str, description: &str, style: &str) -> Check {
    check_story(story)?;
    check_fields(story, title, description, style)
}

pub(super) fn check_story(story: &str) -> Check {
    if story.trim().is_empty() { invalid("story", "must not be empty") } else { Ok(()) }
}

/// The same of a project that may have no story.
pub(super) fn check_fields(story: &str, title: &str, description: &str, style: &str) -> Check {
    at_most("story", story, STORY)?;
    check_title(title)?;
    at_most("description", description, TEXT)?;
    at_most("style", style, TEXT)
}

fn check_title(title: &str) -> Check {
    at_most("title", title, TITLE)?;
    if title.chars().any(char::is_control) {
        return invalid("title", "must be one line without control characters");
    }
    Ok(())
}

pub(super) fn check_shot_count(count: Option<u32>) -> Check {
    within("shotCount", count, 1..=SHOTS)
}

pub(super) fn check_settings(settings: &Settings) -> Check {
    within("settings.fps", Some(settings.fps), FPS)?;
    within("settings.budget", settings.budget, 0.0..=1e9)?;
    let language = settings.language.as_deref();
    language.map_or(Ok(()), |language| check_language("settings.language", language))?;
    settings.voice.as_deref().map_or(Ok(()), |voice| check_name("settings.voice", voice))
}

fn check_language(field: &'static str, tag: &str) -> Check {
    let is_tag =
        (2..=35).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_tag { Ok(()) } else { invalid(field, "must be a BCP 47 language tag such as en or zh") }
}

fn check_name(field: &'static str, name: &str) -> Check {
    at_most(field, name, TITLE)?;
    if name.trim().is_empty() || name.chars().any(char::is_control) {
        return invalid(field, "must be a name without control characters");
    }
    Ok(())
}

pub(super) fn check_prompts(prompt: &str, negative_prompt: &str) -> Check {
    at_most("prompt", prompt, PROMPT)?;
    at_most("negativePrompt", negative_prompt, PROMPT)
}

pub(super) fn check_narration(narration: &str) -> Check {
    at_most("narration", narration, NARRATION)
}

pub(super) fn check_shot_details(title: &str, duration_seconds: Option<f64>) -> Check {
    check_title(title)?;
    within("duration", duration_seconds, SHOT_SECONDS)
}

pub(super) fn check_candidates(count: u32) -> Check {
    within("candidates", Some(count), 1..=CANDIDATES)
}

/// A place from 0, which callers count from 1.
pub(super) fn check_place(place: Option<u32>, shots: u32) -> Check {
    let order = place.map(|place| place.saturating_add(1));
    within("order", order, 1..=shots.saturating_add(1))
}

/// A new order names every shot once.
pub(super) fn check_order(known: &[ShotId], order: &[ShotId]) -> Check {
    let sorted = |shots: &[ShotId]| {
        let mut shots = shots.to_vec();
        shots.sort_unstable();
        shots
    };
    if sorted(known) == sorted(order) {
        return Ok(());
    }
    invalid("shots", "must name every shot of the project once, and no other")
}

pub(super) fn check_parameters(parameters: &Parameters) -> Check {
    within("steps", parameters.steps, STEPS)?;
    within("cfgScale", parameters.cfg_scale, CFG_SCALE)?;
    within("fps", parameters.fps, FPS)?;
    within("duration", parameters.duration_seconds, SHOT_SECONDS)?;
    within("speed", parameters.speed, SPEED)?;
    within("maxSeconds", parameters.max_seconds, FILM_SECONDS)?;
    within("sampleRate", parameters.sample_rate, SAMPLE_RATE)?;
    let Parameters { model, voice, voice_format, .. } = parameters;
    for (field, name) in [("model", model), ("voice", voice), ("format", voice_format)] {
        name.as_deref().map_or(Ok(()), |name| check_name(field, name))?;
    }
    Ok(())
}

/// Providers are not trusted to keep to what was asked.
pub(super) fn check_storyboard(output: &StoryboardOutput) -> Check {
    within("shots", u32::try_from(output.shots.len()).ok(), 1..=SHOTS)?;
    check_title(&output.title)?;
    check_language("language", &output.language)?;
    for shot in &output.shots {
        check_title(&shot.title)?;
        check_prompts(&shot.prompt, "")?;
        check_narration(&shot.narration)?;
    }
    Ok(())
}
