//! Back to an earlier version, and another project from one.

use uuid::Uuid;

use super::telling::{Telling, asset, auto_render, envelope, locked, prompt, render, style_patch, video_on};
use crate::ids::{ProjectId, TakeId};
use crate::job::{Kind, Spec};
use crate::project::{
    Command, Content, Event, ForeignHistory, ForkProject, Lifecycle, Parameters, Project, ProjectAssigned,
    ProjectError, ProjectForked, ProjectImported, ProjectRestored, Status, TakesExpired,
};
use crate::settings::Settings;

/// The project after its `version`th event.
fn at(told: &Telling, version: u64) -> Project {
    let mut past = Project::default();
    told.events[..usize::try_from(version).unwrap()].iter().for_each(|event| past.evolve(event));
    past
}

fn restoring(told: &Telling, version: u64) -> Command {
    Command::RestoreProject { version, content: Box::new(at(told, version).content()) }
}

fn forking(told: &Telling, version: u64) -> Command {
    Command::ForkProject(Box::new(ForkProject {
        id: ProjectId(Uuid::from_u128(2)),
        from: ProjectId(Uuid::from_u128(1)),
        version,
        content: at(told, version).content(),
    }))
}

/// The fork of a project as it is now.
fn forked(told: &Telling) -> Telling {
    let mut fork = Telling::default();
    fork.when(forking(told, told.project.version));
    fork
}

#[test]
fn a_restore_brings_back_story_style_settings_shots_and_selections() {
    let mut told = Telling::complete(&["One.", "Two."], video_on());
    let (version, before) = (told.project.version, told.project.content());
    told.edit(1, prompt("A castle"));
    told.finish_everything();
    told.when(style_patch("noir"));
    told.mark(2, locked(true));
    assert_ne!(told.project.content(), before);
    assert_eq!(told.when(restoring(&told, version)), ["ProjectRestored"]);
    assert_eq!(told.project.content(), before);
    assert!(told.stale().is_empty(), "{:?}", told.stale());
    assert_eq!(told.project.status(), Status::Ready);
}

#[test]
fn a_restore_cancels_open_work_and_queues_none() {
    let mut told = Telling::complete(&["One.", "Two."], auto_render());
    let version = told.project.version;
    told.edit(1, prompt("A castle"));
    let words = told.when(restoring(&told, version));
    assert_eq!(words, ["TaskCancelled image 1: Superseded", "ProjectRestored"]);
    assert!(told.open_work().is_empty());
    assert_eq!(told.project.status(), Status::Ready);
}

#[test]
fn a_result_that_comes_after_a_restore_changes_nothing() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let version = told.project.version;
    told.edit(1, prompt("A castle"));
    let late = told.open(Kind::Image, 1);
    let output = told.output(Kind::Image);
    told.when(restoring(&told, version));
    assert!(told.finish_with(late, output).is_empty());
    assert_eq!(told.refused(Command::RetryTask { task: late }), ProjectError::TaskNotRetryable);
}

#[test]
fn a_restore_to_what_is_there_already_changes_nothing() {
    let mut told = Telling::complete(&["One."], video_on());
    assert!(told.when(restoring(&told, told.project.version)).is_empty());
    let version = told.project.version;
    told.edit(1, prompt("A castle"));
    told.when(restoring(&told, version));
    assert!(told.when(restoring(&told, version)).is_empty(), "restored twice");
}

#[test]
fn a_restored_clip_is_shown_if_it_was_shown_then() {
    let mut told = Telling::complete(&["One."], video_on());
    let version = told.project.version;
    let film = |project: &Project| project.spec_of(Kind::Film, None, &Parameters::default());
    let then = film(&told.project).unwrap();
    told.edit(1, prompt("A castle"));
    told.finish(told.open(Kind::Image, 1));
    told.cancel(told.open(Kind::Video, 1));
    assert_ne!(film(&told.project).unwrap(), then, "the new picture is shown");
    told.when(restoring(&told, version));
    assert_eq!(film(&told.project).unwrap(), then);
}

