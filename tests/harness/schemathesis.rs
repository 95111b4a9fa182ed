//! Schemathesis: makes up requests from an OpenAPI document, and compares what comes back with it. Installed once, by
//! pip, into the build's own folder.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::{LONG, provider_tools};

const PINS: &str = include_str!("schemathesis.txt");
/// What must hold of every answer. Which requests are good is the domain's to say: the document knows no rule that
/// concerns several fields, and a header that nobody asked for is no error.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,unsupported_method";
/// The same requests each time.
const SEED: &str = "1";

/// Tests what a server answers; `configuration` is a `schemathesis.toml`. Panics with what was found.
pub(crate) async fn check_conformance(url: &str, configuration: &str, examples: u32) {
    let packages = install().await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("schemathesis.toml"), configuration).unwrap();
    let python = provider_tools().await.python().expect("there is a Python");
    let running = Command::new(python)
        .args(["-m", "schemathesis.cli", "run", url, "--checks", CHECKS, "--seed", SEED])
        .args(["--max-examples", &examples.to_string(), "--request-timeout", "30", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--warnings", "off", "--no-color"])
        .env("PYTHONPATH", &packages)
        .env("COLUMNS", "200")
        .current_dir(folder.path())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(5 * LONG, running).await.expect("schemathesis ends").unwrap();
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    let _ = write!(said, "{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "the server does not answer as its document says:\n{said}");
}

/// The folder with the packages, installed if they are not there yet.
async fn install() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let pins = folder.join("pins.txt");
    if fs::read_to_string(&pins).is_ok_and(|installed| installed == PINS) {
        return folder;
    }
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let wanted = folder.join("wanted.txt");
    fs::write(&wanted, PINS).unwrap();
    let python = provider_tools().await.python().expect("there is a Python");
    let installing = Command::new(python)
        .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--disable-pip-version-check"])
        .arg("--target")
        .arg(&folder)
        .arg("-r")
        .arg(&wanted)
        .output();
    let output = tokio::time::timeout(2 * LONG, installing).await.expect("pip ends").unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::rename(wanted, pins).unwrap();
    folder
}
