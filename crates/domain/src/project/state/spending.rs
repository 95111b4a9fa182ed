//! What a project has spent, and what it can afford.

use crate::ids::TaskId;
use crate::job::{Failure, Kind, MadeWith};
use crate::project::state::{Project, TaskState};

/// Prices are decimal fractions, which add up to a little more or less than they should.
const ROUNDING: f64 = 1e-6;

impl Project {
    /// A task of a kind was made. What was there already says nothing about what its kind costs.
    pub(super) fn pay(&mut self, kind: Kind, made_with: &MadeWith) {
        let cost = made_with.cost.unwrap_or(0.0);
        self.spent += cost;
        if made_with.millis > 0 {
            self.prices.insert(kind, cost);
        }
    }

    /// Why a task may not start: with what is under way it would cost more than the budget has left. It is taken to
    /// cost what the last of its kind did, or nothing before there was one. What costs nothing is always afforded,
    /// and so is a film: no provider is paid for it.
    pub(in crate::project) fn beyond_budget(&self, id: TaskId, kind: Kind) -> Option<Failure> {
        let budget = self.settings.budget.filter(|_| kind != Kind::Film)?;
        let price = |kind: Kind| self.prices.get(&kind).copied();
        if price(kind) == Some(0.0) {
            return None;
        }
        let others = self.tasks.iter().filter(|(other, _)| **other != id).map(|(_, task)| task);
        let under_way = others.filter(|task| matches!(task.state, TaskState::Processing { .. }));
        let under_way: f64 = under_way.filter_map(|task| price(task.kind)).sum();
        let needed = self.spent + under_way + price(kind).unwrap_or(0.0);
        (needed > budget + ROUNDING).then(|| {
            let spent = self.spent;
            let message = format!(
                "with this {kind} the project would have cost {needed:.2}, and {spent:.2} of its budget of {budget:.2} is \
                 spent; raise settings.budget and retry"
            );
            Failure::fail("budget_spent", message)
        })
    }
}
