//! Which address leads where.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use infra::runtime::CancellationToken;

use crate::{Api, App, commands, edge, live, queries};

/// The whole surface, without limits on connections and heads of requests, which are [`crate::run`]'s.
pub fn router(api: Api) -> Router {
    product(Arc::new(App::new(api, CancellationToken::new())))
}

/// What everybody sees.
pub(crate) fn product(app: Arc<App>) -> Router {
    let project = get(queries::project::get)
        .patch(commands::revise_project::patch)
        .delete(commands::delete_project::delete);
    let shot = get(queries::shots::get).patch(commands::revise_shot::patch);
    let routes = Router::new()
        .route("/healthz", get(queries::health::alive))
        .route("/readyz", get(queries::health::ready))
        .route("/media/{kind}/{name}", get(queries::media::get))
        .route("/v1/projects", get(queries::projects::list).post(commands::create_project::post))
        .route("/v1/projects/{project}", project)
        .route("/v1/projects/{project}/shots", get(queries::shots::list))
        .route("/v1/projects/{project}/shots/{shot}", shot)
        .route("/v1/projects/{project}/shots/{shot}/image", post(commands::generate_take::image))
        .route("/v1/projects/{project}/shots/{shot}/video", post(commands::generate_take::video))
        .route("/v1/projects/{project}/shots/{shot}/narration", post(commands::generate_take::narration))
        .route("/v1/projects/{project}/film", get(queries::film::get).post(commands::render_film::post))
        .route("/v1/projects/{project}/film/download", get(queries::film_download::get))
        .route("/v1/projects/{project}/tasks", get(queries::tasks::list))
        .route("/v1/projects/{project}/history", get(queries::history::list))
        .route("/v1/projects/{project}/stream", get(live::open))
        .route("/v1/tasks/{task}", get(queries::tasks::get))
        .route("/v1/tasks/{task}/cancel", post(commands::end_task::cancel))
        .route("/v1/tasks/{task}/retry", post(commands::end_task::retry));
    guarded(routes, app)
}

/// What operators see, on a listener of its own.
pub(crate) fn operators(app: Arc<App>) -> Router {
    guarded(Router::new().route("/metrics", get(queries::health::metrics)), app)
}

fn guarded(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes.layer(from_fn_with_state(app.clone(), edge::serve)).with_state(app)
}
