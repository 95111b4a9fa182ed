//! What people type: help, mistakes, stories that are none, folders that are taken. One clear line, exit code 64,
//! and nothing begun.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;

use crate::harness::{LONG, Said, program, run};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Bad usage: exit code 64, nothing on standard output, and these words in one line on standard error.
fn assert_refused(said: &Said, words: &[&str]) {
    assert_eq!(said.code, Some(64), "{said:?}");
    assert!(said.out.is_empty(), "{said:?}");
    let line = said.err.lines().next().unwrap_or_default();
    assert!(words.iter().all(|word| line.contains(word)), "{words:?} are not in {line:?}");
    assert!(!said.err.contains("panicked") && !said.err.contains("Error {"), "{said:?}");
}

/// A refusal by the program itself, as against its argument parser, which adds the usage.
fn assert_refused_in_a_line(said: &Said, words: &[&str]) {
    assert_refused(said, words);
    assert_eq!(said.err.lines().count(), 1, "{said:?}");
}

#[tokio::test]
async fn help_and_version_are_given() {
    let folder = folder();
    let help = run(folder.path(), &["--help"]).await;
    assert_eq!(help.code, Some(0));
    assert!(help.out.starts_with("Turns a written story into a narrated film"), "{}", help.out);
    for command in [
        "film", "up", "doctor", "bench", "migrate", "bus", "keys", "api", "engine", "worker", "projects",
        "shots", "tasks", "history", "watch", "render",
    ] {
        assert!(
            help.out.lines().any(|line| line.trim_start().starts_with(command)),
            "{command} is not in the help"
        );
        let about = run(folder.path(), &[command, "--help"]).await;
        assert_eq!((about.code, about.out.is_empty()), (Some(0), false), "{command}");
    }
    let bash = run(folder.path(), &["completions", "bash"]).await;
    assert!(bash.code == Some(0) && bash.out.contains("--aspect"), "{}", bash.err);
    let worker = run(folder.path(), &["worker", "--help"]).await;
    assert!(!worker.out.contains("sleeping"), "what is for tests alone is not shown");
    let version = run(folder.path(), &["--version"]).await;
    assert_eq!(
        (version.code, version.out.trim()),
        (Some(0), concat!("storytovideo ", env!("CARGO_PKG_VERSION")))
    );
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
}

#[tokio::test]
async fn unknown_and_impossible_options_are_refused() {
    let folder = folder();
    fs::write(folder.path().join("story.txt"), "Once.").unwrap();
    for (words, expected) in [
        (&["dance"][..], "dance"),
        (&["film"], "STORY"),
        (&["film", "story.txt", "--faster"], "--faster"),
        (&["film", "story.txt", "--shots", "0"], "0"),
        (&["film", "story.txt", "--shots", "201"], "201"),
        (&["film", "story.txt", "--shots", "many"], "many"),
        (&["film", "story.txt", "--quality", "best"], "best"),
        (&["film", "story.txt", "--aspect", "3:1"], "3:1"),
        (&["up", "--bind", "everywhere"], "everywhere"),
        (&["up", "--log", "=!!"], "--log"),
        (&["projects", "show", "1"], "named by its id"),
        (&["projects", "list", "--status", "done"], "done"),
        (
            &["shots", "edit", "01900000-0000-7000-8000-000000000000", "1", "--mood", "sad"],
            "calm, tense, bright",
        ),
        (&["history", "01900000-0000-7000-8000-000000000000", "--describe", "fr"], "fr"),
        (&["worker", "sculpture"], "sculpture"),
        (&["worker", "image=0"], "image=0"),
        (&["bus", "apply"], "required"),
    ] {
        let said = run(folder.path(), words).await;
        assert_eq!((said.code, said.out.as_str()), (Some(64), ""), "{words:?}");
        assert!(said.err.contains(expected) && said.err.starts_with("error: "), "{words:?}: {}", said.err);
    }
    assert!(!folder.path().join(".storytovideo").exists(), "nothing was begun");
}

