//! Finds the words of a list in a text of any script.

use std::collections::HashMap;

use super::super::language::Script;

/// Words with what each stands for.
pub(super) struct Lexicon<T> {
    /// Words that spaces set apart, one or two together.
    words: HashMap<&'static str, T>,
    /// Words that stand anywhere in a text, by their first character.
    runs: HashMap<char, Vec<(&'static str, T)>>,
}

impl<T: Copy> Lexicon<T> {
    /// Lists of words with what they stand for. In a list spaces separate words, and an underscore holds two
    /// together.
    pub(super) fn new(lists: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let mut lexicon = Self { words: HashMap::new(), runs: HashMap::new() };
        for (list, meaning) in lists {
            for word in list.split_whitespace() {
                match word.chars().next() {
                    Some(first) if stands_anywhere(first) => {
                        lexicon.runs.entry(first).or_default().push((word, meaning));
                    }
                    _ => {
                        lexicon.words.insert(word, meaning);
                    }
                }
            }
        }
        for words in lexicon.runs.values_mut() {
            words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        }
        lexicon
    }

    /// What the text's words stand for and where they end, in bytes of the text in lower case and in its order.
    /// Of overlapping words the longest counts.
    pub(super) fn find(&self, text: &str) -> Vec<(usize, T)> {
        let text = text.to_lowercase();
        let mut found = Vec::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let (meaning, length) = if stands_anywhere(first) {
                self.run(rest, first)
            } else if first.is_alphanumeric() {
                self.word(rest)
            } else {
                (None, first.len_utf8())
            };
            rest = &rest[length..];
            found.extend(meaning.map(|meaning| (text.len() - rest.len(), meaning)));
        }
        found
    }

    /// The longest known run that the text starts with, and how many bytes were read.
    fn run(&self, text: &str, first: char) -> (Option<T>, usize) {
        let known = self.runs.get(&first).map_or(&[][..], Vec::as_slice);
        known
            .iter()
            .find(|(run, _)| text.starts_with(run))
            .map_or((None, first.len_utf8()), |(run, meaning)| (Some(*meaning), run.len()))
    }

    /// The known word that the text starts with, alone or with the next one, and how many bytes were read.
    fn word(&self, text: &str) -> (Option<T>, usize) {
        let length = word_length(text);
        if let Some(next) = text[length..].strip_prefix(' ') {
            let both = length + 1 + word_length(next);
            if let Some(meaning) = self.words.get(text[..both].replace(' ', "_").as_str()) {
                return (Some(*meaning), both);
            }
        }
        let known = base_forms(&text[..length]).into_iter().find_map(|form| self.words.get(form.as_str()));
        (known.copied(), length)
    }
}

/// Whether words that start with this character are found without a space before them: scripts without
/// spaces, and Korean, whose particles cling to their words.
fn stands_anywhere(c: char) -> bool {
    let script = Script::of(c);
    script.is_unspaced() || script == Script::Hangul
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() || stands_anywhere(c)).unwrap_or(text.len())
}

/// A word, and what it may be an English form of: `cliffs`, `cities`, `howled`, `running`, `gently`.
fn base_forms(word: &str) -> Vec<String> {
    let mut forms = vec![word.to_owned()];
    if word.len() < 4 || !word.is_ascii() {
        return forms;
    }
    let endings =
        [("ies", "y"), ("s", ""), ("es", ""), ("ed", ""), ("d", ""), ("ing", ""), ("ing", "e"), ("ly", "")];
    for (ending, instead) in endings {
        if let Some(stem) = word.strip_suffix(ending).filter(|stem| stem.len() >= 3) {
            forms.push(format!("{stem}{instead}"));
            let mut letters = stem.bytes().rev();
            if letters.next() == letters.next() {
                forms.push(stem[..stem.len() - 1].to_owned());
            }
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_in_their_forms_and_in_pairs() {
        let lexicon = Lexicon::new([("sea cliff", 1), ("old_man run", 2), ("city", 3)]);
        let text = "The Old man was running over cliffs to the seas, the cities.";
        assert_eq!(lexicon.find(text), [(11, 2), (23, 2), (35, 1), (47, 1), (59, 3)]);
        assert_eq!(lexicon.find("seasonal search"), []);
    }

    #[test]
    fn chinese_words_are_found_anywhere_and_the_longest_counts() {
        let lexicon = Lexicon::new([("海", 1), ("上海 星期", 0), ("大海", 2)]);
        assert_eq!(lexicon.find("他离开上海，看见大海和海"), [(15, 0), (30, 2), (36, 1)]);
    }
}
