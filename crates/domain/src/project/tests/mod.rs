//! What the aggregate promises: every rule as given, when, then; the rest as properties of random histories.

mod arranging;
mod attempts;
mod batches;
mod choosing;
mod creation;
mod editing;
mod errands;
mod film;
mod films_in_part;
mod following;
mod foreign;
mod framework;
mod golden;
mod limits;
mod properties;
mod restoring;
mod specs;
mod spending;
mod takes;
mod telling;
