//! What comes from a server is shown, and nothing of it is obeyed.

use domain::job::Kind;
use serde_json::{Value, json};

use super::board::{Board, Standing};
use super::connection::{Connection, refusal};
use super::live::take_message;
use super::output::{json_line, plain, table};
use super::shots::ShotName;
use crate::exit::Failed;

#[test]
fn no_text_of_a_server_steers_the_terminal() {
    assert_eq!(plain("a\u{1b}[2Jb\u{9b}31mc\rd\u{7}"), "a\u{fffd}[2Jb\u{fffd}31mc d\u{fffd}");
    assert_eq!(plain("evil\u{202e}gpj.exe\u{200b}"), "evilgpj.exe");
    assert_eq!(plain("灯塔\n海"), "灯塔 海");
    let line = json_line(&json!({ "title": "a\u{1b}\u{9b}b\u{7f}" }));
    assert!(!line.chars().any(char::is_control), "{line}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), json!({ "title": "a\u{1b}\u{9b}b\u{7f}" }));
}

#[test]
fn columns_stand_below_each_other_whatever_the_script() {
    let rows = [vec!["灯塔".to_owned(), "x".to_owned()], vec!["lamp".to_owned(), "y".repeat(100)]];
    let text = table(&["A", "B"], &rows);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["A     B", "灯塔  x"]);
    assert!(lines[2].ends_with('…') && lines[2].chars().count() < 70);
}

#[test]
fn a_problem_becomes_one_sentence_with_its_exit_code() {
    let told = |status, problem: Value| {
        let failed = refusal(status, &problem);
        (matches!(failed, Failed::Usage(_)), failed.to_string())
    };
    let not_found = json!({ "detail": "there is no such project", "code": "project_not_found" });
    assert_eq!(told(404, not_found), (false, "there is no such project (project_not_found)".to_owned()));
    let two = json!({ "detail": "not valid", "code": "invalid", "errors": [
        { "field": "fps", "message": "too many" }, { "field": "title", "message": "too\u{1b} long" }] });
    assert_eq!(told(422, two), (true, "fps: too many; title: too\u{fffd} long (invalid)".to_owned()));
    let denied = json!({ "detail": "say who you are", "code": "credentials_missing" });
    assert!(told(401, denied).1.contains("--api-key"));
}

#[test]
fn a_server_must_be_an_address_of_http() {
    for server in ["", "localhost", "ftp://x", "http://", "http://a:b@x", "http://x/?q=1", "http://x/#y"] {
        assert!(matches!(Connection::new(server, None), Err(Failed::Usage(_))), "{server}");
    }
    assert!(Connection::new("https://films.example/below", Some("stv_key")).is_ok());
    assert!(matches!(Connection::new("http://x", Some("a\nb")), Err(Failed::Usage(_))));
}

#[test]
fn a_shot_is_named_by_id_or_number() {
    assert!(matches!("3".parse(), Ok(ShotName::Number(3))));
    assert!(matches!("018f0000-0000-7000-8000-000000000001".parse(), Ok(ShotName::Id(_))));
    assert!("../x".parse::<ShotName>().is_err());
}

#[test]
fn messages_are_taken_whole_out_of_whatever_pieces_they_come_in() {
    let mut buffer = b"id: 7\ndata: {\"type\":\"pi".to_vec();
    assert_eq!(take_message(&mut buffer), None);
    buffer.extend(b"ng\"}\n\n: comment\n\ndata: no json\n\ndata: {\"type\":\"lagged\"}\n\nda");
    assert_eq!(take_message(&mut buffer), Some(json!({ "type": "ping" })));
    assert_eq!(take_message(&mut buffer), Some(json!({ "type": "lagged" })));
    assert_eq!((take_message(&mut buffer), buffer.as_slice()), (None, b"da".as_slice()));
}

#[test]
fn the_board_knows_where_each_task_stands() {
    let mut board = Board::default();
    let event = |kind: &str, payload: Value| json!({ "type": "event", "event": { "type": kind, "payload": payload } });
    let task = json!({ "id": "a", "type": "generate_shot", "status": "finished" });
    board.apply(&json!({ "type": "snapshot", "tasks": [task] }));
    assert!(board.is_settled());
    board.apply(&event("TaskQueued", json!({ "taskId": "b", "kind": "film" })));
    assert!(!board.is_settled());
    board.apply(&event("TaskStarted", json!({ "taskId": "b" })));
    board.apply(&json!({ "type": "progress", "taskId": "b", "progress": 250, "message": "mix\u{1b}ing" }));
    let seen = board.task("b").unwrap();
    assert_eq!(
        (seen.standing, seen.percent, seen.words.as_str()),
        (Standing::Running, 100, "mix\u{fffd}ing")
    );
    let failure = json!({ "taskId": "b", "failure": { "message": "no disk" } });
    board.apply(&event("TaskFailed", failure));
    assert_eq!(
        board.task("b").map(|task| (task.standing, task.words.as_str())),
        Some((Standing::Failed, "no disk"))
    );
    assert!(board.is_settled());
    board.apply(&event("TaskCancelled", json!({ "taskId": "a", "reason": "requested" })));
    assert_eq!(board.of_kind(Kind::Image).count(), 0);
}