#[tokio::test]
async fn what_is_no_story_is_refused_before_anything_is_begun() {
    let folder = folder();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("empty.txt", b"");
    write("white.txt", b" \t\r\n \xe3\x80\x80 ");
    write("long.txt", "汉".repeat(20_001).as_bytes());
    write("huge.txt", &vec![b'x'; 1_000_000]);
    write("binary.txt", &[0x7f, b'E', b'L', b'F', 0, 0, 0xff, 0xfe]);
    write("latin.txt", b"caf\xe9");
    write("nul.txt", b"once\0upon");
    fs::create_dir(folder.path().join("folder")).unwrap();
    for (story, word) in [
        ("empty.txt", "empty"),
        ("white.txt", "empty"),
        ("long.txt", "20000"),
        ("huge.txt", "20000"),
        ("binary.txt", "UTF-8"),
        ("latin.txt", "UTF-8"),
        ("nul.txt", "U+0000"),
        ("missing.txt", "cannot be read"),
        ("folder", "cannot be read"),
    ] {
        assert_refused_in_a_line(&run(folder.path(), &["film", story]).await, &[story, word]);
    }
    assert_refused_in_a_line(&run(folder.path(), &["film", "-"]).await, &["empty"]);
    assert!(!folder.path().join(".storytovideo").exists(), "nothing was begun");
}

#[tokio::test]
async fn keys_are_looked_for_where_a_data_folder_is_and_nowhere_else() {
    let folder = folder();
    for words in [&["keys", "list"][..], &["keys", "revoke", "01900000-0000-7000-8000-000000000000"]] {
        assert_refused_in_a_line(
            &run(folder.path(), words).await,
            &["no data folder", ".storytovideo", "--data"],
        );
    }
    assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing was made");
}

#[tokio::test]
async fn a_reader_that_leaves_early_gets_no_panic() {
    let mut help = crate::harness::program();
    let mut child = help
        .arg("doctor")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let said = tokio::time::timeout(LONG, child.wait_with_output()).await.unwrap().unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(141), "{words}");
    assert!(!words.contains("panicked"), "{words}");
}

#[tokio::test]
async fn a_place_where_no_film_can_go_is_refused_before_anything_is_begun() {
    let folder = folder();
    fs::write(folder.path().join("story.txt"), "Once.").unwrap();
    let output = |path| ["film", "story.txt", "--output", path];
    assert_refused_in_a_line(&run(folder.path(), &output("nowhere/film.mp4")).await, &["nowhere"]);
    assert_refused_in_a_line(&run(folder.path(), &output(".")).await, &["folder"]);
    let title = ["film", "story.txt", "--title", &"t".repeat(201)];
    assert_refused(&run(folder.path(), &title).await, &["title"]);
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut doctor = program();
    let doctor = doctor.args(["doctor", "--json"]).stdout(full).stderr(Stdio::piped()).stdin(Stdio::null());
    let said = doctor.spawn().unwrap().wait_with_output();
    let said = tokio::time::timeout(LONG, said).await.unwrap().unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(1), "{words}");
    assert!(words.contains("the answer cannot be written"), "{words}");
}

#[tokio::test]
async fn settings_that_need_each_other_are_looked_for_in_all_places_and_none_is_left_alone() {
    let folder = folder();
    let with = async |file: &str, words: &[&str]| {
        fs::write(folder.path().join("storytovideo.toml"), file).unwrap();
        run(folder.path(), words).await
    };
    let up = ["up", "--bind", "127.0.0.1:0"];
    let together = ["tls_cert", "tls_key", "together"];
    assert_refused_in_a_line(&with("tls_cert = \"chain.pem\"", &up).await, &together);
    assert_refused_in_a_line(&with("tls_key = \"key.pem\"", &up).await, &together);
    assert_refused_in_a_line(
        &with("redirect_bind = \"127.0.0.1:0\"", &up).await,
        &["redirect_bind", "tls_cert"],
    );
    let elsewhere = ["up", "--bind", "127.0.0.1:0", "--tls-cert", "chain.pem"];
    assert_refused_in_a_line(&with("tls_key = \"key.pem\"", &elsewhere).await, &["chain.pem: "]);
    let worker = ["worker", "--nats-url", "nats://127.0.0.1:1", "--sleeping-ms", "1"];
    let alone = with("[external]\nurl = \"https://node.example\"", &worker).await;
    assert_refused_in_a_line(&alone, &["external.url", "external.callback_url"]);
    assert!(!folder.path().join(".storytovideo").exists(), "nothing was begun");
}

