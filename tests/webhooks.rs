//! Webhooks: what happens is told once, signed, in order, for as long as a day, and to nobody inside.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::http::Response;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::settings::Settings;
use domain::webhook::Secret;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;
use worker::providers::bench::Sleeping;

use crate::harness::{Http, LONG, Receiver, Told, World, answer_of, status, until};

/// Everybody at work, and webhooks may go to this machine.
async fn world() -> World {
    let mut world = World::new().await;
    world.shared = world.shared.clone().allowing(&["127.0.0.0/8".parse().unwrap()]).unwrap();
    world.start_engine();
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    world
}

async fn webhook(world: &World, url: &str, further: Value) -> Value {
    let mut body = json!({ "url": url });
    body.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    answer_of(world, "POST", "/v1/webhooks", 201, Some(body)).await
}

/// A project of one shot and its film: five events that webhooks are told of.
async fn a_film(world: &World) -> ProjectId {
    let settings = Settings { auto_render: true, ..Settings::default() };
    let project = world.a_film_of(1, settings).await;
    until("the film is made", LONG, async || {
        let state = world.state(project).await;
        if state.open_tasks().next().is_none() { Ok(()) } else { Err(format!("{:?}", state.tasks)) }
    })
    .await;
    project
}

async fn told(receiver: &Receiver, count: usize) -> Vec<Told> {
    until("the endpoint is told", LONG, async || {
        let told = receiver.told();
        if told.len() >= count { Ok(told) } else { Err(format!("{told:?}")) }
    })
    .await
}

async fn deliveries(world: &World, webhook: &Value, query: &str) -> Vec<Value> {
    let path = format!("/v1/webhooks/{}/deliveries{query}", webhook["id"].as_str().unwrap());
    let page = answer_of(world, "GET", &path, 200, None).await;
    page["items"].as_array().unwrap().clone()
}

async fn until_all(world: &World, webhook: &Value, count: usize, wanted: &str) -> Vec<Value> {
    until("the deliveries stand there", LONG, async || {
        let all = deliveries(world, webhook, "").await;
        let there = all.len() == count && all.iter().all(|one| one["status"] == wanted);
        if there { Ok(all) } else { Err(format!("{all:?}")) }
    })
    .await
}

fn versions(told: &[Told]) -> Vec<u64> {
    told.iter().map(Told::version).collect()
}

/// Makes what is to be tried later due now.
async fn hurry(world: &World) {
    let sql = "UPDATE webhook_deliveries SET due_at = now() \
        WHERE state = 'pending' AND error IS NOT NULL AND due_at IS NOT NULL";
    sqlx::query(sql).execute(world.pool()).await.unwrap();
}

#[tokio::test]
async fn what_happens_is_told_once_in_order_and_signed() {
    let world = world().await;
    let receiver = Receiver::willing().await;
    let webhook = webhook(&world, &receiver.url(), json!({})).await;
    let project = a_film(&world).await;
    let told = told(&receiver, 5).await;
    until_all(&world, &webhook, 5, "delivered").await;
    let of = |topic: &str, kind: &str| {
        let same = |told: &&Told| told.body["type"] == topic && told.body["data"]["taskType"] == kind;
        told.iter().filter(same).count()
    };
    for kind in ["generate_storyboard", "generate_shot", "generate_audio", "render_film"] {
        assert_eq!(of("task.finished", kind), 1, "{kind}");
    }
    assert_eq!(of("film.rendered", "render_film"), 1);
    assert!(versions(&told).is_sorted(), "{:?}", versions(&told));
    let secret = Secret::parse(webhook["secret"].as_str().unwrap()).unwrap();
    for one in &told {
        let (id, at) = (one.header("webhook-id"), one.header("webhook-timestamp").parse().unwrap());
        assert_eq!(one.header("webhook-signature"), secret.sign(id, at, &one.text));
        assert_eq!(one.body["data"]["projectId"], json!(project));
    }
    world.finish().await;
}

