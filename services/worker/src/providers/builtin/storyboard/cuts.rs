//! Judges every place between two atoms: how well a shot may end there.

use super::atoms::Atom;
use super::tidy::{Gap, Tidy};

/// What ends at a place, from the best place to end a shot to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cut {
    /// A paragraph.
    Paragraph,
    /// A sentence.
    Sentence,
    /// A part of a sentence that could stand alone: semicolon, colon, dash, ellipsis, the end of a line.
    Part,
    /// A clause: comma.
    Clause,
    /// A phrase: the next word is one that joins.
    Phrase,
    /// A word, or a character where words are not told apart.
    Word,
    /// Nothing: the word before leans on the next one, or the character is one that begins no line.
    Nothing,
}

/// The weight up to which a paragraph without a mark at its end is a heading, which belongs to what follows.
const LONGEST_HEADING: u32 = 80;
/// The weight from which a line is one of prose that is wrapped.
const WRAPPED_LINE: u32 = 100;

/// Characters that begin no line in Japanese, Chinese, Thai and Lao, for they belong to the one before.
const NEVER_FIRST: &str = "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶー々〻ゝゞヽヾะาำๆฯະາຳໆ了的着们吗呢吧";
/// Thai and Lao vowels that are written before their consonant.
const NEVER_LAST: &str = "เแโใไເແໂໃໄ";

/// Abbreviations that a name or a number follows, so that they end no sentence.
const LEADING_ABBREVIATIONS: &[&str] = &[
    "mr", "mrs", "ms", "dr", "prof", "st", "mt", "ft", "rev", "hon", "gen", "col", "maj", "capt", "cmdr",
    "lt", "sgt", "gov", "sen", "rep", "pres", "messrs", "mme", "mlle", "vs", "e.g", "i.e", "cf", "viz",
    "fig", "figs", "no", "nos", "vol", "ch", "pp", "op", "approx", "u.s", "u.k", "ca", "sr", "sra", "srta",
    "hr", "fr", "z.b", "d.h", "bzw", "nr", "str", "sig", "dott", "ing", "dra", "ул", "им", "проф", "т.е",
    "т.к", "св", "стр",
];
/// Abbreviations that may also be the last word of a sentence.
const TRAILING_ABBREVIATIONS: &[&str] = &[
    "etc", "jr", "inc", "ltd", "co", "corp", "bros", "a.m", "p.m", "a.d", "b.c", "ph.d", "usw", "jan", "feb",
    "mar", "apr", "aug", "sept", "oct", "nov", "dec", "т.д", "т.п", "др", "г", "гг",
];
/// Words that join what follows to what stands before.
const JOINING: &[&str] = &[
    "and", "but", "or", "nor", "then", "when", "while", "as", "because", "if", "until", "before", "after",
    "where", "who", "which", "that", "so", "though", "although", "with", "into", "from", "through", "like",
    "und", "aber", "et", "mais", "y", "pero", "e", "ma", "mas", "и", "а", "но",
];
/// Words that lean on the next one.
const LEANING: &[&str] = &[
    "the", "a", "an", "of", "to", "in", "on", "at", "by", "for", "my", "his", "her", "its", "their", "our",
    "your", "and", "or", "but", "was", "is", "were", "le", "la", "les", "un", "une", "des", "du", "de",
    "der", "die", "das", "ein", "eine", "el", "los", "las", "il", "lo", "i", "o", "os", "в", "на", "с",
];
/// Verbs after a quotation that say who spoke it.
const SAYING: &[&str] = &[
    "said",
    "says",
    "cried",
    "asked",
    "whispered",
    "shouted",
    "replied",
    "called",
    "answered",
    "murmured",
    "yelled",
    "exclaimed",
    "laughed",
    "sighed",
    "screamed",
];
/// Chinese and Japanese characters after a quotation that say that somebody spoke it.
const SAYING_CHARACTERS: &str = "说道问喊叫答笑叹說問と";

/// How well a shot may end after each atom but the last, in the atoms' order.
pub(super) fn cuts(story: &Tidy, atoms: &[Atom]) -> Vec<Cut> {
    let mut judge = Judge { story, paragraphs: story.has_paragraphs(), line: 0, sentence_starts: true };
    atoms.windows(2).map(|pair| judge.next(&pair[0], &pair[1])).collect()
}

/// Whether a word leans on the one after it, as articles and prepositions do.
fn leans(word: &str) -> bool {
    LEANING.contains(&word.to_lowercase().as_str())
}

/// The mark that ends a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    None,
    Comma,
    Colon,
    Ellipsis,
    FullStop,
    Stop,
}