#[tokio::test]
async fn roles_say_which_server_they_miss() {
    let folder = folder();
    for words in [&["engine"][..], &["worker"], &["api", "--bind", "127.0.0.1:0"], &["migrate"]] {
        let said = run(folder.path(), words).await;
        assert_eq!(said.code, Some(64), "{said:?}");
        assert!(said.err.contains("STORYTOVIDEO_"), "{said:?}");
    }
    let said = run(folder.path(), &["migrate", "--database-url", "nonsense"]).await;
    assert_eq!((said.code, said.err.lines().count()), (Some(64), 1), "{said:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said =
        run(folder.path(), &["migrate", "--database-url", &format!("postgres://u:hidden@{nobody}/d")]).await;
    assert_eq!((said.code, said.err.lines().count()), (Some(1), 1), "{said:?}");
    assert!(said.err.contains("could not connect") && said.err.contains("refused"), "{said:?}");
    assert!(!said.err.contains("hidden"), "{said:?}");
}

#[tokio::test]
async fn a_data_folder_of_a_newer_version_is_refused_and_left_alone() {
    let folder = folder();
    fs::write(folder.path().join("story.txt"), "Once.").unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("VERSION"), "99\n").unwrap();
    for words in
        [&["film", "story.txt", "--data", "data"][..], &["up", "--bind", "127.0.0.1:0", "--data", "data"]]
    {
        let said = run(folder.path(), words).await;
        assert_eq!(said.code, Some(64), "{said:?}");
        let last = said.err.lines().last().unwrap_or_default();
        assert!(last.contains("99") && last.contains("newer"), "{said:?}");
    }
    assert_eq!(fs::read_to_string(data.join("VERSION")).unwrap(), "99\n");
    assert!(!data.join("postgres").exists());
}

#[tokio::test]
async fn a_port_that_is_taken_is_told() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let said = run(folder.path(), &["up", "--bind", &bind, "--data", "data"]).await;
    assert_refused_in_a_line(&said, &[&bind, "--bind"]);
    let said = run(folder.path(), &["up", "--bind", "0.0.0.0:0", "--data", "data"]).await;
    assert_refused_in_a_line(&said, &["0.0.0.0", "storytovideo keys create", "STORYTOVIDEO_AUTH_JWT_SECRET"]);
}

/// Starts `up`, and waits until it says where it listens.
async fn up(folder: &Path, data: &str) -> Child {
    let mut up = program();
    up.args(["up", "--bind", "127.0.0.1:0", "--data", data]).current_dir(folder);
    let mut up = up.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(up.stderr.take().unwrap()).lines();
    let listens = async {
        let mut said = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains("listens on http://127.0.0.1:") {
                return;
            }
            said.push(line);
        }
        panic!("it ended: {said:?}");
    };
    tokio::time::timeout(4 * LONG, listens).await.expect("it listens");
    // What it says later must have somewhere to go.
    up.stderr = Some(lines.into_inner().into_inner());
    up
}

#[tokio::test]
async fn a_second_process_on_a_data_folder_is_told_who_has_it() {
    let folder = folder();
    fs::write(folder.path().join("story.txt"), "Once.").unwrap();
    let first = up(folder.path(), "data").await;
    let pid = first.id().unwrap().to_string();
    for words in
        [&["up", "--bind", "127.0.0.1:0", "--data", "data"][..], &["film", "story.txt", "--data", "data"]]
    {
        let said = run(folder.path(), words).await;
        assert_eq!(said.code, Some(64), "{said:?}");
        let last = said.err.lines().last().unwrap_or_default();
        assert!(last.contains("in use") && last.contains(&pid), "{said:?}");
    }
}

#[tokio::test]
async fn the_doctors_report_is_json_when_asked() {
    let folder = folder();
    let said = run(folder.path(), &["doctor", "--json"]).await;
    let report: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said.code == Some(0), report["healthy"] == Value::Bool(true), "{report}");
    let tools = report["tools"].as_array().unwrap();
    assert!(tools.iter().all(|tool| tool["found"].is_object() || tool["remedy"].is_string()), "{report}");
    let text = run(folder.path(), &["doctor"]).await;
    assert!(text.out.lines().count() > tools.len(), "{}", text.out);
}

#[tokio::test]
async fn a_setting_that_does_not_exist_is_refused_by_name_before_anything_is_begun() {
    let folder = folder();
    fs::write(folder.path().join("storytovideo.toml"), "bnid = \"127.0.0.1:0\"\n").unwrap();
    assert_refused_in_a_line(&run(folder.path(), &["up"]).await, &["storytovideo.toml", "`bnid`"]);
    let other = ["up", "--config", "other.toml"];
    assert_refused_in_a_line(&run(folder.path(), &other).await, &["other.toml"]);
    fs::write(folder.path().join("other.toml"), "bind = \"everywhere\"\n").unwrap();
    assert_refused(&run(folder.path(), &other).await, &["everywhere", "--bind"]);
    assert!(!folder.path().join(".storytovideo").exists(), "nothing was begun");
}
