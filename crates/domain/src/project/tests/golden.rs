//! Every event type and version as it stands in the log, one file each. A file never changes once the
//! event was written anywhere: another shape is another version, with an upcaster.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use uuid::Uuid;

use super::telling::{asset, claim, film_output, start_of_time};
use crate::ids::{ProjectId, ShotId, TakeId, TaskId};
use crate::job::{Failure, Kind, MadeWith, Output, SpecHash};
use crate::project::*;
use crate::settings::{FilmFormat, FrameSize, Mood, OnMissing, Quality, Settings, Transition};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/project/golden")
}

fn file_of(name: &str, version: &str) -> String {
    format!("{name}.v{version}.json")
}

const TASK: TaskId = TaskId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
const SHOT: ShotId = ShotId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0002));
const TAKE: TakeId = TakeId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0003));

fn spec_hash() -> SpecHash {
    SpecHash("5e".repeat(32))
}

fn failure() -> Failure {
    Failure::retry("model_down", "The model server did not answer.")
}

fn parameters() -> Parameters {
    Parameters {
        model: Some("sd_turbo".to_owned()),
        seed: Some(4_294_967_295),
        steps: Some(4),
        cfg_scale: Some(7.5),
        fps: Some(30),
        duration_seconds: Some(4.25),
        voice: Some("joe".to_owned()),
        speed: Some(0.9),
        quality: Some(Quality::Preview),
        on_missing: Some(OnMissing::Skip),
        // Added later: what does not say them is stored as before.
        ..Parameters::default()
    }
}

fn settings() -> Settings {
    Settings {
        language: Some("zh".to_owned()),
        voice: Some("cmn".to_owned()),
        budget: Some(12.5),
        seed: Some(7),
        image_to_video: true,
        ..Settings::default()
    }
}

/// One event of every type, with every optional field set.
fn samples() -> Vec<Event> {
    [project_samples(), content_samples(), shot_samples(), take_samples(), task_samples(), result_samples()]
        .concat()
}

fn project_samples() -> Vec<Event> {
    vec![
        ProjectCreated {
            id: ProjectId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000)),
            story: "灯塔 — the keeper's \"light\"\nwent out.".to_owned(),
            title: "灯塔".to_owned(),
            description: "For the harbour".to_owned(),
            style: "水墨".to_owned(),
            shot_count: Some(2),
            settings: settings(),
        }
        .into(),
        ProjectRenamed { title: "The lamp".to_owned(), description: "Shorter".to_owned() }.into(),
        ErrandTaken {
            origin: Origin::Gateway,
            external_id: Some("job-17".to_owned()),
            usual: Parameters { steps: Some(4), speed: Some(1.25), ..Parameters::default() },
        }
        .into(),
        ScenesNamed {
            scenes: vec![
                NamedScene { shot_id: SHOT, name: SceneName::Number(1) },
                NamedScene { shot_id: SHOT, name: SceneName::Text("s-2".to_owned()) },
            ],
        }
        .into(),
        ProjectAssigned { owner: "ada@films.example".to_owned() }.into(),
        StyleRevised { style: "watercolor".to_owned() }.into(),
        SettingsRevised { settings: settings() }.into(),
        StoryRevised { story: "Another story.".to_owned() }.into(),
        ProjectDeleted { at: None }.into(),
        ProjectUndeleted {}.into(),
        ProjectPurged {}.into(),
        ShotCountRevised { shot_count: 12 }.into(),
        MusicUploaded { asset: asset("music", 1, "mp3") }.into(),
        MusicRemoved {}.into(),
        StoryboardAdopted {
            task_id: TASK,
            spec_hash: spec_hash(),
            title: "The lamp".to_owned(),
            language: "en".to_owned(),
            shots: vec![AdoptedShot {
                id: SHOT,
                title: "Dusk".to_owned(),
                prompt: "A lighthouse at dusk".to_owned(),
                narration: "The light went out.".to_owned(),
                mood: Mood::Tense,
            }],
        }
        .into(),
    ]
}

