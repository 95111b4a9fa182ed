//! Groups atoms into shots of about equal length that end where the story itself pauses.

use std::ops::Range;

use super::atoms::Atom;
use super::cuts::Cut;

/// The spoken length of a shot when their number is free, in halves of an English letter: about 18 English
/// words or 40 Chinese characters, some 7 to 9 seconds.
const USUAL_SHOT: u32 = 200;
/// The longest average that whole sentences may bring: about 25 English words or 56 Chinese characters.
const LONG_SHOT: u32 = 280;
/// The most shots when their number is free.
const MOST_SHOTS: usize = 60;
/// A plan looks at no more places than this; of a longer text it takes the best place of every few.
const MOST_PLACES: usize = 2_000;

/// How many shots suit atoms with these cuts between them: one for every [`USUAL_SHOT`], but no more than
/// there are sentences unless that made the shots longer than [`LONG_SHOT`] on average; and the `extra` ones beside
/// them; 1 to [`MOST_SHOTS`].
pub(super) fn suitable_count(atoms: &[Atom], cuts: &[Cut], extra: usize) -> usize {
    let total: u32 = atoms.iter().map(|atom| atom.weight).sum();
    let sentences = 1 + cuts.iter().filter(|cut| **cut <= Cut::Sentence).count();
    let usual = as_count((total + USUAL_SHOT / 2) / USUAL_SHOT);
    let fewest = as_count(total.div_ceil(LONG_SHOT));
    (usual.min(sentences.max(fewest)) + extra).clamp(1, MOST_SHOTS)
}

fn as_count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Which atoms each of `count` shots holds: fewer shots only if there are fewer atoms, none for no atoms.
///
/// Of all plans it takes the one that costs least: for every shot the square of its deviation from the mean
/// length, relative to the mean, and for every end of a shot what [`price`] says.
pub(super) fn plan(atoms: &[Atom], cuts: &[Cut], count: usize) -> Vec<Range<usize>> {
    let places = places(atoms, cuts);
    let count = count.min(places.len());
    let Some(length) = places.last().map(|place| place.spoken) else { return Vec::new() };
    let mut table = Table::new(&places, length / count.max(1) as f64);
    for _ in 0..count {
        table.add_shot();
    }
    table.trace(count)
}

/// What it costs to end a shot at a cut. A sentence is cut at a comma only if it is about three times as
/// long as the mean, or if the shots do not suffice otherwise.
fn price(cut: Cut) -> f64 {
    match cut {
        Cut::Paragraph => 0.0,
        Cut::Sentence => 0.15,
        Cut::Part => 3.0,
        Cut::Clause => 4.0,
        Cut::Phrase => 7.0,
        Cut::Word => 9.0,
        Cut::Nothing => 12.0,
    }
}

/// A place where a shot may end.
struct Place {
    /// The atoms before it.
    atoms: usize,
    /// Their spoken length.
    spoken: f64,
    price: f64,
}

/// The places where a shot may end; the last is the end of the text.
fn places(atoms: &[Atom], cuts: &[Cut]) -> Vec<Place> {
    let mut spoken = 0.0;
    let all: Vec<Place> = atoms
        .iter()
        .enumerate()
        .map(|(index, atom)| {
            spoken += f64::from(atom.weight);
            Place { atoms: index + 1, spoken, price: cuts.get(index).map_or(0.0, |cut| price(*cut)) }
        })
        .collect();
    let few = all.len().div_ceil(MOST_PLACES).max(1);
    let last = all.len().saturating_sub(1);
    let mut best: Vec<Place> = Vec::with_capacity(all.len() / few + 1);
    for (index, place) in all.into_iter().enumerate() {
        match best.last_mut() {
            Some(chosen) if index % few != 0 => {
                if place.price < chosen.price || index == last {
                    *chosen = place;
                }
            }
            _ => best.push(place),
        }
    }
    best
}

/// The dynamic programme: the least cost of ending the n-th shot at each place, one shot after the other.
struct Table<'a> {
    places: &'a [Place],
    mean: f64,
    /// Least cost of all shots so far, if the last of them ends before place `index`.
    costs: Vec<f64>,
    /// For each shot and place, where the shot before it ends.
    starts: Vec<Vec<usize>>,
}

impl<'a> Table<'a> {
    fn new(places: &'a [Place], mean: f64) -> Self {
        let mut costs = vec![f64::INFINITY; places.len() + 1];
        costs[0] = 0.0;
        Self { places, mean, costs, starts: Vec::new() }
    }

    /// One more shot. The best start moves on with the end, since the cost of a length is convex; that
    /// halves the search at each step (divide and conquer) instead of trying every pair.
    fn add_shot(&mut self) {
        let first = self.starts.len() + 1;
        let ends = self.places.len();
        let mut costs = vec![f64::INFINITY; ends + 1];
        let mut starts = vec![0; ends + 1];
        let mut open = vec![(first..ends + 1, first - 1, ends)];
        while let Some((range, low, high)) = open.pop() {
            if range.is_empty() {
                continue;
            }
            let end = range.start + range.len() / 2;
            let (start, cost) = self.best_start(end, low, high);
            (starts[end], costs[end]) = (start, cost + self.places[end - 1].price);
            open.push((range.start..end, low, start));
            open.push((end + 1..range.end, start, high));
        }
        self.costs = costs;
        self.starts.push(starts);
    }

    /// The best start, from `low` to `high`, of a shot that ends before place `end`, and the cost so far.
    fn best_start(&self, end: usize, low: usize, high: usize) -> (usize, f64) {
        let mut best = (low, f64::INFINITY);
        for start in low..end.min(high + 1) {
            let length = self.spoken(end) - self.spoken(start);
            let cost = self.costs[start] + (length / self.mean - 1.0).powi(2);
            if cost < best.1 {
                best = (start, cost);
            }
        }
        best
    }

    fn spoken(&self, places: usize) -> f64 {
        if places == 0 { 0.0 } else { self.places[places - 1].spoken }
    }

    /// The shots of the cheapest plan.
    fn trace(&self, count: usize) -> Vec<Range<usize>> {
        let atoms = |places: usize| if places == 0 { 0 } else { self.places[places - 1].atoms };
        let mut end = self.places.len();
        let mut shots = Vec::with_capacity(count);
        for starts in self.starts.iter().rev() {
            let start = starts[end];
            shots.push(atoms(start)..atoms(end));
            end = start;
        }
        shots.reverse();
        shots
    }
}
