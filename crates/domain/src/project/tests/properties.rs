//! What holds in every history: random commands, results, failures, repeats and edits on small projects.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::Index;

use super::telling::{Telling, asset, claim, creation, envelope, failing, finishing, starting, storyboard};
use crate::asset::Asset;
use crate::ids::{ProjectId, ShotId, TakeId, TaskId};
use crate::job::{Kind, MadeWith, Output};
use crate::project::{
    ChildState, Command, EarlierTake, Event, ForeignHistory, ForkProject, Generate, GivenShot, Lifecycle,
    Only, Parameters, Project, ProjectPatch, Shot, ShotPatch, Task, TaskState,
};
use crate::settings::{Mood, OnMissing, Quality, Settings};

/// One thing that somebody may do. Which shot, task or earlier report is meant, the moment decides.
#[derive(Debug, Clone)]
enum Step {
    Edit { shot: Index, edit: Edit, generate: bool },
    Project(u8),
    Generate { shot: Index, kind: Kind, seed: Option<u32>, candidates: u32 },
    GenerateMany { kinds: Vec<Kind>, only: Only },
    RetryFailed,
    Storyboard { force: bool, shot_count: Option<u32>, alone: bool },
    Give { words: u8, kind: Kind },
    Stop,
    Add { place: u32, words: u8, generate: bool },
    Remove(Index),
    Reverse,
    Choose { shot: Index, kind: Kind },
    Upload { shot: Index },
    Music(bool),
    Render(u8, Index),
    Cancel(Index),
    Retry(Index),
    Start { task: Index, claim: u8, early: bool },
    Finish { task: Index, shots: u8 },
    Fail { task: Index, claim: Option<u8>, retryable: bool },
    Defer { task: Index, claim: u8 },
    Again(Index),
    Restore(Index),
    Delete,
}

#[derive(Debug, Clone)]
enum Edit {
    Prompt(u8),
    Narration(u8),
    Mood(Mood),
    Duration(Option<u8>),
    Title(u8),
    Lock(bool),
    UnlockAndPrompt(u8),
}

fn edits() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (0..3_u8).prop_map(Edit::Prompt),
        4 => (0..3_u8).prop_map(Edit::Narration),
        1 => prop::sample::select(Mood::ALL).prop_map(Edit::Mood),
        1 => prop::option::of(1..6_u8).prop_map(Edit::Duration),
        1 => (0..3_u8).prop_map(Edit::Title),
        2 => any::<bool>().prop_map(Edit::Lock),
        1 => (0..3_u8).prop_map(Edit::UnlockAndPrompt),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    let kind = prop::sample::select(&Kind::ALL[..]);
    prop_oneof![
        10 => (index(), edits(), any::<bool>())
            .prop_map(|(shot, edit, generate)| Step::Edit { shot, edit, generate }),
        4 => (0..7_u8).prop_map(Step::Project),
        6 => (index(), kind.clone(), prop::option::of(0..2_u32), prop_oneof![3 => Just(1), 1 => 2..4_u32])
            .prop_map(|(shot, kind, seed, candidates)| Step::Generate { shot, kind, seed, candidates }),
        4 => bulk_steps(),
        6 => arranging_steps(),
        3 => (index(), kind).prop_map(|(shot, kind)| Step::Choose { shot, kind }),
        2 => index().prop_map(|shot| Step::Upload { shot }),
        1 => any::<bool>().prop_map(Step::Music),
        4 => (0..7_u8, index()).prop_map(|(which, shot)| Step::Render(which, shot)),
        4 => index().prop_map(Step::Cancel),
        5 => index().prop_map(Step::Retry),
        6 => (index(), 0..3_u8, prop::bool::weighted(0.1))
            .prop_map(|(task, claim, early)| Step::Start { task, claim, early }),
        20 => (index(), 1..4_u8).prop_map(|(task, shots)| Step::Finish { task, shots }),
        6 => (index(), prop::option::of(0..3_u8), any::<bool>())
            .prop_map(|(task, claim, retryable)| Step::Fail { task, claim, retryable }),
        2 => (index(), 0..3_u8).prop_map(|(task, claim)| Step::Defer { task, claim }),
        3 => index().prop_map(Step::Again),
        2 => index().prop_map(Step::Restore),
        1 => Just(Step::Delete),
    ]
}

