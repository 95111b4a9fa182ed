//! The OpenAPI document is enough to write a client: one is generated from it, and makes a film.

use domain::job::Kind;
use serde_json::Value;
use worker::providers::bench::Sleeping;

use crate::harness::{Served, World, run_generated_client};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_generated_from_the_document_compiles_strictly_and_makes_a_film() {
    let world = World::with_engine().await;
    world.start_worker("all", Sleeping::default(), &Kind::ALL);
    let said =
        Served::during(&world, async |served| run_generated_client(&format!("http://{}", served.api)).await)
            .await;
    let made: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(made["pictures"].as_array().unwrap().len(), 3, "{made}");
    assert!(made["pictures"].as_array().unwrap().iter().all(Value::is_string), "{made}");
    assert!(made["fileBytes"].as_u64().is_some_and(|bytes| bytes > 0), "{made}");
    assert_eq!(made["fileBytes"], made["filmBytes"]);
    assert_eq!(made["refusal"], "project_not_found");
    world.finish().await;
}
