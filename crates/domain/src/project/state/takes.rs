//! Which take a shot uses: the one that a task made, or the one that somebody chose or brought.

use crate::ids::ShotId;
use crate::job::{Kind, MadeWith};
use crate::project::command::Parameters;
use crate::project::event::{TakeMade, TakeSelected, TakeUploaded, TaskFinished};
use crate::project::state::{Project, Shot, Take};

impl Shot {
    /// The takes that it uses.
    pub fn takes(&self) -> impl Iterator<Item = &Take> {
        [&self.image, &self.video, &self.voice].into_iter().flatten()
    }
}

impl Project {
    pub(super) fn finish(&mut self, event: &TaskFinished) {
        let Some(task) = self.tasks.remove(&event.task_id) else { return };
        self.pay(task.kind, &event.made_with);
        let Some(made) = event.take.as_ref().filter(|take| take.selected) else { return };
        let TakeMade { take_id, shot_id, asset, .. } = made.clone();
        let take = Take {
            id: take_id,
            asset,
            spec_hash: event.spec_hash.clone(),
            parameters: task.parameters,
            made_with: event.made_with.clone(),
            selected_at: self.version,
        };
        self.select(shot_id, task.kind, take);
    }

    pub(super) fn choose(&mut self, event: &TakeSelected) {
        let take = Take {
            id: event.take_id,
            asset: event.asset.clone(),
            spec_hash: event.spec_hash.clone(),
            parameters: event.parameters.clone(),
            made_with: event.made_with.clone(),
            selected_at: self.version,
        };
        self.select(event.shot_id, event.kind, take);
        self.edit_shot(event.shot_id, |_| {});
    }

    pub(super) fn upload(&mut self, event: &TakeUploaded) {
        let take = Take {
            id: event.take_id,
            asset: event.asset.clone(),
            spec_hash: event.spec_hash.clone(),
            parameters: Parameters::default(),
            made_with: MadeWith { provider: "upload".to_owned(), ..MadeWith::default() },
            selected_at: self.version,
        };
        self.select(event.shot_id, event.kind, take);
        self.edit_shot(event.shot_id, |_| {});
    }

    fn select(&mut self, shot: ShotId, kind: Kind, take: Take) {
        let shot = self.shots.iter_mut().find(|known| known.id == shot);
        if let Some(place) = shot.and_then(|shot| shot.take_mut(kind)) {
            *place = Some(take);
        }
    }
}
