//! Prompts: what the picture of a shot shows.

use domain::style::KnownStyle;
use unicode_segmentation::UnicodeSegmentation;

use super::atoms::Atom;
use super::cuts::Cut;
use super::tidy::Tidy;
use super::{clip, unquoted, without_quotation_marks};

/// The most characters of a prompt.
const LONGEST: usize = 400;
/// The words that make a picture; of Chinese, the characters.
const ENOUGH: usize = 4;
/// The most characters of a style in a prompt.
const LONGEST_STYLE: usize = 160;

/// How a project's style is said in a prompt: by its fragment if it is known, else in the user's own words.
pub(super) fn style_words(style: &str) -> String {
    let words = style.split_whitespace().collect::<Vec<_>>().join(" ");
    KnownStyle::parse(&words)
        .map_or_else(|| clip(&words, LONGEST_STYLE), |known| known.prompt_fragment().to_owned())
}

/// What the narration of these atoms shows, in the setting, in the style: at most [`LONGEST`] characters.
pub(super) fn prompt(story: &Tidy, atoms: &[Atom], cuts: &[Cut], setting: &[&str], style: &str) -> String {
    let chinese = atoms.last().is_some_and(|atom| atom.unspaced);
    let (comma, full_stop) = if chinese { ("，", "。") } else { (", ", ". ") };
    let setting = setting.join(comma);
    let room = LONGEST.saturating_sub(setting.chars().count() + style.chars().count() + 4);
    let content = content(story, atoms, cuts, room);
    let scene = match content.trim_end_matches(|c: char| ".。!！?？,，;；:：、—–- ".contains(c)) {
        "" => join(&content, &setting, comma),
        open_end => join(open_end, &setting, comma),
    };
    join(&scene, style, full_stop)
}

fn join(before: &str, after: &str, between: &str) -> String {
    let between = if before.is_empty() || after.is_empty() { "" } else { between };
    format!("{before}{between}{after}")
}

/// The narration, if it fits; else its clauses from the start, as many as fit.
fn content(story: &Tidy, atoms: &[Atom], cuts: &[Cut], room: usize) -> String {
    let Some((first, last)) = atoms.first().zip(atoms.last()) else { return String::new() };
    let whole = seen(&story.text[first.start..last.end]);
    if whole.chars().count() <= room {
        return whole;
    }
    let mut fitting = None;
    for (atom, cut) in atoms.iter().zip(cuts) {
        if story.text[first.start..atom.end].chars().count() > room {
            break;
        }
        if *cut <= Cut::Clause {
            fitting = Some(atom.end);
        }
    }
    match fitting {
        Some(end) if (end - first.start) * 3 > room => seen(&story.text[first.start..end]),
        _ => clip(&whole, room),
    }
}

/// What is quoted is said and not seen, and goes where enough is told beside it. Else its words may name what is
/// seen, and only the quotation marks go.
fn seen(text: &str) -> String {
    let told = unquoted(text).split_whitespace().collect::<Vec<_>>().join(" ");
    let told = told.trim_start_matches(|c: char| !c.is_alphanumeric()).trim_end();
    let words: usize = told.unicode_words().filter(|word| word.chars().all(char::is_alphanumeric)).count();
    if words >= ENOUGH { told.to_owned() } else { without_quotation_marks(text) }
}
