//! Refusals that come before a route are told in the words of the façade that was spoken to; and what one client does
//! by a façade is nobody else's.

use api::{AuthConfig, Rates};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Server, token};
use crate::harness::{LONG, until};

/// An address of each façade, with what its errors have.
const SPOKEN: [(&str, &[&str]); 4] = [
    ("/v1/api/projects/7", &["error"]),
    ("/v1/jobs/7", &["error", "job_id", "message"]),
    ("/api/projects/7/storyboard", &["code", "message", "request_id"]),
    ("/api/story/7", &["code", "data", "message"]),
];

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn whoever_is_refused_before_a_route_is_told_in_the_words_of_its_facade() {
    let server =
        Server::with(|auth| AuthConfig { rates: Rates { reads: 4, writes: 4, polls: 4 }, ..auth }).await;
    for (path, members) in SPOKEN {
        let nobody = server.ask("GET", path, None, None).await;
        assert_eq!(
            (nobody.status, keys(&nobody.body)),
            (StatusCode::UNAUTHORIZED, members.to_vec()),
            "{path}"
        );
        assert_eq!(nobody.headers["www-authenticate"], "Bearer", "{path}");
    }
    let viewer = token("vic", "viewer");
    let posts = ["/v1/api/projects", "/v1/generate", "/api/projects/create", "/api/story/create"];
    for (path, (_, members)) in posts.into_iter().zip(SPOKEN) {
        let refused = server.ask("POST", path, Some(&viewer), Some(json!({}))).await;
        assert_eq!(
            (refused.status, keys(&refused.body)),
            (StatusCode::FORBIDDEN, members.to_vec()),
            "{path}"
        );
    }
    let editor = token("ada", "editor");
    for (path, (_, members)) in posts.into_iter().zip(SPOKEN) {
        let large = json!({ "story": "x".repeat(1_100_000) });
        let refused = server.ask("POST", path, Some(&editor), Some(large)).await;
        assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
        assert_eq!(keys(&refused.body), members, "{path}");
    }
    let refused = server.ask("POST", "/storyboard", Some(&editor), Some(json!({ "story": "A." }))).await;
    assert_eq!(
        (refused.status, &refused.body["message"]),
        (StatusCode::TOO_MANY_REQUESTS, &json!("too_many_requests"))
    );
    assert!(refused.headers.contains_key("retry-after"));
    server.end().await;
}

#[tokio::test]
async fn an_errand_is_its_owners_and_another_with_the_same_name_is_another() {
    let server = Server::new().await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let told = json!({
        "projectId": "p-1", "type": "generate_storyboard",
        "parameters": { "shot_defaults": { "storyText": "A fox." } },
    });
    let job = async |who: &str| {
        until("the errand can be read", LONG, async || {
            let answer = server.ask("POST", "/v1/generate", Some(who), Some(told.clone())).await;
            let job = answer.body["job_id"].as_str().filter(|_| answer.status == StatusCode::OK);
            job.map(|job| format!("/v1/jobs/{job}")).ok_or_else(|| answer.body.to_string())
        })
        .await
    };
    let (hers, his) = (job(&ada).await, job(&bob).await);
    let project = async |path: &str, who: &str| {
        let answer = server.ask("GET", path, Some(who), None).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body["projectId"].clone()
    };
    assert_ne!(project(&hers, &ada).await, project(&his, &bob).await);
    for path in [hers.clone(), hers.replace("/v1/jobs", "/tasks"), format!("{hers}/result")] {
        assert_eq!(server.ask("GET", &path, Some(&bob), None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(server.ask("DELETE", &hers, Some(&bob), None).await.status, StatusCode::NOT_FOUND);
    let theirs = json!({ "projectId": project(&hers, &ada).await, "type": "generate_audio" });
    let refused = server.ask("POST", "/v1/generate", Some(&bob), Some(theirs)).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "another's project is as if it did not exist");
    server.end().await;
}
