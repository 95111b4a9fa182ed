//! Runs espeak-ng, one short-lived process per piece: it starts in a few milliseconds.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use super::SpeakError;
use super::sound::Sound;
use super::voice::Voices;
use crate::wav;

/// One piece takes milliseconds; on a machine that is this slow, something is wrong.
const TIME_LIMIT: Duration = Duration::from_secs(30);
/// Its sample rate, for all voices but those of MBROLA, which are not used.
const SAMPLE_RATE: u32 = 22_050;
/// Ten minutes of sound; a piece takes less than two.
const MAX_BYTES: u64 = 10 * 60 * SAMPLE_RATE as u64 * 2;
/// What is kept of its complaints.
const MAX_COMPLAINT: u64 = 1_000;
/// Words a minute at normal speed, and for Chinese, where each character is a word. Both near a calm narrator:
/// 15 Latin letters or 4 Chinese characters a second.
const WORDS_A_MINUTE: f64 = 155.0;
const CHINESE_WORDS_A_MINUTE: f64 = 175.0;

/// An installed espeak-ng.
#[derive(Debug)]
pub(super) struct Espeak {
    program: PathBuf,
    voices: OnceCell<Voices>,
}

impl Espeak {
    pub(super) fn new(program: PathBuf) -> Self {
        Self { program, voices: OnceCell::new() }
    }

    /// Its voices, asked for once.
    pub(super) async fn voices(&self) -> Result<&Voices, SpeakError> {
        self.voices
            .get_or_try_init(async || {
                let (voices, variants) =
                    tokio::try_join!(self.run(&["--voices"], ""), self.run(&["--voices=variant"], ""))?;
                Ok(Voices::parse(&String::from_utf8_lossy(&voices), &String::from_utf8_lossy(&variants)))
            })
            .await
    }

    /// Says `text`, which is at most a few hundred characters. `voice` is one of [`Espeak::voices`].
    pub(super) async fn say(&self, voice: &str, speed: f64, text: &str) -> Result<Sound, SpeakError> {
        let chinese = voice.starts_with("cmn") || voice.starts_with("yue");
        let pace = if chinese { CHINESE_WORDS_A_MINUTE } else { WORDS_A_MINUTE };
        let pace = format!("{:.0}", pace * speed);
        // -b 1: the text is UTF-8. -z: no pause at the end.
        let file =
            self.run(&["-v", voice, "-s", &pace, "-b", "1", "-z", "--stdin", "--stdout"], text).await?;
        read(&file)
    }

    /// Runs the program and gives what it printed. The text goes in by its standard input only.
    async fn run(&self, arguments: &[&str], text: &str) -> Result<Vec<u8>, SpeakError> {
        let child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SpeakError::Missing { program: self.program.clone(), source })?;
        match tokio::time::timeout(TIME_LIMIT, converse(child, text)).await {
            Ok(output) => output,
            Err(_) => Err(SpeakError::TooSlow(TIME_LIMIT)),
        }
    }
}

/// Writes `text`, reads the answer, and waits for the end, all at once so that no pipe fills up.
async fn converse(mut child: Child, text: &str) -> Result<Vec<u8>, SpeakError> {
    let stdin = child.stdin.take();
    let feed = async {
        if let Some(mut stdin) = stdin {
            // A program that ends before it has read everything says why in its exit status.
            stdin.write_all(text.as_bytes()).await.ok();
        }
    };
    let output = limited(child.stdout.take(), MAX_BYTES);
    let complaint = limited(child.stderr.take(), MAX_COMPLAINT);
    let ((), output, complaint) = tokio::join!(feed, output, complaint);
    let (output, complaint) = (output?, complaint?);
    if output.len() as u64 >= MAX_BYTES {
        return Err(SpeakError::Broken("espeak-ng does not stop speaking".to_owned()));
    }
    let status = child.wait().await?;
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint);
        return Err(SpeakError::Broken(format!("espeak-ng: {status}: {}", complaint.trim())));
    }
    Ok(output)
}

/// At most `limit` bytes of a stream.
async fn limited(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> Result<Vec<u8>, SpeakError> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// The samples of the WAV file that espeak-ng wrote; none when it had nothing to say.
fn read(file: &[u8]) -> Result<Sound, SpeakError> {
    if file.is_empty() {
        return Ok(Sound { sample_rate: SAMPLE_RATE, samples: Vec::new() });
    }
    let mut reader = wav::Reader::new(file)?;
    let wav::Format { channels, sample_rate } = reader.format();
    if channels != 1 {
        return Err(SpeakError::Broken(format!("espeak-ng answered with {channels} channels")));
    }
    let mut samples = vec![0; file.len() / 2];
    let read = reader.read(&mut samples)?;
    samples.truncate(read);
    Ok(Sound { sample_rate, samples })
}
