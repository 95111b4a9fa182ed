//! Pages of other origins: those that are allowed may ask, and are told so; others are not.

use std::collections::BTreeMap;

use api::{Access, AuthConfig};
use axum::http::StatusCode;

use super::{Answer, SECRET, Server, token};

const STUDIO: &str = "https://studio.example";

async fn server() -> Server {
    let server = Server::new().await;
    let auth = AuthConfig { jwt_secret: Some(SECRET.to_owned()), ..AuthConfig::default() };
    let access = Access::new(&[], &[STUDIO.to_owned()]).unwrap().with_auth(auth).unwrap();
    Server { router: api::router(server.world.shared.api(access)), ..server }
}

async fn preflight(server: &Server, origin: &str) -> Answer {
    let headers = BTreeMap::from([
        ("origin", origin),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "authorization, if-match"),
    ]);
    server.send("OPTIONS", "/v1/projects", &headers, None).await
}

#[tokio::test]
async fn a_page_that_is_allowed_is_told_what_it_may_ask_and_gets_the_answer() {
    let server = server().await;
    let told = preflight(&server, STUDIO).await;
    assert_eq!(told.status, StatusCode::NO_CONTENT, "a browser shows no token before it asks");
    assert_eq!(told.headers["access-control-allow-origin"], STUDIO);
    assert!(told.headers["access-control-allow-methods"].to_str().unwrap().contains("PATCH"));
    let allowed = told.headers["access-control-allow-headers"].to_str().unwrap();
    assert!(allowed.contains("authorization") && allowed.contains("if-match"), "{allowed}");
    assert!(
        told.headers.get("access-control-allow-credentials").is_none(),
        "cookies stay with our own pages"
    );
    let bearer = format!("Bearer {}", token("ada", "viewer"));
    let headers = BTreeMap::from([("origin", STUDIO), ("authorization", bearer.as_str())]);
    let answer = server.send("GET", "/v1/projects", &headers, None).await;
    assert_eq!(
        (answer.status, &answer.headers["access-control-allow-origin"]),
        (StatusCode::OK, &STUDIO.parse().unwrap())
    );
    assert!(answer.headers["vary"].to_str().unwrap().contains("origin"));
    server.end().await;
}

#[tokio::test]
async fn a_page_that_is_not_allowed_is_told_nothing() {
    let server = server().await;
    for origin in
        ["https://evil.example", "http://studio.example", "https://studio.example.evil.example", "null"]
    {
        let refused = preflight(&server, origin).await;
        assert!(refused.status.is_client_error(), "{origin}: {}", refused.status);
        assert!(refused.headers.get("access-control-allow-origin").is_none(), "{origin}");
        let bearer = format!("Bearer {}", token("ada", "viewer"));
        let headers = BTreeMap::from([("origin", origin), ("authorization", bearer.as_str())]);
        let answer = server.send("GET", "/v1/projects", &headers, None).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (StatusCode::FORBIDDEN, &"origin_not_allowed".into()),
            "{origin}"
        );
        assert!(answer.headers.get("access-control-allow-origin").is_none(), "{origin}");
    }
    server.end().await;
}
