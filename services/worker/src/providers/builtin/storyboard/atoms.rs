//! Cuts a text into the smallest pieces that a shot may begin or end with: words with their punctuation, or,
//! where a script puts no spaces between words, grapheme clusters.

use unicode_segmentation::UnicodeSegmentation;

use super::super::language::Script;
use super::tidy::{Gap, Tidy};

/// More grapheme clusters without a space than any word has; such a run is cut, so that no narration grows
/// longer than speech providers take.
const LONGEST_WORD: usize = 1_000;

/// What a word takes to say beyond its letters, in halves of an English letter.
const WORD_WEIGHT: u32 = 2;

/// A piece of the text that is never cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    /// Where it starts, in bytes, with the punctuation that opens it.
    pub(super) start: usize,
    /// Where its letters start.
    pub(super) core_start: usize,
    /// Where its letters end.
    pub(super) core_end: usize,
    /// Where it ends, with the punctuation that closes it.
    pub(super) end: usize,
    /// How long it takes to say, in halves of an English letter; at least 1.
    pub(super) weight: u32,
    /// Whether it is a grapheme cluster of a script that puts no spaces between words.
    pub(super) unspaced: bool,
}

/// The story's atoms in their order. Together they hold all of it but the spaces between them. A story with
/// no letter or digit at all is one atom; an empty one has none.
pub(super) fn atoms(story: &Tidy) -> Vec<Atom> {
    let mut builder = Builder { story, atoms: Vec::new(), opening: None, word_length: 0, quoting: false };
    let mut at = 0;
    for token in story.text.split(' ') {
        if !token.is_empty() {
            builder.token(at, token);
        }
        at += token.len() + 1;
    }
    builder.finish()
}

/// Whether a grapheme cluster is spoken: it has a letter or a digit.
pub(super) fn carries_text(grapheme: &str) -> bool {
    grapheme.chars().any(char::is_alphanumeric)
}

fn is_unspaced(grapheme: &str) -> bool {
    grapheme.chars().find(|c| c.is_alphanumeric()).is_some_and(|c| Script::of(c).is_unspaced())
}

struct Builder<'a> {
    story: &'a Tidy,
    atoms: Vec<Atom>,
    /// Where the punctuation starts that waits for the letters after it.
    opening: Option<usize>,
    /// The grapheme clusters of the word that is being read; 0 when the last atom is complete.
    word_length: usize,
    /// Whether a straight quotation mark has opened a quotation.
    quoting: bool,
}

impl Builder<'_> {
    /// Reads what stands between two spaces.
    fn token(&mut self, at: usize, token: &str) {
        self.word_length = 0;
        if self.atoms.last().is_some_and(|last| self.story.gap(last.end, at) > Gap::Space) {
            self.quoting = false;
        }
        if !carries_text(token) {
            self.marks(at, token);
            return;
        }
        let mut spoken = false;
        let mut rest = token.grapheme_indices(true).peekable();
        while let Some((offset, grapheme)) = rest.next() {
            let (start, end) = (at + offset, at + offset + grapheme.len());
            if carries_text(grapheme) {
                self.text(start, end, grapheme);
                spoken = true;
                continue;
            }
            let between_words =
                self.word_length == 0 || rest.peek().is_some_and(|(_, next)| is_unspaced(next));
            let opens = self.opens(grapheme);
            if !spoken || (between_words && opens) {
                self.open(start);
            } else {
                self.close(start, end);
            }
        }
    }

    /// Reads a token without letters: it belongs to what it follows, unless it leads in what comes.
    fn marks(&mut self, at: usize, token: &str) {
        let leads = token.starts_with(['-', '–', '—', '―', '•', '*', '#', '>']) && self.at_a_beginning(at);
        if leads || token.chars().next_back().is_some_and(is_opener) {
            self.open(at);
        } else {
            self.close(at, at + token.len());
        }
    }

    /// Whether a sentence or a line begins here.
    fn at_a_beginning(&self, at: usize) -> bool {
        self.atoms.last().is_none_or(|last| {
            let tail = &self.story.text[last.core_end..last.end];
            let ends = |c: char| ".!?…。！？".contains(c);
            // A few characters tell; a tail of a thousand marks is not read again at each of them.
            tail.chars().rev().take(4).any(ends) || self.story.gap(last.end, at) > Gap::Space
        })
    }

    /// Reads letters.
    fn text(&mut self, start: usize, end: usize, grapheme: &str) {
        let script = grapheme.chars().find(|c| c.is_alphanumeric()).map_or(Script::Other, Script::of);
        let (unspaced, weight) = (script.is_unspaced(), script.spoken_weight());
        let goes_on = !unspaced && (1..LONGEST_WORD).contains(&self.word_length);
        match self.atoms.last_mut() {
            Some(word) if goes_on => {
                (word.core_end, word.end) = (end, end);
                word.weight += weight;
            }
            _ => {
                let weight = if unspaced { weight } else { weight + WORD_WEIGHT };
                let opening = self.opening.take().unwrap_or(start);
                let atom = Atom { start: opening, core_start: start, core_end: end, end, weight, unspaced };
                self.atoms.push(atom);
                self.word_length = 0;
            }
        }
        self.word_length = if unspaced { 0 } else { self.word_length + 1 };
    }

    /// Reads punctuation that belongs to what comes.
    fn open(&mut self, at: usize) {
        self.opening.get_or_insert(at);
        self.word_length = 0;
    }

    /// Reads punctuation that belongs to what it follows, if anything; within a word it keeps the word going.
    fn close(&mut self, start: usize, end: usize) {
        match self.atoms.last_mut() {
            Some(last) if self.opening.is_none() => last.end = end,
            _ => self.open(start),
        }
    }

    /// Whether this punctuation opens something; a straight quotation mark does so every other time.
    fn opens(&mut self, grapheme: &str) -> bool {
        if grapheme == "\"" {
            self.quoting = !self.quoting;
            return self.quoting;
        }
        grapheme.chars().next().is_some_and(is_opener)
    }

    fn finish(mut self) -> Vec<Atom> {
        let end = self.story.text.len();
        match (self.opening, self.atoms.last_mut()) {
            (Some(_), Some(last)) => last.end = end,
            (Some(start), None) => {
                let atom = Atom { start, core_start: start, core_end: end, end, weight: 1, unspaced: false };
                self.atoms.push(atom);
            }
            (None, _) => {}
        }
        self.atoms
    }
}

fn is_opener(c: char) -> bool {
    "“‘「『（《〈【〔［｛([{«‹„‚¿¡｢".contains(c)
}