struct Judge<'a> {
    story: &'a Tidy,
    /// Whether paragraphs are told apart from lines; otherwise each line is a paragraph.
    paragraphs: bool,
    /// Weight of the line so far.
    line: u32,
    /// Whether a sentence starts with the atom before the place.
    sentence_starts: bool,
}

impl Judge<'_> {
    fn next(&mut self, left: &Atom, right: &Atom) -> Cut {
        self.line += left.weight;
        let gap = self.story.gap(left.core_end, right.start);
        let cut = self.judge(left, right, gap);
        if gap > Gap::Space {
            self.line = 0;
        }
        self.sentence_starts = cut <= Cut::Sentence;
        cut
    }

    fn judge(&self, left: &Atom, right: &Atom, gap: Gap) -> Cut {
        let (mark, closed) = mark(&self.story.text[left.core_end..left.end]);
        if gap == Gap::Paragraph {
            let heading = mark == Mark::None && self.line <= LONGEST_HEADING;
            return if heading { Cut::Part } else { Cut::Paragraph };
        }
        let inside = match mark {
            Mark::None => self.unmarked(left, right, gap),
            Mark::Comma => Cut::Clause,
            Mark::Colon => Cut::Part,
            Mark::Ellipsis | Mark::FullStop | Mark::Stop => self.stopped(left, right, mark, closed),
        };
        match gap {
            Gap::Line if inside == Cut::Sentence && !self.paragraphs => Cut::Paragraph,
            // Prose that is wrapped has long lines, whose ends mean nothing; verse has short ones.
            Gap::Line if self.line < WRAPPED_LINE => inside.min(Cut::Part),
            _ => inside,
        }
    }

    /// Two atoms without a mark between them.
    fn unmarked(&self, left: &Atom, right: &Atom, gap: Gap) -> Cut {
        let (before, after) = (self.core(left), self.core(right));
        if left.unspaced || right.unspaced {
            let both = left.unspaced && right.unspaced;
            let leaning = after.starts_with(|c| NEVER_FIRST.contains(c))
                || before.starts_with(|c| NEVER_LAST.contains(c))
                || !both;
            return match gap {
                // These scripts put a space where others put a comma.
                Gap::Space | Gap::Line if both => Cut::Clause,
                Gap::Nothing if leaning => Cut::Nothing,
                _ => Cut::Word,
            };
        }
        if leans(before) {
            Cut::Nothing
        } else if JOINING.contains(&after.to_lowercase().as_str()) {
            Cut::Phrase
        } else {
            Cut::Word
        }
    }

    /// Two atoms with a full stop or its like between them.
    fn stopped(&self, left: &Atom, right: &Atom, mark: Mark, closed: bool) -> Cut {
        let goes_on = self.core(right).chars().find(|c| c.is_alphabetic()).is_some_and(char::is_lowercase);
        if closed && self.says_who(right) {
            return Cut::Clause;
        }
        match mark {
            Mark::Ellipsis if left.unspaced => Cut::Part,
            Mark::FullStop if !left.unspaced => self.full_stop(left, goes_on, closed),
            _ if goes_on => Cut::Clause,
            _ => Cut::Sentence,
        }
    }

    /// A full stop after a word: it may belong to the word.
    fn full_stop(&self, left: &Atom, goes_on: bool, closed: bool) -> Cut {
        let word = self.core(left).to_lowercase();
        let letters = word.chars().count();
        let number = word.chars().all(char::is_numeric);
        let initial = letters == 1 && !number && word != "i" && self.core(left) != word;
        if LEADING_ABBREVIATIONS.contains(&word.as_str()) || initial {
            Cut::Nothing
        } else if TRAILING_ABBREVIATIONS.contains(&word.as_str()) {
            if goes_on { Cut::Word } else { Cut::Sentence }
        } else if number && letters <= 2 {
            if self.sentence_starts { Cut::Nothing } else { Cut::Part }
        } else if goes_on {
            if closed { Cut::Clause } else { Cut::Part }
        } else {
            Cut::Sentence
        }
    }

    /// Whether the words from here on say who spoke the quotation before.
    fn says_who(&self, right: &Atom) -> bool {
        let next: String = self.story.text[right.core_start..].chars().take(32).collect();
        let phrase = next.split(|c: char| !c.is_alphanumeric() && c != ' ').next().unwrap_or_default();
        if right.unspaced {
            phrase.chars().take(8).any(|c| SAYING_CHARACTERS.contains(c))
        } else {
            phrase.split(' ').take(4).any(|word| SAYING.contains(&word))
        }
    }

    fn core(&self, atom: &Atom) -> &str {
        &self.story.text[atom.core_start..atom.core_end]
    }
}

