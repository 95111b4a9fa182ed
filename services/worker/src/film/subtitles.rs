//! Writes captions down: SubRip, WebVTT, and the styled script that is drawn into the picture.
//!
//! Captions hold a stranger's words, so each writer takes away what its format would read as markup.

use std::fmt::Write;

use super::FontFamilies;
use super::captions::{Caption, Layout, clean, is_cjk};

/// How much smaller other fonts are asked for than those of Chinese: renderers count the height of a whole line,
/// which is larger above and below Chinese characters.
const LATIN_SIZE: f64 = 0.9;

/// The captions as SubRip.
pub(super) fn srt(captions: &[Caption], fps: u32) -> String {
    let mut text = String::new();
    for (caption, number) in captions.iter().zip(1..) {
        let (from, to) = times(caption, fps);
        let lines = join(caption, "\n", srt_text);
        _ = write!(text, "{number}\n{} --> {}\n{lines}\n\n", clock(from, ','), clock(to, ','));
    }
    text
}

/// The captions as WebVTT.
pub(super) fn vtt(captions: &[Caption], fps: u32) -> String {
    let mut text = "WEBVTT\n\n".to_owned();
    for caption in captions {
        let (from, to) = times(caption, fps);
        let lines = join(caption, "\n", vtt_text);
        _ = write!(text, "{} --> {}\n{lines}\n\n", clock(from, '.'), clock(to, '.'));
    }
    text
}

/// The captions as a script for libass, for frames of this size in pixels.
pub(super) fn ass(captions: &[Caption], width: u32, height: u32, fps: u32, fonts: &FontFamilies) -> String {
    let size = Layout::new(width, height).font_size;
    // A tall film is watched under a player's own buttons: keep clear of the lowest eighth.
    let share = if height > width { 0.14 } else { 0.06 };
    let look = Look { size, outline: size / 13.0, margin: f64::from(height) * share, alignment: 2 };
    let mut script = header(width, height, fonts, &look);
    for caption in captions {
        let (from, to) = times(caption, fps);
        event(&mut script, from, to, fonts, &caption.lines);
    }
    script
}

/// A title card as a script for libass: the words in the middle of the frame, for one second.
pub(super) fn card(title: &str, width: u32, height: u32, fonts: &FontFamilies) -> String {
    let size = f64::from(width.min(height)) * 0.08;
    let mut script = header(width, height, fonts, &Look { size, outline: 0.0, margin: 0.0, alignment: 5 });
    let shown: String = clean(title).chars().take(160).collect();
    event(&mut script, 0, 1_000, fonts, &[shown]);
    script
}

/// The numbers in which captions and cards differ, in pixels; `alignment` as on a keypad.
struct Look {
    size: f64,
    outline: f64,
    margin: f64,
    alignment: u8,
}

/// Everything before the words, with a style for Chinese and its kin and one for all other scripts.
fn header(width: u32, height: u32, fonts: &FontFamilies, look: &Look) -> String {
    let side = f64::from(width) * 0.07;
    let mut header = format!(
        "[Script Info]\nScriptType: v4.00+\nPlayResX: {width}\nPlayResY: {height}\nWrapStyle: 0\n\
         ScaledBorderAndShadow: yes\nYCbCr Matrix: TV.709\n\n[V4+ Styles]\n\
         Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
         Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, \
         MarginL, MarginR, MarginV, Encoding\n"
    );
    let Look { size, outline, margin, alignment } = look;
    let latin = fonts.latin.as_deref().map_or((&*fonts.cjk, *size), |family| (family, size * LATIN_SIZE));
    for (name, (family, size)) in [("Cjk", (&*fonts.cjk, *size)), ("Latin", latin)] {
        // A comma would end the field.
        let family: String = family.chars().filter(|c| *c != ',' && !c.is_control()).collect();
        // Encoding -1 lets each line find its own direction; wrap style 0 keeps lines even if one is still too long.
        _ = writeln!(
            header,
            "Style: {name},{family},{size:.1},&H00FFFFFF,&H00FFFFFF,&H20101010,&H80000000,0,0,0,0,100,100,0,0,1,\
             {outline:.1},0,{alignment},{side:.0},{side:.0},{margin:.0},-1"
        );
    }
    header + "\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
}

/// One caption or title, each line in the style of its script.
fn event(script: &mut String, from: u64, to: u64, fonts: &FontFamilies, lines: &[String]) {
    let line = |line: &String| {
        let cjk = is_cjk(line);
        let narrow = !cjk && fonts.latin.is_none();
        let text = ass_text(&if narrow { narrow_marks(line) } else { line.clone() });
        format!("{{\\r{}}}{text}", if cjk { "Cjk" } else { "Latin" })
    };
    let text = lines.iter().map(line).collect::<Vec<_>>().join("\\N");
    _ = writeln!(script, "Dialogue: 0,{},{},Latin,,0,0,0,,{text}", centis(from), centis(to));
}

