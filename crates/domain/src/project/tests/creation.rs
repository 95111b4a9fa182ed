//! From nothing to a storyboard whose shots are all being made.

use super::telling::{Telling, claim, creation, storyboard, video_on};
use crate::job::{Kind, MadeWith, Output};
use crate::project::{
    Command, Event, Lifecycle, MAX_ATTEMPTS, Project, ProjectError, ProjectPatch, TaskState,
};
use crate::settings::Settings;

#[test]
fn creating_a_project_queues_its_storyboard() {
    let mut told = Telling::default();
    let words = told.when(Command::CreateProject(creation(None, Settings::default())));
    assert_eq!(words, ["ProjectCreated", "TaskQueued storyboard"]);
    assert_eq!(told.project.lifecycle, Lifecycle::Active);
    assert_eq!(told.project.version, 2);
}

#[test]
fn a_seed_is_filled_in_when_none_is_given() {
    assert!(Telling::created(None, Settings::default()).project.settings.seed.is_some());
    let seeded = Settings { seed: Some(7), ..Settings::default() };
    assert_eq!(Telling::created(None, seeded).project.settings.seed, Some(7));
}

#[test]
fn pictures_and_voices_of_a_known_number_of_shots_are_planned_at_once() {
    let told = Telling::created(Some(2), Settings::default());
    let expected = [
        "image at place 1 blocked",
        "image at place 2 blocked",
        "storyboard pending",
        "tts at place 1 blocked",
        "tts at place 2 blocked",
    ];
    assert_eq!(told.open_work(), expected);
    let storyboard = told.open(Kind::Storyboard, 0);
    let waits = |task: &&crate::project::Task| task.state == TaskState::Blocked;
    assert!(told.project.tasks.values().filter(waits).all(|task| task.depends_on == [storyboard]));
}

#[test]
fn a_project_is_created_once() {
    let mut told = Telling::created(None, Settings::default());
    let again = Command::CreateProject(creation(None, Settings::default()));
    assert_eq!(told.refused(again), ProjectError::AlreadyExists);
}

#[test]
fn nothing_can_be_asked_of_a_project_that_does_not_exist() {
    let mut told = Telling::default();
    assert_eq!(told.refused(Command::DeleteProject), ProjectError::NotFound);
    assert_eq!(told.refused(super::telling::render()), ProjectError::NotFound);
}

#[test]
fn planned_tasks_are_bound_to_the_shots_in_order() {
    let mut told = Telling::created(Some(2), Settings::default());
    let places = [1, 2].map(|place| (told.planned(Kind::Image, place), told.planned(Kind::Tts, place)));
    let words = told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One.", "Two."]));
    let expected = [
        "TaskFinished storyboard",
        "StoryboardAdopted",
        "TaskQueued image 1",
        "TaskQueued tts 1",
        "TaskQueued image 2",
        "TaskQueued tts 2",
    ];
    assert_eq!(words, expected);
    let bound = [1, 2].map(|shot| (told.open(Kind::Image, shot), told.open(Kind::Tts, shot)));
    assert_eq!(bound, places);
}

#[test]
fn the_storyboard_fills_in_a_missing_title_and_keeps_a_given_one() {
    let told = Telling::with_shots(&["One."], Settings::default());
    assert_eq!(told.project.title, "The lamp");
    assert_eq!(told.project.language.as_deref(), Some("en"));

    let mut named = Telling::default();
    let titled =
        crate::project::CreateProject { title: "My own".to_owned(), ..creation(None, Settings::default()) };
    named.when(Command::CreateProject(titled));
    named.finish(named.open(Kind::Storyboard, 0));
    assert_eq!(named.project.title, "My own");
}

#[test]
fn a_surplus_of_planned_tasks_is_cancelled() {
    let mut told = Telling::created(Some(3), Settings::default());
    let words = told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One."]));
    assert_eq!(words.iter().filter(|word| word.ends_with(": Surplus")).count(), 4);
    assert_eq!(told.open_work(), ["image 1 pending", "tts 1 pending"]);
    assert_eq!(told.project.tasks.len(), 2, "what nobody can retry is forgotten");
}

#[test]
fn tasks_are_added_for_shots_that_were_not_asked_for() {
    let mut told = Telling::created(Some(1), Settings::default());
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One.", "Two."]));
    let expected = ["image 1 pending", "image 2 pending", "tts 1 pending", "tts 2 pending"];
    assert_eq!(told.open_work(), expected);
}

#[test]
fn a_shot_without_words_gets_no_voice() {
    let mut told = Telling::created(Some(2), Settings::default());
    let words = told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One.", "  \n"]));
    assert!(words.contains(&"TaskCancelled tts at place 2: Surplus".to_owned()), "{words:?}");
    assert_eq!(told.open_work(), ["image 1 pending", "image 2 pending", "tts 1 pending"]);
}

#[test]
fn a_finished_storyboard_fans_out_to_all_shots_at_once() {
    let told = Telling::with_shots(&["One.", "Two.", "Three."], Settings::default());
    assert_eq!(told.ready().len(), 6);
    assert_eq!(told.open_work().len(), 6);
}

#[test]
fn a_planned_picture_that_somebody_cancelled_is_not_made_but_can_be_retried() {
    let mut told = Telling::created(Some(2), Settings::default());
    let unwanted = told.planned(Kind::Image, 2);
    assert_eq!(told.cancel(unwanted), ["TaskCancelled image at place 2: Requested"]);
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One.", "Two."]));
    assert_eq!(told.open_work(), ["image 1 pending", "tts 1 pending", "tts 2 pending"]);
    assert_eq!(told.retry(unwanted), ["TaskQueued image 2 (attempt 2)"]);
}

