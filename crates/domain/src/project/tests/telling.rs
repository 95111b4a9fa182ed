//! Tells a project's history in tests: gives commands, plays the workers, and says in words what happened.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::asset::{Asset, AssetKey};
use crate::ids::{ClaimId, CommandId, ProjectId, ShotId, TaskId};
use crate::job::{
    Failure, FilmOutput, Kind, MadeWith, Output, SegmentCounts, StoryboardOutput, StoryboardShot,
};
use crate::metadata::Context;
use crate::project::{
    Command, CreateProject, Envelope, Event, Parameters, Project, ProjectError, ProjectPatch, ShotPatch,
};
use crate::settings::{Mood, Settings};

/// A project, the events that made it, and the words for its tasks.
#[derive(Clone, Default)]
pub(super) struct Telling {
    pub(super) project: Project,
    pub(super) events: Vec<Event>,
    commands: u32,
    assets: u32,
    tasks: BTreeMap<TaskId, (Kind, Option<u32>, Option<ShotId>)>,
    batches: BTreeSet<TaskId>,
}

pub(super) fn start_of_time() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

pub(super) fn envelope(number: u32, command: Command) -> Envelope {
    let context = Context {
        command: CommandId(Uuid::from_u128(u128::from(number))),
        at: start_of_time() + TimeDelta::seconds(i64::from(number)),
        actor: "user:tester".to_owned(),
        owner: None,
        correlation: "test".to_owned(),
        causation: None,
        traceparent: None,
    };
    Envelope { context, if_version: None, command }
}

pub(super) fn creation(shot_count: Option<u32>, settings: Settings) -> CreateProject {
    CreateProject {
        id: ProjectId(Uuid::from_u128(1)),
        story: "The keeper lit the lamp. The storm came. The ship came home.".to_owned(),
        title: String::new(),
        description: "A test".to_owned(),
        style: "watercolor".to_owned(),
        shot_count,
        settings,
    }
}

pub(super) fn claim(number: u128) -> ClaimId {
    ClaimId(Uuid::from_u128(number))
}

pub(super) fn unknown_task() -> TaskId {
    TaskId(Uuid::from_u128(404))
}

pub(super) fn asset(kind: &str, number: u32, extension: &str) -> Asset {
    let digest = hex::encode(crate::hash::sha256(&[&number.to_be_bytes()]));
    let timed = extension != "png";
    Asset {
        key: AssetKey::new(kind, &digest, extension).unwrap(),
        bytes: 1_000 + u64::from(number),
        duration_seconds: timed.then_some(2.5),
    }
}

/// A storyboard with these narrations.
pub(super) fn storyboard(narrations: &[&str]) -> Output {
    let shot = |(number, narration): (usize, &&str)| StoryboardShot {
        title: format!("Shot {}", number + 1),
        prompt: format!("Picture {}", number + 1),
        narration: (*narration).to_owned(),
        mood: Mood::Calm,
    };
    Output::Storyboard(StoryboardOutput {
        title: "The lamp".to_owned(),
        language: "en".to_owned(),
        shots: narrations.iter().enumerate().map(shot).collect(),
    })
}

pub(super) fn film_output(number: u32) -> Output {
    Output::Film(FilmOutput {
        film: asset("film", number, "mp4"),
        srt: asset("film", number, "srt"),
        vtt: asset("film", number, "vtt"),
        poster: asset("film", number, "jpg"),
        width: 1280,
        height: 720,
        fps: 24,
        duration_seconds: 7.5,
        segments: SegmentCounts { total: 5, encoded: 5, reused: 0 },
        warnings: Vec::new(),
    })
}

pub(super) fn video_on() -> Settings {
    Settings { image_to_video: true, ..Settings::default() }
}

pub(super) fn auto_render() -> Settings {
    Settings { auto_render: true, ..Settings::default() }
}

pub(super) fn prompt(text: &str) -> ShotPatch {
    ShotPatch { prompt: Some(text.to_owned()), ..ShotPatch::default() }
}

pub(super) fn narration(text: &str) -> ShotPatch {
    ShotPatch { narration: Some(text.to_owned()), ..ShotPatch::default() }
}

