//! `GET /v1/projects/{id}/estimate`: what making takes would take and cost, by what earlier ones did.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::{self, Generate, Only};
use infra::postgres::views::pace::{self, Measured};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::extract::{Path, Query};
use crate::problem::Problem;

/// Takes of a kind that are measured.
const SAMPLES: i64 = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Parameters {
    /// `image`, `video`, `tts`, with commas between them; all that a finished shot has when absent.
    #[param(pattern = "^(image|video|tts)(,(image|video|tts))*$")]
    kinds: Option<String>,
    /// `missing` when absent.
    #[param(inline)]
    only: Option<Only>,
}

/// What making takes would take.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Estimate {
    /// Takes to make.
    tasks: u32,
    /// Work in seconds, one after the other; absent when a kind was never measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    /// In the currency of the providers' prices; absent when a kind was never measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    /// By kind.
    kinds: Vec<KindEstimate>,
}

/// The same of one kind.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KindEstimate {
    kind: Kind,
    /// Takes to make.
    tasks: u32,
    /// Earlier takes that were measured.
    samples: i64,
    /// The middle one's time.
    seconds_each: f64,
    /// What they cost on average.
    cost_each: f64,
}

/// 200 with time and cost of what `POST …/generate` with the same words would make.
#[utoipa::path(
    get, path = "/v1/projects/{project}/estimate", tag = "tasks", operation_id = "estimate",
    summary = "What making takes would take and cost", params(Parameters),
    responses(
        (status = 200, description = "By the newest takes of each kind", body = Estimate),
        (status = 422, description = "invalid"),
    ),
)]
pub(crate) async fn get(
    State(app): State<Arc<App>>,
    Path(project): Path<ProjectId>,
    Query(parameters): Query<Parameters>,
) -> Result<axum::Json<Estimate>, Problem> {
    let wanted = Generate {
        kinds: kinds(parameters.kinds.as_deref())?,
        shots: None,
        only: parameters.only.unwrap_or_default(),
        parameters: project::Parameters::default(),
    };
    app.project_row(project).await?;
    let state = app.api.store.load(project).await?.state;
    let measured = pace::measured(&app.api.pool, SAMPLES).await?;
    let to_make = state.to_make(&wanted).into_iter().map(|(_, kind)| kind);
    Ok(axum::Json(estimate(to_make, &measured)))
}

fn kinds(words: Option<&str>) -> Result<Vec<Kind>, Problem> {
    let kind = |word: &str| match word.parse() {
        Ok(kind @ (Kind::Image | Kind::Video | Kind::Tts)) => Ok(kind),
        _ => Err(Problem::invalid("kinds", "must be image, video or tts, with commas between them")),
    };
    words.map_or(Ok(Vec::new()), |words| words.split(',').map(kind).collect())
}

fn estimate(to_make: impl Iterator<Item = Kind>, measured: &[Measured]) -> Estimate {
    let mut counts: BTreeMap<Kind, u32> = BTreeMap::new();
    to_make.for_each(|kind| *counts.entry(kind).or_default() += 1);
    let of_kind = |(kind, tasks): (Kind, u32)| {
        let known = measured.iter().find(|measured| measured.kind == kind);
        KindEstimate {
            kind,
            tasks,
            samples: known.map_or(0, |known| known.samples),
            seconds_each: known.map_or(0.0, |known| known.seconds),
            cost_each: known.map_or(0.0, |known| known.cost),
        }
    };
    let tasks = counts.values().sum();
    let kinds: Vec<KindEstimate> = counts.into_iter().map(of_kind).collect();
    let is_known = kinds.iter().all(|kind| kind.samples > 0);
    let sum = |each: fn(&KindEstimate) -> f64| {
        is_known.then(|| kinds.iter().map(|kind| f64::from(kind.tasks) * each(kind)).sum())
    };
    Estimate { tasks, seconds: sum(|kind| kind.seconds_each), cost: sum(|kind| kind.cost_each), kinds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_cost_are_those_of_earlier_takes_times_what_is_to_make() {
        let measured = [Measured { kind: Kind::Image, samples: 7, seconds: 2.5, cost: 0.1 }];
        let known = estimate([Kind::Image, Kind::Image].into_iter(), &measured);
        assert_eq!((known.tasks, known.seconds, known.cost), (2, Some(5.0), Some(0.2)));
        let unknown = estimate([Kind::Image, Kind::Tts].into_iter(), &measured);
        assert_eq!((unknown.tasks, unknown.seconds), (2, None), "nobody guesses");
        assert_eq!(estimate(std::iter::empty(), &[]).seconds, Some(0.0));
    }

    #[test]
    fn only_kinds_of_takes_are_estimated() {
        assert_eq!(kinds(Some("image,tts")).unwrap(), [Kind::Image, Kind::Tts]);
        for words in ["film", "", "image,", "IMAGE", "storyboard"] {
            assert_eq!(kinds(Some(words)).unwrap_err().errors[0].field, "kinds", "{words}");
        }
    }
}
