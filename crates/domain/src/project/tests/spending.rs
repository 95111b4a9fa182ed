//! What a project costs, and what its budget holds back.

use super::telling::{Telling, claim, finishing, settings_patch};
use crate::ids::TaskId;
use crate::job::{Kind, MadeWith};
use crate::project::{Command, Event};
use crate::settings::Settings;

fn budget(budget: f64) -> Settings {
    Settings { budget: Some(budget), ..Settings::default() }
}

impl Telling {
    /// Pictures and voices of three shots, all still to be made.
    fn on_a_budget(limit: f64) -> Self {
        Self::with_shots(&["One.", "Two.", "Three."], budget(limit))
    }

    /// A worker brings what it was asked for, for so much.
    fn buy(&mut self, task: TaskId, price: f64) -> Vec<String> {
        let output = self.output(self.project.tasks[&task].kind);
        let Command::RecordTaskFinished { task, attempt, output, made_with } = finishing(task, output) else {
            panic!("it is finished")
        };
        let made_with = MadeWith { cost: Some(price), ..made_with };
        self.when(Command::RecordTaskFinished { task, attempt, output, made_with })
    }

    fn start_picture(&mut self, shot: usize) -> Vec<String> {
        self.start(self.open(Kind::Image, shot), claim(shot as u128))
    }
}

#[test]
fn what_is_made_adds_up_whether_it_is_used_or_not() {
    let mut told = Telling::on_a_budget(1e9);
    told.buy(told.open(Kind::Image, 1), 0.25);
    told.when(told.candidates(1, Kind::Image, 2));
    for task in told.ready() {
        told.buy(task, 0.5);
    }
    let made = told.events.iter().filter(|event| matches!(event, Event::TaskFinished(_))).count();
    let bought = made - 2; // The storyboard and the batch were free.
    assert_eq!(told.project.spent, 0.25 + 0.5 * (bought - 1) as f64);
}

#[test]
fn what_would_cost_more_than_the_budget_fails_before_it_starts_and_goes_on_when_that_is_raised() {
    let mut told = Telling::on_a_budget(0.3);
    told.buy(told.open(Kind::Image, 1), 0.2);
    let second = told.open(Kind::Image, 2);
    assert_eq!(told.start(second, claim(2)), ["TaskFailed image 2"]);
    let Some(Event::TaskFailed(failed)) = told.events.last() else { panic!("{:?}", told.events.last()) };
    assert_eq!(failed.failure.code, "budget_spent");
    assert!(failed.failure.message.contains("settings.budget"), "{}", failed.failure.message);
    told.when(settings_patch(Settings { seed: told.project.settings.seed, ..budget(0.4) }));
    told.retry(second);
    assert_eq!(told.start(second, claim(3)), ["TaskStarted image 2"]);
}

#[test]
fn what_is_under_way_is_reckoned_with() {
    let mut told = Telling::on_a_budget(0.3);
    told.buy(told.open(Kind::Image, 1), 0.1);
    assert_eq!(told.start_picture(2), ["TaskStarted image 2"]);
    assert_eq!(told.start_picture(3), ["TaskStarted image 3"], "0.1 + 0.2 is 0.3 for whoever pays it");
    let again = told.candidates(1, Kind::Image, 1);
    told.when(again);
    assert_eq!(told.start_picture(1), ["TaskFailed image 1"]);
}

#[test]
fn what_costs_nothing_goes_on_when_the_budget_is_spent() {
    let mut told = Telling::on_a_budget(0.1);
    told.finish(told.open(Kind::Tts, 1));
    told.buy(told.open(Kind::Image, 1), 0.5);
    assert_eq!(told.start(told.open(Kind::Tts, 2), claim(1)), ["TaskStarted tts 2"]);
    told.when(super::telling::render());
    assert_eq!(told.start_picture(2), ["TaskFailed image 2"]);
    assert_eq!(told.start_picture(3), ["TaskFailed image 3"]);
    told.finish(told.open(Kind::Tts, 2));
    assert_eq!(told.finish(told.open(Kind::Tts, 3)), ["TaskFinished tts 3", "TaskQueued film"]);
    assert_eq!(told.start(told.open(Kind::Film, 0), claim(2)), ["TaskStarted film"]);
}

#[test]
fn what_was_there_already_says_nothing_about_prices() {
    let mut told = Telling::on_a_budget(0.3);
    told.buy(told.open(Kind::Image, 1), 0.2);
    let output = told.output(Kind::Image);
    let there = MadeWith { provider: "builtin".to_owned(), ..MadeWith::default() };
    let task = told.open(Kind::Image, 2);
    told.when(Command::RecordTaskFinished { task, attempt: u32::MAX, output, made_with: there });
    assert_eq!(told.start_picture(3), ["TaskFailed image 3"]);
}

#[test]
fn without_a_budget_nothing_is_held_back() {
    let mut told = Telling::with_shots(&["One.", "Two."], Settings::default());
    told.buy(told.open(Kind::Image, 1), 1e9);
    assert_eq!(told.start_picture(2), ["TaskStarted image 2"]);
}
