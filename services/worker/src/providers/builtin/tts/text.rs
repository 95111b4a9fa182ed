//! Turns a narration into pieces that a synthesiser says well: one sentence and one script at a time.
//!
//! Emoji and markup are left out, because synthesisers read their names aloud. Nothing else of the text is lost.

use super::numbers;

/// Longest piece, in characters. Keeps the sound of one piece, and so memory, small.
const MAX_PIECE: usize = 300;
/// Silence after a paragraph, a sentence, a clause and a change of voice, in seconds at normal speed.
const PARAGRAPH: f64 = 0.7;
const SENTENCE: f64 = 0.4;
const CLAUSE: f64 = 0.2;
const JOIN: f64 = 0.04;

/// Words whose full stop does not end a sentence. Not `no`, which is more often an answer than a number.
const ABBREVIATIONS: [&str; 13] =
    ["mr", "mrs", "ms", "dr", "st", "prof", "capt", "col", "gen", "lt", "sgt", "mt", "vs"];

/// Which scripts a voice reads by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Latin letters only.
    Latin,
    /// Chinese characters, but no Latin letters.
    Han,
    /// Everything but Chinese characters.
    NoHan,
    /// Everything.
    All,
}

/// Who says a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// The voice that was asked for.
    Own,
    /// English, for a voice that reads no Latin letters.
    English,
    /// Mandarin, for a voice that reads no Chinese characters.
    Mandarin,
    /// Any other script, for a voice that reads Latin letters only.
    Foreign,
}

/// What is said in one go.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Piece {
    /// What to say; has at least one letter or digit.
    pub(super) text: String,
    /// Who says it.
    pub(super) speaker: Speaker,
    /// Silence after it, in seconds at normal speed.
    pub(super) pause: f64,
}

/// The pieces of a text, in order; none when it has nothing to say.
pub(super) fn pieces(text: &str, reads: Reads) -> Vec<Piece> {
    let text = if reads == Reads::Han { numbers::in_chinese(text) } else { text.to_owned() };
    let mut pieces = Vec::new();
    for paragraph in text.lines() {
        let clean = clean(paragraph);
        for sentence in sentences(&clean) {
            for (part, pause) in parts(sentence) {
                pieces.extend(by_speaker(part, reads, pause));
            }
        }
        if let Some(last) = pieces.last_mut() {
            last.pause = PARAGRAPH;
        }
    }
    pieces
}

/// The paragraph without what a synthesiser would read out by name.
fn clean(paragraph: &str) -> String {
    let mut clean = String::with_capacity(paragraph.len());
    for c in paragraph.chars() {
        match c {
            '\u{200B}' | '\u{FEFF}' | '\u{20E3}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E0FFF}' => {}
            '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}' | '\u{FFFD}' => clean.push(' '),
            '[' | ']' | '{' | '}' | '<' | '>' | '|' | '\\' | '^' | '~' | '`' | '_' | '*' | '#' | '=' => {
                clean.push(' ');
            }
            '’' => clean.push('\''),
            c if c.is_control() => clean.push(' '),
            c => clean.push(c),
        }
    }
    without_abbreviation_stops(&clean)
}

/// The words joined by single spaces, and `Dr. J. Smith` as `Dr J Smith`: Piper ends its sentence at each full stop.
fn without_abbreviation_stops(text: &str) -> String {
    let mut words = text.split_whitespace().peekable();
    let mut joined = String::with_capacity(text.len());
    while let Some(word) = words.next() {
        let more = words.peek().is_some();
        let stem = word.strip_suffix('.').filter(|stem| more && is_abbreviation(stem));
        joined.push_str(stem.unwrap_or(word));
        if more {
            joined.push(' ');
        }
    }
    joined
}

/// Cuts a paragraph after each sentence.
fn sentences(paragraph: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, c) in paragraph.char_indices() {
        let end = at + c.len_utf8();
        if end > start && ends_sentence(c, &paragraph[end..]) {
            let closing =
                paragraph[end..].chars().take_while(|c| is_closing(*c)).map(char::len_utf8).sum::<usize>();
            sentences.push(&paragraph[start..end + closing]);
            start = end + closing;
        }
    }
    sentences.push(&paragraph[start..]);
    sentences
}

