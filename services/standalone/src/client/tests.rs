//! What comes from a server is shown, and nothing of it is obeyed.

use domain::job::Kind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use unicode_width::UnicodeWidthStr;

use super::board::{Board, Standing};
use super::connection::{Connection, refusal};
use super::live::take_message;
use super::output::{json_line, plain, table_within};
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
    let text = table_within(None, &["A", "B"], &rows);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["A     B", "灯塔  x"]);
    assert!(lines[2].ends_with('y') && lines[2].chars().count() == 106, "the last column is whole");
}

#[test]
fn a_table_is_no_wider_than_the_terminal_and_its_ids_are_whole() {
    let id = "018f0000-0000-7000-8000-000000000001".to_owned();
    let rows = [vec![id.clone(), "灯".repeat(40), "ready".to_owned(), "n".repeat(300)]];
    for width in [70, 80, 120] {
        let text = table_within(Some(width), &["ID", "TITLE", "STATUS", "NARRATION"], &rows);
        assert!(text.lines().all(|line| line.width() <= width), "{text}");
        assert!(text.contains(&id) && text.contains("ready") && text.contains("…"), "{text}");
    }
    let narrow = table_within(Some(10), &["ID", "TITLE", "STATUS", "NARRATION"], &rows);
    assert!(narrow.contains(&id), "it is wider than that, and still whole");
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

/// Answers one request after the other in this way.
async fn answer(listener: &TcpListener, answers: Vec<&str>) {
    for head in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        let body = json!({ "code": "projection_behind", "detail": "wait" }).to_string();
        let answer =
            format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_look_is_tried_again_where_the_server_is_busy_and_a_change_is_asked_for_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let connection = Connection::new(&format!("http://{}", listener.local_addr().unwrap()), None).unwrap();
    let busy = "503 Service Unavailable\r\nretry-after: 0";
    let (seen, ()) = tokio::join!(connection.get("/x", &[]), answer(&listener, vec![busy, busy, "200 OK"]));
    assert!(seen.is_ok(), "{seen:?}");
    let (seen, ()) = tokio::join!(connection.get("/x", &[]), answer(&listener, vec![busy; 5]));
    assert!(seen.unwrap_err().to_string().contains("projection_behind"));
    let elsewhere = "308 Permanent Redirect\r\nlocation: https://films.example/x?y=1";
    let (led, ()) = tokio::join!(connection.get("/x", &[]), answer(&listener, vec![elsewhere]));
    assert!(led.unwrap_err().to_string().contains("sends to https://films.example; name that"));
    let (changed, ()) = tokio::join!(connection.post("/x", json!({})), answer(&listener, vec![busy]));
    assert!(changed.unwrap_err().to_string().contains("projection_behind"));
}