pub(super) fn locked(locked: bool) -> ShotPatch {
    ShotPatch { locked: Some(locked), ..ShotPatch::default() }
}

pub(super) fn settings_patch(settings: Settings) -> Command {
    Command::ReviseProject(ProjectPatch { settings: Some(settings), ..ProjectPatch::default() })
}

pub(super) fn style_patch(style: &str) -> Command {
    Command::ReviseProject(ProjectPatch { style: Some(style.to_owned()), ..ProjectPatch::default() })
}

pub(super) fn render() -> Command {
    Command::RenderFilm { parameters: Parameters::default() }
}

/// Givens.
impl Telling {
    /// A project that waits for its storyboard.
    pub(super) fn created(shot_count: Option<u32>, settings: Settings) -> Self {
        let mut told = Self::default();
        told.when(Command::CreateProject(creation(shot_count, settings)));
        told
    }

    /// A project of which the storyboard has come: a shot for each narration, all its takes queued.
    pub(super) fn with_shots(narrations: &[&str], settings: Settings) -> Self {
        let mut told = Self::created(None, settings);
        told.finish_with(told.open(Kind::Storyboard, 0), storyboard(narrations));
        told
    }

    /// A project of which all tasks have finished, the film too if it comes by itself.
    pub(super) fn complete(narrations: &[&str], settings: Settings) -> Self {
        let mut told = Self::with_shots(narrations, settings);
        told.finish_everything();
        told
    }

    /// An event that no command of today brings about.
    pub(super) fn given(&mut self, event: impl Into<Event>) {
        self.take_in(vec![event.into()]);
    }
}

/// Whens.
impl Telling {
    pub(super) fn decide(&mut self, command: Command) -> Result<Vec<Event>, ProjectError> {
        self.decide_seen(command, None)
    }

    /// Decides and takes in what follows; says it in words.
    pub(super) fn when(&mut self, command: Command) -> Vec<String> {
        let events = self.decide(command).expect("the command is accepted");
        self.take_in(events)
    }

    pub(super) fn refused(&mut self, command: Command) -> ProjectError {
        self.decide(command).expect_err("the command is refused")
    }

    /// Decides a command of somebody who saw a certain version.
    pub(super) fn decide_seen(
        &mut self,
        command: Command,
        if_version: Option<u64>,
    ) -> Result<Vec<Event>, ProjectError> {
        self.commands += 1;
        self.project.decide(&Envelope { if_version, ..envelope(self.commands, command) })
    }

    pub(super) fn take_in(&mut self, events: Vec<Event>) -> Vec<String> {
        let mut words = Vec::new();
        for event in events {
            match &event {
                Event::TaskPlanned(task) => {
                    self.tasks.insert(task.task_id, (task.kind, task.slot, task.shot_id));
                }
                Event::BatchPlanned(batch) => {
                    self.batches.insert(batch.task_id);
                }
                Event::TaskQueued(task) => {
                    self.tasks.insert(task.task_id, (task.kind, None, task.shot_id));
                }
                _ => {}
            }
            self.project.evolve(&event);
            words.push(self.words(&event));
            self.events.push(event);
        }
        words
    }

    pub(super) fn edit(&mut self, shot: usize, patch: ShotPatch) -> Vec<String> {
        self.when(self.editing(shot, patch, true))
    }

    pub(super) fn mark(&mut self, shot: usize, patch: ShotPatch) -> Vec<String> {
        self.when(self.editing(shot, patch, false))
    }

    pub(super) fn editing(&self, shot: usize, patch: ShotPatch, generate: bool) -> Command {
        Command::ReviseShot { shot: self.shot_id(shot), patch, generate }
    }

    pub(super) fn generating(&self, shot: usize, kind: Kind) -> Command {
        self.candidates(shot, kind, 1)
    }

    pub(super) fn candidates(&self, shot: usize, kind: Kind, candidates: u32) -> Command {
        let parameters = Parameters::default();
        Command::GenerateTake { shot: self.shot_id(shot), kind, parameters, candidates }
    }

    pub(super) fn cancel(&mut self, task: TaskId) -> Vec<String> {
        self.when(Command::CancelTask { task })
    }

