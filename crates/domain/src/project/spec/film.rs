//! What a film asks for: which part of the project it shows, how, and when it has become stale.

use super::has_words;
use crate::ids::{ShotId, TaskId};
use crate::job::{FilmMusic, FilmShot, FilmSpec, FilmVisual, FilmVoice, Kind, Spec};
use crate::project::command::Parameters;
use crate::project::error::ProjectError;
use crate::project::limits::{LONGEST_TRANSITION, SHORTEST_SHOT};
use crate::project::state::{Project, Shot, Task};
use crate::settings::{FilmFormat, FrameSize, Mood, Music, OnMissing, Quality, Resolution};

impl Project {
    /// The shots of a film: from the one that it begins with to the one that it ends with, both included, without
    /// those that cannot begin before it is cut off.
    ///
    /// # Errors
    /// When one of the two is no shot of the project, or the first comes after the last.
    pub fn film_range(&self, film: &Parameters) -> Result<&[Shot], ProjectError> {
        let invalid = |field, words: &str| ProjectError::Invalid { field, message: words.to_owned() };
        let place = |field, id: ShotId| {
            let place = self.shots.iter().position(|shot| shot.id == id);
            place.ok_or_else(|| invalid(field, "the project has no such shot"))
        };
        let first = film.from_shot.map(|id| place("fromShot", id)).transpose()?;
        let last = film.to_shot.map(|id| place("toShot", id)).transpose()?;
        let end = last.map_or(self.shots.len(), |last| last + 1);
        self.shots
            .get(first.unwrap_or(0)..end)
            .filter(|shots| first.is_none() || !shots.is_empty())
            .map(|shots| self.begun_in_time(shots, film))
            .ok_or_else(|| invalid("fromShot", "must not come after toShot in the order of the shots"))
    }

