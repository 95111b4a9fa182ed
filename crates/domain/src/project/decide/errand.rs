//! Errands: a project that queues nothing by itself, and shots that come with names and pictures.

use chrono::{DateTime, Utc};

use super::{Decision, check_settings, created};
use crate::ids::{NewIds, ShotId};
use crate::job::Kind;
use crate::project::errand::{GivenShot, StartErrand, check_errand, check_scene_name};
use crate::project::event::{ErrandTaken, Event, NamedScene, ScenesNamed};
use crate::project::limits;
use crate::project::state::Project;

pub(super) fn start_errand(start: &StartErrand, ids: &mut NewIds) -> Decision {
    let StartErrand { project, origin, external_id, usual } = start;
    limits::check_fields(&project.story, &project.title, &project.description, &project.style)?;
    limits::check_shot_count(project.shot_count)?;
    check_settings(&project.settings, false)?;
    check_errand(external_id.as_deref(), usual)?;
    let taken = ErrandTaken { origin: *origin, external_id: external_id.clone(), usual: usual.clone() };
    Ok(vec![created(project, ids), taken.into()])
}

impl Project {
    /// Nobody sees errands in a list, so nobody would ever delete them.
    pub(super) fn expire_errand(&self, version: u64, at: DateTime<Utc>) -> Vec<Event> {
        let is_idle = self.errand.is_some() && self.version == version && self.open_tasks().next().is_none();
        if is_idle { self.delete_project(at) } else { Vec::new() }
    }

    /// All of them at the end, in their order.
    pub(super) fn give_shots(&self, shots: &[GivenShot], ids: &mut NewIds) -> Decision {
        let mut after = self.clone();
        let (mut events, mut scenes) = (Vec::new(), Vec::new());
        for given in shots {
            let added = after.add_shot_by_hand(None, &given.content, false, ids)?;
            added.iter().for_each(|event| after.evolve(event));
            events.extend(added);
            let Some(shot) = after.shots.last().cloned() else { continue };
            scenes.extend(named(given, shot.id)?);
            if let Some(picture) = &given.picture {
                let uploaded = after.upload_take(&shot, Kind::Image, picture, ids)?;
                uploaded.iter().for_each(|event| after.evolve(event));
                events.extend(uploaded);
            }
            if let (Some((kind, parameters)), Some(shot)) = (&given.take, after.shot(shot.id)) {
                let queued = after.generate_take(shot, *kind, (parameters, 1), ids)?;
                queued.iter().for_each(|event| after.evolve(event));
                events.extend(queued);
            }
        }
        if !scenes.is_empty() {
            events.push(Event::from(ScenesNamed { scenes }));
        }
        Ok(events)
    }
}

fn named(given: &GivenShot, shot_id: ShotId) -> Result<Option<NamedScene>, crate::project::ProjectError> {
    let Some(name) = given.name.clone() else { return Ok(None) };
    check_scene_name(&name)?;
    Ok(Some(NamedScene { shot_id, name }))
}
