//! What a project consists of at one of its versions: what a restore brings back, and what a fork starts from.
//!
//! Content is stored in events, so its shape is its own and not that of the state.

use serde::{Deserialize, Serialize};

use super::command::Parameters;
use super::event::{ProjectForked, ProjectRestored};
use super::state::{Lifecycle, Project, Shot, Take};
use crate::asset::Asset;
use crate::ids::{NewIds, ShotId, TakeId};
use crate::job::{Kind, MadeWith, SpecHash};
use crate::settings::{Mood, Settings, Transition};

/// Everything of a project that people make or choose; no tasks and no film.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// Up to 200 characters.
    pub title: String,
    /// Free text.
    pub description: String,
    /// The story, word for word.
    pub story: String,
    /// Free text.
    pub style: String,
    /// Shots asked for at creation.
    pub shot_count: Option<u32>,
    /// How the film looks and sounds.
    pub settings: Settings,
    /// BCP 47 language that the storyboard found.
    pub language: Option<String>,
    /// What the storyboard was asked for.
    pub storyboard: Option<SpecHash>,
    /// The user's own music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<Asset>,
    /// In their order.
    pub shots: Vec<ContentShot>,
}

/// One shot of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentShot {
    /// Its id.
    pub id: ShotId,
    /// The shot of another project that it is a copy of; seeds and moves follow from that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<ShotId>,
    /// A few words.
    pub title: String,
    /// What the picture shows.
    pub prompt: String,
    /// What it must not show.
    pub negative_prompt: String,
    /// What is said.
    pub narration: String,
    /// Its feeling.
    pub mood: Mood,
    /// How it goes over to the next shot; the project's way when absent.
    pub transition: Option<Transition>,
    /// Minimum length in seconds.
    pub duration_seconds: Option<f64>,
    /// Its place in the storyboard that it comes from, from 0; absent when it was added by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<u32>,
    /// Whether somebody edited it, or chose or uploaded a take of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// Whether it refuses to be generated again.
    pub locked: bool,
    /// The selected picture.
    pub image: Option<ContentTake>,
    /// The selected clip.
    pub video: Option<ContentTake>,
    /// The selected voice.
    pub voice: Option<ContentTake>,
    /// Whether the clip was selected after the picture, so that the film shows it.
    pub clip_is_newest: bool,
}

/// A selected picture, clip or voice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentTake {
    /// Its id.
    pub take_id: TakeId,
    /// The stored media.
    pub asset: Asset,
    /// What was asked for.
    pub spec_hash: SpecHash,
    /// How it was asked for.
    pub parameters: Parameters,
    /// What really made it.
    pub made_with: MadeWith,
}

impl Content {
    /// A copy for another project: shots and takes with ids of their own, and the same media. Each shot
    /// remembers where it comes from, so that what was asked for there is the same as what is asked for here.
    pub(super) fn copy(mut self, ids: &mut NewIds) -> Self {
        for shot in &mut self.shots {
            shot.origin = shot.origin.or(Some(shot.id));
            shot.id = ShotId(ids.next_uuid());
            for take in shot.takes_mut() {
                take.take_id = TakeId(ids.next_uuid());
            }
        }
        self
    }

    /// Leaves out the selected takes whose media is not to be had any more.
    pub fn retain_takes(&mut self, mut keep: impl FnMut(&Asset) -> bool) {
        for shot in &mut self.shots {
            for take in [&mut shot.image, &mut shot.video, &mut shot.voice] {
                take.take_if(|take| !keep(&take.asset));
            }
            shot.clip_is_newest &= shot.image.is_some() && shot.video.is_some();
        }
    }

    /// All stored media that it names, with the take that each is of; music is of none.
    pub fn media(&self) -> impl Iterator<Item = (Option<TakeId>, &Asset)> {
        let music = self.music.iter().map(|music| (None, music));
        music.chain(self.takes().map(|(_, _, take)| (Some(take.take_id), &take.asset)))
    }