fn content() -> Content {
    let take = |kind, extension| ContentTake {
        take_id: TAKE,
        asset: asset(kind, 1, extension),
        spec_hash: spec_hash(),
        parameters: parameters(),
        made_with: MadeWith {
            provider: "builtin".to_owned(),
            seed: Some(7),
            millis: 1_234,
            ..MadeWith::default()
        },
    };
    Content {
        title: "The lamp".to_owned(),
        description: "Shorter".to_owned(),
        story: "The light went out.".to_owned(),
        style: "watercolor".to_owned(),
        shot_count: Some(2),
        settings: settings(),
        language: Some("en".to_owned()),
        storyboard: Some(spec_hash()),
        music: None,
        shots: vec![ContentShot {
            id: SHOT,
            origin: Some(ShotId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0005))),
            title: "Dusk".to_owned(),
            prompt: "A lighthouse at dusk".to_owned(),
            negative_prompt: "people".to_owned(),
            narration: "The light went out.".to_owned(),
            mood: Mood::Tense,
            transition: Some(Transition::SlideLeft),
            duration_seconds: Some(6.5),
            slot: None,
            edited: false,
            locked: true,
            image: Some(take("image", "png")),
            video: Some(take("video", "mp4")),
            voice: Some(take("tts", "wav")),
            clip_is_newest: true,
        }],
    }
}

fn content_samples() -> Vec<Event> {
    let project =
        |number: u128| ProjectId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number));
    vec![
        ProjectRestored { version: 9, content: content() }.into(),
        ProjectImported { version: 9 }.into(),
        ProjectForked { id: project(6), from: project(0), version: 9, content: content() }.into(),
    ]
}

fn shot_samples() -> Vec<Event> {
    vec![
        ShotPromptRevised {
            shot_id: SHOT,
            prompt: "A lighthouse at dawn".to_owned(),
            negative_prompt: "people".to_owned(),
        }
        .into(),
        ShotNarrationRevised { shot_id: SHOT, narration: "The light came back.".to_owned() }.into(),
        ShotDetailsRevised {
            shot_id: SHOT,
            title: "Dawn".to_owned(),
            mood: Mood::Bright,
            transition: Some(Transition::SlideLeft),
            duration_seconds: Some(6.5),
        }
        .into(),
        ShotLocked { shot_id: SHOT }.into(),
        ShotUnlocked { shot_id: SHOT }.into(),
        ShotAdded {
            shot_id: SHOT,
            place: 1,
            title: "Dawn".to_owned(),
            prompt: "A lighthouse at dawn".to_owned(),
            negative_prompt: "people".to_owned(),
            narration: "The light came back.".to_owned(),
            mood: Mood::Bright,
            transition: Some(Transition::Cut),
            duration_seconds: Some(6.5),
        }
        .into(),
        ShotRemoved { shot_id: SHOT }.into(),
        ShotsReordered { shots: vec![SHOT] }.into(),
    ]
}

fn take_samples() -> Vec<Event> {
    vec![
        TakeSelected {
            shot_id: SHOT,
            kind: Kind::Image,
            take_id: TAKE,
            asset: asset("image", 1, "png"),
            spec_hash: spec_hash(),
            parameters: Parameters { candidate: Some(2), ..parameters() },
            made_with: MadeWith {
                provider: "sd".to_owned(),
                model: Some("sd_turbo".to_owned()),
                seed: Some(7),
                millis: 1_234,
                cost: Some(0.25),
                degraded: Some("fallback provider".to_owned()),
            },
        }
        .into(),
        TakeUploaded {
            shot_id: SHOT,
            kind: Kind::Image,
            take_id: TAKE,
            asset: asset("image", 1, "png"),
            spec_hash: spec_hash(),
        }
        .into(),
        TakesExpired { takes: vec![TAKE] }.into(),
        BatchPlanned { task_id: TASK, kind: Kind::Image, children: vec![TASK] }.into(),
    ]
}

fn task_samples() -> Vec<Event> {
    vec![
        TaskPlanned {
            task_id: TASK,
            kind: Kind::Video,
            shot_id: Some(SHOT),
            slot: Some(0),
            depends_on: vec![TaskId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0004))],
            parameters: parameters(),
            attempt: 1,
            max_attempts: MAX_ATTEMPTS,
        }
        .into(),
        TaskQueued {
            task_id: TASK,
            kind: Kind::Image,
            shot_id: Some(SHOT),
            spec_hash: spec_hash(),
            parameters: Parameters::default(),
            attempt: 2,
            max_attempts: 5,
        }
        .into(),
        TaskStarted { task_id: TASK, attempt: 2, claim: claim(9), worker: "gpu-1".to_owned() }.into(),
        TaskRetryScheduled { task_id: TASK, attempt: 3, due: start_of_time(), failure: failure() }.into(),
        TaskDeferred { task_id: TASK, due: start_of_time(), reason: "throttled".to_owned() }.into(),
        TaskCancelled { task_id: TASK, reason: CancelReason::DependencyFailed }.into(),
    ]
}

