//! What a picture shows: the elements that a prompt names, and pleasant ones where it names none.

use domain::job::ImageSpec;
use domain::settings::Mood;

use super::noise::{Dice, hash};
use super::words::{Word, words_in};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    Dawn,
    Day,
    Sunset,
    Dusk,
    Night,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weather {
    Clear,
    Clouds,
    Rain,
    Storm,
    Snow,
    Fog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Season {
    Spring,
    Summer,
    Autumn,
    Winter,
}

/// The lie of the land.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Plain,
    Hills,
    Mountains,
    Desert,
    Forest,
    Beach,
    Cliff,
    Street,
    Room,
    Underwater,
    Space,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Water {
    Sea,
    Lake,
    River,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Structure {
    House,
    Village,
    City,
    Lighthouse,
    Castle,
    Temple,
    Church,
    Tower,
    Windmill,
    Bridge,
    Ship,
    Boat,
    Tent,
    Pier,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    Person,
    Child,
    Crowd,
    Bird,
    Dog,
    Cat,
    Horse,
    Cow,
    Sheep,
    Rabbit,
    Fox,
    Wolf,
    Deer,
    Bear,
    Fish,
    Whale,
    Dragon,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Tree,
    Flowers,
    Grass,
    Rock,
    Moon,
    Sun,
    Stars,
    /// A light that is carried or put down; on water, one that floats.
    Lantern,
    /// On a post.
    StreetLamp,
    Fire,
    Smoke,
    Path,
    Rainbow,
    Neon,
    Umbrella,
    Balloon,
    Field,
}

/// The elements of a picture.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scene {
    pub(super) time: Time,
    pub(super) weather: Weather,
    pub(super) season: Season,
    pub(super) place: Place,
    pub(super) water: Option<Water>,
    pub(super) structures: Vec<Structure>,
    pub(super) figures: Vec<Figure>,
    pub(super) things: Vec<Thing>,
    /// Roofs and trees of East Asia.
    pub(super) eastern: bool,
}

impl Scene {
    /// Reads the prompt, leaves out what the negative prompt names, and fills the gaps by chance.
    pub(super) fn read(spec: &ImageSpec) -> Self {
        let unwanted = words_in(&spec.negative_prompt);
        let mut words = words_in(&spec.prompt);
        words.retain(|word| !unwanted.contains(word));
        let mut dice = Dice::new(hash(spec.prompt.as_bytes(), u64::from(spec.seed)));
        let find = |pick: fn(&Word) -> Option<Word>| words.iter().find_map(pick);
        let has = |word: Word| words.contains(&word);
        let indoors = [Place::Room, Place::Underwater, Place::Space];
        let named_place = indoors.into_iter().find(|place| has(Word::Place(*place)));
        let mut scene = Self {
            time: Time::Day,
            weather: Weather::Clear,
            season: Season::Summer,
            place: Place::Hills,
            water: None,
            structures: only(&words, |word| if let Word::Structure(it) = word { Some(it) } else { None }),
            figures: only(&words, |word| if let Word::Figure(it) = word { Some(it) } else { None }),
            things: only(&words, |word| if let Word::Thing(it) = word { Some(it) } else { None }),
            eastern: has(Word::Eastern) || spec.prompt.chars().any(is_han),
        };
        if let Some(Word::Water(water)) = find(|word| matches!(word, Word::Water(_)).then_some(*word)) {
            scene.water = Some(water);
        }
        if scene.water.is_none() && scene.built(Structure::Boat) && has(Word::Weather(Weather::Storm)) {
            scene.water = Some(Water::Sea);
        }
        let place = find(|word| matches!(word, Word::Place(_)).then_some(*word));
        scene.place = match (named_place, place) {
            (Some(place), _) | (None, Some(Word::Place(place))) => place,
            _ if has(Word::Indoors) && !scene.shows_a_settlement() => Place::Room,
            _ => scene.fitting_place(words.is_empty(), &mut dice),
        };
        let people = [Figure::Person, Figure::Child, Figure::Crowd];
        if has(Word::Somebody) && !people.iter().any(|figure| scene.figures.contains(figure)) {
            scene.figures.insert(0, Figure::Person);
        }
        scene.choose_sky(&words, spec.mood, &mut dice);
        scene.make_whole(words.is_empty(), &mut dice);
        scene
    }

    pub(super) fn has(&self, thing: Thing) -> bool {
        self.things.contains(&thing)
    }

    pub(super) fn built(&self, structure: Structure) -> bool {
        self.structures.contains(&structure)
    }

    /// Whether something is named that is seen from outside, and is larger than what a room's window belongs to.
    fn shows_a_settlement(&self) -> bool {
        let small = [Structure::House, Structure::Boat, Structure::Ship, Structure::Pier];
        self.structures.iter().any(|structure| !small.contains(structure))
    }

    /// Whether somebody who walks is seen.
    pub(super) fn has_people(&self) -> bool {
        [Figure::Person, Figure::Child, Figure::Crowd].iter().any(|figure| self.figures.contains(figure))
    }

    /// Whether there are walls and a roof, or neither ground nor air.
    pub(super) fn sheltered(&self) -> bool {
        matches!(self.place, Place::Room | Place::Underwater | Place::Space)
    }

    /// Whether the sea reaches the horizon.
    pub(super) fn at_sea(&self) -> bool {
        self.water == Some(Water::Sea)
    }

    /// The land that goes with what else the prompt names.
    fn fitting_place(&self, nothing_named: bool, dice: &mut Dice) -> Place {
        if self.built(Structure::Lighthouse) {
            return Place::Cliff;
        }
        let afloat =
            self.built(Structure::Ship) || self.built(Structure::Boat) && !self.built(Structure::Pier);
        if self.at_sea() || self.built(Structure::Ship) {
            return if afloat || self.figures.contains(&Figure::Whale) { Place::Plain } else { Place::Beach };
        }
        if self.has(Thing::Neon) || self.figures.contains(&Figure::Crowd) && self.built(Structure::City) {
            return Place::Street;
        }
        if nothing_named {
            return dice.pick(&[
                Place::Mountains,
                Place::Hills,
                Place::Plain,
                Place::Forest,
                Place::Mountains,
            ]);
        }
        dice.pick(&[Place::Hills, Place::Plain, Place::Hills, Place::Mountains])
    }

    fn choose_sky(&mut self, words: &[Word], mood: Mood, dice: &mut Dice) {
        let time = words.iter().find_map(|word| if let Word::Time(it) = word { Some(*it) } else { None });
        let weather =
            words.iter().filter_map(|word| if let Word::Weather(it) = word { Some(*it) } else { None });
        let season = words.iter().find_map(|word| if let Word::Season(it) = word { Some(*it) } else { None });
        // The moon and the stars say what time it is, and so does neon.
        let implied = if self.has(Thing::Moon) || self.has(Thing::Stars) || self.has(Thing::Neon) {
            Some(Time::Night)
        } else if self.has(Thing::Lantern) || self.has(Thing::StreetLamp) {
            Some(Time::Dusk)
        } else {
            None
        };
        self.time = time.or(implied).unwrap_or_else(|| match mood {
            Mood::Calm => dice.pick(&[Time::Dawn, Time::Day, Time::Sunset, Time::Sunset]),
            Mood::Tense => dice.pick(&[Time::Dusk, Time::Day, Time::Dusk, Time::Sunset]),
            Mood::Bright => dice.pick(&[Time::Day, Time::Day, Time::Dawn]),
        });
        let severity = |weather: &Weather| match weather {
            Weather::Clear => 0,
            Weather::Clouds => 1,
            Weather::Fog => 2,
            Weather::Rain => 3,
            Weather::Snow => 4,
            Weather::Storm => 5,
        };
        self.weather = weather.max_by_key(severity).unwrap_or(match mood {
            Mood::Tense => Weather::Clouds,
            Mood::Calm | Mood::Bright => Weather::Clear,
        });
        self.season = season.unwrap_or(match self.weather {
            Weather::Snow => Season::Winter,
            _ => Season::Summer,
        });
    }

    /// Adds what the named elements need, and company for a scene of none.
    fn make_whole(&mut self, nothing_named: bool, dice: &mut Dice) {
        if matches!(self.place, Place::Beach | Place::Cliff) {
            self.water.get_or_insert(Water::Sea);
        }
        let afloat = self.built(Structure::Ship) || self.figures.contains(&Figure::Whale);
        if afloat && self.water.is_none() {
            self.water = Some(Water::Sea);
        }
        if self.built(Structure::Boat) && self.water.is_none() {
            self.water = Some(Water::Lake);
        }
        if self.place == Place::Cliff
            && self.has(Thing::Lantern)
            && self.structures.is_empty()
            && !self.has_people()
        {
            self.structures.push(Structure::Lighthouse);
        }
        self.come_ashore();
        if self.built(Structure::Bridge) && self.place != Place::Street {
            self.water = Some(Water::River);
        }
        if self.built(Structure::City) && matches!(self.place, Place::Plain | Place::Hills) {
            self.water.get_or_insert(Water::Lake);
        }
        if nothing_named {
            self.water = dice.pick(&[None, Some(Water::Lake), Some(Water::River), None]);
            self.things.push(Thing::Tree);
            self.things.push(dice.pick(&[Thing::Flowers, Thing::Grass, Thing::Path]));
            if dice.chance(0.5) {
                self.structures.push(dice.pick(&[Structure::House, Structure::Windmill, Structure::Village]));
            }
        }
        self.structures.truncate(4);
        self.figures.truncate(5);
    }

    /// Beside the sea there is a beach for what stands on land: all that is built, and people who are not aboard.
    fn come_ashore(&mut self) {
        let has_ground =
            self.sheltered() || matches!(self.place, Place::Beach | Place::Cliff | Place::Street);
        if !self.at_sea() || has_ground {
            return;
        }
        let afloat = |structure: &Structure| matches!(structure, Structure::Ship | Structure::Boat);
        let aboard = self.structures.iter().any(afloat);
        let horizon = |structure: &Structure| afloat(structure) || *structure == Structure::City;
        if self.structures.iter().any(|structure| !horizon(structure)) || self.has_people() && !aboard {
            self.place = Place::Beach;
        }
    }
}

/// The elements of one sort in the order of their mention.
fn only<T>(words: &[Word], pick: fn(Word) -> Option<T>) -> Vec<T> {
    words.iter().copied().filter_map(pick).collect()
}

fn is_han(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scene(prompt: &str, negative: &str) -> Scene {
        Scene::read(&ImageSpec {
            prompt: prompt.to_owned(),
            negative_prompt: negative.to_owned(),
            style: String::new(),
            mood: Mood::Calm,
            width: 100,
            height: 100,
            seed: 1,
            model: None,
            steps: None,
            cfg_scale: None,
        })
    }

    #[test]
    fn english_and_chinese_words_name_the_same_elements() {
        let pairs = [
            ("a lighthouse on a cliff in a storm at night", "夜晚，暴风雨中悬崖上的灯塔"),
            ("morning, a child leads a horse over a stone bridge", "清晨，一个孩子牵着马走过石桥"),
            ("a boat on the lake at sunset", "日落时湖面上的小船"),
            ("noon, snow in the forest, a fox and a rabbit", "正午，森林里下雪，狐狸和兔子"),
            ("a crowded neon street in the rain", "雨中拥挤的霓虹街道"),
            ("cherry blossom in the evening, a temple, birds", "傍晚，樱花，古寺，飞鸟"),
        ];
        for (english, chinese) in pairs {
            let (one, other) = (scene(english, ""), scene(chinese, ""));
            assert_eq!(
                (one.time, one.weather, one.season),
                (other.time, other.weather, other.season),
                "{english}"
            );
            assert_eq!((one.water, &one.structures), (other.water, &other.structures), "{english}");
            assert_eq!(one.figures, other.figures, "{english}");
        }
    }

    #[test]
    fn a_longer_chinese_word_hides_the_shorter_one_within() {
        assert!(scene("他马上去上海", "").figures.iter().all(|figure| *figure != Figure::Horse));
        let shanghai = scene("上海", "");
        assert_eq!((shanghai.structures, shanghai.place == Place::Beach), (vec![Structure::City], false));
    }

    #[test]
    fn part_of_an_english_word_is_no_word() {
        let scene = scene("a seat in the research carpet catalogue", "");
        assert_eq!((scene.figures.len(), scene.water == Some(Water::Sea)), (0, false));
    }

    #[test]
    fn what_something_is_like_is_not_there() {
        assert_eq!(scene("waves rose like black hills, a ship", "").place, Place::Plain);
        assert_eq!(scene("奶奶像一只鸟，坐在马旁边", "").figures, [Figure::Person, Figure::Horse]);
        assert_eq!(
            scene("shaped like nothing that anybody had ever seen, a horse", "").figures,
            [Figure::Horse]
        );
    }

    #[test]
    fn what_is_not_wanted_is_left_out() {
        assert_eq!(scene("a dog and a cat", "cats").figures, vec![Figure::Dog]);
    }

    #[test]
    fn water_goes_with_what_floats_and_what_crosses_it() {
        assert_eq!(scene("a whale", "").water, Some(Water::Sea));
        assert_eq!(scene("a bridge", "").water, Some(Water::River));
        assert_eq!(scene("a lighthouse", "").place, Place::Cliff);
    }

    #[test]
    fn what_is_built_beside_the_sea_stands_on_land_and_sailors_stay_aboard() {
        for prompt in [
            "a house, waves",
            "海上，城堡",
            "a child counts the boats in the harbor",
            "a church by the ocean, hills",
        ] {
            assert_eq!(scene(prompt, "").place, Place::Beach, "{prompt}");
        }
        assert_ne!(scene("a tired man turned his boat, waves", "").place, Place::Beach);
        let storm = scene("the boat in a storm", "");
        assert_eq!((storm.water, storm.place), (Some(Water::Sea), Place::Plain));
    }

    #[test]
    fn a_window_is_in_a_room_unless_a_city_or_village_is_seen() {
        assert_eq!(
            scene("her grandfather, while rain ran down the windows, in a harbor", "").place,
            Place::Room
        );
        assert_ne!(scene("a city of tall towers, every window lit", "").place, Place::Room);
        assert_ne!(scene("it rained, and nobody in the village went inside", "").place, Place::Room);
    }

    #[test]
    fn home_is_no_house_and_a_pronoun_is_nobody_else() {
        let home = scene("She carried the child home", "");
        assert_eq!((home.structures, home.figures), (Vec::new(), vec![Figure::Child]));
        assert_eq!(scene("he waited", "").figures, [Figure::Person]);
    }

    #[test]
    fn the_lamp_on_a_cliff_is_a_lighthouse_and_a_flame_is_no_campfire() {
        assert!(scene("the lamp on the cliff", "").built(Structure::Lighthouse));
        assert!(!scene("a girl with a lantern on the cliff", "").built(Structure::Lighthouse));
        assert!(!scene("holding her small flame", "").has(Thing::Fire));
    }

    #[test]
    fn the_gravest_weather_wins() {
        assert_eq!(scene("clouds, fog, then a storm", "").weather, Weather::Storm);
    }
}