fn bulk_steps() -> impl Strategy<Value = Step> {
    let kinds = prop::sample::subsequence(vec![Kind::Image, Kind::Video, Kind::Tts], 0..=3);
    let only = prop::sample::select(vec![Only::Missing, Only::Stale, Only::Failed, Only::All]);
    prop_oneof![
        2 => (kinds, only).prop_map(|(kinds, only)| Step::GenerateMany { kinds, only }),
        1 => Just(Step::RetryFailed),
    ]
}

fn arranging_steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (any::<bool>(), prop::option::of(1..4_u32), prop::bool::weighted(0.3))
            .prop_map(|(force, shot_count, alone)| Step::Storyboard { force, shot_count, alone }),
        1 => (0..3_u8, prop::sample::select(vec![Kind::Image, Kind::Tts]))
            .prop_map(|(words, kind)| Step::Give { words, kind }),
        1 => Just(Step::Stop),
        2 => (0..3_u32, 0..3_u8, any::<bool>())
            .prop_map(|(place, words, generate)| Step::Add { place, words, generate }),
        1 => any::<Index>().prop_map(Step::Remove),
        1 => Just(Step::Reverse),
    ]
}

fn starts() -> impl Strategy<Value = (Option<u32>, Settings)> {
    (prop::option::of(1..4_u32), any::<bool>(), any::<bool>()).prop_map(|(shots, video, auto)| {
        (shots, Settings { image_to_video: video, auto_render: auto, ..Settings::default() })
    })
}

/// A history in the making: the reports that were given, so that they can come again, and every task.
struct History {
    told: Telling,
    reports: Vec<Command>,
    tasks: Vec<TaskId>,
}

impl History {
    fn begin((shot_count, settings): (Option<u32>, Settings)) -> Self {
        let mut history = Self { told: Telling::default(), reports: Vec::new(), tasks: Vec::new() };
        history.give(Command::CreateProject(creation(shot_count, settings)));
        history
    }

    /// Gives a command; whether it is accepted is the domain's to say.
    fn give(&mut self, command: Command) {
        let before = self.told.project.clone();
        let Ok(events) = self.told.decide(command.clone()) else { return };
        for event in &events {
            match event {
                Event::TaskQueued(task) => self.tasks.push(task.task_id),
                Event::TaskPlanned(task) => self.tasks.push(task.task_id),
                Event::BatchPlanned(batch) => self.tasks.push(batch.task_id),
                _ => {}
            }
        }
        self.told.take_in(events);
        let envelope = envelope(7, command.clone());
        assert_eq!(before.decide(&envelope), before.decide(&envelope), "the same decision twice");
        if is_report(&command) {
            let again = self.told.decide(command.clone()).unwrap_or_default();
            assert!(again.is_empty(), "a report given twice: {again:?}");
            self.reports.push(command);
        }
        check(&self.told.project);
    }

    fn shot(&self, index: Index) -> ShotId {
        let known = self.told.project.shots.iter().map(|shot| shot.id);
        let all: Vec<ShotId> = known.chain([ShotId(uuid::Uuid::from_u128(404))]).collect();
        *index.get(&all)
    }

    /// A task that the project knows, more often than one that it has forgotten.
    fn task(&self, index: Index) -> TaskId {
        let known = self.told.project.tasks.keys();
        let all: Vec<TaskId> =
            known.clone().chain(known.clone()).chain(known).chain(&self.tasks).copied().collect();
        *index.get(&all)
    }

    fn attempt(&self, task: TaskId) -> u32 {
        self.told.project.tasks.get(&task).map_or(1, |task| task.attempt)
    }

