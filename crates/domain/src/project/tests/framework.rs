//! The aggregate as cqrs-es sees it.

use cqrs_es::test::TestFramework;
use cqrs_es::{Aggregate, DomainEvent};

use super::telling::{Telling, creation, envelope, prompt};
use crate::project::{Command, Event, Project, ProjectError};
use crate::settings::Settings;

#[test]
fn handling_a_command_writes_what_was_decided() {
    let create = envelope(1, Command::CreateProject(creation(Some(2), Settings::default())));
    let decided = Project::default().decide(&create).unwrap();
    TestFramework::<Project>::with(()).given_no_previous_events().when(create).then_expect_events(decided);
}

#[test]
fn an_aggregate_is_loaded_from_its_events() {
    let told = Telling::complete(&["One."], Settings::default());
    let edit = envelope(500, told.editing(1, prompt("A lighthouse"), true));
    let decided = told.project.decide(&edit).unwrap();
    assert_eq!(decided.len(), 2);
    TestFramework::<Project>::with(()).given(told.events).when(edit).then_expect_events(decided);
}

#[test]
fn a_broken_rule_is_an_error_of_the_aggregate() {
    TestFramework::<Project>::with(())
        .given_no_previous_events()
        .when(envelope(1, Command::DeleteProject))
        .then_expect_error(ProjectError::NotFound);
}

#[test]
fn events_name_their_type_and_version() {
    let told = Telling::created(None, Settings::default());
    assert_eq!(Project::TYPE, "project");
    for event in &told.events {
        let known = Event::TYPES.contains(&(event.event_type().as_str(), event.event_version().as_str()));
        assert!(known, "{}", event.name());
    }
}
