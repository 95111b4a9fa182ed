//! The façades in the API's document: which addresses there are and what they are for. Their clients send what they
//! like in query and body, so bodies are plain objects here; docs/facades.md tells more.

use serde_json::{Map, Value, json};

use super::words::Facade;
use crate::external;

/// Method, address, operation and what it is for.
type Route = (&'static str, &'static str, &'static str, &'static str);

const SERVER: &[Route] = &[
    ("get", "/v1/api/health", "serverHealth", "Whether the server is well"),
    ("post", "/v1/api/projects", "serverCreateProject", "Start a project"),
    ("get", "/v1/api/projects/{project}", "serverProject", "A project with its shots and its newest task"),
    ("put", "/v1/api/projects/{project}", "serverReviseProject", "Edit a project; a new story is told anew"),
    ("delete", "/v1/api/projects/{project}", "serverDeleteProject", "Move a project to the trash"),
    ("get", "/v1/api/projects/{project}/shots", "serverShots", "A project's shots"),
    ("get", "/v1/api/projects/{project}/shots/{shot}", "serverShot", "A shot"),
    ("post", "/v1/api/projects/{project}/shots/{shot}", "serverReviseShot", "Edit a shot, and draw it again"),
    ("post", "/v1/api/projects/{project}/video", "serverVideo", "Make the film, or a shot's clip"),
    ("post", "/v1/api/projects/{project}/tts", "serverVoices", "Make all voices"),
    ("delete", "/v1/api/shots/{shot}", "serverDeleteShot", "Take a shot out"),
    ("get", "/v1/api/tasks/{task}", "serverTask", "A task"),
    ("get", "/tasks/{task}/wss", "serverWatch", "A task until it has ended (WebSocket)"),
];

const GATEWAY: &[Route] = &[
    ("get", "/health", "gatewayHealth", "Whether the gateway is well"),
    ("post", "/v1/generate", "gatewayGenerate", "Make one step for a task of the StoryToVideo server"),
    ("get", "/v1/jobs/{job}", "gatewayJob", "A job"),
    ("delete", "/v1/jobs/{job}", "gatewayCancel", "Stop a job"),
    (
        "get",
        "/v1/jobs/{job}/result",
        "gatewayResult",
        "What a job has made, where it is more than one medium",
    ),
    ("post", "/storyboard", "gatewayStoryboard", "Make a storyboard"),
    ("post", "/frames", "gatewayFrames", "Make a picture of each scene"),
    ("post", "/clips", "gatewayClips", "Make a clip of each frame"),
    ("post", "/narration", "gatewayNarration", "Make a voice for each line"),
    ("post", "/render", "gatewayRender", "Run the whole chain, up to the film"),
    ("get", "/tasks/{task}", "gatewayTask", "A task with what it has made"),
    ("get", "/tasks/{task}/stream", "gatewayWatch", "A task until it has ended (server-sent events)"),
];

const WEB: &[Route] = &[
    ("post", "/api/projects/create", "webCreateProject", "Start a project"),
    ("get", "/api/projects/{project}/storyboard", "webStoryboard", "A project's shots"),
    ("post", "/api/shots/{shot}/update_prompt", "webUpdatePrompt", "Edit a shot, and make nothing"),
    ("post", "/api/shots/{shot}/generate_image", "webImage", "Make a shot's picture"),
    ("post", "/api/shots/{shot}/generate_video", "webVideo", "Make a shot's clip"),
    ("post", "/api/story/{project}/shot/{shot}/generate", "webGenerate", "Make a shot's picture"),
    ("get", "/api/tasks/{task}/status", "webTask", "Where a task stands"),
    ("post", "/api/webhook/task_complete", "webTaskComplete", "An external node reports"),
    ("put", external::UPLOAD, "webTaskUpload", "An external node brings what it made"),
];

const AI_STORY: &[Route] = &[
    ("post", "/api/story/create", "storyCreate", "Start a story"),
    ("get", "/api/story/all", "storyVideos", "The videos of all stories"),
    ("get", "/api/story/{project}", "story", "A story"),
    ("get", "/api/story/{project}/status", "storyStatus", "Where a story stands"),
    ("get", "/api/story/{project}/shots", "storyShots", "A story's shots"),
    ("post", "/api/story/{project}/generate-video", "storyVideo", "Make a story's video"),
    ("get", "/api/story/{project}/preview", "storyPreview", "A story's newest video"),
    (
        "post",
        "/api/story/{project}/mock-gen",
        "storyMockShots",
        "Give a story built-in shots (developer mode)",
    ),
    ("get", "/api/shot/{shot}", "storyShot", "A shot"),
    ("get", "/api/shot/{shot}/preview", "storyShotPreview", "The same shot"),
    ("post", "/api/shot/{shot}/update", "storyUpdateShot", "Edit a shot; a prompt draws it again"),
];

/// Adds every address of the façades, each under the tag of its own.
pub(crate) fn describe(document: &mut Value) {
    let facades = [
        (Facade::Server, SERVER),
        (Facade::Gateway, GATEWAY),
        (Facade::Web, WEB),
        (Facade::AiStory, AI_STORY),
    ];
    let section =
        |facade: Facade| json!({ "name": facade.tag(), "description": "For clients of older systems" });
    let sections = document["tags"].as_array_mut().into_iter();
    sections.for_each(|tags| tags.extend(facades.iter().map(|(facade, _)| section(*facade))));
    let Some(paths) = document["paths"].as_object_mut() else { return };
    for (facade, route) in
        facades.into_iter().flat_map(|(facade, routes)| routes.iter().map(move |route| (facade, route)))
    {
        let (method, path, ..) = route;
        let methods = paths.entry(*path).or_insert_with(|| Value::Object(Map::new()));
        methods[*method] = operation_of(facade, *route);
    }
}

fn operation_of(facade: Facade, (method, path, operation, summary): Route) -> Value {
    let object = || json!({ "application/json": { "schema": { "type": "object" } } });
    let ids = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let id = |name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } });
    let parameters: Vec<Value> = ids.map(id).collect();
    let content = if path.ends_with("/stream") { json!({ "text/event-stream": {} }) } else { object() };
    let success = if path.ends_with("/wss") {
        json!({ "101": { "description": "The socket is open" } })
    } else {
        json!({ "200": { "description": summary, "content": content } })
    };
    let mut described = json!({
        "tags": [facade.tag()], "operationId": operation, "summary": summary, "parameters": parameters,
        "responses": success,
    });
    described["responses"]["default"] = json!({ "description": facade.errors(), "content": object() });
    if path == external::UPLOAD {
        let file = json!({ "schema": { "type": "string", "format": "binary" } });
        described["requestBody"] =
            json!({ "required": true, "content": { "application/octet-stream": file } });
    } else if matches!(method, "post" | "put") {
        described["requestBody"] = json!({ "required": false, "content": object() });
    }
    described
}
