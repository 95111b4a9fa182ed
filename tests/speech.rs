//! Voices with the real synthesisers: Piper for English, espeak-ng for every other language.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use domain::job::TtsSpec;
use domain::settings::VoiceFormat;
use futures::future::join_all;
use standalone::stack::{film_tools, speech_tools};
use worker::film::convert_voice;
use worker::providers::builtin::tts::{Piper, SpeakError, Speech, SpeechTools, Spoken};
use worker::wav::Reader;

use super::harness::provider_tools;

async fn espeak_only() -> Speech {
    let tools = speech_tools(provider_tools().await);
    assert!(tools.espeak.is_some());
    Speech::new(SpeechTools { piper: None, ..tools }, 1)
}

async fn both(processes: usize) -> Speech {
    let tools = speech_tools(provider_tools().await);
    assert!(tools.espeak.is_some() && tools.piper.is_some());
    Speech::new(tools, processes)
}

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

/// What was spoken, and its samples as another reader sees them.
async fn heard(speech: &Speech, spec: &TtsSpec, language: &str) -> (Spoken, Vec<i16>) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("voice.wav");
    let spoken = speech.speak(spec, language, &out).await.unwrap();
    let file = File::open(&out).unwrap();
    let mut samples = vec![0; usize::try_from(file.metadata().unwrap().len()).unwrap() / 2];
    let mut reader = Reader::new(BufReader::new(file)).unwrap();
    let read = reader.read(&mut samples).unwrap();
    samples.truncate(read);
    assert_eq!(reader.format().sample_rate, spoken.sample_rate);
    let seconds = samples.len() as f64 / f64::from(spoken.sample_rate);
    assert!((seconds - spoken.duration_seconds).abs() < 1e-6);
    (spoken, samples)
}

/// Seconds before the first sample that is heard.
fn lead<'a>(samples: impl Iterator<Item = &'a i16>) -> f64 {
    samples.take_while(|sample| sample.unsigned_abs() < 200).count() as f64 / 22_050.0
}