#[tokio::test]
async fn an_endpoint_that_never_answers_holds_up_no_other() {
    let world = world().await;
    let (silent, willing) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Receiver::willing().await);
    let silent_url = format!("http://{}/", silent.local_addr().unwrap());
    let first = webhook(&world, &silent_url, json!({})).await;
    webhook(&world, &willing.url(), json!({})).await;
    for _ in 0..8 {
        a_film(&world).await;
    }
    told(&willing, 40).await;
    assert!(deliveries(&world, &first, "?status=delivered").await.is_empty());
    world.finish().await;
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_before_anything_later_of_its_project() {
    let world = world().await;
    let elsewhere = Receiver::willing().await;
    let to = elsewhere.url();
    let receiver = Receiver::answering(move |number| match number {
        0 => status(500),
        1 => Response::builder().status(302).header("location", &to).body(Body::empty()).unwrap(),
        _ => status(200),
    })
    .await;
    let webhook = webhook(&world, &receiver.url(), json!({})).await;
    a_film(&world).await;
    for attempts in 1..=2 {
        until("the first is tried in vain", LONG, async || {
            let all = deliveries(&world, &webhook, "").await;
            let tried = all.iter().any(|one| one["attempts"] == attempts && one["error"].is_string());
            if tried { Ok(()) } else { Err(format!("{all:?}")) }
        })
        .await;
        assert_eq!(receiver.told().len(), attempts, "nothing later overtakes it");
        hurry(&world).await;
    }
    let told = told(&receiver, 7).await;
    assert_eq!(told[0].header("webhook-id"), told[2].header("webhook-id"));
    assert_eq!(told[0].text, told[1].text);
    assert!(versions(&told).is_sorted());
    assert!(elsewhere.told().is_empty(), "redirects are not followed");
    until_all(&world, &webhook, 5, "delivered").await;
    world.finish().await;
}

/// Somebody who refuses whatever is told, for as long as that is wanted.
async fn refusing() -> (Receiver, Arc<AtomicBool>) {
    let refuses = Arc::new(AtomicBool::new(true));
    let refused = refuses.clone();
    let answer = move |_| status(if refused.load(Ordering::SeqCst) { 503 } else { 200 });
    (Receiver::answering(answer).await, refuses)
}

#[tokio::test]
async fn what_nobody_takes_for_a_day_is_given_up_and_can_be_told_again() {
    let world = world().await;
    let (receiver, refuses) = refusing().await;
    let webhook = webhook(&world, &receiver.url(), json!({})).await;
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    a_film(&world).await;
    until_refused(&world, &webhook, 1).await;
    // Its next pause would be of 45 minutes at least.
    let late = "UPDATE webhook_deliveries SET attempts = 20, due_at = now(), \
        give_up_at = now() + interval '40 minutes' WHERE state = 'pending' AND error IS NOT NULL";
    sqlx::query(late).execute(world.pool()).await.unwrap();
    until_refused(&world, &webhook, 21).await;
    let last = "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending' AND due_at = give_up_at";
    let last: i64 = sqlx::query_scalar(last).fetch_one(world.pool()).await.unwrap();
    assert_eq!(last, 1, "the last attempt is a day after the first");
    until("each is given up after a day", LONG, async || {
        let a_day_later = "UPDATE webhook_deliveries SET give_up_at = now(), due_at = now() \
            WHERE state = 'pending' AND error IS NOT NULL";
        sqlx::query(a_day_later).execute(world.pool()).await.unwrap();
        let dead = deliveries(&world, &webhook, "?status=dead").await;
        if dead.len() == 5 { Ok(()) } else { Err(format!("{dead:?}")) }
    })
    .await;
    let refused = receiver.told().len();
    refuses.store(false, Ordering::SeqCst);
    let again = async |path: &str| {
        let key = [("idempotency-key", "again")];
        let answer = Http::of(&world).ask("POST", path, &key, None).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.body
    };
    let all_dead = format!("{path}/redeliver");
    assert_eq!(again(&all_dead).await["redelivered"], 5);
    let all = until_all(&world, &webhook, 5, "delivered").await;
    let told = receiver.told().split_off(refused);
    let ids: Vec<&str> = told.iter().map(|told| told.header("webhook-id")).collect();
    assert!(all.iter().all(|one| ids.contains(&one["id"].as_str().unwrap())), "under the same ids");
    let one = format!("{path}/deliveries/{}/redeliver", ids[0]);
    again(&one).await;
    until_all(&world, &webhook, 5, "delivered").await;
    assert_eq!(receiver.told().last().unwrap().header("webhook-id"), ids[0]);
    let told = receiver.told().len();
    assert_eq!(again(&all_dead).await["redelivered"], 5, "the same request");
    assert_eq!(again(&one).await["status"], "delivered", "the same request");
    assert_eq!(receiver.told().len(), told);
    world.finish().await;
}

