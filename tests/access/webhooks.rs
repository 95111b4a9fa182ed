//! Webhooks belong to whoever made them, and tell of what that caller may see.

use std::collections::BTreeSet;

use domain::job::Kind;
use serde_json::{Value, json};
use worker::providers::bench::Sleeping;

use super::{Server, token};
use crate::harness::{LONG, until};

fn hook() -> Option<Value> {
    Some(json!({ "url": "https://hooks.example/films" }))
}

#[tokio::test]
async fn a_webhook_is_there_for_its_owner_and_for_admins_only() {
    let server = Server::new().await;
    let (ada, bob, root) = (token("ada", "editor"), token("bob", "editor"), token("root", "admin"));
    let ask = |method, path: String, who: String, body| {
        let server = &server;
        async move { server.ask(method, &path, Some(&who), body).await }
    };
    let webhooks = || "/v1/webhooks".to_owned();
    let made = ask("POST", webhooks(), ada.clone(), hook()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(ask("POST", webhooks(), token("eve", "viewer"), hook()).await.status, 403);
    let path = format!("/v1/webhooks/{}", made.body["id"].as_str().unwrap());
    for (who, status, seen) in [(&ada, 200, 1), (&root, 200, 1), (&bob, 404, 0)] {
        assert_eq!(ask("GET", path.clone(), who.clone(), None).await.status, status);
        assert_eq!(ask("GET", format!("{path}/deliveries"), who.clone(), None).await.status, status);
        let list = ask("GET", webhooks(), who.clone(), None).await.body;
        assert_eq!(list["items"].as_array().unwrap().len(), seen);
    }
    assert_eq!(ask("PATCH", path.clone(), bob.clone(), Some(json!({ "enabled": false }))).await.status, 404);
    assert_eq!(ask("POST", format!("{path}/redeliver"), bob.clone(), None).await.status, 404);
    assert_eq!(ask("DELETE", path.clone(), bob.clone(), None).await.status, 404);
    let project = server.project_of(&ada).await;
    let id = project.rsplit('/').next().unwrap();
    let of_adas = Some(json!({ "url": "https://hooks.example/", "projectId": id }));
    assert_eq!(ask("POST", webhooks(), bob, of_adas.clone()).await.status, 422);
    assert_eq!(ask("POST", webhooks(), ada.clone(), of_adas).await.status, 201);
    assert_eq!(ask("DELETE", path, ada, None).await.status, 204);
    server.end().await;
}

#[tokio::test]
async fn a_global_webhook_tells_of_its_owners_projects_only() {
    let server = Server::new().await;
    let (ada, bob) = (token("ada", "editor"), token("bob", "editor"));
    let made = server.ask("POST", "/v1/webhooks", Some(&ada), hook()).await;
    let deliveries = format!("/v1/webhooks/{}/deliveries", made.body["id"].as_str().unwrap());
    let of_bobs = server.project_of(&bob).await;
    let of_adas = server.project_of(&ada).await;
    server.world.start_worker("all", Sleeping::default(), &Kind::ALL);
    for (project, who) in [(&of_bobs, &bob), (&of_adas, &ada)] {
        until("the project is done", LONG, async || {
            let project = server.ask("GET", project, Some(who), None).await.body;
            if project["status"] == "ready" { Ok(()) } else { Err(project["status"].to_string()) }
        })
        .await;
    }
    until("the owner's project is told of, and no other", LONG, async || {
        let list = server.ask("GET", &deliveries, Some(&ada), None).await.body;
        let items = list["items"].as_array().unwrap();
        let projects: BTreeSet<&str> = items.iter().map(|one| one["projectId"].as_str().unwrap()).collect();
        assert!(projects.iter().all(|id| of_adas.ends_with(id)), "{list}");
        if items.len() >= 3 { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    server.end().await;
}
