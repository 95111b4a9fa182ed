//! Titles: a few words of the story's own, for a shot and for the project.

use unicode_segmentation::UnicodeSegmentation;

use super::atoms::{Atom, carries_text};
use super::cuts::Cut;
use super::tidy::{Gap, Tidy};

/// The most characters of a title.
const LONGEST: usize = 60;
/// The spoken length that a title may have, in halves of an English letter: some 6 to 8 English words or 18
/// Chinese characters.
const ENOUGH: u32 = 90;
/// A shorter clause says too little for a title; three Chinese characters may do.
const TOO_LITTLE: u32 = 30;
const TOO_LITTLE_UNSPACED: u32 = 15;
/// The longest first line that is taken for a heading, in the same measure.
const LONGEST_HEADING: u32 = 160;

/// The story's heading: a short first line that ends like no sentence, and that stands apart from the rest.
pub(super) fn heading<'a>(story: &'a Tidy, atoms: &[Atom]) -> Option<&'a str> {
    let (line, gap) = story.first_line()?;
    let length: u32 = atoms.iter().take_while(|atom| atom.end <= line.len()).map(|atom| atom.weight).sum();
    let open_end = !line.ends_with(['.', '。', ',', '，', ';', '；', ':', '：', '、', '…', '”', '"', '」']);
    // A heading right above the text is told from verse by the longer line under it.
    let apart = gap == Gap::Paragraph || story.second_line().len() > 2 * line.len();
    let is_heading = (1..=LONGEST_HEADING).contains(&length) && open_end && apart;
    (is_heading && carries_text(line)).then_some(line)
}

/// A title from the first words of a shot's atoms: its first clause if that is short, else as many phrases
/// or else words as fit. At most [`LONGEST`] characters, without punctuation at its ends.
pub(super) fn from_first_words(story: &Tidy, atoms: &[Atom], cuts: &[Cut]) -> String {
    let Some(first) = atoms.first() else { return String::new() };
    let too_little = if first.unspaced { TOO_LITTLE_UNSPACED } else { TOO_LITTLE };
    let mut length = 0;
    let mut best = (Cut::Nothing, first.end);
    for (index, atom) in atoms.iter().enumerate() {
        length += atom.weight;
        if index > 0 && (length > ENOUGH || atom.end - first.start > 4 * LONGEST) {
            break;
        }
        // Where the shot ends a title may end too.
        let cut = cuts.get(index).copied().unwrap_or(Cut::Paragraph);
        if length < too_little {
            best.1 = atom.end;
        } else if cut <= best.0 {
            best = (cut, atom.end);
        }
        if length >= too_little && cut <= Cut::Clause {
            break;
        }
    }
    shorten(&story.text[first.start..best.1])
}

/// At most [`LONGEST`] characters of a text, at a word's end if there is one, without punctuation at the
/// ends and with a capital at the start. A text of nothing but punctuation stays as it is.
pub(super) fn shorten(text: &str) -> String {
    let clipped = super::clip(&super::without_quotation_marks(text), LONGEST);
    let mut graphemes: Vec<&str> = clipped.graphemes(true).collect();
    let first = graphemes.iter().position(|grapheme| carries_text(grapheme));
    let last = graphemes.iter().rposition(|grapheme| carries_text(grapheme));
    if let (Some(first), Some(last)) = (first, last) {
        graphemes.truncate(last + 1);
        graphemes.drain(..first);
    }
    let title = graphemes.concat();
    let mut chars = title.chars();
    let capital: String = chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect();
    if capital.chars().count() <= LONGEST { capital } else { title }
}

#[cfg(test)]
mod tests {
    use super::super::{atoms::atoms, cuts::cuts};
    use super::*;

    fn title(text: &str) -> String {
        let story = Tidy::new(text);
        let atoms = atoms(&story);
        from_first_words(&story, &atoms, &cuts(&story, &atoms))
    }

    fn heading_of(text: &str) -> Option<String> {
        let story = Tidy::new(text);
        heading(&story, &atoms(&story)).map(str::to_owned)
    }

    #[test]
    fn a_title_is_the_first_clause_or_the_first_phrases() {
        assert_eq!(title("Thunder cracked, and the boat went down."), "Thunder cracked");
        assert_eq!(title("“the lamp is broken,” she said."), "The lamp is broken");
        assert_eq!(
            title("The child took the lantern from the kitchen that lit their suppers."),
            "The child took the lantern from the kitchen"
        );
        assert_eq!(title("黎明时，小满看见浅水里有一盏旧得发白的红灯。"), "黎明时");
        assert_eq!(title("\"Stop!\" Nobody stopped."), "Stop! Nobody stopped");
        assert_eq!(title("أين البحر؟"), "أين البحر");
        assert_eq!(title("नाव चली गई।"), "नाव चली गई");
    }

    #[test]
    fn a_title_has_at_most_sixty_characters_whatever_the_text() {
        for text in
            ["a".repeat(500), "海".repeat(500), format!("e{}", "\u{301}".repeat(500)), "!?".repeat(100)]
        {
            let title = title(&text);
            assert!((1..=LONGEST).contains(&title.chars().count()), "{title}");
        }
    }

    #[test]
    fn a_heading_is_a_short_line_apart() {
        assert_eq!(heading_of("The Lamp\n\nAt dusk it burned."), Some("The Lamp".to_owned()));
        assert_eq!(heading_of("河灯\n黄昏，河水静静地流过石桥。"), Some("河灯".to_owned()));
        assert_eq!(heading_of("The lamp burned.\n\nIt was dusk."), None);
        assert_eq!(heading_of("The lamp burned low\nand then it died\n"), None);
        assert_eq!(heading_of("The Lamp"), None);
    }
}