/// Whether `mark`, before `after`, is the last of a sentence.
fn ends_sentence(mark: char, after: &str) -> bool {
    let rest = after.trim_start_matches(is_closing);
    if rest.starts_with(is_terminal) {
        return false;
    }
    match mark {
        '。' | '！' | '？' | '｡' => true,
        '.' | '!' | '?' | '…' | '।' | '؟' | '۔' | '።' => {
            let next = rest.trim_start();
            next.len() < rest.len() && !next.starts_with(char::is_lowercase)
        }
        _ => false,
    }
}

fn is_terminal(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '.' | '!' | '?' | '…' | '।' | '؟' | '۔' | '።')
}

fn is_closing(c: char) -> bool {
    matches!(c, '"' | '\'' | '”' | '’' | ')' | '」' | '』' | '）' | '》' | '»')
}

fn is_clause_end(c: char) -> bool {
    matches!(c, ',' | ';' | ':' | '—' | '–' | '，' | '；' | '：' | '、' | '،')
}

/// Whether a full stop after `word` belongs to it: `Dr.`, or an initial as in `J. R. Smith`.
fn is_abbreviation(word: &str) -> bool {
    let word = word.trim_start_matches(|c: char| !c.is_alphanumeric());
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && word != "I";
    initial || ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Cuts a sentence that is too long, at clauses where it can, else at spaces, else anywhere; each with its pause.
fn parts(sentence: &str) -> Vec<(&str, f64)> {
    let mut parts = Vec::new();
    let mut rest = sentence;
    while let Some((limit, _)) = rest.char_indices().nth(MAX_PIECE) {
        let head = &rest[..limit];
        let after = |found: fn(char) -> bool| {
            head.char_indices().rev().find(|(_, c)| found(*c)).map(|(at, c)| at + c.len_utf8())
        };
        let (cut, pause) = match (after(is_clause_end), after(char::is_whitespace)) {
            (Some(cut), _) => (cut, CLAUSE),
            (None, Some(cut)) => (cut, JOIN),
            (None, None) => (limit, JOIN),
        };
        parts.push((&rest[..cut], pause));
        rest = &rest[cut..];
    }
    parts.push((rest, SENTENCE));
    parts
}

/// Cuts a part wherever another voice has to take over. The last piece gets `pause`.
fn by_speaker(part: &str, reads: Reads, pause: f64) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut between = String::new();
    let mut before = ' ';
    for c in part.chars() {
        let attached = before.is_alphanumeric();
        before = c;
        match (speaker(c, reads, attached), pieces.last_mut()) {
            (None, _) => between.push(c),
            (Some(None), Some(last)) => last.text.extend(between.drain(..).chain([c])),
            (Some(Some(speaker)), Some(last)) if last.speaker == speaker => {
                last.text.extend(between.drain(..).chain([c]));
            }
            (Some(speaker), last) => {
                if let Some(last) = last {
                    last.pause = if between.contains(is_clause_end) { CLAUSE } else { JOIN };
                }
                between.retain(|c| !is_clause_end(c) && !c.is_whitespace());
                let text = between.drain(..).chain([c]).collect();
                pieces.push(Piece { text, speaker: speaker.unwrap_or(Speaker::Own), pause });
            }
        }
    }
    if let Some(last) = pieces.last_mut() {
        last.text.push_str(&between);
    }
    pieces
}

/// Who says a character: nobody in particular (`None`), whoever speaks (`Some(None)`), or one speaker.
///
/// A digit belongs to the word it is written onto, and to the voice's own language else.
fn speaker(c: char, reads: Reads, attached: bool) -> Option<Option<Speaker>> {
    if !c.is_alphanumeric() {
        return None;
    }
    if c.is_numeric() {
        return Some(if attached { None } else { Some(Speaker::Own) });
    }
    let speaker = match reads {
        Reads::Han if is_latin(c) => Speaker::English,
        Reads::Latin | Reads::NoHan if is_han(c) => Speaker::Mandarin,
        Reads::Latin if !is_latin(c) => Speaker::Foreign,
        Reads::Latin | Reads::Han | Reads::NoHan | Reads::All => Speaker::Own,
    };
    Some(Some(speaker))
}