    fn output(&mut self, task: TaskId, shots: u8) -> Output {
        match self.told.project.tasks.get(&task).map_or(Kind::Image, |task| task.kind) {
            Kind::Storyboard => storyboard(&["One.", "", "Three."][..usize::from(shots)]),
            kind => self.told.output(kind),
        }
    }

    fn step(&mut self, step: Step) {
        let command = match step {
            Step::Edit { shot, edit, generate } => {
                Command::ReviseShot { shot: self.shot(shot), patch: shot_patch(&edit), generate }
            }
            Step::Project(which) => self.project_edit(which),
            Step::Generate { shot, kind, seed, candidates } => {
                let parameters = Parameters { seed, ..Parameters::default() };
                Command::GenerateTake { shot: self.shot(shot), kind, parameters, candidates }
            }
            Step::GenerateMany { kinds, only } => {
                Command::Generate(Generate { kinds, shots: None, only, parameters: Parameters::default() })
            }
            Step::RetryFailed => Command::RetryFailed,
            Step::Storyboard { force, shot_count, alone } => {
                Command::MakeStoryboard { force, shot_count, alone }
            }
            Step::Stop => Command::CancelWork,
            Step::Add { .. }
            | Step::Give { .. }
            | Step::Remove(_)
            | Step::Reverse
            | Step::Choose { .. }
            | Step::Upload { .. } => self.by_hand(step),
            Step::Music(true) => Command::UploadMusic { asset: asset("music", 1, "mp3") },
            Step::Music(false) => Command::RemoveMusic,
            Step::Render(which, shot) => {
                Command::RenderFilm { parameters: film_parameters(which, self.shot(shot)) }
            }
            Step::Cancel(task) => Command::CancelTask { task: self.task(task) },
            Step::Retry(task) => Command::RetryTask { task: self.task(task) },
            Step::Start { task, claim: run, early } => {
                let task = self.task(task);
                starting(task, self.attempt(task) - u32::from(early), claim(run.into()))
            }
            Step::Finish { task, shots } => {
                let task = self.task(task);
                let output = self.output(task, shots);
                finishing(task, output)
            }
            Step::Fail { task, claim: run, retryable } => {
                // Only what nobody could handle has no claim, and that is no use trying again.
                let retryable = retryable && run.is_some();
                failing(self.task(task), run.map(|run| claim(run.into())), retryable)
            }
            Step::Defer { task, claim: run } => Command::RecordTaskDeferred {
                task: self.task(task),
                claim: claim(run.into()),
                until: super::telling::start_of_time(),
                reason: "throttled".to_owned(),
            },
            Step::Again(report) if !self.reports.is_empty() => report.get(&self.reports).clone(),
            Step::Again(_) => return,
            Step::Restore(version) => self.restoring(version),
            Step::Delete => Command::DeleteProject,
        };
        self.give(command);
    }

    /// Back to any version there ever was.
    fn restoring(&self, version: Index) -> Command {
        let version = version.index(self.told.events.len());
        let mut past = Project::default();
        self.told.events[..=version].iter().for_each(|event| past.evolve(event));
        Command::RestoreProject { version: version as u64 + 1, content: Box::new(past.content()) }
    }

    fn by_hand(&self, step: Step) -> Command {
        match step {
            Step::Add { place, words, generate } => {
                let content =
                    ShotPatch { prompt: Some("A pier".to_owned()), ..shot_patch(&Edit::Narration(words)) };
                Command::AddShot { place: Some(place), content, generate }
            }
            Step::Give { words, kind } => {
                let content = shot_patch(&Edit::Narration(words));
                let picture = (words > 1).then(|| asset("image", 901, "png"));
                let shots = vec![GivenShot { content, picture, ..GivenShot::default() }];
                let (kinds, parameters) = (vec![kind], Parameters::default());
                let takes = Generate { kinds, shots: None, only: Only::Missing, parameters };
                Command::Together(vec![Command::GiveShots { shots }, Command::Generate(takes)])
            }
            Step::Remove(shot) => Command::RemoveShot { shot: self.shot(shot) },
            Step::Reverse => Command::OrderShots {
                shots: self.told.project.shots.iter().rev().map(|shot| shot.id).collect(),
            },
            Step::Choose { shot, kind } => {
                Command::SelectTake { shot: self.shot(shot), take: Box::new(earlier_take(kind)) }
            }
            Step::Upload { shot } => Command::UploadTake {
                shot: self.shot(shot),
                kind: Kind::Image,
                asset: asset("image", 900, "png"),
            },
            other => panic!("not by hand: {other:?}"),
        }
    }