/// A Chinese font draws these as wide as its characters, which tears Latin words apart: `isn’ t`.
fn narrow_marks(text: &str) -> String {
    text.replace(['‘', '’'], "'").replace(['“', '”'], "\"").replace('…', "...")
}

fn join(caption: &Caption, separator: &str, text: impl Fn(&str) -> String) -> String {
    caption.lines.iter().map(|line| text(line)).collect::<Vec<_>>().join(separator)
}

/// SubRip has tags and no way to escape them.
fn srt_text(line: &str) -> String {
    line.replace('<', "‹").replace('>', "›").replace('{', "(").replace('}', ")").replace('\\', "/")
}

fn vtt_text(line: &str) -> String {
    line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Braces hold commands and a backslash begins one; renderers disagree on how to escape them.
fn ass_text(line: &str) -> String {
    line.replace('{', "(").replace('}', ")").replace('\\', "/")
}

/// First and last moment of a caption in milliseconds.
fn times(caption: &Caption, fps: u32) -> (u64, u64) {
    let millis = |frame: u64| frame * 1_000 / u64::from(fps);
    (millis(caption.first_frame), millis(caption.first_frame + caption.frames))
}

fn clock(millis: u64, point: char) -> String {
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{hours:02}:{minutes:02}:{seconds:02}{point}{millis:03}")
}

fn centis(millis: u64) -> String {
    let centis = millis / 10;
    let (seconds, centis) = (centis / 100, centis % 100);
    format!("{}:{:02}:{:02}.{centis:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Vec<Caption> {
        let lines = vec!["{\\an8}<b>--> \\N".to_owned(), "a & b".to_owned()];
        vec![Caption { first_frame: 36, frames: 30, lines }]
    }

    #[test]
    fn subrip_has_times_with_commas_and_no_markup() {
        assert_eq!(srt(&hostile(), 24), "1\n00:00:01,500 --> 00:00:02,750\n(/an8)‹b›--› /N\na & b\n\n");
    }

    #[test]
    fn webvtt_escapes_its_arrow() {
        let text = vtt(&hostile(), 24);
        assert!(text.starts_with("WEBVTT\n\n00:00:01.500 --> 00:00:02.750\n"), "{text}");
        assert!(text.contains("&lt;b&gt;--&gt;") && text.contains("a &amp; b"), "{text}");
    }

    fn script(lines: &[&str], latin: Option<&str>) -> String {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        let fonts = FontFamilies { latin: latin.map(str::to_owned), cjk: "Evil, Font\n[Events]".to_owned() };
        ass(&[Caption { first_frame: 36, frames: 30, lines }], 1280, 720, 24, &fonts)
    }

    #[test]
    fn the_script_has_no_commands_but_its_own() {
        let script = script(&["{\\an8}<b>--> \\N", "a & b"], Some("Sans"));
        let dialogue = script.lines().last().unwrap_or_default();
        assert_eq!(
            dialogue,
            "Dialogue: 0,0:00:01.50,0:00:02.75,Latin,,0,0,0,,{\\rLatin}(/an8)<b>--> /N\\N{\\rLatin}a & b"
        );
        assert!(script.contains("Style: Cjk,Evil Font[Events],43.2,"), "{script}");
        assert!(script.contains("Style: Latin,Sans,38.9,"), "{script}");
    }

    #[test]
    fn chinese_is_written_in_its_own_font_and_everything_else_in_the_other() {
        let latin = |line: &str| script(&[line], Some("Sans")).contains("{\\rLatin}");
        assert!(latin("“The lamp is broken,”") && latin("1990…") && latin("Привет — мир"));
        assert!(!latin("“把想说的话放进灯里，”") && !latin("我的iPhone很好用"));
        let both = script(&["It isn’t mine —", "“把想说的话放进灯里，”"], Some("Sans"));
        assert!(both.ends_with(",,{\\rLatin}It isn’t mine —\\N{\\rCjk}“把想说的话放进灯里，”\n"), "{both}");
    }

    #[test]
    fn where_there_is_only_a_chinese_font_latin_words_keep_together() {
        let script = script(&["“It isn’t…”"], None);
        assert!(script.ends_with("{\\rLatin}\"It isn't...\"\n"), "{script}");
        assert!(script.contains("Style: Latin,Evil Font[Events],43.2,"), "{script}");
    }

    #[test]
    fn an_hour_is_an_hour() {
        assert_eq!(clock(3_661_007, ','), "01:01:01,007");
        assert_eq!(centis(3_661_070), "1:01:01.07");
    }
}
