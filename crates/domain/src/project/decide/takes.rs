//! Which take a shot uses, what people bring themselves, and what becomes of takes that no shot uses.

use std::collections::HashSet;

use super::Decision;
use crate::asset::Asset;
use crate::ids::{NewIds, TakeId, TaskId};
use crate::job::{Kind, Spec};
use crate::project::command::{EarlierTake, Parameters};
use crate::project::error::ProjectError;
use crate::project::event::{Event, MusicRemoved, MusicUploaded, TakeSelected, TakeUploaded, TakesExpired};
use crate::project::state::{Project, Shot};
use crate::project::{limits, workflow};

impl Project {
    /// Queues a take in place of what is open for it, and further candidates beside it, as one batch.
    pub(super) fn queue_candidates(
        &self,
        shot: &Shot,
        kind: Kind,
        (parameters, count): (&Parameters, u32),
        ids: &mut NewIds,
    ) -> Decision {
        limits::check_candidates(count)?;
        let mut events = self.queue_take(shot, kind, parameters, ids);
        if count == 1 {
            return Ok(events);
        }
        if kind == Kind::Tts {
            return Err(ProjectError::Invalid {
                field: "candidates",
                message: "a voice has no seed; every candidate would be the same".to_owned(),
            });
        }
        for number in 2..=count {
            let seed = parameters.seed.map_or_else(|| ids.next_seed(), |seed| seed.wrapping_add(number - 1));
            let candidate = Parameters { seed: Some(seed), candidate: Some(number), ..parameters.clone() };
            events.extend(self.asked(TaskId(ids.next_uuid()), shot, kind, &candidate));
        }
        let children = workflow::made_by(&events, kind);
        events.push(workflow::planned_batch(TaskId(ids.next_uuid()), kind, children));
        Ok(events)
    }

    /// The take answers today's content, whatever it was made for, so it is not stale until that changes.
    pub(super) fn select_take(&self, shot: &Shot, take: &EarlierTake) -> Decision {
        let EarlierTake { id, kind, asset, parameters, made_with } = take;
        let today = self.answered_by(shot, *kind, parameters)?;
        if shot.take(*kind).is_some_and(|selected| selected.id == *id && selected.spec_hash == today) {
            return Ok(Vec::new());
        }
        Ok(vec![
            TakeSelected {
                shot_id: shot.id,
                kind: *kind,
                take_id: *id,
                asset: asset.clone(),
                spec_hash: today,
                parameters: parameters.clone(),
                made_with: made_with.clone(),
            }
            .into(),
        ])
    }

    pub(super) fn upload_take(&self, shot: &Shot, kind: Kind, asset: &Asset, ids: &mut NewIds) -> Decision {
        let today = self.answered_by(shot, kind, &Parameters::default())?;
        if shot.take(kind).is_some_and(|selected| selected.asset == *asset && selected.spec_hash == today) {
            return Ok(Vec::new());
        }
        let take_id = TakeId(ids.next_uuid());
        let (shot_id, asset) = (shot.id, asset.clone());
        Ok(vec![TakeUploaded { shot_id, kind, take_id, asset, spec_hash: today }.into()])
    }

    /// What the shot asks for today, if it may have another take.
    fn answered_by(
        &self,
        shot: &Shot,
        kind: Kind,
        parameters: &Parameters,
    ) -> Result<crate::job::SpecHash, ProjectError> {
        if shot.locked {
            return Err(ProjectError::ShotLocked);
        }
        let nothing_to_build_on = match kind {
            Kind::Storyboard | Kind::Film => return Err(ProjectError::NotAShotKind(kind)),
            Kind::Tts => ProjectError::NothingToSay,
            Kind::Image | Kind::Video => ProjectError::NoPictureYet,
        };
        let today = self.spec_of(kind, Some(shot.id), parameters);
        today.as_ref().map(Spec::hash).ok_or(nothing_to_build_on)
    }

    /// What a shot uses by now is kept.
    pub(super) fn expire_takes(&self, takes: &[TakeId]) -> Vec<Event> {
        let selected = |shot: &Shot| {
            let takes = [&shot.image, &shot.video, &shot.voice].into_iter().flatten();
            takes.map(|take| take.id).collect::<Vec<_>>()
        };
        let in_use: HashSet<TakeId> = self.shots.iter().flat_map(selected).collect();
        let takes: Vec<TakeId> = takes.iter().copied().filter(|take| !in_use.contains(take)).collect();
        if takes.is_empty() { Vec::new() } else { vec![TakesExpired { takes }.into()] }
    }

    pub(super) fn upload_music(&self, asset: &Asset) -> Vec<Event> {
        vec![MusicUploaded { asset: asset.clone() }.into()]
    }

    pub(super) fn remove_music(&self) -> Vec<Event> {
        self.music.iter().map(|_| MusicRemoved {}.into()).collect()
    }
}
