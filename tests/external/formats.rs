//! What nodes make need not be MP4 and WAV: it is kept as it is, and is as long as it is.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use domain::job::Kind;
use domain::settings::Settings;

use super::uploads::address;
use super::{Stand, System};
use standalone::stack::film_tools;

use crate::harness::provider_tools;

/// Seconds of everything that is made here, and how far a measure may be off.
const SECONDS: f64 = 1.5;
const ABOUT: f64 = 0.1;

/// A file that ffmpeg makes of these inputs; written to a pipe it cannot say beforehand how long it will be.
fn made(ffmpeg: &Path, inputs: &[&str], output: &[&str]) -> Vec<u8> {
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-loglevel", "error"]);
    for input in inputs {
        command.args(["-f", "lavfi", "-i", &format!("{input}:duration={SECONDS}")]);
    }
    let made = command.args(output).arg("pipe:1").output().unwrap();
    assert!(made.status.success(), "{output:?}: {}", String::from_utf8_lossy(&made.stderr));
    made.stdout
}

#[tokio::test]
async fn sounds_and_clips_of_other_formats_are_kept_as_they_are() {
    let ffmpeg = &film_tools(provider_tools().await).unwrap().ffmpeg;
    let (tone, pattern) = (["sine=frequency=440"], ["testsrc=size=32x32:rate=24"]);
    let sound = |output: &[&str]| made(ffmpeg, &tone, output);
    let clip = |output: &[&str]| made(ffmpeg, &pattern, output);
    let mut voices = vec![
        ("mp3", sound(&["-f", "mp3"])),
        ("ogg", sound(&["-c:a", "libopus", "-f", "ogg"])),
        ("flac", sound(&["-f", "flac"])),
    ];
    let webm = clip(&["-c:v", "libvpx", "-f", "webm"]);
    let mut clips = vec![("webm", webm.clone()), ("webm", webm[..webm.len() - 40].to_vec()), ("webm", webm)];
    let silent = sound(&["-c:a", "libopus", "-f", "webm"]);
    let (system, stand) = (System::start().await, Stand::open().await);
    system.world.start_worker("all", stand.provider(&[Kind::Video, Kind::Tts]), &Kind::ALL);
    let settings = Settings { image_to_video: true, ..Settings::default() };
    let project = system.world.a_film_of(3, settings).await;
    for number in 0..6 {
        let order = stand.told(number + 1).await.remove(number);
        let is_clip = order["kind"] == "video";
        if is_clip {
            let refused = system.bring(address(&order), silent.clone()).await;
            assert_eq!(refused.status, 400, "a clip shows something: {}", refused.body);
        }
        let (format, file) = if is_clip { clips.pop() } else { voices.pop() }.expect("three of each");
        let answer = system.bring(address(&order), file).await;
        assert_eq!(answer.body["status"], "SUCCESS", "{format}: {}", answer.body);
    }
    system.settled(project).await;
    let state = system.world.state(project).await;
    let mut formats = BTreeSet::new();
    for kind in [Kind::Video, Kind::Tts] {
        for shot in &state.shots {
            let asset = &shot.take(kind).unwrap().asset;
            let seconds = asset.duration_seconds.unwrap();
            assert!((seconds - SECONDS).abs() < ABOUT, "{asset:?}");
            formats.insert(asset.key.extension().to_owned());
        }
    }
    assert_eq!(formats.into_iter().collect::<Vec<_>>(), ["flac", "mp3", "ogg", "webm"]);
    system.world.finish().await;
}