    pub(super) fn retry(&mut self, task: TaskId) -> Vec<String> {
        self.when(Command::RetryTask { task })
    }
}

/// Workers.
impl Telling {
    pub(super) fn start(&mut self, task: TaskId, run: ClaimId) -> Vec<String> {
        let attempt = self.project.tasks[&task].attempt;
        self.when(starting(task, attempt, run))
    }

    /// What a worker brings for a task of this kind: for a storyboard three narrated shots.
    pub(super) fn output(&mut self, kind: Kind) -> Output {
        self.assets += 1;
        match kind {
            Kind::Storyboard => storyboard(&["One.", "Two.", "Three."]),
            Kind::Image => Output::Media { asset: asset("image", self.assets, "png") },
            Kind::Video => Output::Media { asset: asset("video", self.assets, "mp4") },
            Kind::Tts => Output::Media { asset: asset("tts", self.assets, "wav") },
            Kind::Film => film_output(self.assets),
        }
    }

    pub(super) fn finish(&mut self, task: TaskId) -> Vec<String> {
        let output = self.output(self.project.tasks[&task].kind);
        self.finish_with(task, output)
    }

    pub(super) fn finish_with(&mut self, task: TaskId, output: Output) -> Vec<String> {
        self.when(finishing(task, output))
    }

    /// A failure that no run is named for.
    pub(super) fn fail(&mut self, task: TaskId) -> Vec<String> {
        self.when(failing(task, None, false))
    }

    /// Finishes whatever is ready until nothing is.
    pub(super) fn finish_everything(&mut self) {
        for _ in 0..1_000 {
            match self.ready().first() {
                Some(task) => self.finish(*task),
                None => return,
            };
        }
        panic!("still busy after 1,000 results");
    }
}

pub(super) fn starting(task: TaskId, attempt: u32, claim: ClaimId) -> Command {
    Command::RecordTaskStarted { task, attempt, claim, worker: "worker-1".to_owned() }
}

pub(super) fn finishing(task: TaskId, output: Output) -> Command {
    let made_with = MadeWith { provider: "builtin".to_owned(), millis: 12, ..MadeWith::default() };
    // Of whatever attempt is the newest; tests of late attempts say which.
    Command::RecordTaskFinished { task, attempt: u32::MAX, output, made_with }
}

pub(super) fn failing(task: TaskId, claim: Option<ClaimId>, retryable: bool) -> Command {
    let failure = Failure { code: "model_down".to_owned(), message: "No answer".to_owned(), retryable };
    Command::RecordTaskFailed { task, claim, failure }
}

/// Thens.
impl Telling {
    /// The id of a shot, counted from 1.
    pub(super) fn shot_id(&self, number: usize) -> ShotId {
        self.project.shots[number - 1].id
    }

    pub(super) fn shot(&self, number: usize) -> &crate::project::Shot {
        &self.project.shots[number - 1]
    }

    /// The one open task of a kind and shot (counted from 1; 0 for none).
    pub(super) fn open(&self, kind: Kind, shot: usize) -> TaskId {
        let shot = (shot > 0).then(|| self.shot_id(shot));
        let mut found = self.project.open_tasks().filter(|(_, task)| task.kind == kind && task.shot == shot);
        let (id, _) = found.next().expect("such a task is open");
        assert!(found.next().is_none(), "two open tasks for the same {kind}");
        id
    }

    /// The open task whose take becomes the shot's own, among candidates.
    pub(super) fn open_own(&self, kind: Kind, shot: usize) -> TaskId {
        let shot = Some(self.shot_id(shot));
        let mut open = self.project.open_tasks().filter(|(_, task)| task.kind == kind && task.shot == shot);
        open.find(|(_, task)| task.parameters.candidate.is_none()).expect("it is open").0
    }

    /// The open task of a place in the storyboard to come, counted from 1.
    pub(super) fn planned(&self, kind: Kind, place: u32) -> TaskId {
        let of_place = |(_, task): &(TaskId, &crate::project::Task)| {
            task.kind == kind && task.slot.is_some_and(|slot| slot + 1 == place)
        };
        self.project.open_tasks().find(of_place).expect("such a task is planned").0
    }