#[test]
fn a_restore_is_refused_to_whoever_did_not_see_the_newest_content() {
    let mut told = Telling::complete(&["One.", "Two."], Settings::default());
    let seen = told.project.version;
    told.mark(2, prompt("A castle"));
    let back = restoring(&told, seen);
    let refused = told.decide_seen(back.clone(), Some(seen)).unwrap_err();
    assert!(matches!(refused, ProjectError::ChangedSince { .. }), "{refused}");
    assert_eq!(told.decide_seen(back, Some(told.project.version)).unwrap().len(), 1);
}

#[test]
fn a_project_in_the_trash_is_not_restored() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let back = restoring(&told, 1);
    told.when(Command::DeleteProject);
    assert_eq!(told.refused(back), ProjectError::Deleted);
}

#[test]
fn a_restore_from_before_the_storyboard_has_no_shots() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.when(restoring(&told, 1));
    assert!(told.project.shots.is_empty());
    assert_eq!(told.refused(render()), ProjectError::NoShots);
}

#[test]
fn a_fork_is_one_event_and_a_whole_project_without_any_work() {
    let told = Telling::complete(&["One.", "Two."], video_on());
    let fork = forked(&told);
    assert_eq!(fork.events.len(), 1);
    assert_eq!((fork.project.version, fork.project.lifecycle), (1, Lifecycle::Active));
    assert_eq!(fork.project.status(), Status::Ready);
    assert!(fork.project.tasks.is_empty() && fork.project.film.is_none());
    assert!(fork.project.shots.iter().all(|shot| fork.project.is_complete(shot)), "{:?}", fork.stale());
}

#[test]
fn a_fork_has_ids_of_its_own_and_media_of_the_original() {
    let told = Telling::complete(&["One."], video_on());
    let fork = forked(&told);
    let (ours, theirs) = (fork.shot(1), told.shot(1));
    assert_ne!(ours.id, theirs.id);
    for kind in [Kind::Image, Kind::Video, Kind::Tts] {
        let (ours, theirs) = (ours.take(kind).unwrap(), theirs.take(kind).unwrap());
        assert_ne!(ours.id, theirs.id);
        assert_eq!((&ours.asset, &ours.made_with), (&theirs.asset, &theirs.made_with));
    }
}

/// What every kind of work on every shot, and the film, asks for.
fn specs(project: &Project) -> Vec<Option<Spec>> {
    let kinds = [Kind::Image, Kind::Video, Kind::Tts];
    let of = |kind, shot| project.spec_of(kind, shot, &Parameters::default());
    let shots = project.shots.iter().flat_map(|shot| kinds.map(|kind| of(kind, Some(shot.id))));
    shots.chain([of(Kind::Storyboard, None), of(Kind::Film, None)]).collect()
}

#[test]
fn a_fork_asks_for_the_same_as_its_original_so_that_nothing_is_made_twice() {
    let mut told = Telling::complete(&["One.", "Two."], video_on());
    let mut fork = forked(&told);
    let mut fork_of_the_fork = forked(&fork);
    assert_eq!(specs(&fork.project), specs(&told.project));
    for project in [&mut told, &mut fork, &mut fork_of_the_fork] {
        project.mark(1, prompt("A castle"));
        project.when(style_patch("noir"));
    }
    assert_eq!(specs(&fork.project), specs(&told.project));
    assert_eq!(specs(&fork_of_the_fork.project), specs(&told.project));
}

#[test]
fn what_was_stale_is_stale_in_the_fork_too() {
    let mut told = Telling::complete(&["One.", "Two."], video_on());
    told.mark(2, prompt("A castle"));
    assert_eq!(forked(&told).stale(), ["image 2", "video 2"]);
}

#[test]
fn a_new_picture_in_a_fork_is_shown_before_the_clip_of_the_original() {
    let told = Telling::complete(&["One."], video_on());
    let mut fork = forked(&told);
    fork.edit(1, prompt("A castle"));
    fork.finish(fork.open(Kind::Image, 1));
    let shot = fork.shot(1);
    assert!(shot.image.as_ref().unwrap().selected_at > shot.video.as_ref().unwrap().selected_at);
}

#[test]
fn a_project_that_is_there_is_not_forked_into() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let fork = forking(&told, 1);
    assert_eq!(told.refused(fork), ProjectError::AlreadyExists);
}

