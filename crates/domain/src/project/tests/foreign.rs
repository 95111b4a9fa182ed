//! What is refused of a history from elsewhere, whose hashes all agree.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::telling::{Telling, auto_render};
use crate::asset::Asset;
use crate::ids::{ProjectId, ShotId, TakeId};
use crate::job::{Kind, MadeWith, SpecHash};
use crate::project::event::{TakeMade, TakeUploaded, TaskFinished};
use crate::project::{
    Event, ForeignHistory, ProjectAssigned, ProjectDeleted, ProjectPurged, ShotAdded, TakesExpired,
};
use crate::settings::{Mood, Settings};

#[test]
fn a_history_from_elsewhere_gives_up_nothing_that_its_project_shows() {
    let told = Telling::complete(&["One."], Settings::default());
    let picture = told.shot(1).image.as_ref().unwrap().id;
    for given_up in [ProjectPurged {}.into(), TakesExpired { takes: vec![picture] }.into()] {
        assert!(refused_elsewhere(&told.events, given_up));
    }
}

/// Whether a history is taken in, but not with another event at its end.
fn refused_elsewhere(events: &[Event], then: Event) -> bool {
    let mut history = ForeignHistory::default();
    let id = ProjectId(Uuid::from_u128(1));
    events.iter().for_each(|event| history.take_in(id, event).unwrap());
    history.take_in(id, &then).is_err()
}

/// Each of these would stop the projector, and with it everybody's read tables, or show in another's project.
#[test]
fn a_history_from_elsewhere_says_nothing_that_the_read_tables_cannot_hold() {
    let told = Telling::complete(&["One."], auto_render());
    let last = |of: fn(&Event) -> bool| told.events.iter().rfind(|event| of(event)).unwrap().clone();
    let Event::FilmRendered(film) = last(|event| matches!(event, Event::FilmRendered(_))) else { panic!() };
    let picture = last(|event| matches!(event, Event::TaskFinished(event) if event.take.is_some()));
    let Event::TaskFinished(picture) = picture else { panic!() };
    let made = picture.take.clone().unwrap();
    let (shot_id, stranger) = (made.shot_id, ShotId(Uuid::from_u128(99)));
    let uploaded = |shot_id, take: u128, hash: &str, bytes| {
        let asset = Asset { bytes, ..made.asset.clone() };
        let spec_hash = SpecHash(hash.to_owned());
        Event::from(TakeUploaded {
            shot_id,
            kind: Kind::Image,
            take_id: TakeId(Uuid::from_u128(take)),
            asset,
            spec_hash,
        })
    };
    let finished = |made_with: MadeWith| {
        let take = Some(TakeMade { take_id: TakeId(Uuid::from_u128(7)), ..made.clone() });
        Event::from(TaskFinished { made_with, take, ..picture.clone() })
    };
    let said = &picture.made_with;
    let added = |shot_id| {
        let text = String::new;
        let (mood, transition, duration_seconds) = (Mood::Calm, None, None);
        let (title, prompt, negative_prompt, narration) = (text(), text(), text(), text());
        ShotAdded {
            shot_id,
            place: 0,
            title,
            prompt,
            negative_prompt,
            narration,
            mood,
            transition,
            duration_seconds,
        }
    };
    assert!(!refused_elsewhere(&told.events, uploaded(shot_id, 7, "", 1)));
    assert!(!refused_elsewhere(&told.events, finished(said.clone())));
    assert!(!refused_elsewhere(&told.events, added(stranger).into()));
    for (what, event) in [
        ("a shot of another project", uploaded(stranger, 7, "", 1)),
        ("a take that is there", uploaded(shot_id, made.take_id.0.as_u128(), "", 1)),
        ("a hash that no index takes", uploaded(shot_id, 7, &"字".repeat(2_000), 1)),
        ("a file beyond all disks", uploaded(shot_id, 7, "", i64::MAX.cast_unsigned())),
        ("a price that adds up to no number", finished(MadeWith { cost: Some(1e308), ..said.clone() })),
        ("a price below nothing", finished(MadeWith { cost: Some(-1.0), ..said.clone() })),
        ("a time that is no number in SQL", finished(MadeWith { millis: u64::MAX, ..said.clone() })),
        ("a shot that is there", added(shot_id).into()),
        ("a second film of a task", film.into()),
        ("an owner that no index takes", ProjectAssigned { owner: "字".repeat(2_000) }.into()),
        ("a time that PostgreSQL cannot read", ProjectDeleted { at: Some(DateTime::<Utc>::MAX_UTC) }.into()),
    ] {
        assert!(refused_elsewhere(&told.events, event), "{what}");
    }
}