/// The last mark of some punctuation, and whether a quotation or bracket closes after it.
fn mark(punctuation: &str) -> (Mark, bool) {
    let mut last = Mark::None;
    let mut closed = false;
    for c in punctuation.chars() {
        let mark = match c {
            '.' if matches!(last, Mark::FullStop | Mark::Ellipsis) && !closed => Mark::Ellipsis,
            '.' => Mark::FullStop,
            '…' | '⋯' => Mark::Ellipsis,
            '。' | '！' | '？' | '｡' | '．' | '!' | '?' | '‼' | '⁇' | '⁈' | '⁉' | '؟' | '۔' | '।' | '॥'
            | '։' | '።' | '၊' | '။' | '។' | '།' | '〜' => Mark::Stop,
            ';' | '；' | ':' | '：' | '؛' | '—' | '–' | '―' => Mark::Colon,
            ',' | '，' | '、' | '､' | '،' | '՝' => Mark::Comma,
            '"' | '”' | '’' | '\'' | '»' | '«' | '›' | '“' | '」' | '』' | '）' | ')' | ']' | '》' | '〉'
            | '】' => {
                closed = true;
                continue;
            }
            _ => continue,
        };
        (last, closed) = (mark, false);
    }
    (last, closed)
}

#[cfg(test)]
mod tests {
    use super::super::atoms::atoms;
    use super::*;

    /// The sentences of a text.
    fn sentences(text: &str) -> Vec<String> {
        let story = Tidy::new(text);
        let atoms = atoms(&story);
        let cuts = cuts(&story, &atoms);
        let mut sentences = vec![String::new()];
        for (index, atom) in atoms.iter().enumerate() {
            let sentence = sentences.last_mut().expect("there is always one");
            sentence
                .push_str(&story.text[atom.start..atoms.get(index + 1).map_or(atom.end, |next| next.start)]);
            if cuts.get(index).is_some_and(|cut| *cut <= Cut::Sentence) {
                sentences.push(String::new());
            }
        }
        sentences.iter().map(|sentence| sentence.trim().to_owned()).collect()
    }

    /// The same text with a bar at the end of each sentence must come apart there and nowhere else.
    fn comes_apart_at_bars(marked: &str) {
        let expected: Vec<&str> = marked.split('|').map(str::trim).collect();
        assert_eq!(sentences(&marked.replace('|', "")), expected);
    }

    #[test]
    fn abbreviations_initials_and_decimals_end_no_sentence() {
        comes_apart_at_bars(
            "Mr. Hill of the U.S. Navy met Dr. J. R. Moss at 3.14 p.m. on St. Anne's pier.| They spoke, e.g. of tea.",
        );
        comes_apart_at_bars("She likes rope, nails, etc. and tar.| He came at 5 p.m.| Nobody else did.");
        comes_apart_at_bars("It was I.| Then we slept.");
    }

    #[test]
    fn quotes_and_brackets_close_after_the_full_stop() {
        comes_apart_at_bars(
            "“Go home.”| The sea rose. (It was late.)| Nobody moved.".replace("rose. (", "rose.| (").as_str(),
        );
        comes_apart_at_bars("她说：“快跑！”|灯灭了。|「もう帰ろう。」|雨が降った。");
    }

    #[test]
    fn who_spoke_belongs_to_what_was_spoken() {
        comes_apart_at_bars("“Stop!” he cried.| “Why?” Anna asked.| No answer came.");
        comes_apart_at_bars("“快跑！”他喊道。|风更大了。");
    }

    #[test]
    fn an_ellipsis_ends_a_sentence_only_before_a_new_one() {
        comes_apart_at_bars(
            "He waited... and waited.| Then... Nothing came.".replace("Then...", "Then...|").as_str(),
        );
        comes_apart_at_bars("他等着……等着。|天亮了。");
    }

    #[test]
    fn each_script_has_its_full_stops() {
        comes_apart_at_bars("海很静。|船来了！|谁在船上？|没有人知道；他们睡了——一直睡。");
        comes_apart_at_bars("أين البحر؟| البحر هنا.| وہ گھر گیا۔| پھر سو گیا۔");
        comes_apart_at_bars("समुद्र शांत था।| नाव चली गई।");
        comes_apart_at_bars("바다가 잠들었다.| 배가 떠났다.");
    }

    #[test]
    fn lines_are_paragraphs_where_no_line_is_empty() {
        let story = Tidy::new("海很静。\n船来了。");
        let atoms = atoms(&story);
        assert!(cuts(&story, &atoms).contains(&Cut::Paragraph));
    }
}