/// Waits until a delivery was tried so often in vain.
async fn until_refused(world: &World, webhook: &Value, attempts: u32) {
    until("one is refused", LONG, async || {
        let all = deliveries(world, webhook, "?status=pending").await;
        let refused = all.iter().any(|one| one["attempts"] == attempts && one["error"].is_string());
        if refused { Ok(()) } else { Err(format!("{all:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_is_told_again_comes_before_what_waits() {
    let world = world().await;
    let (receiver, refuses) = refusing().await;
    let webhook = webhook(&world, &receiver.url(), json!({})).await;
    a_film(&world).await;
    until("two are given up", LONG, async || {
        let given_up = "UPDATE webhook_deliveries SET give_up_at = now(), due_at = now() WHERE error IS NOT NULL \
            AND id IN (SELECT id FROM webhook_deliveries ORDER BY version LIMIT 2) AND state = 'pending'";
        sqlx::query(given_up).execute(world.pool()).await.unwrap();
        let dead = deliveries(&world, &webhook, "?status=dead").await;
        if dead.len() == 2 { Ok(()) } else { Err(format!("{dead:?}")) }
    })
    .await;
    until_refused(&world, &webhook, 1).await;
    let path = format!("/v1/webhooks/{}/redeliver", webhook["id"].as_str().unwrap());
    assert_eq!(answer_of(&world, "POST", &path, 202, None).await["redelivered"], 2);
    let due = "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending' AND due_at IS NOT NULL";
    let due: i64 = sqlx::query_scalar(due).fetch_one(world.pool()).await.unwrap();
    assert_eq!(due, 1, "one of a lane is due at a time");
    refuses.store(false, Ordering::SeqCst);
    let mut all = until("all are delivered", LONG, async || {
        hurry(&world).await;
        let all = deliveries(&world, &webhook, "?status=delivered").await;
        if all.len() == 5 { Ok(all) } else { Err(format!("{all:?}")) }
    })
    .await;
    all.sort_by_key(|one| (one["attemptedAt"].as_str().unwrap().to_owned(), one["version"].as_u64()));
    assert!(all.is_sorted_by_key(|one| one["version"].as_u64()), "{all:?}");
    world.finish().await;
}

#[tokio::test]
async fn no_message_goes_inside_unless_that_is_allowed() {
    let mut world = World::new().await;
    let create = async |world: &World, url: &str| {
        Http::of(world).ask("POST", "/v1/webhooks", &[], Some(json!({ "url": url }))).await
    };
    for url in
        ["http://127.0.0.1:1/", "http://[::1]/", "http://10.0.0.1/", "http://169.254.169.254/latest", "x"]
    {
        let answer = create(&world, url).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["errors"][0]["field"]),
            (422, &json!("url")),
            "{url}"
        );
    }
    let receiver = Receiver::willing().await;
    let strict = world.shared.clone();
    world.shared = strict.clone().allowing(&["127.0.0.0/8".parse().unwrap()]).unwrap();
    let webhook = webhook(&world, &receiver.url(), json!({})).await;
    // What was allowed once is not any more.
    world.shared = strict;
    world.start_engine();
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    a_film(&world).await;
    let refused = until("the first is refused", LONG, async || {
        let all = deliveries(&world, &webhook, "").await;
        let refused = all.iter().find_map(|one| one["error"].as_str().map(str::to_owned));
        refused.ok_or_else(|| format!("{all:?}"))
    })
    .await;
    assert!(refused.contains("not a public one"), "{refused}");
    assert!(receiver.told().is_empty());
    world.finish().await;
}

#[tokio::test]
async fn a_webhook_is_told_of_its_project_and_its_events_only_and_of_nothing_once_it_is_gone() {
    let world = world().await;
    let receiver = Receiver::willing().await;
    let before = a_film(&world).await;
    answer_of(&world, "POST", "/v1/queues/storyboard/pause", 200, None).await;
    let other = world.a_film_of(1, Settings::default()).await;
    until("the projects can be read", LONG, async || {
        let path = format!("/v1/projects/{other}");
        let answer = Http::of(&world).ask("GET", &path, &[], None).await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body.to_string()) }
    })
    .await;
    let films = webhook(&world, &receiver.url(), json!({ "events": ["film.rendered"] })).await;
    let tasks = json!({ "projectId": other, "events": ["task.finished"] });
    let of_other = webhook(&world, &receiver.url(), tasks).await;
    answer_of(&world, "POST", "/v1/queues/storyboard/resume", 200, None).await;
    let after = a_film(&world).await;
    let told = told(&receiver, 4).await;
    until_all(&world, &films, 1, "delivered").await;
    until_all(&world, &of_other, 3, "delivered").await;
    let of = |project: ProjectId| {
        told.iter().filter(|told| told.body["data"]["projectId"] == json!(project)).count()
    };
    assert_eq!((of(before), of(other), of(after)), (0, 3, 1));
    let path = format!("/v1/webhooks/{}", films["id"].as_str().unwrap());
    let revised = Some(json!({ "enabled": false, "description": "rests" }));
    let revised = answer_of(&world, "PATCH", &path, 200, revised).await;
    assert_eq!((&revised["enabled"], &revised["description"]), (&json!(false), &json!("rests")));
    answer_of(&world, "DELETE", &path, 204, None).await;
    answer_of(&world, "GET", &path, 404, None).await;
    world.finish().await;
}

#[tokio::test]
async fn a_secret_is_shown_to_whoever_made_the_webhook_and_to_nobody_else() {
    let world = world().await;
    let body = json!({ "url": "https://example.org/hook" });
    let create = async |body: Value| {
        Http::of(&world).ask("POST", "/v1/webhooks", &[("idempotency-key", "k")], Some(body)).await
    };
    let (first, again) = (create(body.clone()).await, create(body).await);
    assert_eq!((first.status.as_u16(), &first.body), (201, &again.body));
    let other = create(json!({ "url": "https://example.org/other" })).await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (409, &json!("idempotency_key_reused")));
    let path = format!("/v1/webhooks/{}", first.body["id"].as_str().unwrap());
    let shown = answer_of(&world, "GET", &path, 200, None).await;
    let listed = answer_of(&world, "GET", "/v1/webhooks", 200, None).await;
    assert_eq!(listed["items"], json!([shown]));
    assert!(shown.get("secret").is_none());
    let unknown = format!("/v1/webhooks/{}", Uuid::new_v4());
    answer_of(&world, "GET", &unknown, 404, None).await;
    for body in [
        json!({}),
        json!({ "url": "https://example.org", "events": [] }),
        json!({ "url": "https://example.org", "events": ["x"] }),
        json!({ "url": "https://example.org", "projectId": Uuid::new_v4() }),
        json!({ "url": "https://example.org", "secret": "x" }),
    ] {
        answer_of(&world, "POST", "/v1/webhooks", 422, Some(body)).await;
    }
    world.finish().await;
}

