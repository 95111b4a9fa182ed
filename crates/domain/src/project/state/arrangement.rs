//! Which shots there are and in which order: by the storyboard, and by hand.

use crate::ids::ShotId;
use crate::project::event::{AdoptedShot, ShotAdded, StoryboardAdopted};
use crate::project::state::{Project, Shot};

impl Project {
    /// Shots that are there already stay as they are, at the place that the storyboard gives them.
    pub(super) fn adopt(&mut self, event: &StoryboardAdopted) {
        if self.title != event.title {
            self.title.clone_from(&event.title);
            self.revised = self.version;
        }
        self.language = Some(event.language.clone());
        self.storyboard = Some(event.spec_hash.clone());
        let before = std::mem::take(&mut self.shots);
        let mut slots = 0..;
        let mut new = Vec::new();
        for adopted in &event.shots {
            let known = before.iter().find(|shot| shot.id == adopted.id);
            if known.is_none() {
                new.push(adopted.id);
            }
            let mut shot = known.cloned().unwrap_or_else(|| Shot {
                revised: self.version,
                slot: Some(0),
                ..adopted.into()
            });
            if shot.slot.is_some() {
                shot.slot = slots.next();
            }
            self.shots.push(shot);
        }
        self.arranged = self.version;
        self.bind_ended(&new);
    }

    /// Tasks that were cancelled before the storyboard came become those of its new shots, so that they can
    /// be retried; those of shots that did not come, or are gone, are forgotten.
    fn bind_ended(&mut self, new: &[ShotId]) {
        let shots = &self.shots;
        let new_at = |slot| shots.iter().find(|shot| shot.slot == Some(slot) && new.contains(&shot.id));
        self.tasks.retain(|_, task| match (task.slot, task.shot) {
            _ if task.is_open() => true,
            (Some(slot), _) => {
                task.slot = None;
                task.shot = new_at(slot).map(|shot| shot.id);
                task.shot.is_some()
            }
            (None, Some(id)) => shots.iter().any(|shot| shot.id == id),
            (None, None) => true,
        });
    }

    pub(super) fn add_shot(&mut self, event: &ShotAdded) {
        let place = usize::try_from(event.place).unwrap_or(usize::MAX).min(self.shots.len());
        let shot = Shot { revised: self.version, edited: true, ..event.into() };
        self.shots.insert(place, shot);
        self.arranged = self.version;
    }

    pub(super) fn remove_shot(&mut self, id: ShotId) {
        self.shots.retain(|shot| shot.id != id);
        self.tasks.retain(|_, task| task.is_open() || task.shot != Some(id));
        self.arranged = self.version;
    }

    pub(super) fn reorder(&mut self, order: &[ShotId]) {
        self.shots.sort_by_key(|shot| order.iter().position(|id| *id == shot.id));
        self.arranged = self.version;
    }
}

impl From<&AdoptedShot> for Shot {
    fn from(shot: &AdoptedShot) -> Self {
        Self {
            id: shot.id,
            origin: None,
            title: shot.title.clone(),
            prompt: shot.prompt.clone(),
            negative_prompt: String::new(),
            narration: shot.narration.clone(),
            mood: shot.mood,
            transition: None,
            duration_seconds: None,
            slot: None,
            edited: false,
            locked: false,
            revised: 0,
            image: None,
            video: None,
            voice: None,
        }
    }
}

impl From<&ShotAdded> for Shot {
    fn from(shot: &ShotAdded) -> Self {
        let told = AdoptedShot {
            id: shot.shot_id,
            title: shot.title.clone(),
            prompt: shot.prompt.clone(),
            narration: shot.narration.clone(),
            mood: shot.mood,
        };
        Self {
            negative_prompt: shot.negative_prompt.clone(),
            transition: shot.transition,
            duration_seconds: shot.duration_seconds,
            ..Self::from(&told)
        }
    }
}

impl From<&Shot> for AdoptedShot {
    fn from(shot: &Shot) -> Self {
        Self {
            id: shot.id,
            title: shot.title.clone(),
            prompt: shot.prompt.clone(),
            narration: shot.narration.clone(),
            mood: shot.mood,
        }
    }
}
