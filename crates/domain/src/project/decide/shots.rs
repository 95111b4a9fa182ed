//! Adding, taking out and moving shots by hand.

use super::{Decision, content_revisions};
use crate::ids::{NewIds, ShotId};
use crate::job::Kind;
use crate::project::command::ShotPatch;
use crate::project::error::ProjectError;
use crate::project::event::{CancelReason, Event, ShotAdded, ShotRemoved, ShotsReordered, TaskCancelled};
use crate::project::limits;
use crate::project::state::{Project, Shot};
use crate::settings::Mood;

impl Project {
    pub(super) fn add_shot_by_hand(
        &self,
        place: Option<u32>,
        content: &ShotPatch,
        generate: bool,
        ids: &mut NewIds,
    ) -> Decision {
        let shots = u32::try_from(self.shots.len()).unwrap_or(u32::MAX);
        if shots >= limits::SHOTS {
            return Err(ProjectError::TooManyShots);
        }
        limits::check_place(place, shots)?;
        let added = ShotAdded {
            shot_id: ShotId(ids.next_uuid()),
            place: place.unwrap_or(shots),
            title: content.title.clone().unwrap_or_default(),
            prompt: content.prompt.clone().unwrap_or_default(),
            negative_prompt: content.negative_prompt.clone().unwrap_or_default(),
            narration: content.narration.clone().unwrap_or_default(),
            mood: content.mood.unwrap_or(Mood::Calm),
            transition: content.transition.flatten(),
            duration_seconds: content.duration.flatten(),
        };
        // The ranges are those of an edit.
        content_revisions(&Shot::from(&added), content)?;
        let shot = added.shot_id;
        let mut events = vec![Event::from(added)];
        if generate {
            let mut after = self.clone();
            after.evolve(&events[0]);
            if let Some(shot) = after.shot(shot) {
                for kind in [Kind::Image, Kind::Tts] {
                    events.extend(after.queue_take(shot, kind, &self.usual(), ids));
                }
            }
        }
        Ok(events)
    }

    pub(super) fn remove_shot_by_hand(&self, shot: &Shot) -> Decision {
        if shot.locked {
            return Err(ProjectError::ShotLocked);
        }
        let open = self.open_tasks().filter(|(_, task)| task.shot == Some(shot.id));
        let cancelled =
            open.map(|(id, _)| TaskCancelled { task_id: id, reason: CancelReason::ShotRemoved }.into());
        Ok(cancelled.chain([ShotRemoved { shot_id: shot.id }.into()]).collect())
    }

    pub(super) fn order_shots(&self, order: &[ShotId]) -> Decision {
        let known: Vec<ShotId> = self.shots.iter().map(|shot| shot.id).collect();
        limits::check_order(&known, order)?;
        if known == order {
            return Ok(Vec::new());
        }
        Ok(vec![ShotsReordered { shots: order.to_vec() }.into()])
    }
}
