//! A client in TypeScript, generated from an OpenAPI document by openapi-typescript and compiled strictly. The
//! packages are installed once, by npm, into the build's own folder; its lock file has their hashes.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::LONG;

/// The program that uses the client, and what it takes to compile it.
const SOURCES: [(&str, &str); 4] = [
    ("package-lock.json", include_str!("../generated_client/package-lock.json")),
    ("package.json", include_str!("../generated_client/package.json")),
    ("tsconfig.json", include_str!("../generated_client/tsconfig.json")),
    ("film.ts", include_str!("../generated_client/film.ts")),
];

/// Generates a client from the document of this server, compiles it with the program, and answers what that says.
pub(crate) async fn run_generated_client(server: &str) -> String {
    let folder = install().await;
    let document = format!("{server}/openapi.json");
    let node = async |words: &[&str]| run(&folder, "node", words).await;
    node(&["node_modules/openapi-typescript/bin/cli.js", &document, "-o", "api.ts"]).await;
    node(&["node_modules/typescript/bin/tsc", "--project", "."]).await;
    node(&["made/film.js", server]).await
}

/// The folder with sources and packages.
async fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated-client");
    let installed = fs::read_to_string(folder.join("installed.json")).unwrap_or_default();
    let (_, lock) = SOURCES[0];
    if installed != lock {
        let _ = fs::remove_dir_all(&folder);
    }
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in SOURCES {
        fs::write(folder.join(name), text).unwrap();
    }
    if installed != lock {
        run(&folder, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).await;
        fs::write(folder.join("installed.json"), lock).unwrap();
    }
    folder
}

/// Runs a program to its good end, and answers what it says.
async fn run(folder: &Path, program: &str, words: &[&str]) -> String {
    let running = Command::new(program).args(words).current_dir(folder).kill_on_drop(true).output();
    let output = tokio::time::timeout(2 * LONG, running).await;
    let output = output.unwrap_or_else(|_| panic!("{program} {words:?} does not end"));
    let output = output.unwrap_or_else(|error| panic!("{program} (of Node.js 20) does not start: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {words:?} failed:\n{said}{complaints}");
    said
}
