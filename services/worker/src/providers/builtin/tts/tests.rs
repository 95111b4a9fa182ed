//! Speech with synthesisers that are not what they should be; each is a shell script.

use super::*;

fn spec(text: &str) -> TtsSpec {
    TtsSpec {
        text: text.to_owned(),
        language: None,
        voice: None,
        speed: 1.0,
        format: None,
        sample_rate: None,
        model: None,
    }
}

/// A program of our own in place of a synthesiser.
fn fake(folder: &tempfile::TempDir, script: &str) -> PathBuf {
    let program = folder.path().join("fake");
    // Written by another process: a file that this one has open while another test forks cannot be run.
    let write = r##"printf '#!/bin/sh\n%s\n' "$2" > "$1" && chmod 755 "$1""##;
    let mut command = std::process::Command::new("sh");
    assert!(command.args(["-c", write, "sh"]).arg(&program).arg(script).status().unwrap().success());
    program
}

#[tokio::test]
async fn a_longer_text_than_a_job_may_have_is_refused() {
    let speech = Speech::new(SpeechTools::default(), 1);
    let refused = speech.speak(&spec(&"a".repeat(MAX_CHARACTERS + 1)), "en", Path::new("/nowhere")).await;
    assert!(matches!(refused, Err(SpeakError::TooLong(10_001))));
}

#[tokio::test]
async fn without_a_synthesiser_nothing_is_said_but_what_to_install() {
    let refused =
        Speech::new(SpeechTools::default(), 1).speak(&spec("Hello"), "en", Path::new("/nowhere")).await;
    assert!(refused.unwrap_err().to_string().contains("install espeak-ng"));
}

#[tokio::test]
async fn a_process_that_died_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    // Loads, says one piece, one second long, and dies.
    let once = r#"
        echo '{"done": true}'
        read -r request
        echo '{"rate": 22050, "bytes": 44100}'
        yes a | head -c 44100
        echo '{"done": true}'"#;
    let piper = Piper { python: fake(&folder, once), packages: folder.path().to_owned() };
    let speech = Speech::new(SpeechTools { piper: Some(piper), espeak: None }, 1);
    for _ in 0..3 {
        let spoken = speech.speak(&spec("One."), "en", &folder.path().join("voice.wav")).await.unwrap();
        assert!((1.0..1.5).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
    }
}

#[tokio::test]
async fn broken_synthesisers_are_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("voice.wav");
    let voices = "case $1 in --voices) printf 'h\\n 5 en-us x y z\\n'; exit;; --voices=*) exit;; esac;";
    for (script, code) in [
        ("echo no such voice >&2; exit 3", "speech_broken"),
        ("echo '<html>busy</html>'", "speech_io"),
        ("cat > /dev/null", "speech_silent"),
        ("cat /dev/zero", "speech_broken"),
    ] {
        let program = fake(&folder, &format!("{voices} {script}"));
        let speech = Speech::new(SpeechTools { piper: None, espeak: Some(program) }, 1);
        let failure = Failure::from(speech.speak(&spec("Hello there"), "en", &out).await.unwrap_err());
        assert_eq!(failure.code, code, "{script}: {failure}");
        assert!(!out.exists());
    }
}

#[tokio::test]
async fn a_piper_that_cannot_start_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("voice.wav");
    let python = |python: PathBuf| Piper { python, packages: folder.path().to_owned() };
    let unloaded = r#"echo '{"error": "ImportError: no voice"}'"#;
    for (script, words) in [(unloaded, "no voice"), ("yes babble", "something else"), ("exit 1", "ended")] {
        let speech = Speech::new(SpeechTools { piper: Some(python(fake(&folder, script))), espeak: None }, 1);
        let error = speech.speak(&spec("Hello"), "en", &out).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let missing = SpeechTools { piper: Some(python(folder.path().join("python"))), espeak: None };
    let error = Speech::new(missing, 1).speak(&spec("Hello"), "en", &out).await.unwrap_err();
    assert!(error.to_string().contains("could not be started"), "{error}");
}
