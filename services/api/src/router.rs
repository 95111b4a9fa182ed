//! Which address leads where.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::uri::PathAndQuery;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::get;
use infra::runtime::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::{Api, App, auth, commands, edge, facades, live, queries};

/// The whole surface, without limits on connections and heads of requests, which are [`crate::run`]'s.
pub fn router(api: Api) -> Router {
    product(Arc::new(App::new(api, CancellationToken::new())))
}

/// What everybody sees.
pub(crate) fn product(app: Arc<App>) -> Router {
    let routes = guarded(Router::from(routes()).merge(facades::routes()), app.clone());
    if app.auth.has_path_keys() { auth::path_key::cutting(routes) } else { routes }
}

/// Every address of the product with its handlers. They are described where they are written, and the
/// document is made from this list; what is not in it has no address.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(queries::health::alive))
        .routes(routes!(queries::health::ready))
        .routes(routes!(queries::documentation::document))
        .routes(routes!(queries::documentation::page))
        .routes(routes!(queries::documentation::part))
        .routes(routes!(queries::media::get))
        .routes(routes!(queries::session::get, commands::session::post, commands::session::delete))
        .routes(routes!(commands::ticket::post))
        .routes(routes!(queries::projects::list, commands::create_project::post))
        .routes(routes!(
            queries::project::get,
            commands::revise_project::patch,
            commands::delete_project::delete
        ))
        .routes(routes!(commands::undelete_project::post))
        .routes(routes!(commands::purge_project::post))
        .routes(routes!(commands::make_storyboard::post))
        .routes(routes!(commands::generate_many::generate))
        .routes(routes!(commands::generate_many::retry))
        .routes(routes!(queries::estimate::get))
        .routes(routes!(commands::upload_music::put, commands::upload_music::delete))
        .routes(routes!(queries::shots::list, commands::add_shot::post))
        .routes(routes!(commands::order_shots::put))
        .routes(routes!(queries::shots::get, commands::revise_shot::patch, commands::remove_shot::delete))
        .routes(routes!(queries::takes::list))
        .routes(routes!(commands::select_take::put))
        .routes(routes!(commands::generate_take::image, commands::upload_image::put))
        .routes(routes!(commands::generate_take::video))
        .routes(routes!(commands::generate_take::narration))
        .routes(routes!(queries::film::get, commands::render_film::post))
        .routes(routes!(queries::film_download::get))
        .routes(routes!(queries::tasks::list))
        .routes(routes!(queries::history::list))
        .routes(routes!(live::socket::open))
        .routes(routes!(live::events::listen))
        .routes(routes!(commands::restore::restore))
        .routes(routes!(commands::restore::fork))
        .routes(routes!(queries::export::get))
        .routes(routes!(commands::import_project::post))
        .routes(routes!(queries::tasks::get))
        .routes(routes!(commands::end_task::cancel))
        .routes(routes!(commands::end_task::retry))
        .routes(routes!(queries::webhooks::list, commands::create_webhook::post))
        .routes(routes!(
            queries::webhooks::get,
            commands::revise_webhook::patch,
            commands::revise_webhook::delete
        ))
        .routes(routes!(commands::rotate_secret::post))
        .routes(routes!(queries::webhooks::deliveries))
        .routes(routes!(commands::redeliver::one))
        .routes(routes!(commands::redeliver::dead))
        .routes(routes!(queries::dead_letters::list))
        .routes(routes!(commands::replay_dead_letter::post))
        .routes(routes!(queries::workers::list))
        .routes(routes!(commands::drain_worker::post))
        .routes(routes!(queries::queues::list))
        .routes(routes!(commands::pause_queue::pause))
        .routes(routes!(commands::pause_queue::resume))
}

/// What operators see, on a listener of its own.
pub(crate) fn operators(app: Arc<App>) -> Router {
    guarded(Router::new().route("/metrics", get(queries::health::metrics)), app)
}

/// Leads every plain request to the same address by TLS, which is spoken on this port, if it asked for a name of ours.
pub(crate) fn redirect(app: Arc<App>, port: u16) -> Router {
    let lead = move |request: Request| async move {
        let access = &app.api.access;
        let asked = access.check(request.uri(), request.headers())?;
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        Ok::<_, Problem>(Redirect::permanent(&format!("{}{target}", access.home_by_tls(&asked, port))))
    };
    Router::new().fallback(lead).layer(from_fn(edge::in_form))
}

fn guarded(routes: Router<Arc<App>>, app: Arc<App>) -> Router {
    routes.layer(from_fn_with_state(app.clone(), edge::serve)).with_state(app)
}