    /// Those of the shots that may begin before a film is cut off, by what is known of how long they last.
    fn begun_in_time<'a>(&self, shots: &'a [Shot], film: &Parameters) -> &'a [Shot] {
        let Some(most) = film.max_seconds else { return shots };
        let skips = film.on_missing.unwrap_or(self.settings.on_missing) == OnMissing::Skip;
        let mut begins = 0.0;
        let in_time = shots.iter().take_while(|shot| {
            let is_in_time = begins < most;
            // What has nothing to show may be left out in the end.
            let is_certain = !skips || self.film_visual(shot) != FilmVisual::Card;
            begins += if is_certain { least_seconds(shot) } else { 0.0 };
            is_in_time
        });
        &shots[..in_time.count()]
    }

    /// Open work that a film has to wait for: on its shots, and on which shots there are.
    pub(in crate::project) fn work_for_film(
        &self,
        film: &Parameters,
    ) -> impl Iterator<Item = (TaskId, &Task)> {
        let is_of_all = film.from_shot.is_none() && film.to_shot.is_none() && film.max_seconds.is_none();
        let range = (!is_of_all).then(|| self.film_range(film).unwrap_or_default());
        self.open_tasks().filter(move |(_, task)| {
            let is_shown = |id: ShotId| range.is_none_or(|shots| shots.iter().any(|shot| shot.id == id));
            task.kind != Kind::Film && task.shot.is_none_or(is_shown)
        })
    }

    /// Whether the newest film is no longer what today's content asks for.
    pub fn film_is_stale(&self) -> bool {
        let Some(film) = &self.film else { return false };
        let Ok(shots) = self.film_range(&film.parameters) else { return true };
        let today = self.film_spec(&film.parameters).map(|spec| Spec::Film(spec).hash());
        let has_stale_take =
            |shot: &Shot| self.kinds_of(shot).into_iter().any(|kind| self.is_stale(shot, kind));
        today.as_ref() != Ok(&film.spec_hash) || shots.iter().any(has_stale_take)
    }

    /// Whether two films that may be asked for are one: the same part, and by today's settings the same of it.
    pub fn is_same_film(&self, one: &Parameters, other: &Parameters) -> bool {
        let part = |film: &Parameters| (film.from_shot, film.to_shot, film.max_seconds);
        one == other || (part(one) == part(other) && self.film_spec(one) == self.film_spec(other))
    }

    pub(super) fn film_spec(&self, parameters: &Parameters) -> Result<FilmSpec, ProjectError> {
        let quality = parameters.quality.unwrap_or(self.settings.quality);
        let (width, height) = self.film_size(quality, parameters.resolution);
        let on_missing = parameters.on_missing.unwrap_or(self.settings.on_missing);
        let shots = self.film_range(parameters)?.iter().map(|shot| self.film_shot(shot));
        let shots: Vec<FilmShot> =
            shots.filter(|shot| on_missing != OnMissing::Skip || shot.visual != FilmVisual::Card).collect();
        let has_cards = shots.iter().any(|shot| shot.visual == FilmVisual::Card);
        Ok(FilmSpec {
            title: if has_cards { self.title.clone() } else { String::new() },
            language: self.film_language().to_owned(),
            width,
            height,
            fps: parameters.fps.unwrap_or(self.settings.fps),
            quality,
            // Whoever names the usual one asks for nothing else.
            format: parameters.format.filter(|format| *format != FilmFormat::Mp4),
            max_seconds: parameters.max_seconds,
            captions: self.settings.captions,
            music: self.film_music(),
            motion: self.settings.motion,
            fit: self.settings.fit,
            on_missing,
            shots,
        })
    }

    /// Its own size, whatever the quality; else that of previews or of the project.
    fn film_size(&self, quality: Quality, asked: Option<FrameSize>) -> (u32, u32) {
        match (asked, quality) {
            (Some(size), _) => size.pixels(self.settings.aspect),
            (None, Quality::Preview) => Resolution::PREVIEW.frame_size(self.settings.aspect),
            (None, Quality::Final) => self.settings.frame_size(),
        }
    }

    fn film_shot(&self, shot: &Shot) -> FilmShot {
        let visual = self.film_visual(shot);
        let voice = shot.voice.as_ref().filter(|_| has_words(shot));
        FilmShot {
            shot_id: shot.origin(),
            title: if visual == FilmVisual::Card { shot.title.clone() } else { String::new() },
            narration: shot.narration.clone(),
            visual,
            voice: voice.map(|take| FilmVoice {
                asset: take.asset.key.clone(),
                duration_seconds: take.asset.duration_seconds.unwrap_or(0.0),
            }),
            transition: shot.transition.unwrap_or(self.settings.transition),
            duration_seconds: shot.duration_seconds,
        }
    }

    /// The clip when it moves today's picture, else the picture, else whatever there is.
    fn film_visual(&self, shot: &Shot) -> FilmVisual {
        let clip = shot.video.as_ref().map(|take| FilmVisual::Clip {
            clip: take.asset.key.clone(),
            duration_seconds: take.asset.duration_seconds.unwrap_or(0.0),
        });
        let still = shot.image.as_ref().map(|take| FilmVisual::Still { picture: take.asset.key.clone() });
        let clip_comes_first = match (&shot.video, &shot.image) {
            (Some(video), Some(image)) => {
                video.selected_at > image.selected_at || self.asks_for(shot, Kind::Video, video)
            }
            _ => true,
        };
        let (first, second) = if clip_comes_first { (clip, still) } else { (still, clip) };
        first.or(second).unwrap_or(FilmVisual::Card)
    }

    fn film_music(&self) -> FilmMusic {
        let mood = match (self.settings.music, &self.music) {
            (Music::Own, Some(music)) => return FilmMusic::Asset { asset: music.key.clone() },
            (music, _) => music,
        };
        let mood = match mood {
            Music::None => return FilmMusic::None,
            Music::Calm => Mood::Calm,
            Music::Tense => Mood::Tense,
            Music::Bright => Mood::Bright,
            Music::Auto | Music::Own => self.prevailing_mood(),
        };
        FilmMusic::Mood { mood }
    }

    fn prevailing_mood(&self) -> Mood {
        let count = |mood: Mood| self.shots.iter().filter(|shot| shot.mood == mood).count();
        // `max_by_key` keeps the last of equals; calm is the least intrusive and comes last.
        [Mood::Bright, Mood::Tense, Mood::Calm]
            .into_iter()
            .max_by_key(|mood| count(*mood))
            .unwrap_or(Mood::Calm)
    }
}

/// The time from a shot's beginning to the next one's, at least, in seconds. Voices never overlap.
fn least_seconds(shot: &Shot) -> f64 {
    let voice = shot.voice.as_ref().filter(|_| has_words(shot));
    let voice = voice.and_then(|take| take.asset.duration_seconds).unwrap_or(0.0);
    let length = shot.duration_seconds.unwrap_or(0.0).max(SHORTEST_SHOT);
    voice.max(length - LONGEST_TRANSITION)
}