    fn project_edit(&self, which: u8) -> Command {
        let settings = &self.told.project.settings;
        let with = |settings| ProjectPatch { settings: Some(settings), ..ProjectPatch::default() };
        Command::ReviseProject(match which {
            0 => ProjectPatch { style: Some("ink".to_owned()), ..ProjectPatch::default() },
            1 => ProjectPatch { style: Some("noir".to_owned()), ..ProjectPatch::default() },
            2 => ProjectPatch { story: Some("Another story.".to_owned()), ..ProjectPatch::default() },
            3 => ProjectPatch { title: Some("Renamed".to_owned()), ..ProjectPatch::default() },
            4 => with(Settings { image_to_video: !settings.image_to_video, ..settings.clone() }),
            5 => with(Settings { auto_render: !settings.auto_render, ..settings.clone() }),
            _ => with(Settings { fps: 54 - settings.fps, ..settings.clone() }),
        })
    }

    /// Ends what is ready one by one, some by failing, as the bits of `fate` say.
    fn settle(&mut self, mut fate: u64) {
        for _ in 0..500 {
            let Some(task) = self.told.ready().first().copied() else { break };
            let shots = u8::try_from(fate % 3).unwrap_or(0) + 1;
            let output = self.output(task, shots);
            let fails = fate % 8 == 7;
            self.give(if fails { failing(task, None, false) } else { finishing(task, output) });
            fate = fate.rotate_right(3);
        }
        let left = self.told.open_work();
        assert!(left.is_empty(), "still open when nothing more can happen: {left:?}");
        assert!(self.told.project.batches.is_empty(), "a batch without open children goes on");
    }
}

fn is_report(command: &Command) -> bool {
    matches!(
        command,
        Command::RecordTaskStarted { .. }
            | Command::RecordTaskFinished { .. }
            | Command::RecordTaskFailed { .. }
            | Command::RecordTaskDeferred { .. }
    )
}

fn shot_patch(edit: &Edit) -> ShotPatch {
    let words = |number: &u8| ["", "A lighthouse", "A castle"][usize::from(*number)].to_owned();
    let none = ShotPatch::default();
    match edit {
        Edit::Prompt(number) => ShotPatch { prompt: Some(words(number)), ..none },
        Edit::Narration(number) => ShotPatch { narration: Some(words(number)), ..none },
        Edit::Mood(mood) => ShotPatch { mood: Some(*mood), ..none },
        Edit::Duration(seconds) => ShotPatch { duration: Some(seconds.map(f64::from)), ..none },
        Edit::Title(number) => ShotPatch { title: Some(words(number)), ..none },
        Edit::Lock(locked) => ShotPatch { locked: Some(*locked), ..none },
        Edit::UnlockAndPrompt(number) => {
            ShotPatch { locked: Some(false), prompt: Some(words(number)), ..none }
        }
    }
}

fn earlier_take(kind: Kind) -> EarlierTake {
    EarlierTake {
        id: TakeId(uuid::Uuid::from_u128(77)),
        kind,
        asset: asset(kind.as_str(), 700, "bin"),
        parameters: Parameters { seed: Some(3), ..Parameters::default() },
        made_with: MadeWith::default(),
    }
}