    /// Tasks that wait for a worker, or that one has.
    pub(super) fn ready(&self) -> Vec<TaskId> {
        use crate::project::TaskState::{Pending, Processing};
        let ready = self.project.tasks.iter();
        ready
            .filter(|(_, task)| matches!(task.state, Pending | Processing { .. }))
            .map(|(id, _)| *id)
            .collect()
    }

    /// The open tasks in words, in the order of the alphabet: `image 1 blocked`.
    pub(super) fn open_work(&self) -> Vec<String> {
        use crate::project::TaskState::{Blocked, Pending};
        let state = |task: &crate::project::Task| match task.state {
            Blocked => "blocked",
            Pending => "pending",
            _ => "processing",
        };
        let mut words: Vec<String> = self
            .project
            .open_tasks()
            .map(|(id, task)| format!("{} {}", self.task_words(id), state(task)))
            .collect();
        words.sort();
        words
    }

    /// What is out of date, in words: `image 1`, `film`.
    pub(super) fn stale(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (number, shot) in (1..).zip(&self.project.shots) {
            for kind in [Kind::Image, Kind::Video, Kind::Tts] {
                if self.project.is_stale(shot, kind) {
                    words.push(format!("{kind} {number}"));
                }
            }
        }
        if self.project.film_is_stale() {
            words.push("film".to_owned());
        }
        words
    }

    fn task_words(&self, id: TaskId) -> String {
        match self.tasks.get(&id) {
            _ if self.batches.contains(&id) => "batch".to_owned(),
            Some((kind, Some(slot), _)) => format!("{kind} at place {}", slot + 1),
            Some((kind, None, Some(shot))) => format!("{kind} {}", self.number_of(*shot)),
            Some((kind, None, None)) => kind.to_string(),
            None => "unknown task".to_owned(),
        }
    }

    /// A shot counted from 1; 0 for one that is gone.
    fn number_of(&self, shot: ShotId) -> usize {
        let place = self.project.shots.iter().position(|known| known.id == shot);
        place.map_or(0, |place| place + 1)
    }

    fn words(&self, event: &Event) -> String {
        let task = |id: TaskId| self.task_words(id);
        let detail = match event {
            Event::TaskPlanned(event) => task(event.task_id),
            Event::TaskQueued(event) if event.attempt > 1 => {
                format!("{} (attempt {})", task(event.task_id), event.attempt)
            }
            Event::TaskQueued(event) => task(event.task_id),
            Event::TaskStarted(event) => task(event.task_id),
            Event::TaskRetryScheduled(event) => {
                format!("{} (attempt {})", task(event.task_id), event.attempt)
            }
            Event::TaskDeferred(event) => task(event.task_id),
            Event::TaskFinished(event) if event.take.as_ref().is_some_and(|take| !take.selected) => {
                format!("{} not selected", task(event.task_id))
            }
            Event::TaskFinished(event) => task(event.task_id),
            Event::TaskFailed(event) => task(event.task_id),
            Event::TaskCancelled(event) => format!("{}: {:?}", task(event.task_id), event.reason),
            Event::FilmRendered(event) => format!("version {}", event.film_version),
            Event::BatchPlanned(event) => format!("of {}", event.children.len()),
            Event::ShotAdded(event) => self.number_of(event.shot_id).to_string(),
            Event::TakeSelected(event) => format!("{} {}", event.kind, self.number_of(event.shot_id)),
            Event::TakeUploaded(event) => format!("{} {}", event.kind, self.number_of(event.shot_id)),
            Event::ShotPromptRevised(event) => self.number_of(event.shot_id).to_string(),
            Event::ShotNarrationRevised(event) => self.number_of(event.shot_id).to_string(),
            Event::ShotDetailsRevised(event) => self.number_of(event.shot_id).to_string(),
            Event::ShotLocked(event) => self.number_of(event.shot_id).to_string(),
            Event::ShotUnlocked(event) => self.number_of(event.shot_id).to_string(),
            _ => return event.name().to_owned(),
        };
        format!("{} {detail}", event.name())
    }
}