#[test]
fn a_cancelled_plan_for_a_shot_that_never_came_is_forgotten() {
    let mut told = Telling::created(Some(2), Settings::default());
    let unwanted = told.planned(Kind::Image, 2);
    told.cancel(unwanted);
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One."]));
    assert!(!told.project.tasks.contains_key(&unwanted));
}

#[test]
fn a_retried_plan_keeps_its_attempt_when_the_storyboard_comes() {
    let mut told = Telling::created(Some(1), Settings::default());
    let picture = told.planned(Kind::Image, 1);
    told.cancel(picture);
    assert_eq!(told.retry(picture), ["TaskPlanned image at place 1"]);
    told.finish_with(told.open(Kind::Storyboard, 0), storyboard(&["One."]));
    assert_eq!(told.project.tasks[&picture].attempt, 2);
}

#[test]
fn clips_are_planned_on_their_pictures_and_queued_when_these_arrive() {
    let mut told = Telling::with_shots(&["One."], video_on());
    assert_eq!(told.open_work(), ["image 1 pending", "tts 1 pending", "video 1 blocked"]);
    let words = told.finish(told.open(Kind::Image, 1));
    assert_eq!(words, ["TaskFinished image 1", "TaskQueued video 1"]);
    told.finish(told.open(Kind::Video, 1));
    assert!(told.shot(1).video.is_some());
}

#[test]
fn a_storyboard_that_brings_something_else_has_failed_and_is_tried_again() {
    let mut told = Telling::created(None, Settings::default());
    let picture = told.output(Kind::Image);
    let words = told.finish_with(told.open(Kind::Storyboard, 0), picture);
    assert_eq!(words, ["TaskRetryScheduled storyboard (attempt 2)"]);
}

#[test]
fn a_storyboard_is_not_trusted_to_keep_to_its_limits() {
    let mut told = Telling::created(None, Settings::default());
    let task = told.open(Kind::Storyboard, 0);
    let mut refused = |change: &dyn Fn(&mut crate::job::StoryboardOutput)| {
        let Output::Storyboard(mut output) = storyboard(&["One."]) else { unreachable!() };
        change(&mut output);
        let finished = super::telling::finishing(task, Output::Storyboard(output));
        match told.decide(finished).unwrap().as_slice() {
            [Event::TaskRetryScheduled(event)] => {
                assert_eq!(event.failure.code, "invalid_output");
                event.failure.message.clone()
            }
            other => panic!("{other:?}"),
        }
    };
    let mut field = |change| refused(change).split(':').next().unwrap_or_default().to_owned();
    assert_eq!(field(&|output| output.shots.clear()), "shots");
    assert_eq!(field(&|output| output.shots = vec![output.shots[0].clone(); 201]), "shots");
    assert_eq!(field(&|output| output.title = "x".repeat(201)), "title");
    assert_eq!(field(&|output| output.title = "two\nlines".to_owned()), "title");
    assert_eq!(field(&|output| output.language = "en\u{0}".to_owned()), "language");
    assert_eq!(field(&|output| output.shots[0].prompt = "x".repeat(2_001)), "prompt");
    assert_eq!(field(&|output| output.shots[0].narration = "x".repeat(10_001)), "narration");
}

#[test]
fn a_storyboard_that_is_never_usable_fails_for_good_after_its_attempts() {
    let mut told = Telling::created(Some(1), Settings::default());
    let task = told.open(Kind::Storyboard, 0);
    for attempt in 1..=MAX_ATTEMPTS {
        told.start(task, claim(attempt.into()));
        let unusable = Command::RecordTaskFinished {
            task,
            attempt,
            output: storyboard(&[]),
            made_with: MadeWith::default(),
        };
        let words = told.when(unusable.clone());
        assert_eq!(words.len(), if attempt < MAX_ATTEMPTS { 1 } else { 3 }, "{words:?}");
        assert!(told.when(unusable).is_empty(), "the same result again uses no further attempt");
    }
    assert_eq!(told.project.tasks[&task].state, TaskState::Failed);
    assert!(told.open_work().is_empty(), "what waited for it has ended too");
}

#[test]
fn the_same_command_makes_the_same_ids_and_another_makes_others() {
    let create = Command::CreateProject(creation(Some(3), Settings::default()));
    let decide = |number| {
        Telling::default().project.decide(&super::telling::envelope(number, create.clone())).unwrap()
    };
    let ids = |events: &[Event]| -> Vec<String> {
        let task = |event: &Event| match event {
            Event::TaskQueued(event) => Some(event.task_id.to_string()),
            Event::TaskPlanned(event) => Some(event.task_id.to_string()),
            _ => None,
        };
        events.iter().filter_map(task).collect()
    };
    assert_eq!(decide(1), decide(1));
    let (first, second) = (ids(&decide(1)), ids(&decide(2)));
    assert!(first.iter().all(|id| !second.contains(id)));
    assert!(first.is_sorted(), "ids of one command sort in the order they were made");
}

#[test]
fn whoever_starts_a_project_owns_it_and_a_later_editor_does_not() {
    let mut project = Project::default();
    let mut act = |number, owner: Option<&str>, command| {
        let mut envelope = super::telling::envelope(number, command);
        envelope.context.owner = owner.map(str::to_owned);
        let events = project.decide(&envelope).unwrap();
        events.iter().for_each(|event| project.evolve(event));
        project.owner.clone()
    };
    let create = Command::CreateProject(creation(Some(1), Settings::default()));
    assert_eq!(act(1, Some("ada"), create).as_deref(), Some("ada"));
    let patch = ProjectPatch { title: Some("Another".to_owned()), ..ProjectPatch::default() };
    assert_eq!(act(2, Some("bob"), Command::ReviseProject(patch)).as_deref(), Some("ada"));
}
