//! Tidies a story's white space, and remembers where its lines and paragraphs ended.

/// A story with single spaces, none at its ends and no control characters.
#[derive(Debug)]
pub(super) struct Tidy {
    /// The text.
    pub(super) text: String,
    /// The spaces that stand for a line end, by their place in bytes, in order.
    line_ends: Vec<(usize, Gap)>,
}

/// What white space stands between two pieces of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// None at all.
    Nothing,
    /// Space within a line.
    Space,
    /// The end of a line.
    Line,
    /// An empty line, or an indented line start.
    Paragraph,
}

impl Tidy {
    /// Every run of white space and control characters becomes one space.
    pub(super) fn new(story: &str) -> Self {
        let mut tidy = Self { text: String::with_capacity(story.len()), line_ends: Vec::new() };
        let mut run = Run::default();
        // A byte order mark at the start says how the file is encoded and is no text.
        for c in story.trim_start_matches('\u{FEFF}').chars() {
            if c.is_whitespace() || c.is_control() {
                run.push(c);
                continue;
            }
            let gap = std::mem::take(&mut run).gap();
            if gap != Gap::Nothing && !tidy.text.is_empty() {
                if gap > Gap::Space {
                    tidy.line_ends.push((tidy.text.len(), gap));
                }
                tidy.text.push(' ');
            }
            tidy.text.push(c);
        }
        tidy
    }

    /// What stands between two places of the text, at most one space apart.
    pub(super) fn gap(&self, from: usize, to: usize) -> Gap {
        if from >= to {
            return Gap::Nothing;
        }
        let first = self.line_ends.partition_point(|(at, _)| *at < from);
        self.line_ends[first..]
            .iter()
            .take_while(|(at, _)| *at < to)
            .map(|(_, gap)| *gap)
            .max()
            .unwrap_or(Gap::Space)
    }

    /// Whether the author sets paragraphs apart by empty lines or by indenting them.
    pub(super) fn has_paragraphs(&self) -> bool {
        self.line_ends.iter().any(|(_, gap)| *gap == Gap::Paragraph)
    }

    /// The first line, and what stands after it.
    pub(super) fn first_line(&self) -> Option<(&str, Gap)> {
        self.line_ends.first().map(|(at, gap)| (&self.text[..*at], *gap))
    }

    /// The text after the first line, up to the end of the second.
    pub(super) fn second_line(&self) -> &str {
        let start = self.line_ends.first().map_or(self.text.len(), |(at, _)| at + 1);
        let end = self.line_ends.get(1).map_or(self.text.len(), |(at, _)| *at);
        &self.text[start..end]
    }
}

/// A run of white space while it is read.
#[derive(Default)]
struct Run {
    any: bool,
    line_ends: u32,
    indented: bool,
    after_return: bool,
}

impl Run {
    fn push(&mut self, c: char) {
        self.any = true;
        self.line_ends += match c {
            '\n' if self.after_return => 0,
            '\n' | '\r' | '\u{85}' | '\u{2028}' => 1,
            '\u{2029}' | '\u{c}' => 2,
            _ => 0,
        };
        self.after_return = c == '\r';
        self.indented |= self.line_ends > 0 && matches!(c, '\t' | '\u{3000}');
    }

    fn gap(&self) -> Gap {
        match self.line_ends {
            0 if self.any => Gap::Space,
            0 => Gap::Nothing,
            1 if !self.indented => Gap::Line,
            _ => Gap::Paragraph,
        }
    }
}