#[test]
fn deciding_a_fork_again_gives_the_same_ids() {
    let told = Telling::complete(&["One."], Settings::default());
    let decide = || Project::default().decide(&envelope(77, forking(&told, 3))).unwrap();
    assert_eq!(decide(), decide());
}

fn import() -> Command {
    Command::CompleteImport { missing: Vec::new() }
}

#[test]
fn takes_whose_media_did_not_come_along_have_expired_here() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let missing = vec![TakeId(Uuid::from_u128(404))];
    let words = told.when(Command::CompleteImport { missing: missing.clone() });
    assert_eq!(words, ["TakesExpired", "ProjectImported"]);
    assert!(told.events.contains(&TakesExpired { takes: missing }.into()));
}

#[test]
fn a_foreign_history_misses_the_media_of_takes_that_no_shot_uses_and_that_were_not_given_up() {
    let mut told = Telling::complete(&["One."], Settings::default());
    let shot = told.shot(1).clone();
    let (before, replaced) = (told.project.clone(), shot.image.as_ref().unwrap().id);
    told.when(Command::UploadTake { shot: shot.id, kind: Kind::Image, asset: asset("image", 77, "png") });
    let uploaded = told.shot(1).image.as_ref().unwrap().id;
    let (id, told_events) = (ProjectId(Uuid::from_u128(1)), told.events.clone());
    let missing = |events: &[Event]| {
        let mut history = ForeignHistory::default();
        events.iter().for_each(|event| history.take_in(id, event).unwrap());
        history.missing_takes(|_| false)
    };
    assert_eq!(missing(&told_events), [replaced], "the upload, and the voice, are in use");
    let expired = [told_events.clone(), vec![TakesExpired { takes: vec![replaced] }.into()]].concat();
    assert!(missing(&expired).is_empty());
    let restored = ProjectRestored { version: before.version, content: before.content() };
    assert_eq!(
        missing(&[expired, vec![restored.into()]].concat()),
        [uploaded],
        "the first one is in use again"
    );
}

#[test]
fn a_history_from_elsewhere_ends_with_what_was_open_being_cancelled() {
    let mut told = Telling::with_shots(&["One."], auto_render());
    let words = told.when(import());
    assert_eq!(
        words,
        ["TaskCancelled image 1: Imported", "TaskCancelled tts 1: Imported", "ProjectImported"]
    );
    assert!(told.open_work().is_empty());
    let mut told = Telling::complete(&["One."], auto_render());
    let version = told.project.version;
    assert_eq!(told.when(import()), ["ProjectImported"]);
    assert_eq!(told.events.last(), Some(&ProjectImported { version }.into()));
}

#[test]
fn a_history_from_elsewhere_belongs_to_whoever_brought_it() {
    let mut told = Telling::complete(&["One."], Settings::default());
    told.given(ProjectAssigned { owner: "somebody elsewhere".to_owned() });
    let mut bring = envelope(99, import());
    for owner in [Some("ada".to_owned()), None] {
        bring.context.owner.clone_from(&owner);
        let mut project = told.project.clone();
        project.decide(&bring).unwrap().iter().for_each(|event| project.evolve(event));
        assert_eq!(project.owner, owner);
    }
}

#[test]
fn a_take_whose_media_is_gone_is_left_out() {
    let told = Telling::complete(&["One."], video_on());
    let mut content: Content = told.project.content();
    assert!(content.shots[0].clip_is_newest);
    content.retain_takes(|asset| asset.key.as_str().starts_with("image/"));
    let shot = &content.shots[0];
    assert!(shot.image.is_some() && shot.video.is_none() && shot.voice.is_none());
    assert!(!shot.clip_is_newest);
    assert_eq!(content.takes().count(), 1);
}

#[test]
fn the_event_of_a_fork_says_where_it_comes_from() {
    let told = Telling::complete(&["One."], Settings::default());
    let fork = forked(&told);
    let [Event::ProjectForked(ProjectForked { id, from, version, .. })] = &fork.events[..] else {
        panic!("one event, {:?}", fork.events)
    };
    assert_eq!((id.0.as_u128(), from.0.as_u128(), *version), (2, 1, told.project.version));
}