fn film_parameters(which: u8, shot: ShotId) -> Parameters {
    let own = Parameters::default();
    match which {
        0 => own,
        1 => Parameters { quality: Some(Quality::Preview), ..own },
        2 => Parameters { on_missing: Some(OnMissing::Skip), ..own },
        3 => Parameters { from_shot: Some(shot), ..own },
        4 => Parameters { to_shot: Some(shot), ..own },
        5 => Parameters { max_seconds: Some(3.0), ..own },
        _ => Parameters { from_shot: Some(shot), to_shot: Some(shot), max_seconds: Some(9.0), ..own },
    }
}

/// What holds after every command.
fn check(project: &Project) {
    if project.lifecycle == Lifecycle::Deleted {
        assert_eq!(project.open_tasks().count(), 0, "a deleted project has work");
    }
    for (id, task) in project.open_tasks() {
        check_open(project, id, task);
    }
    for task in project.tasks.values() {
        assert!(
            task.shot.is_none_or(|shot| project.shot(shot).is_some()),
            "of a shot that is gone: {task:?}"
        );
    }
    for batch in project.batches.values() {
        assert_eq!(
            project.open_children(batch).count(),
            batch.count(ChildState::Open),
            "a batch and its children disagree: {batch:?}"
        );
        assert!(batch.count(ChildState::Open) > 0, "a batch goes on without its children");
    }
    let slots: BTreeSet<u32> = project.shots.iter().filter_map(|shot| shot.slot).collect();
    let told = project.shots.iter().filter(|shot| shot.slot.is_some()).count();
    assert_eq!(slots.len(), told, "two shots of the same place");
    let mut open = BTreeSet::new();
    let mut ended = BTreeSet::new();
    for task in project.tasks.values() {
        let film = (task.kind == Kind::Film && task.is_open()).then(|| format!("{:?}", task.parameters));
        let seen = if task.is_open() { &mut open } else { &mut ended };
        let first = seen.insert((task.kind, task.shot, task.slot, task.parameters.candidate, film));
        assert!(first, "two of the same work, open {}: {task:?}", task.is_open());
    }
}

