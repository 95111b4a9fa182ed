//! Projects to work on, and a worker that plays every part of one without any bus.

use domain::asset::{Asset, AssetKey};
use domain::hash::sha256;
use domain::ids::{ClaimId, CommandId, ProjectId, TaskId};
use domain::job::{FilmOutput, Kind, MadeWith, Output, SegmentCounts, StoryboardOutput, StoryboardShot};
use domain::metadata::Context;
use domain::project::{Command, CreateProject, Envelope, TaskState};
use domain::settings::{Mood, Settings};
use infra::postgres::event_store::EventStore;
use infra::runtime::Clock;
use uuid::Uuid;

/// A command that was never given before.
pub(crate) fn envelope(command: Command) -> Envelope {
    let id = CommandId(Uuid::new_v4());
    let context = Context {
        command: id,
        at: Clock::System.now(),
        actor: "user:tester".to_owned(),
        owner: None,
        correlation: id.to_string(),
        causation: None,
        traceparent: None,
    };
    Envelope { context, if_version: None, command }
}

/// The command that starts a project of so many shots.
pub(crate) fn creation(id: ProjectId, shots: u32, settings: Settings) -> Command {
    Command::CreateProject(CreateProject {
        id,
        // A story of its own, so that its storyboard is one of its own too.
        story: format!("The keeper lit lamp {id}. The storm came. The ship came home."),
        title: String::new(),
        description: String::new(),
        style: "watercolor".to_owned(),
        shot_count: Some(shots),
        settings,
    })
}

/// Pictures, clips, voices and a film by itself.
pub(crate) fn everything_on() -> Settings {
    Settings { image_to_video: true, auto_render: true, ..Settings::default() }
}

/// A new project of which nothing is made yet.
pub(crate) async fn a_film_of(store: &EventStore, shots: u32, settings: Settings) -> ProjectId {
    let id = ProjectId(Uuid::now_v7());
    store.execute(id, envelope(creation(id, shots, settings))).await.unwrap();
    id
}

/// Starts and finishes every ready task of a project, and those that become ready by it. Assets are named only.
pub(crate) async fn play(store: &EventStore, project: ProjectId) {
    loop {
        let state = store.load(project).await.unwrap().state;
        let ready = state.open_tasks().find(|(_, task)| task.state == TaskState::Pending);
        let Some((task, kind, attempt)) = ready.map(|(id, task)| (id, task.kind, task.attempt)) else {
            return;
        };
        let started = Command::RecordTaskStarted {
            task,
            attempt,
            claim: ClaimId(Uuid::new_v4()),
            worker: "player".to_owned(),
        };
        store.execute(project, envelope(started)).await.unwrap();
        let output = output(kind, task, state.shot_count.unwrap_or(1));
        let finished = Command::RecordTaskFinished { task, attempt, output, made_with: MadeWith::default() };
        store.execute(project, envelope(finished)).await.unwrap();
    }
}

fn output(kind: Kind, task: TaskId, shots: u32) -> Output {
    let asset = |extension| named_asset(kind, task, extension);
    match kind {
        Kind::Storyboard => Output::Storyboard(storyboard(shots)),
        Kind::Image => Output::Media { asset: asset("png") },
        Kind::Video => Output::Media { asset: asset("mp4") },
        Kind::Tts => Output::Media { asset: asset("wav") },
        Kind::Film => Output::Film(FilmOutput {
            film: asset("mp4"),
            srt: asset("srt"),
            vtt: asset("vtt"),
            poster: asset("jpg"),
            width: 1280,
            height: 720,
            fps: 24,
            duration_seconds: 7.5,
            segments: SegmentCounts::default(),
            warnings: Vec::new(),
        }),
    }
}

fn named_asset(kind: Kind, task: TaskId, extension: &str) -> Asset {
    let digest: String = sha256(&[task.0.as_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
    let key = AssetKey::new(kind.as_str(), &digest, extension).unwrap();
    Asset { key, bytes: 1_000, duration_seconds: (extension != "png").then_some(2.5) }
}

pub(crate) fn storyboard(shots: u32) -> StoryboardOutput {
    let shot = |number| StoryboardShot {
        title: format!("Shot {number}"),
        prompt: format!("What shot {number} shows"),
        narration: format!("What shot {number} says."),
        mood: Mood::Calm,
    };
    StoryboardOutput {
        title: "The lamp".to_owned(),
        language: "en".to_owned(),
        shots: (1..=shots).map(shot).collect(),
    }
}
