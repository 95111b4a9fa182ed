//! Cuts narration into captions that can be read in time, and spreads them over the measured voice.
//!
//! Works for scripts with and without spaces. The text is a stranger's: what could steer a player or a
//! renderer (control characters, direction overrides) is dropped here, and markup by the writers in `subtitles`.

use serde::Serialize;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Widths are counted so that 42 Latin or 18 CJK characters fill a line.
const LATIN: u32 = 3;
const WIDE: u32 = 7;
const FULL_LINE: u32 = 42 * LATIN;
/// Letters of a Latin word, which says about as much as one wide letter.
const WORD: usize = 5;
/// Most lines of a caption.
const LINES: usize = 2;
/// Share of the frame's width that captions may fill: the safe area.
const SAFE_WIDTH: f64 = 0.86;
/// Height of a caption's letters, of the frame's shorter side.
const FONT_SIZE: f64 = 0.06;

/// One caption with its place in the film.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caption {
    /// First frame at which it is seen.
    pub first_frame: u64,
    /// Length in frames, at least 1.
    pub frames: u64,
    /// One or two lines, without control characters; markup in them means nothing.
    pub lines: Vec<String>,
}

impl Caption {
    /// The part that is seen within a range of frames, counted from the range's first.
    pub fn within(&self, first_frame: u64, frames: u64) -> Option<Self> {
        let from = self.first_frame.max(first_frame);
        let to = (self.first_frame + self.frames).min(first_frame + frames);
        (from < to).then(|| Self {
            first_frame: from - first_frame,
            frames: to - from,
            lines: self.lines.clone(),
        })
    }
}

/// How large captions are, and how much a line of them holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Layout {
    /// Height of the letters in pixels.
    pub font_size: f64,
    /// What a line holds, in thirds of a Latin letter.
    line: u32,
}

impl Layout {
    /// The layout for a frame of this size in pixels: full lines where they fit, shorter ones in a tall frame.
    pub fn new(width: u32, height: u32) -> Self {
        let font_size = f64::from(width.min(height)) * FONT_SIZE;
        // A CJK character is about as wide as it is high; Latin letters follow from it.
        let wide_characters = f64::from(width) * SAFE_WIDTH / font_size;
        Self { font_size, line: ((wide_characters * f64::from(WIDE)) as u32).min(FULL_LINE) }
    }
}

/// The captions of a narration that is spoken from `first_frame` for `frames`.
pub fn plan(narration: &str, layout: &Layout, first_frame: u64, frames: u64) -> Vec<Caption> {
    let text = clean(narration);
    let mut pieces = pieces(&text);
    break_long_words(&mut pieces, layout.line);
    let texts = split(&pieces, layout.line);
    let weights: Vec<f64> = texts.iter().map(|text| text.iter().map(|piece| piece.weight).sum()).collect();
    let whole: f64 = weights.iter().sum();
    let mut spoken = 0.0;
    let mut from = 0;
    let mut captions = Vec::new();
    for (text, weight) in texts.iter().zip(weights) {
        spoken += weight;
        let to = (frames as f64 * spoken / whole).round() as u64;
        if to > from {
            let lines = wrap(text, layout.line);
            captions.push(Caption { first_frame: first_frame + from, frames: to - from, lines });
            from = to;
        }
    }
    captions
}

/// How long a text takes to read or say, in Latin letters.
pub fn reading_weight(text: &str) -> f64 {
    pieces(&clean(text)).iter().map(|piece| piece.weight).sum()
}

/// The text without what no caption may hold; runs of white space become one space.
pub fn clean(text: &str) -> String {
    let kept = text.chars().filter(|c| !is_steering(*c)).map(|c| if c.is_control() { ' ' } else { c });
    kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that change direction or layout of the text around them, and have no look of their own.
fn is_steering(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffc}' | '\u{e0000}'..='\u{e00ff}')
        || (c.is_control() && !c.is_whitespace())
}