    /// The selected takes with their shots and kinds.
    pub fn takes(&self) -> impl Iterator<Item = (ShotId, Kind, &ContentTake)> {
        self.shots.iter().flat_map(|shot| {
            let takes = [(Kind::Image, &shot.image), (Kind::Video, &shot.video), (Kind::Tts, &shot.voice)];
            takes.into_iter().filter_map(|(kind, take)| take.as_ref().map(|take| (shot.id, kind, take)))
        })
    }
}

impl ContentShot {
    fn takes_mut(&mut self) -> impl Iterator<Item = &mut ContentTake> {
        [&mut self.image, &mut self.video, &mut self.voice].into_iter().flatten()
    }

    /// Names every field, so that a new one is not forgotten here.
    fn of(shot: &Shot) -> Self {
        let Shot {
            id,
            origin,
            title,
            prompt,
            negative_prompt,
            narration,
            mood,
            transition,
            duration_seconds,
            slot,
            edited,
            locked,
            revised: _,
            image,
            video,
            voice,
        } = shot.clone();
        let selected = |take: &Option<Take>| take.as_ref().map(|take| take.selected_at);
        Self {
            clip_is_newest: selected(&image).is_some() && selected(&video) > selected(&image),
            id,
            origin,
            title,
            prompt,
            negative_prompt,
            narration,
            mood,
            transition,
            duration_seconds,
            slot,
            edited,
            locked,
            image: image.map(ContentTake::of),
            video: video.map(ContentTake::of),
            voice: voice.map(ContentTake::of),
        }
    }

    /// The shot from version `now` on. Of its picture and its clip one counts as selected later.
    fn into_shot(self, now: u64) -> Shot {
        let before = now.saturating_sub(1);
        let (image_at, video_at) = if self.clip_is_newest { (before, now) } else { (now, before) };
        Shot {
            id: self.id,
            origin: self.origin,
            title: self.title,
            prompt: self.prompt,
            negative_prompt: self.negative_prompt,
            narration: self.narration,
            mood: self.mood,
            transition: self.transition,
            duration_seconds: self.duration_seconds,
            slot: self.slot,
            edited: self.edited,
            locked: self.locked,
            revised: now,
            image: self.image.map(|take| take.into_take(image_at)),
            video: self.video.map(|take| take.into_take(video_at)),
            voice: self.voice.map(|take| take.into_take(now)),
        }
    }
}

impl ContentTake {
    fn of(take: Take) -> Self {
        let Take { id, asset, spec_hash, parameters, made_with, selected_at: _ } = take;
        Self { take_id: id, asset, spec_hash, parameters, made_with }
    }

    fn into_take(self, selected_at: u64) -> Take {
        let Self { take_id, asset, spec_hash, parameters, made_with } = self;
        Take { id: take_id, asset, spec_hash, parameters, made_with, selected_at }
    }
}

impl Project {
    /// What the project consists of now.
    pub fn content(&self) -> Content {
        Content {
            title: self.title.clone(),
            description: self.description.clone(),
            story: self.story.clone(),
            style: self.style.clone(),
            shot_count: self.shot_count,
            settings: self.settings.clone(),
            language: self.language.clone(),
            storyboard: self.storyboard.clone(),
            music: self.music.clone(),
            shots: self.shots.iter().map(ContentShot::of).collect(),
        }
    }

    pub(super) fn fork(&mut self, event: &ProjectForked) {
        self.lifecycle = Lifecycle::Active;
        self.assume(event.content.clone());
    }

    /// Ended tasks were of the content that is left behind. Open ones were cancelled before.
    pub(super) fn restore(&mut self, event: &ProjectRestored) {
        self.tasks.retain(|_, task| task.is_open());
        self.assume(event.content.clone());
    }

    fn assume(&mut self, content: Content) {
        let Content {
            title,
            description,
            story,
            style,
            shot_count,
            settings,
            language,
            storyboard,
            music,
            shots,
        } = content;
        self.title = title;
        self.description = description;
        self.story = story;
        self.style = style;
        self.shot_count = shot_count;
        self.settings = settings;
        self.language = language;
        self.storyboard = storyboard;
        self.music = music;
        self.arranged = self.version;
        self.revised = self.version;
        self.shots = shots.into_iter().map(|shot| shot.into_shot(self.version)).collect();
    }
}
