//! Errands: projects that stand for calls of a client that keeps its projects elsewhere. They are in no list, each
//! of their steps is made when it is asked for, and they remember what the client calls things.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::command::{CreateProject, Parameters, ShotPatch};
use super::error::ProjectError;
use super::event::{ErrandTaken, ScenesNamed};
use super::limits;
use super::state::Project;
use crate::asset::Asset;
use crate::ids::ShotId;
use crate::job::Kind;

/// Longest name that another system has for something, in characters.
pub const NAME: usize = 200;

/// Where an errand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A client of the StoryToVideo gateway.
    Gateway,
}

impl Origin {
    /// The word in JSON and SQL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
        }
    }
}

/// What another system calls a shot: told back as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SceneName {
    /// A number.
    Number(i64),
    /// A text of up to [`NAME`] characters.
    Text(String),
}

/// What an errand starts with.
#[derive(Debug, Clone, PartialEq)]
pub struct StartErrand {
    /// The project's own fields. The story may be empty where shots are given.
    pub project: CreateProject,
    /// Where it comes from.
    pub origin: Origin,
    /// What the client calls it, up to [`NAME`] characters.
    pub external_id: Option<String>,
    /// How takes are made where nobody says otherwise.
    pub usual: Parameters,
}

/// A shot that another system has told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GivenShot {
    /// What that system calls it.
    pub name: Option<SceneName>,
    /// Its content; what is absent is empty.
    pub content: ShotPatch,
    /// Its picture, which is stored already.
    pub picture: Option<Asset>,
    /// A take that is made of it at once.
    pub take: Option<(Kind, Parameters)>,
}

/// What a project that is an errand remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Errand {
    /// Where it comes from.
    pub origin: Origin,
    /// What the client calls it.
    pub external_id: Option<String>,
    /// How takes are made where nobody says otherwise.
    pub usual: Parameters,
    /// What the client calls its shots.
    pub scenes: BTreeMap<ShotId, SceneName>,
}

impl Project {
    /// What the client of an errand calls a shot, if it has a name for it.
    pub fn scene_name(&self, shot: ShotId) -> Option<&SceneName> {
        self.errand.as_ref()?.scenes.get(&shot)
    }

    /// How takes are made where nobody says otherwise.
    pub(super) fn usual(&self) -> Parameters {
        self.errand.as_ref().map(|errand| errand.usual.clone()).unwrap_or_default()
    }

    pub(super) fn take_errand(&mut self, event: &ErrandTaken) {
        self.errand = Some(Errand {
            origin: event.origin,
            external_id: event.external_id.clone(),
            usual: event.usual.clone(),
            scenes: BTreeMap::new(),
        });
    }

    pub(super) fn name_scenes(&mut self, event: &ScenesNamed) {
        let Some(errand) = &mut self.errand else { return };
        errand.scenes.extend(event.scenes.iter().map(|scene| (scene.shot_id, scene.name.clone())));
    }
}

/// What an errand is called, and how its takes are made.
pub(super) fn check_errand(external_id: Option<&str>, usual: &Parameters) -> Result<(), ProjectError> {
    external_id.map_or(Ok(()), |id| check_name("externalId", id))?;
    limits::check_parameters(usual)
}

pub(super) fn check_scene_name(name: &SceneName) -> Result<(), ProjectError> {
    match name {
        SceneName::Number(_) => Ok(()),
        SceneName::Text(text) => check_name("sceneId", text),
    }
}

fn check_name(field: &'static str, name: &str) -> Result<(), ProjectError> {
    if name.chars().count() <= NAME && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("must have at most {NAME} characters, none of them a control character");
    Err(ProjectError::Invalid { field, message })
}