/// Whether a text is written in wide letters (Chinese, Japanese, Korean): at least as many of its letters are
/// wide as a word has Latin ones. Only letters count, since quotes, dashes and ellipses are common to all scripts.
pub(super) fn is_cjk(text: &str) -> bool {
    let letters = || text.graphemes(true).filter(|cluster| cluster.chars().all(char::is_alphabetic));
    let wide = letters().filter(|letter| letter.width() > 1).count();
    wide > 0 && wide * WORD >= letters().count() - wide
}

/// How good a place is to end a caption or a line, best last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Break {
    /// Nowhere: inside a word, or before a mark that belongs to it.
    Never,
    /// Inside a word that is longer than a line.
    Inside,
    /// Between words, or between two characters of a script without spaces.
    Word,
    /// After a comma and the like.
    Clause,
    /// After a sentence.
    Sentence,
}

/// A character as people see it, with what follows from it.
#[derive(Debug, Clone)]
struct Piece<'a> {
    text: &'a str,
    width: u32,
    weight: f64,
    after: Break,
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let clusters: Vec<&str> = text.graphemes(true).collect();
    // What Unicode calls ambiguous (UAX #11) is as wide as the letters around it.
    let cjk = is_cjk(text);
    let is_wide = |cluster: &str| if cjk { cluster.width_cjk() > 1 } else { cluster.width() > 1 };
    let piece = |(at, &cluster): (usize, &_)| {
        let next = clusters.get(at + 1).copied();
        let after = break_after(&clusters[..=at], next, cjk);
        let wide = is_wide(cluster);
        let pause = match after {
            Break::Sentence => 6.0,
            Break::Clause => 3.0,
            Break::Word | Break::Inside | Break::Never => 0.0,
        };
        let letter = if wide { 3.0 } else { 1.0 };
        let width = if wide { WIDE } else { LATIN };
        Piece { text: cluster, width, weight: letter + pause, after }
    };
    clusters.iter().enumerate().map(piece).collect()
}

/// Judges the place between the last of `before` and `next`.
fn break_after(before: &[&str], next: Option<&str>, cjk: bool) -> Break {
    let Some(next) = next else { return Break::Sentence };
    let spaced = before.last() == Some(&" ");
    // After a space these begin a word: ’twas.
    let begins_word = spaced && matches!(next, "’" | "”");
    let clings = next == " " || (is_closing(next) && !begins_word);
    if clings || before.last().is_some_and(|last| is_opening(last)) {
        return Break::Never;
    }
    // Quotes and brackets that close after a full stop belong to the sentence; a space ends it.
    let mark = before.iter().rev().find(|cluster| **cluster != " " && !is_closing_quote(cluster)).copied();
    let last = before.last().copied().unwrap_or_default();
    let at_mark = spaced || is_closing_quote(last) || mark == Some(last);
    match mark.and_then(|mark| mark.chars().next()) {
        Some('。' | '！' | '？' | '｡') if at_mark => Break::Sentence,
        Some('…') if spaced || (cjk && at_mark) => Break::Sentence,
        Some('.' | '!' | '?' | '؟' | '۔' | '।' | '॥') if spaced => Break::Sentence,
        Some('，' | '、' | '；' | '：' | '､') if at_mark => Break::Clause,
        Some(',' | ';' | ':' | '—' | '–' | '،' | '؛') if spaced => Break::Clause,
        _ if spaced || last.width() > 1 || next.width() > 1 => Break::Word,
        Some('—') if last == "—" => Break::Word,
        _ => Break::Never,
    }
}

fn is_closing_quote(cluster: &str) -> bool {
    matches!(cluster, "\"" | "'" | "”" | "’" | "」" | "』" | "）" | ")" | "]" | "》" | "〉" | "】" | "»")
}