fn check_open(project: &Project, id: TaskId, task: &Task) {
    let is_open = |id: &TaskId| project.tasks.get(id).is_some_and(Task::is_open);
    let other_work = project.work_for_film(&task.parameters).next().is_some();
    match (&task.state, task.kind) {
        (TaskState::Blocked, Kind::Film) => assert!(other_work, "a film waits for nothing"),
        (TaskState::Blocked, _) => {
            assert!(task.depends_on.iter().any(is_open), "{id} waits for nothing: {task:?}");
        }
        (_, kind) => {
            let today = project.spec(task).map(|spec| spec.hash());
            assert_eq!(task.spec_hash, today, "{kind} asks for what nobody wants");
            assert!(kind != Kind::Film || !other_work, "a film is rendered while its shots are made");
        }
    }
    assert!((1..=task.max_attempts).contains(&task.attempt), "{task:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_holds_together_and_settles(
        start in starts(),
        steps in prop::collection::vec(steps(), 0..40),
        fate in any::<u64>(),
    ) {
        let mut history = History::begin(start);
        for step in steps {
            history.step(step);
        }
        history.settle(fate);
        let mut replayed = Project::default();
        for event in &history.told.events {
            replayed.evolve(event);
        }
        prop_assert_eq!(&replayed, &history.told.project);
        prop_assert_eq!(replayed.version, history.told.events.len() as u64);
        let stored = serde_json::to_string(&replayed).unwrap();
        let loaded: Project = serde_json::from_str(&stored).unwrap();
        prop_assert_eq!(&loaded, &replayed);
        for event in &history.told.events {
            let stored = serde_json::to_string(event).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Event>(&stored).unwrap(), event);
        }
        let mut elsewhere = ForeignHistory::default();
        elsewhere.takes.insert(earlier_take(Kind::Image).id, None);
        for event in &history.told.events {
            let taken = elsewhere.take_in(ProjectId(uuid::Uuid::from_u128(1)), event);
            prop_assert_eq!(taken, Ok(()), "{:?}", event);
        }
    }

    #[test]
    fn after_any_history_a_film_of_the_shots_that_is_asked_for_comes_and_is_up_to_date(
        start in starts(),
        steps in prop::collection::vec(steps(), 0..40),
        wait in any::<bool>(),
        fate in any::<u64>(),
    ) {
        let mut history = History::begin(start);
        history.give(finishing(history.told.open(Kind::Storyboard, 0), storyboard(&["One.", ""])));
        for step in steps {
            history.step(step);
        }
        if wait {
            history.settle(fate);
        }
        let project = &history.told.project;
        let no_shots = project.shots.is_empty();
        if project.lifecycle == Lifecycle::Deleted || no_shots && project.open_tasks().next().is_none() {
            return Ok(());
        }
        // What is cancelled before its shot is there stays cancelled.
        let board = |(_, task): &(TaskId, &Task)| task.kind == Kind::Storyboard;
        let board = history.told.project.open_tasks().find(board).map(|(id, _)| id);
        if let Some(board) = board {
            history.give(finishing(board, storyboard(&["One.", ""])));
        }
        history.give(Command::RenderFilm { parameters: Parameters::default() });
        history.told.finish_everything();
        check(&history.told.project);
        let project = &history.told.project;
        let unlocked = |shot: &&Shot| !shot.locked;
        prop_assert!(project.shots.iter().filter(unlocked).all(|shot| project.is_complete(shot)));
        prop_assert!(project.film.is_some() || project.shots.is_empty());
        prop_assert!(!project.film_is_stale() || project.shots.iter().any(|shot| shot.locked));
    }

    #[test]
    fn after_any_history_a_fork_is_as_complete_as_its_original(
        start in starts(),
        steps in prop::collection::vec(steps(), 0..40),
    ) {
        let mut history = History::begin(start);
        history.give(finishing(history.told.open(Kind::Storyboard, 0), storyboard(&["One.", ""])));
        for step in steps {
            history.step(step);
        }
        let original = &history.told.project;
        let fork = Command::ForkProject(Box::new(ForkProject {
            id: ProjectId(uuid::Uuid::from_u128(2)),
            from: ProjectId(uuid::Uuid::from_u128(1)),
            version: original.version,
            content: original.content(),
        }));
        let mut told = Telling::default();
        told.when(fork);
        prop_assert!(told.project.tasks.is_empty());
        let parameters = Parameters::default();
        let film = |project: &Project| project.spec_of(Kind::Film, None, &parameters);
        prop_assert_eq!(film(&told.project), film(original));
        for (ours, theirs) in told.project.shots.iter().zip(&original.shots) {
            for kind in [Kind::Image, Kind::Video, Kind::Tts] {
                prop_assert_eq!(told.project.is_stale(ours, kind), original.is_stale(theirs, kind));
            }
        }
    }

    #[test]
    fn a_story_left_alone_becomes_a_film(
        start in starts(),
        narrations in prop::collection::vec("[a-z ]{0,8}", 1..5),
    ) {
        let mut history = History::begin(start);
        let board = history.told.open(Kind::Storyboard, 0);
        let narrations: Vec<&str> = narrations.iter().map(String::as_str).collect();
        history.give(Command::RenderFilm { parameters: Parameters::default() });
        history.give(finishing(board, storyboard(&narrations)));
        history.told.finish_everything();
        let project = &history.told.project;
        prop_assert!(project.shots.iter().all(|shot| project.is_complete(shot)));
        prop_assert!(!project.film_is_stale());
        prop_assert_eq!(project.film.as_ref().map(|film| film.version), Some(1));
        prop_assert!(project.tasks.is_empty());
    }

    #[test]
    fn lengths_read_from_the_log_are_those_that_were_written(seconds in 0.0..1e6_f64) {
        let asset = Asset { duration_seconds: Some(seconds), ..asset("tts", 1, "wav") };
        let stored = serde_json::to_string(&asset).unwrap();
        prop_assert_eq!(serde_json::from_str::<Asset>(&stored).unwrap(), asset);
    }
}
