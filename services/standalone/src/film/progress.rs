//! The display: a bar a stage, with counts, what is running, and the time left.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::ids::TaskId;
use domain::job::Kind;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use infra::nats::LiveMessage;
use infra::postgres::views::tasks::{TaskRow, TaskStatus};

/// The stages, in the order in which they end.
pub(super) const STAGES: [(Kind, &str); 4] = [
    (Kind::Storyboard, "storyboard"),
    (Kind::Image, "pictures"),
    (Kind::Tts, "voices"),
    (Kind::Film, "film"),
];

/// Steps of a bar that one task is worth, so that a running task can be shown by the hundredth.
const STEPS: u64 = 100;

/// The progress display. Without a terminal it prints a line whenever a stage ends.
#[derive(Debug)]
pub(super) struct Display {
    bars: MultiProgress,
    spinner: ProgressBar,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    stages: HashMap<Kind, ProgressBar>,
    percent: HashMap<TaskId, (u8, String)>,
    told: HashMap<Kind, String>,
}

impl Display {
    pub(super) fn new() -> Self {
        let bars = MultiProgress::new();
        let spinner = bars.add(ProgressBar::new_spinner());
        spinner.enable_steady_tick(Duration::from_millis(120));
        Self { bars, spinner, state: Mutex::default() }
    }

    /// Says what is being prepared before the work starts.
    pub(super) fn preparing(&self, line: &str) {
        if self.bars.is_hidden() {
            super::note(line);
        } else {
            self.spinner.set_message(line.to_owned());
        }
    }

    /// Shows where the tasks stand.
    pub(super) fn show(&self, tasks: &[TaskRow]) {
        self.spinner.finish_and_clear();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, name) in STAGES {
            let of_kind: Vec<&TaskRow> = tasks
                .iter()
                .filter(|task| task.kind == kind && task.status != TaskStatus::Cancelled)
                .collect();
            if !of_kind.is_empty() {
                self.show_stage(&mut state, (kind, name), &of_kind);
            }
        }
    }

    fn show_stage(&self, state: &mut State, (kind, name): (Kind, &'static str), tasks: &[&TaskRow]) {
        let done = tasks.iter().filter(|task| !task.status.is_open()).count();
        let running: Vec<&&TaskRow> =
            tasks.iter().filter(|task| task.status == TaskStatus::Processing).collect();
        let partly: u64 = running
            .iter()
            .filter_map(|task| state.percent.get(&task.id))
            .map(|(percent, _)| u64::from(*percent) * STEPS / 100)
            .sum();
        let words =
            running.first().and_then(|task| state.percent.get(&task.id)).map(|(_, words)| words.clone());
        let trouble = tasks.iter().find_map(|task| trouble(task));
        let bar = state.stages.entry(kind).or_insert_with(|| self.bars.add(new_bar(name)));
        bar.set_length(tasks.len() as u64 * STEPS);
        bar.set_position(done as u64 * STEPS + partly);
        let counts = format!("{done}/{}", tasks.len());
        bar.set_message(match (running.len(), words) {
            _ if done == tasks.len() => trouble.clone().unwrap_or(counts),
            (0, _) => format!("{counts}  {}", trouble.as_deref().unwrap_or("waiting")),
            (_, Some(words)) if !words.is_empty() => format!("{counts}  {words}"),
            (count, _) => format!("{counts}  {count} running"),
        });
        if done == tasks.len() {
            bar.finish();
        }
        let line = match trouble {
            Some(trouble) => format!("{name}: {trouble}"),
            None if done == tasks.len() => format!("{name}: {done}/{done} done"),
            None => return,
        };
        if self.bars.is_hidden() && state.told.get(&kind) != Some(&line) {
            super::note(&line);
            state.told.insert(kind, line);
        }
    }

    /// Takes in how far a running task is.
    pub(super) fn live(&self, message: &LiveMessage) {
        if let LiveMessage::Progress(progress) = message {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.percent.insert(progress.task_id, (progress.progress, progress.message.clone()));
        }
    }

    /// Leaves the bars as they are.
    pub(super) fn finish(&self) {
        self.spinner.finish_and_clear();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stages.values().filter(|bar| !bar.is_finished()).for_each(ProgressBar::abandon);
    }
}

/// Why a task waits although it could run, or will not run any more.
fn trouble(task: &TaskRow) -> Option<String> {
    let error = task.error.as_ref().map(ToString::to_string);
    match task.status {
        TaskStatus::Pending => task.reason.clone().or_else(|| Some(format!("{}; it is tried again", error?))),
        TaskStatus::Failed => Some(format!("failed: {}", error?)),
        _ => None,
    }
}

/// A bar with its name, what it is at, and the time left.
pub(crate) fn new_bar(name: &'static str) -> ProgressBar {
    let template = "{prefix:>11} {bar:28.cyan/blue} {msg}  {elapsed} {eta_left}";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let style =
        style.with_key("eta_left", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            if !state.is_finished() && state.pos() > 0 {
                let _ = write!(out, "({} left)", indicatif::HumanDuration(state.eta()));
            }
        });
    ProgressBar::new(STEPS).with_prefix(name).with_style(style.progress_chars("━╸─"))
}