/// Whether a line may not begin with it.
fn is_closing(cluster: &str) -> bool {
    matches!(cluster, "”" | "’" | "」" | "』" | "）" | ")" | "]" | "》" | "〉" | "】" | "»")
        || matches!(cluster, "。" | "！" | "？" | "，" | "、" | "；" | "：" | "…" | "—" | "·" | "ー" | "～")
        || matches!(cluster, "." | "," | "!" | "?" | ";" | ":" | "،" | "؟" | "؛" | "%" | "％")
}

/// Whether a line may not end with it.
fn is_opening(cluster: &str) -> bool {
    matches!(cluster, "“" | "‘" | "「" | "『" | "（" | "(" | "[" | "《" | "〈" | "【" | "«")
}

/// Allows a break between any two letters of a word that alone is longer than a line.
fn break_long_words(pieces: &mut [Piece<'_>], line: u32) {
    for word in pieces.chunk_by_mut(|piece, _| piece.after == Break::Never) {
        if width(word) > line {
            let inner = word.len() - 1;
            word[..inner].iter_mut().for_each(|piece| piece.after = Break::Inside);
        }
    }
}

fn width(pieces: &[Piece<'_>]) -> u32 {
    let trailing_space = pieces.last().is_some_and(|piece| piece.text == " ");
    pieces.iter().map(|piece| piece.width).sum::<u32>() - if trailing_space { LATIN } else { 0 }
}

/// Cuts a narration into texts that each fit a caption.
fn split<'a, 'b>(pieces: &'b [Piece<'a>], line: u32) -> Vec<&'b [Piece<'a>]> {
    let mut texts: Vec<&[Piece<'_>]> = Vec::new();
    let mut start = 0;
    let ends = (1..=pieces.len()).filter(|end| pieces[end - 1].after == Break::Sentence);
    for end in ends {
        let mut rest = &pieces[start..end];
        while !fits(rest, line) {
            let (text, left) = rest.split_at(best_cut(rest, line));
            texts.push(text);
            rest = left;
        }
        texts.push(rest);
        start = end;
    }
    join_short(pieces, &texts, line)
}

/// Puts neighbours together while both fit on one line, so that "No. Not yet." is not two flashes.
fn join_short<'a, 'b>(pieces: &'b [Piece<'a>], texts: &[&[Piece<'a>]], line: u32) -> Vec<&'b [Piece<'a>]> {
    let mut joined: Vec<std::ops::Range<usize>> = Vec::new();
    let mut at = 0;
    for text in texts {
        let end = at + text.len();
        match joined.last_mut() {
            Some(last) if width(&pieces[last.start..end]) <= line => last.end = end,
            _ => joined.push(at..end),
        }
        at = end;
    }
    joined.into_iter().map(|range| &pieces[range]).collect()
}

/// Where to end the first caption of a text that is too long for one: near an even share of it, at as good
/// a break as can be had.
fn best_cut(pieces: &[Piece<'_>], line: u32) -> usize {
    let whole = f64::from(width(pieces));
    let captions = (whole / f64::from(line * LINES as u32) * 1.1).ceil().max(2.0);
    let share = whole / captions;
    let mut best = (f64::INFINITY, 1);
    let mut before = 0.0;
    for (piece, end) in pieces.iter().zip(1..pieces.len()) {
        before += f64::from(piece.width);
        if !fits(&pieces[..end], line) {
            break;
        }
        let penalty = match piece.after {
            Break::Sentence | Break::Clause => 0.0,
            Break::Word => 0.5,
            Break::Inside => 4.0,
            Break::Never => continue,
        };
        let cost = (before - share).abs() / share + penalty;
        if cost < best.0 {
            best = (cost, end);
        }
    }
    best.1
}

fn fits(pieces: &[Piece<'_>], line: u32) -> bool {
    width(pieces) <= line * LINES as u32 && line_ends(pieces, line).is_some()
}

/// Where the first of two lines ends so that both fit and are as even as can be; the whole when one line does. None
/// when no place to break makes two lines of it.
fn line_ends(pieces: &[Piece<'_>], line: u32) -> Option<usize> {
    if width(pieces) <= line {
        return Some(pieces.len());
    }
    let cost = |end: usize| {
        let (first, second) = pieces.split_at(end);
        let longer = width(first).max(width(second));
        let penalty = match pieces[end - 1].after {
            Break::Sentence | Break::Clause => 0,
            Break::Word => line / 5,
            Break::Inside => line * 9,
            Break::Never => return None,
        };
        (longer <= line).then_some(longer + penalty)
    };
    (1..pieces.len()).filter_map(|end| cost(end).map(|cost| (cost, end))).min().map(|(_, end)| end)
}

fn wrap(pieces: &[Piece<'_>], line: u32) -> Vec<String> {
    let (first, second) = pieces.split_at(line_ends(pieces, line).unwrap_or(pieces.len()));
    let text =
        |pieces: &[Piece<'_>]| pieces.iter().map(|piece| piece.text).collect::<String>().trim().to_owned();
    [first, second].into_iter().map(text).filter(|line| !line.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(narration: &str) -> Vec<Vec<String>> {
        let layout = Layout::new(1280, 720);
        plan(narration, &layout, 10, 240).into_iter().map(|caption| caption.lines).collect()
    }

    #[test]
    fn a_caption_ends_with_its_sentence() {
        let said = lines(
            "The lamp went out at midnight, as always. Nobody came up the stairs that night. He slept.",
        );
        let said: Vec<_> = said.iter().map(|lines| lines.join(" ")).collect();
        assert_eq!(
            said,
            [
                "The lamp went out at midnight, as always.",
                "Nobody came up the stairs that night.",
                "He slept."
            ]
        );
    }

    #[test]
    fn two_short_sentences_share_a_line() {
        assert_eq!(lines("No. Not yet."), [["No. Not yet."]]);
    }

    #[test]
    fn a_long_sentence_is_cut_at_its_clauses() {
        let said = lines(
            "He asked the sea where the ships had gone, but the sea only answered with waves, and the waves broke \
             on the rocks below the tower, one after the other.",
        );
        assert!(said.len() >= 2);
        for caption in &said[..said.len() - 1] {
            assert!(caption.last().unwrap().ends_with(','), "{said:?}");
        }
    }

    #[test]
    fn chinese_is_cut_at_its_marks_and_no_line_begins_with_one() {
        let said = lines(
            "从前有一座灯塔，守塔人每天晚上都点亮灯火，给远方的船只指路。后来船不再来了，他仍然每天等待着海上的灯光。",
        );
        assert_eq!(said.len(), 2, "{said:?}");
        for line in said.iter().flatten() {
            assert!(line.chars().count() <= 18 && !line.starts_with(['，', '。']), "{line}");
        }
    }

    #[test]
    fn thai_and_arabic_are_never_cut_inside_a_letter() {
        let thai =
            "กาลครั้งหนึ่งนานมาแล้วมีประภาคารแห่งหนึ่งตั้งอยู่บนหน้าผาสูงริมทะเลที่ไม่มีใครรู้จักชื่อของมันเลยแม้แต่คนเดียว".repeat(2);
        let said = lines(&thai);
        assert_eq!(said.concat().concat(), thai);
        for line in said.iter().flatten() {
            assert!(!line.starts_with(['\u{e31}', '\u{e34}', '\u{e35}', '\u{e48}', '\u{e49}']), "{line}");
        }
        let arabic =
            "كان هناك منارة على شاطئ البحر، وكان حارسها يشعل المصباح كل ليلة. ثم توقفت السفن عن المجيء.";
        assert_eq!(lines(arabic).concat().join(" "), arabic);
    }

    #[test]
    fn a_word_beside_curly_quotes_is_not_torn() {
        let said = lines("“The lamp is broken,” whispered her grandfather, while rain ran down the windows.");
        let expected = [
            vec!["“The lamp is broken,”", "whispered her grandfather,"],
            vec!["while rain ran down the windows."],
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn marks_common_to_all_scripts_are_as_wide_as_the_letters_around_them() {
        let widths = |text: &str| pieces(text).iter().map(|piece| piece.width).sum::<u32>();
        assert_eq!(widths("“It isn’t—” she said…"), 21 * LATIN);
        assert_eq!(widths("“灯——”她说……"), 9 * WIDE);
        assert!(
            !is_cjk("“It isn’t mine to sell,” said 灯…")
                && is_cjk("“把想说的话放进灯里，”奶奶说")
                && is_cjk("我的iPhone很好用")
        );
    }

    #[test]
    fn only_a_word_longer_than_a_line_is_broken() {
        let long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";
        let said = lines(&format!("The {long} met."));
        assert_eq!(said.concat().concat().replace(' ', ""), format!("The{long}met."));
        let said = lines(
            "A well-known, self-explanatory counterrevolutionary misinterpretation of incomprehensibilities.",
        );
        let words: Vec<_> = said.iter().flatten().flat_map(|line| line.split(' ')).collect();
        assert_eq!(words.len(), 7, "{said:?}");
    }

    #[test]
    fn a_tall_frame_has_shorter_lines() {
        let tall = Layout::new(720, 1280);
        let captions = plan("The keeper climbed the stairs every night to light the lamp.", &tall, 0, 100);
        assert!(captions.iter().flat_map(|caption| &caption.lines).all(|line| line.chars().count() <= 34));
    }

    #[test]
    fn what_steers_a_player_is_dropped_and_what_is_spoken_stays() {
        assert_eq!(clean(" a\u{202e}b\u{0}c\r\n\td \u{feff}👩‍👧 "), "abc d 👩‍👧");
    }

    #[test]
    fn captions_fill_the_voice_by_their_length() {
        let captions = plan("One two three four five six seven. Eight.", &Layout::new(1280, 720), 10, 100);
        let Some(last) = captions.last() else { panic!("no captions") };
        assert_eq!((captions[0].first_frame, last.first_frame + last.frames), (10, 110));
    }

    #[test]
    fn a_caption_is_clipped_to_a_segment() {
        let caption = Caption { first_frame: 10, frames: 10, lines: vec!["x".to_owned()] };
        let within =
            |first, frames| caption.within(first, frames).map(|part| (part.first_frame, part.frames));
        assert_eq!(within(15, 100), Some((0, 5)));
        assert_eq!(within(0, 12), Some((10, 2)));
        assert_eq!(within(20, 5), None);
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_is_lost(narration in "\\PC{0,400}", frames in 400..4000_u64) {
            let layout = Layout::new(1280, 720);
            let text = clean(&narration);
            let mut pieces = pieces(&text);
            break_long_words(&mut pieces, layout.line);
            let spoken: String = split(&pieces, layout.line).concat().iter().map(|piece| piece.text).collect();
            prop_assert_eq!(&spoken, &text);
            for caption in plan(&narration, &layout, 0, frames) {
                prop_assert!((1..=2).contains(&caption.lines.len()), "{:?}", caption);
            }
        }

        #[test]
        fn no_word_is_torn(words in proptest::collection::vec("[“(]?[a-z’]{1,20}[,.…”—)]{0,2}", 1..60)) {
            let said = lines(&words.join(" "));
            let seen: Vec<&str> = said.iter().flatten().flat_map(|line| line.split(' ')).collect();
            let told: Vec<&str> = words.iter().flat_map(|word| word.split_inclusive('—')).collect();
            let seen: Vec<&str> = seen.into_iter().flat_map(|word| word.split_inclusive('—')).collect();
            prop_assert_eq!(seen, told);
        }
    }
}