fn result_samples() -> Vec<Event> {
    let Output::Film(film) = film_output(1) else { unreachable!("it is a film") };
    vec![
        TaskFinished {
            task_id: TASK,
            attempt: 3,
            spec_hash: spec_hash(),
            take: Some(TakeMade {
                take_id: TAKE,
                shot_id: SHOT,
                asset: asset("tts", 1, "wav"),
                selected: true,
            }),
            made_with: MadeWith {
                provider: "builtin".to_owned(),
                model: Some("joe".to_owned()),
                seed: Some(7),
                millis: 1_234,
                ..MadeWith::default()
            },
        }
        .into(),
        TaskFailed { task_id: TASK, attempt: 4, failure: failure() }.into(),
        FilmRendered {
            task_id: TASK,
            film_version: 1,
            spec_hash: spec_hash(),
            parameters: parameters(),
            film: Box::new(film),
            incomplete: vec![SHOT],
        }
        .into(),
    ]
}

#[test]
fn every_event_is_stored_as_its_golden_file_says() {
    for event in samples() {
        let name = file_of(event.name(), event.version());
        let stored = serde_json::to_value(&event).unwrap();
        let golden = std::fs::read_to_string(folder().join(&name)).unwrap_or_else(|error| {
            panic!("{name}: {error}; a new event needs it, with\n{stored:#}");
        });
        assert_eq!(serde_json::from_str::<Value>(&golden).unwrap(), stored, "{name}");
        assert_eq!(serde_json::from_str::<Event>(&golden).unwrap(), event, "{name}");
    }
}

#[test]
fn every_event_type_has_a_sample_and_a_golden_file_and_every_file_an_event_type() {
    let known: BTreeSet<String> = Event::TYPES.iter().map(|(name, version)| file_of(name, version)).collect();
    let sampled: BTreeSet<String> =
        samples().iter().map(|event| file_of(event.name(), event.version())).collect();
    let entries = std::fs::read_dir(folder()).unwrap();
    let files: BTreeSet<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(sampled, known);
    assert_eq!(files, known);
}

#[test]
fn a_deletion_says_when_since_it_can_be_taken_back() {
    let stored = serde_json::to_value(ProjectDeleted { at: Some(start_of_time()) }).unwrap();
    assert_eq!(stored, serde_json::json!({ "at": "2027-01-15T08:00:00Z" }));
}

#[test]
fn the_parameters_of_a_film_are_stored_so() {
    let parameters = Parameters {
        resolution: Some(FrameSize::Pixels { width: 1080, height: 1920 }),
        format: Some(FilmFormat::Webm),
        from_shot: Some(SHOT),
        to_shot: Some(SHOT),
        max_seconds: Some(12.5),
        ..Parameters::default()
    };
    let stored = serde_json::json!({
        "resolution": "1080x1920", "format": "webm", "maxSeconds": 12.5,
        "fromShot": "01900000-0000-7000-8000-000000000002", "toShot": "01900000-0000-7000-8000-000000000002",
    });
    assert_eq!(serde_json::to_value(&parameters).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Parameters>(stored).unwrap(), parameters);
}

#[test]
fn an_event_of_an_unknown_type_is_not_read_as_another() {
    let unknown = serde_json::json!({ "ShotPainted": { "shotId": SHOT } });
    assert!(serde_json::from_value::<Event>(unknown).is_err());
}

#[test]
fn every_reason_for_stopping_a_task_has_its_word() {
    let words = [
        (CancelReason::Requested, "requested"),
        (CancelReason::DependencyFailed, "dependency_failed"),
        (CancelReason::Superseded, "superseded"),
        (CancelReason::Surplus, "surplus"),
        (CancelReason::ProjectDeleted, "project_deleted"),
        (CancelReason::Imported, "imported"),
        (CancelReason::ShotRemoved, "shot_removed"),
    ];
    for (reason, word) in words {
        assert_eq!(serde_json::to_value(reason).unwrap(), word);
    }
}
