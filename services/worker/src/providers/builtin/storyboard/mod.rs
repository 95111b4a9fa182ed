//! The built-in storyboard: tells a story in shots without any model, word for word.
//!
//! A story is cut into atoms (`atoms`), the places between them are judged (`cuts`), and atoms are grouped
//! into shots (`plan`). Each shot then gets its title, its mood and its prompt from its own words and from
//! what the story named before.

mod atoms;
mod cuts;
mod lexicon;
mod mood;
mod plan;
mod prompt;
mod scenes;
mod setting;
mod tidy;
mod title;

use std::ops::Range;

use domain::job::{StoryboardOutput, StoryboardShot, StoryboardSpec};
use unicode_segmentation::UnicodeSegmentation;

use super::language;
use atoms::Atom;
use cuts::Cut;
use tidy::Tidy;

/// With fewer shots a heading shares the first one with what follows.
const SHOTS_FOR_A_HEADING: usize = 4;
/// Speech providers take 10,000 characters at once; this many a shot on average keep every shot below.
const MOST_CHARACTERS: usize = 7_000;
/// The most shots of a storyboard.
const MOST_SHOTS: usize = 200;

/// A story that has nothing to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the story has no text: it is nothing but white space and control characters")]
pub struct EmptyStory;

/// The storyboard of a story.
///
/// The narrations together are the story, word for word; only white space and control characters are tidied.
/// There are as many shots as asked for, but at least one for every 7,000 characters, and at most one for
/// each word (for each character where words are not told apart by spaces). If no number is asked for, the
/// story's length decides: about 18 English words or 40 Chinese characters a shot, 1 to 60 shots. A heading
/// in the first line is the narration of a shot of its own from four shots on, the opening of the film.
///
/// # Errors
/// [`EmptyStory`] if there is nothing to narrate.
pub fn storyboard(spec: &StoryboardSpec) -> Result<StoryboardOutput, EmptyStory> {
    let story = Tidy::new(&spec.story);
    let atoms = atoms::atoms(&story);
    if atoms.is_empty() {
        return Err(EmptyStory);
    }
    let cuts = cuts::cuts(&story, &atoms);
    let heading = title::heading(&story, &atoms);
    let ranges = shots(&story, &atoms, &cuts, heading, spec.shot_count);
    let narrations: Vec<String> =
        ranges.iter().map(|range| narration(&story, &atoms[range.clone()])).collect();

    let language = spec.language.clone().unwrap_or_else(|| language::detect(&story.text).to_owned());
    let primary = language.split(['-', '_']).next().unwrap_or_default().to_lowercase();
    let style = prompt::style_words(&spec.style);
    let settings = setting::settings(&narrations, &primary);
    let moods = mood::moods(&narrations);
    let shots: Vec<StoryboardShot> = ranges
        .into_iter()
        .zip(narrations)
        .zip(settings.iter().zip(moods))
        .map(|((range, narration), (setting, mood))| {
            let inner = &cuts[range.start..range.end - 1];
            let atoms = &atoms[range];
            let title = title::from_first_words(&story, atoms, inner);
            let prompt = prompt::prompt(&story, atoms, inner, setting, &style);
            StoryboardShot { title, prompt, narration, mood }
        })
        .collect();
    let title = heading.map(title::shorten).or_else(|| shots.first().map(|shot| shot.title.clone()));
    Ok(StoryboardOutput { title: title.unwrap_or_default(), language, shots })
}

/// Which atoms each shot narrates.
fn shots(
    story: &Tidy,
    atoms: &[Atom],
    cuts: &[Cut],
    heading: Option<&str>,
    asked: Option<u32>,
) -> Vec<Range<usize>> {
    let heading = heading.map_or(0, |line| atoms.partition_point(|atom| atom.end <= line.len()));
    let (body, body_cuts) = (&atoms[heading..], cuts.get(heading..).unwrap_or_default());
    let suitable = || plan::suitable_count(body, body_cuts, usize::from(heading > 0));
    let asked = asked.map_or_else(suitable, |count| usize::try_from(count).unwrap_or(usize::MAX));
    let speakable = story.text.chars().count().div_ceil(MOST_CHARACTERS);
    let count = asked.clamp(speakable, MOST_SHOTS);
    if heading == 0 || count < SHOTS_FOR_A_HEADING || body.len() < count - 1 {
        return plan::plan(atoms, cuts, count);
    }
    let rest = plan::plan(body, body_cuts, count - 1);
    let moved = rest.into_iter().map(|range| range.start + heading..range.end + heading);
    std::iter::once(0..heading).chain(moved).collect()
}

fn narration(story: &Tidy, atoms: &[Atom]) -> String {
    let ends = atoms.first().zip(atoms.last());
    ends.map(|(first, last)| story.text[first.start..last.end].to_owned()).unwrap_or_default()
}

/// A narration without its quotations: what is said is not seen.
fn unquoted(narration: &str) -> String {
    let mut inside = false;
    let mut outside = String::with_capacity(narration.len());
    for c in narration.chars() {
        match c {
            '"' => inside = !inside,
            '“' | '„' | '«' | '「' | '『' => inside = true,
            '”' | '»' | '」' | '』' => inside = false,
            _ if inside => {}
            _ => outside.push(c),
        }
    }
    outside
}

/// A text without its quotation marks, unless it is nothing else.
fn without_quotation_marks(text: &str) -> String {
    let kept = text.chars().filter(|c| !"\"“”„«»「」『』".contains(*c)).collect::<String>();
    let kept = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    if kept.is_empty() { text.to_owned() } else { kept }
}

/// At most so many characters of a text: whole words if one fits, else whole grapheme clusters if one fits.
fn clip(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let end = |pieces: &mut dyn Iterator<Item = (usize, &str)>| {
        let mut left = longest;
        pieces
            .map_while(|(at, piece)| {
                left = left.checked_sub(piece.chars().count())?;
                Some(at + piece.len())
            })
            .last()
    };
    let words = end(&mut text.split_word_bound_indices());
    let graphemes = || end(&mut text.grapheme_indices(true));
    match words.or_else(graphemes) {
        Some(end) => text[..end].trim_end().to_owned(),
        None => text.chars().take(longest).collect(),
    }
}

#[cfg(test)]
mod tests;
