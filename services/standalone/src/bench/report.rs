//! What was measured: one JSON object for programs, a table with the targets for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::broadcast;
use super::idle::Idle;
use super::inserts::{CLIENTS, Rates};
use super::latency::Latency;
use super::load::{EVENTS, Load};
use super::makespan::IDEAL_MILLIS;
use super::reads;
use super::replay::Replay;
use super::statistics::Percentiles;
use super::steps::Throughput;
use super::streams;
use super::surface::Surface;

/// What every part came to.
pub(super) struct Measured {
    pub(super) rates: Rates,
    pub(super) load: Load,
    pub(super) latency: Latency,
    pub(super) makespan: Percentiles,
    pub(super) steps: Throughput,
    pub(super) replay: Replay,
    pub(super) surface: Surface,
    pub(super) idle: Idle,
}

/// Everything, under the names that others read.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    insert_per_second: BTreeMap<u32, f64>,
    commands_per_second: BTreeMap<u32, f64>,
    commit_to_worker_ms: Percentiles,
    commit_to_stream_ms: Percentiles,
    makespan: Makespan,
    steps: Steps,
    replay: Replayed,
    load: Load,
    reads: Reads,
    broadcast: Broadcast,
    streams: Streams,
    idle: AtRest,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Makespan {
    ideal_ms: u32,
    p50_ms: f64,
    p99_ms: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Steps {
    projects_per_second: f64,
    steps_per_second: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replayed {
    events: u64,
    events_per_second: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reads {
    projects: i32,
    detail_per_second: f64,
    list_per_second: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Broadcast {
    clients: usize,
    p50_ms: f64,
    p99_ms: f64,
    bare_p50_ms: f64,
    bare_p99_ms: f64,
}

#[derive(Debug, Serialize)]
struct Streams {
    open: usize,
    #[serde(rename = "oneProjectMiB")]
    one_project_mib: f64,
    #[serde(rename = "ownProjectsMiB")]
    own_projects_mib: f64,
}

#[derive(Debug, Serialize)]
struct AtRest {
    #[serde(rename = "cpuPercent")]
    cpu_percent: f64,
    #[serde(rename = "rssMiB")]
    rss_mib: f64,
}

/// A line of the table: what, how much, and what is wanted.
struct Line {
    what: String,
    measured: String,
    target: Option<Target>,
}

/// What is wanted, in words, and whether it was reached.
struct Target {
    words: &'static str,
    reached: bool,
}

impl Report {
    pub(super) fn of(measured: Measured) -> Self {
        let Measured { rates, load, latency, makespan, steps, replay, surface, idle } = measured;
        let Surface { broadcast, streams, reads } = surface;
        Self {
            insert_per_second: rates.inserts,
            commands_per_second: rates.commands,
            commit_to_worker_ms: latency.to_worker,
            commit_to_stream_ms: latency.to_stream,
            makespan: Makespan { ideal_ms: IDEAL_MILLIS, p50_ms: makespan.p50, p99_ms: makespan.p99 },
            steps: Steps { projects_per_second: steps.projects, steps_per_second: steps.steps },
            replay: Replayed { events: replay.events, events_per_second: replay.per_second },
            load,
            reads: Reads {
                projects: reads::PROJECTS,
                detail_per_second: reads.detail,
                list_per_second: reads.list,
            },
            broadcast: Broadcast {
                clients: broadcast::CLIENTS,
                p50_ms: broadcast.live.p50,
                p99_ms: broadcast.live.p99,
                bare_p50_ms: broadcast.bare.p50,
                bare_p99_ms: broadcast.bare.p99,
            },
            streams: Streams {
                open: streams::OPEN,
                one_project_mib: streams.one_project,
                own_projects_mib: streams.own_projects,
            },
            idle: AtRest { cpu_percent: idle.cpu_percent, rss_mib: idle.rss_mib },
        }
    }

    /// The table for people.
    pub(super) fn to_table(&self) -> String {
        let mut table = String::new();
        for Line { what, measured, target } in self.lines() {
            let verdict = target.map_or_else(String::new, |Target { words, reached }| {
                format!("{words:<28} {}", if reached { "reached" } else { "MISSED" })
            });
            // Writing to a string does not fail.
            let _ = writeln!(table, "{}", format!("{what:<46} {measured:>26}   {verdict}").trim_end());
        }
        table.trim_end().to_owned()
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = self.rates();
        lines.extend(self.times());
        lines.extend(self.amounts());
        lines.extend(self.surface());
        lines.extend(self.rest());
        lines
    }

    fn rates(&self) -> Vec<Line> {
        let of = |rates: &BTreeMap<u32, f64>, clients| rates.get(&clients).copied().unwrap_or(0.0);
        let most = CLIENTS.into_iter().max();
        let line = |clients: u32| {
            let (inserts, commands) =
                (of(&self.insert_per_second, clients), of(&self.commands_per_second, clients));
            let share = commands / inserts;
            let target = Target { words: "at least 0.6", reached: share >= 0.6 };
            Line {
                what: format!("commands/s against bare inserts/s, {clients} at once"),
                measured: format!("{commands:.0} / {inserts:.0} = {share:.2}"),
                target: (Some(clients) == most).then_some(target),
            }
        };
        CLIENTS.into_iter().map(line).collect()
    }

    fn times(&self) -> Vec<Line> {
        let line = |what: &str, Percentiles { p50, p99 }, words, most: f64| Line {
            what: format!("{what}, p50 and p99"),
            measured: format!("{p50:.2} and {p99:.2} ms"),
            target: Some(Target { words, reached: p50 <= most }),
        };
        let makespan = Percentiles { p50: self.makespan.p50_ms, p99: self.makespan.p99_ms };
        let ideal = f64::from(self.makespan.ideal_ms);
        vec![
            line("commit to worker", self.commit_to_worker_ms, "p50 at most 3 ms", 3.0),
            line("commit to stream", self.commit_to_stream_ms, "p50 at most 5 ms", 5.0),
            line("20 shots, ideally 300 ms", makespan, "p50 at most 1.2 times ideal", ideal * 1.2),
        ]
    }

    fn amounts(&self) -> Vec<Line> {
        let line = |what: &str, measured, target| Line { what: what.to_owned(), measured, target };
        let (steps, replay) = (&self.steps, &self.replay);
        let of = |events: u64| self.load.get(&events).copied().unwrap_or(0.0);
        let (shortest, longest) = (of(EVENTS[0]), of(EVENTS[3]));
        let load: Vec<String> = EVENTS.iter().map(|events| format!("{:.1}", of(*events))).collect();
        vec![
            line(
                "steps/s, 20 projects at once",
                format!("{:.0}", steps.steps_per_second),
                Some(Target { words: "at least 800", reached: steps.steps_per_second >= 800.0 }),
            ),
            line(
                &format!("replay of {} events", replay.events),
                format!("{:.0} events/s", replay.events_per_second),
                Some(Target { words: "at least 50000", reached: replay.events_per_second >= 50_000.0 }),
            ),
            line(
                "a command on 10, 100, 1000 and 10000 events",
                format!("{} ms", load.join(", ")),
                Some(Target { words: "last within 3 times first", reached: longest <= 3.0 * shortest }),
            ),
        ]
    }

    /// What clients see of the API.
    fn surface(&self) -> Vec<Line> {
        let (reads, broadcast, streams) = (&self.reads, &self.broadcast, &self.streams);
        let line = |what: String, measured, target| Line { what, measured, target };
        let read = |what: &str, rate: f64| {
            let what = format!("{what}, {} projects", reads.projects);
            line(what, format!("{rate:.0} requests/s"), None)
        };
        let weighed = |what: &str, mib: f64| {
            let target = Target { words: "under 100 MiB", reached: mib < 100.0 };
            line(format!("{} streams {what}", streams.open), format!("{mib:.0} MiB"), Some(target))
        };
        let times = |p50: f64, p99: f64| format!("{p50:.2} and {p99:.2} ms");
        let reached = broadcast.p50_ms <= 2.0 * broadcast.bare_p50_ms
            && broadcast.p99_ms <= 2.0 * broadcast.bare_p99_ms;
        vec![
            read("a project of 10 shots", reads.detail_per_second),
            read("a page of 50", reads.list_per_second),
            line(
                format!("event to {} clients, p50 and p99", broadcast.clients),
                times(broadcast.p50_ms, broadcast.p99_ms),
                Some(Target { words: "at most 2 times bare", reached }),
            ),
            line(
                "the same by a bare broadcast".to_owned(),
                times(broadcast.bare_p50_ms, broadcast.bare_p99_ms),
                None,
            ),
            weighed("of one project, memory", streams.one_project_mib),
            weighed("of a project each, memory", streams.own_projects_mib),
        ]
    }

    /// `up`, when nobody asks anything of it.
    fn rest(&self) -> Vec<Line> {
        let idle = &self.idle;
        let line = |what: &str, measured, target| Line { what: what.to_owned(), measured, target };
        vec![
            line(
                "`up` at rest, processor",
                format!("{:.1} % of a core", idle.cpu_percent),
                Some(Target { words: "under 3 %", reached: idle.cpu_percent < 3.0 }),
            ),
            line(
                "`up` at rest, memory",
                format!("{:.0} MiB", idle.rss_mib),
                Some(Target { words: "under 150 MiB", reached: idle.rss_mib < 150.0 }),
            ),
        ]
    }
}