/// Chinese characters.
pub(super) fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}' | '々' | '〇')
}

fn is_latin(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, 'ª' | 'º' | '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str, reads: Reads) -> Vec<String> {
        pieces(text, reads).into_iter().map(|piece| piece.text).collect()
    }

    #[test]
    fn each_sentence_is_a_piece() {
        let text =
            "It rained. “Really?” she said! No one... knew that 3.5 is e.g. a number. 他来了。她走了！";
        let expected = [
            "It rained.",
            "“Really?\" she said!",
            "No one... knew that 3.5 is e.g. a number.",
            "他来了。",
            "她走了！",
        ];
        let found: Vec<_> = texts(text, Reads::All).iter().map(|piece| piece.replace('”', "\"")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn titles_and_initials_do_not_end_a_sentence() {
        let text =
            "“Dr. Smith met Mrs. J. R. Brown on St. Mark's Square. No. On the 1st. So did I. They left.";
        let expected = [
            "“Dr Smith met Mrs J R Brown on St Mark's Square.",
            "No.",
            "On the 1st.",
            "So did I.",
            "They left.",
        ];
        let found = texts(text, Reads::All);
        assert_eq!(found.iter().map(|piece| piece.trim()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_text_of_emoji_and_marks_has_nothing_to_say() {
        for text in ["", " \n ", "😀🎉", "!!! … ???", "—", "👨‍👩‍👧 ❤️ 1️⃣".trim_end_matches("1️⃣"), "\u{0}\u{7}"]
        {
            assert_eq!(pieces(text, Reads::Latin), [], "{text:?}");
        }
    }

    #[test]
    fn emoji_and_markup_are_not_read_out() {
        assert_eq!(
            texts("Hello 😀 *big* [[h@loU]] <b>world</b>", Reads::Latin),
            ["Hello big h@loU b world /b"]
        );
    }

    #[test]
    fn a_chinese_voice_hands_latin_words_to_an_english_one() {
        let found = pieces("我的iPhone 15很好，Tom Smith来了。", Reads::Han);
        let found: Vec<_> = found.iter().map(|piece| (piece.text.as_str(), piece.speaker)).collect();
        let expected = [
            ("我的", Speaker::Own),
            ("iPhone", Speaker::English),
            ("15很好", Speaker::Own),
            ("Tom Smith", Speaker::English),
            ("来了。", Speaker::Own),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_latin_voice_hands_other_scripts_on() {
        let found = pieces("His name was 小明, or Иван in 1990.", Reads::Latin);
        let speakers: Vec<_> = found.iter().map(|piece| piece.speaker).collect();
        assert_eq!(speakers, [Speaker::Own, Speaker::Mandarin, Speaker::Own, Speaker::Foreign, Speaker::Own]);
    }

    #[test]
    fn digits_written_onto_a_word_stay_with_it() {
        let found = pieces("他用GPT4写作", Reads::Han);
        assert_eq!(found[1].text, "GPT4");
    }

    #[test]
    fn pauses_grow_from_clause_to_sentence_to_paragraph() {
        let found = pieces("One. Two.\nThree.", Reads::Latin);
        let pauses: Vec<_> = found.iter().map(|piece| piece.pause).collect();
        assert_eq!(pauses, [SENTENCE, PARAGRAPH, PARAGRAPH]);
    }

    #[test]
    fn nothing_is_lost_from_a_sentence_that_is_too_long() {
        for word in ["word ", "word, ", "字", "长句，"] {
            let long = word.repeat(3_000);
            let pieces = texts(&long, Reads::All);
            assert!(pieces.iter().all(|piece| piece.chars().count() <= MAX_PIECE));
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            assert_eq!(pieces.iter().map(|piece| letters(piece)).sum::<usize>(), letters(&long));
        }
    }
}