#[tokio::test]
async fn a_new_secret_is_shown_once_and_the_old_one_signs_beside_it_for_a_day() {
    let world = world().await;
    let receiver = Receiver::willing().await;
    let webhook = webhook(&world, &receiver.url(), json!({ "events": ["film.rendered"] })).await;
    let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
    let rotate = async |key: &str| {
        Http::of(&world).ask("POST", &format!("{path}/rotate"), &[("idempotency-key", key)], None).await
    };
    let (rotated, again) = (rotate("k").await, rotate("k").await);
    assert_eq!((rotated.status.as_u16(), &rotated.body), (200, &again.body));
    assert!(answer_of(&world, "GET", &path, 200, None).await.get("secret").is_none());
    let secret = |shown: &Value| Secret::parse(shown["secret"].as_str().unwrap()).unwrap();
    let (old, new) = (secret(&webhook), secret(&rotated.body));
    assert_ne!(old, new);
    let signature = |told: &Told, secret: &Secret| {
        let at = told.header("webhook-timestamp").parse().unwrap();
        secret.sign(told.header("webhook-id"), at, &told.text)
    };
    a_film(&world).await;
    let first = told(&receiver, 1).await.remove(0);
    let both = format!("{} {}", signature(&first, &new), signature(&first, &old));
    assert_eq!(first.header("webhook-signature"), both);
    let a_day_later = "UPDATE webhooks SET previous_until = previous_until - interval '24 hours'";
    sqlx::query(a_day_later).execute(world.pool()).await.unwrap();
    a_film(&world).await;
    let second = told(&receiver, 2).await.remove(1);
    assert_eq!(second.header("webhook-signature"), signature(&second, &new));
    let unknown = format!("/v1/webhooks/{}/rotate", Uuid::new_v4());
    answer_of(&world, "POST", &unknown, 404, None).await;
    world.finish().await;
}
