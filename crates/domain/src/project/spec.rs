//! What each task asks for by today's content, and what has become stale by it.

mod film;

use super::command::Parameters;
use super::state::{Project, Shot, Status, Take, Task, TaskState};
use crate::ids::{ShotId, TaskId};
use crate::job::{ImageSpec, Kind, Spec, StoryboardSpec, TtsSpec, VideoSpec};
use crate::settings::VoiceFormat;

/// Length of a clip in seconds when nobody says otherwise.
const CLIP_SECONDS: f64 = 4.0;

impl Project {
    /// The shot with this id.
    pub fn shot(&self, id: ShotId) -> Option<&Shot> {
        self.shots.iter().find(|shot| shot.id == id)
    }

    /// Open tasks with their ids.
    pub fn open_tasks(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.tasks.iter().filter(|(_, task)| task.is_open()).map(|(id, task)| (*id, task))
    }

    /// What a task asks for by today's content; nothing when what it builds on is missing.
    pub fn spec(&self, task: &Task) -> Option<Spec> {
        self.spec_of(task.kind, task.shot, &task.parameters)
    }

    /// What work of a kind on a shot (or on the whole project) asks for by today's content.
    pub fn spec_of(&self, kind: Kind, shot: Option<ShotId>, parameters: &Parameters) -> Option<Spec> {
        let shot = shot.and_then(|id| self.shot(id));
        match kind {
            Kind::Storyboard => Some(Spec::Storyboard(self.storyboard_spec())),
            Kind::Image => Some(Spec::Image(self.image_spec(shot?, parameters))),
            Kind::Video => self.video_spec(shot?, parameters).map(Spec::Video),
            Kind::Tts => self.tts_spec(shot?, parameters).map(Spec::Tts),
            Kind::Film => self.film_spec(parameters).ok().map(Spec::Film),
        }
    }

    /// Whether the selected take of a kind is no longer what today's content asks for. A picture that is
    /// stale makes its clip stale; a voice that nobody is to hear any more is not stale.
    pub fn is_stale(&self, shot: &Shot, kind: Kind) -> bool {
        if kind == Kind::Tts && !has_words(shot) {
            return false;
        }
        let outdated = shot.take(kind).is_some_and(|take| !self.asks_for(shot, kind, take));
        outdated || (kind == Kind::Video && shot.video.is_some() && self.is_stale(shot, Kind::Image))
    }

    /// Whether the story, style or settings changed since the storyboard was made from them.
    pub fn storyboard_is_stale(&self) -> bool {
        let today = Spec::Storyboard(self.storyboard_spec()).hash();
        self.storyboard.as_ref().is_some_and(|made_from| *made_from != today)
    }

    /// Where the project stands as a whole.
    pub fn status(&self) -> Status {
        let storyboard = self.tasks.values().find(|task| task.kind == Kind::Storyboard);
        match storyboard {
            Some(task) if task.state == TaskState::Pending => Status::Created,
            Some(task) if task.is_open() => Status::Storyboard,
            _ if self.open_tasks().next().is_some() => Status::Generating,
            Some(_) => Status::Failed,
            None if self.tasks.values().any(|task| task.state == TaskState::Failed) => Status::Failed,
            None => Status::Ready,
        }
    }

    /// The kinds of takes that a finished shot has, by the project's settings.
    pub fn kinds_of(&self, shot: &Shot) -> Vec<Kind> {
        let mut kinds = vec![Kind::Image];
        if self.settings.image_to_video {
            kinds.push(Kind::Video);
        }
        if has_words(shot) {
            kinds.push(Kind::Tts);
        }
        kinds
    }

    /// Whether a shot has every take it should have, none of them stale.
    pub fn is_complete(&self, shot: &Shot) -> bool {
        self.kinds_of(shot).into_iter().all(|kind| shot.take(kind).is_some() && !self.is_stale(shot, kind))
    }

    /// BCP 47 language of the film.
    pub fn film_language(&self) -> &str {
        self.settings.language.as_deref().or(self.language.as_deref()).unwrap_or("en")
    }

    fn storyboard_spec(&self) -> StoryboardSpec {
        StoryboardSpec {
            story: self.story.clone(),
            style: self.style.clone(),
            language: self.settings.language.clone(),
            shot_count: self.shot_count,
            verbatim: self.settings.verbatim_narration,
        }
    }

    fn image_spec(&self, shot: &Shot, parameters: &Parameters) -> ImageSpec {
        let (width, height) = self.settings.frame_size();
        ImageSpec {
            prompt: shot.prompt.clone(),
            negative_prompt: shot.negative_prompt.clone(),
            style: self.style.clone(),
            mood: shot.mood,
            width,
            height,
            seed: parameters.seed.unwrap_or_else(|| self.seed_for(shot)),
            model: parameters.model.clone(),
            steps: parameters.steps,
            cfg_scale: parameters.cfg_scale,
        }
    }

    /// Each shot has a seed of its own that follows from the project's; a copy has that of its original.
    fn seed_for(&self, shot: &Shot) -> u32 {
        let project = self.settings.seed.unwrap_or(0).to_be_bytes();
        let digest = crate::hash::sha256(&[&project, shot.origin().0.as_bytes()]);
        u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
    }

    fn video_spec(&self, shot: &Shot, parameters: &Parameters) -> Option<VideoSpec> {
        let (width, height) = self.settings.frame_size();
        Some(VideoSpec {
            image: shot.image.as_ref()?.asset.key.clone(),
            prompt: shot.prompt.clone(),
            width,
            height,
            fps: parameters.fps.unwrap_or(self.settings.fps),
            duration_seconds: parameters.duration_seconds.or(shot.duration_seconds).unwrap_or(CLIP_SECONDS),
            seed: parameters.seed.unwrap_or_else(|| self.seed_for(shot)),
            model: parameters.model.clone(),
            steps: parameters.steps,
            cfg_scale: parameters.cfg_scale,
        })
    }

    fn tts_spec(&self, shot: &Shot, parameters: &Parameters) -> Option<TtsSpec> {
        has_words(shot).then(|| TtsSpec {
            text: shot.narration.clone(),
            language: self.settings.language.clone().or_else(|| self.language.clone()),
            voice: parameters.voice.clone().or_else(|| self.settings.voice.clone()),
            speed: parameters.speed.unwrap_or(1.0),
            format: voice_format(parameters).filter(|format| *format != VoiceFormat::Wav),
            sample_rate: parameters.sample_rate,
            model: parameters.model.clone(),
        })
    }

    /// Whether a take is what today's content asks for.
    fn asks_for(&self, shot: &Shot, kind: Kind, take: &Take) -> bool {
        let today = self.spec_of(kind, Some(shot.id), &take.parameters);
        today.is_some_and(|spec| spec.hash() == take.spec_hash)
    }
}

/// The format that was asked for; one that nobody makes was kept by earlier versions, and told.
fn voice_format(parameters: &Parameters) -> Option<VoiceFormat> {
    parameters.voice_format.as_deref()?.parse().ok()
}

fn has_words(shot: &Shot) -> bool {
    !shot.narration.trim().is_empty()
}
