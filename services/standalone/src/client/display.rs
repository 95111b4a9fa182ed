//! Progress bars of a project that is worked on, a bar a kind of work. Without a terminal, a line whenever
//! one is done.

use std::collections::HashMap;

use domain::job::Kind;
use indicatif::{MultiProgress, ProgressBar};

use super::board::{Board, Seen, Standing};
use crate::cli::say_to_stderr;
use crate::film::progress::new_bar;

/// What each kind of work brings, in the order in which it ends.
const STAGES: [(Kind, &str); 5] = [
    (Kind::Storyboard, "storyboard"),
    (Kind::Image, "pictures"),
    (Kind::Video, "clips"),
    (Kind::Tts, "voices"),
    (Kind::Film, "film"),
];
/// Steps of a bar that one task is worth.
const STEPS: u64 = 100;

/// The bars.
#[derive(Debug, Default)]
pub(super) struct Display {
    bars: MultiProgress,
    stages: HashMap<Kind, ProgressBar>,
    /// Without a terminal: how many of a kind were done when that was last told.
    told: HashMap<Kind, usize>,
}

impl Display {
    /// Shows where the tasks stand.
    pub(super) fn show(&mut self, board: &Board) {
        for (kind, name) in STAGES {
            let tasks: Vec<&Seen> = board.of_kind(kind).collect();
            if tasks.is_empty() {
                continue;
            }
            let done = count(&tasks, Standing::Finished) + count(&tasks, Standing::Failed);
            if self.bars.is_hidden() {
                self.tell(kind, name, (done, &tasks));
            } else {
                self.draw(kind, name, (done, &tasks));
            }
        }
    }

    /// Leaves the bars as they are.
    pub(super) fn finish(&self) {
        self.stages.values().filter(|bar| !bar.is_finished()).for_each(ProgressBar::abandon);
    }

    fn tell(&mut self, kind: Kind, name: &str, (done, tasks): (usize, &[&Seen])) {
        if done == tasks.len() && self.told.insert(kind, done) != Some(done) {
            say_to_stderr(&format!("{name}: {}", counts(done, tasks)));
        }
    }

    fn draw(&mut self, kind: Kind, name: &'static str, (done, tasks): (usize, &[&Seen])) {
        let bars = &self.bars;
        let bar = self.stages.entry(kind).or_insert_with(|| bars.add(new_bar(name)));
        let running = || tasks.iter().filter(|task| task.standing == Standing::Running);
        let partly: u64 = running().map(|task| u64::from(task.percent)).sum();
        bar.set_length(tasks.len() as u64 * STEPS);
        bar.set_position(done as u64 * STEPS + partly);
        let words = running().map(|task| task.words.as_str()).find(|words| !words.is_empty());
        bar.set_message(match words {
            Some(words) => format!("{}  {words}", counts(done, tasks)),
            None => counts(done, tasks),
        });
        if done == tasks.len() {
            bar.finish();
        }
    }
}

fn count(tasks: &[&Seen], standing: Standing) -> usize {
    tasks.iter().filter(|task| task.standing == standing).count()
}

fn counts(done: usize, tasks: &[&Seen]) -> String {
    match count(tasks, Standing::Failed) {
        0 => format!("{done}/{} done", tasks.len()),
        failed => format!("{done}/{} done, {failed} failed", tasks.len()),
    }
}
