//! The OpenAPI document is kept: whatever is asked, the answer is one that it knows.

use domain::settings::Settings;
use serde_json::Value;

use crate::harness::{Http, LONG, Served, World, check_conformance, play, until};

/// Requests made up for each operation and phase.
const EXAMPLES: u32 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_asked_the_answer_is_one_that_the_document_knows() {
    let world = World::with_engine().await;
    let known = world.a_film_of(2, Settings::default()).await;
    let doomed = world.a_film_of(1, Settings::default()).await;
    play(&world.shared.store, known).await;
    let http = Http::of(&world);
    let ids = until("the project can be read", LONG, async || {
        let shots = http.ask("GET", &format!("/v1/projects/{known}/shots"), &[], None).await.body;
        let tasks = http.ask("GET", &format!("/v1/projects/{known}/tasks"), &[], None).await.body;
        let id = |list: &Value| list["items"][1]["id"].as_str().map(str::to_owned);
        id(&shots).zip(id(&tasks)).ok_or_else(|| format!("{shots} {tasks}"))
    });
    let (shot, task) = ids.await;
    let configuration = format!(
        r#"
        [parameters]
        "path.project" = "{known}"
        "path.shot" = "{shot}"
        "path.task" = "{task}"
        # A version that is not reached is waited for, and answered with 503.
        "query.minVersion" = 0
        "header.X-Min-Version" = "0"

        # The first two never end; the third takes a ZIP file, which only transfer.rs can write.
        [[operations]]
        include-operation-id = ["openStream", "listen", "importProject"]
        enabled = false

        # Façades take whatever their clients send, in any spelling: there is no schema to make requests from.
        [[operations]]
        include-tag = [
            "façade: StoryToVideo server", "façade: StoryToVideo gateway", "façade: Web API draft", "façade: AI-Story",
        ]
        enabled = false

        [[operations]]
        include-operation-id = "deleteProject"
        parameters = {{ "path.project" = "{doomed}" }}
        "#
    );
    Served::during(&world, async |served| {
        check_conformance(&format!("http://{}/openapi.json", served.api), &configuration, EXAMPLES).await;
    })
    .await;
    world.end().await;
}