#[tokio::test]
async fn english_is_spoken_by_piper_at_the_pace_of_a_narrator() {
    let text =
        "The old lighthouse keeper climbed the stairs one last time. Dr. Smith waited below, with 3 lamps.";
    let (spoken, samples) = heard(&both(1).await, &spec(text), "en").await;
    assert_eq!(spoken.voice, "en_US-joe-medium");
    assert!((4.0..9.0).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
    let (before, after) = (lead(samples.iter()), lead(samples.iter().rev()));
    assert!((0.02..0.12).contains(&before) && after < 0.15, "{before} {after}");
    assert!(samples.iter().filter(|sample| sample.unsigned_abs() == 32_767).count() < 20, "it clips");
}

#[tokio::test]
async fn chinese_characters_are_read_and_not_spelled() {
    let text = "从前有一座山，山里住着一位老人。";
    let (spoken, _) = heard(&espeak_only().await, &spec(text), "zh-CN").await;
    assert!(spoken.voice.starts_with("cmn"), "{}", spoken.voice);
    // Fourteen syllables; spelled out as English letters it takes twice as long.
    assert!((2.5..5.5).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
}

#[tokio::test]
async fn every_language_of_the_synthesiser_is_spoken() {
    let speech = espeak_only().await;
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
    let english = "He wound the clock and lit the lamp";
    for (speech, language, text) in [
        (both(1).await, "en", english),
        (espeak_only().await, "en", english),
        (espeak_only().await, "zh", "他每天早上都会到山顶看日出"),
    ] {
        let mut seconds = Vec::new();
        for speed in [0.5, 1.0, 2.0] {
            let spec = TtsSpec { speed, ..spec(text) };
            seconds.push(heard(&speech, &spec, language).await.0.duration_seconds);
        }
        assert!(seconds[0] > seconds[1] * 1.5 && seconds[1] > seconds[2] * 1.5, "{language}: {seconds:?}");
    }
}

#[tokio::test]
async fn a_voice_comes_in_the_format_and_at_the_rate_that_are_asked_for() {
    let tools = film_tools(provider_tools().await).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wav = folder.path().join("voice.wav");
    let plain = spec("Le phare brille.");
    let rate = espeak_only().await.speak(&plain, "fr", &wav).await.unwrap().sample_rate;
    let convert = async |format, sample_rate| {
        let spec = TtsSpec { format, sample_rate, ..plain.clone() };
        convert_voice(&tools, &spec, (&wav, rate)).await.unwrap()
    };
    assert_eq!(convert(None, None).await, wav, "it is left as it is");
    let length = |path: &Path| {
        let mut reader = Reader::new(BufReader::new(File::open(path).unwrap())).unwrap();
        let mut samples = vec![0; 1 << 20];
        let read = reader.read(&mut samples).unwrap();
        (reader.format().sample_rate, read as f64 / f64::from(reader.format().sample_rate))
    };
    let low = convert(None, Some(8_000)).await;
    let ((_, before), (low_rate, after)) = (length(&wav), length(&low));
    assert!(low_rate == 8_000 && (before - after).abs() < 0.01, "{before} s became {after} s");
    let mp3 = convert(Some(VoiceFormat::Mp3), Some(44_000)).await;
    let bytes = std::fs::read(&mp3).unwrap();
    assert!(mp3.extension().unwrap() == "mp3" && bytes.starts_with(b"ID3"), "{mp3:?}");
    assert!(bytes.len() < std::fs::read(&wav).unwrap().len(), "it is smaller");
    std::fs::write(&wav, "no voice").unwrap();
    let spec = TtsSpec { format: Some(VoiceFormat::Mp3), ..plain.clone() };
    assert!(convert_voice(&tools, &spec, (&wav, rate)).await.is_err());
}

#[tokio::test]
async fn a_text_with_nothing_to_say_is_a_short_silence() {
    let (spoken, samples) = heard(&espeak_only().await, &spec("😀 … !!!"), "zh").await;
    assert!((spoken.duration_seconds - 0.6).abs() < 0.001);
    assert!(samples.iter().all(|sample| *sample == 0));
}

#[tokio::test]
async fn a_text_that_looks_like_an_option_or_a_command_is_only_spoken() {
    let text = "--help -w /etc/passwd $(reboot); `id` [[h@loU]] <speak> {\"text\": 1}\n\"quoted\"";
    for speech in [both(1).await, espeak_only().await] {
        let (spoken, _) = heard(&speech, &spec(text), "en").await;
        assert!(spoken.duration_seconds > 3.0, "{}", spoken.duration_seconds);
    }
}

#[tokio::test]
async fn a_mixed_text_changes_voices() {
    let chinese = spec("我的iPhone很好用，Tom Smith来了。");
    let seconds = heard(&espeak_only().await, &chinese, "zh").await.0.duration_seconds;
    assert!((2.5..7.0).contains(&seconds), "{seconds}");
    let english = spec("Her name was 小明, and she lived in Москва.");
    let seconds = heard(&both(1).await, &english, "en").await.0.duration_seconds;
    assert!((2.0..6.0).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_long_text_is_spoken_whole() {
    let text = "从前有一座山，山里住着一位老人。".repeat(150);
    let (spoken, _) = heard(&espeak_only().await, &spec(&text), "zh").await;
    assert!((360.0..860.0).contains(&spoken.duration_seconds), "{}", spoken.duration_seconds);
}

#[tokio::test]
async fn a_language_without_a_voice_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("voice.wav");
    let speech = espeak_only().await;
    for (language, text) in [("dz", "དེ་ཚེ་"), ("ja", "昔々、東京に猫がいました。")]
    {
        let refused = speech.speak(&spec(text), language, &out).await;
        assert!(matches!(&refused, Err(SpeakError::NoVoice { language: named, .. }) if named == language));
    }
    assert!(!out.exists());
}

#[tokio::test]
async fn several_texts_share_the_processes() {
    let speech = both(2).await;
    let folder = tempfile::tempdir().unwrap();
    let texts = ["He wound the clock.", "She lit the lamp.", "Nobody came.", "小明", "It ended."];
    let spoken = texts.iter().enumerate().map(async |(at, text)| {
        let out = folder.path().join(format!("{at}.wav"));
        speech.speak(&spec(text), "en", &out).await
    });
    let spoken = join_all(spoken).await;
    assert!(spoken.iter().all(Result::is_ok), "{spoken:?}");
}

#[tokio::test]
async fn a_piper_without_its_packages_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let installed = speech_tools(provider_tools().await).piper.unwrap();
    let piper = Piper { packages: folder.path().to_owned(), ..installed };
    let speech = Speech::new(SpeechTools { piper: Some(piper), espeak: None }, 1);
    let error = speech.speak(&spec("Hello"), "en", &folder.path().join("voice.wav")).await.unwrap_err();
    assert!(error.to_string().contains("No module named"), "{error}");
}
