//! Follows the setting through a story: what a picture needs beyond its narration's own words, because the
//! story named it before and has not left it since.

use super::lexicon::Lexicon;
use super::scenes::{Aspect, SCENES, Scene};
use super::unquoted;

/// The shots after which weather that nobody mentions is over.
const WEATHER_LASTS: usize = 4;
/// The shots after which a time of day that nobody mentions is over.
const TIME_LASTS: usize = 6;
/// The bytes after a word of likeness in which what it is like stands.
const LIKENESS: usize = 26;
/// The first shots in which the story may name the setting that it begins in.
const OPENING_SHOTS: usize = 2;

const HE: &str = "he him his 他";
const SHE: &str = "she her 她";
const THEY: &str = "they them their 他们 她们";

/// What a word of the narration tells about the picture.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// It names a scene, in words that painters read or in others.
    Scene { scene: &'static Scene, readable: bool },
    /// A figure that was named before.
    Pronoun(Aspect),
    /// What follows is only what something is like.
    Likeness,
    /// The weather is over.
    Clearing,
    /// Nothing: a longer word that holds a scene's word by chance.
    Nothing,
}

/// What every shot of a story in this language needs beyond its own words, as phrases for the painter.
pub(super) fn settings(narrations: &[String], language: &str) -> Vec<Vec<&'static str>> {
    let lexicon = lexicon(language);
    let signs: Vec<Vec<Sign>> = narrations.iter().map(|text| signs(&lexicon, text)).collect();
    let mut memory = Memory { chinese: language == "zh", ..Memory::default() };
    for opening in signs.iter().take(OPENING_SHOTS) {
        memory.foresee(opening);
    }
    signs.iter().map(|signs| memory.follow(signs)).collect()
}

/// What a narration tells about the picture. What is quoted is said and not seen, and what something is
/// like is not there.
fn signs(lexicon: &Lexicon<Sign>, narration: &str) -> Vec<Sign> {
    let mut likeness = None;
    let mut seen = Vec::new();
    for (at, sign) in lexicon.find(&unquoted(narration)) {
        match sign {
            Sign::Likeness => likeness = Some(at),
            Sign::Nothing => {}
            Sign::Scene { .. } if likeness.take().is_some_and(|like| at - like <= LIKENESS) => {}
            Sign::Scene { .. } | Sign::Pronoun(_) | Sign::Clearing => seen.push(sign),
        }
    }
    seen
}

fn lexicon(language: &str) -> Lexicon<Sign> {
    let scenes = SCENES.iter().flat_map(|scene| {
        scene.words.iter().filter_map(move |(of, words)| {
            // Japanese shares its characters with Chinese, so its painter reads only the words of its own list.
            let readable = *of == "en" || (*of == "zh" && language != "ja");
            (readable || *of == language).then_some((*words, Sign::Scene { scene, readable }))
        })
    });
    let pronouns = [(HE, Aspect::He), (SHE, Aspect::She), (THEY, Aspect::Person)];
    let pronouns = pronouns.map(|(words, figure)| (words, Sign::Pronoun(figure)));
    let likeness = ("like 像 如同 仿佛 好像 宛如", Sign::Likeness);
    let clearing = (
        "雨停 雪停 风停 雨过天晴 rain_stopped rain_ceased storm_passed storm_ended snow_stopped fog_lifted",
        Sign::Clearing,
    );
    let traps = ("星期 上海 江山 山羊 其他 雷同 马上 田径 家乡 河马 海报 good_morning", Sign::Nothing);
    Lexicon::new(scenes.chain(pronouns).chain([likeness, clearing, traps]))
}

/// What the story has named so far.
#[derive(Default)]
struct Memory {
    chinese: bool,
    time: Option<&'static Scene>,
    weather: Option<&'static Scene>,
    place: Option<&'static Scene>,
    /// Whom `he` means: the first one named, who is mostly the one that the story is about.
    he: Option<&'static Scene>,
    /// Whom `she` means, likewise.
    she: Option<&'static Scene>,
    /// Whom `they` means: the last two figures.
    they: [Option<&'static Scene>; 2],
    /// Shots since the time was mentioned.
    time_age: usize,
    /// Shots since the weather was mentioned.
    weather_age: usize,
}

impl Memory {
    /// A story may name its setting after it has begun: what is named first is there from the start.
    fn foresee(&mut self, signs: &[Sign]) {
        for sign in signs {
            let Sign::Scene { scene, .. } = sign else { continue };
            match scene.aspect {
                Aspect::Day | Aspect::Night => _ = self.time.get_or_insert(scene),
                Aspect::Weather => _ = self.weather.get_or_insert(scene),
                Aspect::Place => _ = self.place.get_or_insert(scene),
                Aspect::He | Aspect::She | Aspect::Person | Aspect::Animal => {}
            }
        }
    }

    /// Takes in a shot, and tells what it needs beyond its own words.
    fn follow(&mut self, signs: &[Sign]) -> Vec<&'static str> {
        let named = |aspects: &[Aspect]| {
            signs
                .iter()
                .any(|sign| matches!(sign, Sign::Scene { scene, .. } if aspects.contains(&scene.aspect)))
        };
        let has_person = named(&[Aspect::He, Aspect::She, Aspect::Person]);
        let mut shown = Vec::new();
        for sign in signs {
            match sign {
                Sign::Clearing => self.weather = None,
                Sign::Scene { scene, readable: false } => shown.push(*scene),
                Sign::Pronoun(pronoun) if !has_person => shown.extend(self.meant(*pronoun)),
                _ => {}
            }
        }
        let has_time = named(&[Aspect::Day, Aspect::Night]);
        let has_weather = named(&[Aspect::Weather]);
        self.forget(has_time, has_weather, named(&[Aspect::Day]));
        shown.extend(self.time.filter(|_| !has_time));
        shown.extend(self.weather.filter(|_| !has_weather));
        shown.extend(self.place.filter(|_| !named(&[Aspect::Place])));
        self.remember(signs);
        for figure in shown.iter().filter(|scene| is_figure(scene.aspect)) {
            self.meet(figure);
        }
        self.phrases(&shown)
    }

    /// Whom a pronoun means.
    fn meant(&self, pronoun: Aspect) -> Vec<&'static Scene> {
        match pronoun {
            Aspect::He => self.he.into_iter().collect(),
            Aspect::She => self.she.into_iter().collect(),
            _ => self.they.into_iter().flatten().collect(),
        }
    }

    /// Neither time nor weather last for ever, and a new day brings new weather.
    fn forget(&mut self, has_time: bool, has_weather: bool, has_day: bool) {
        self.time_age = if has_time { 0 } else { self.time_age + 1 };
        self.weather_age = if has_weather { 0 } else { self.weather_age + 1 };
        if self.weather_age > WEATHER_LASTS || has_day {
            self.weather = None;
        }
        if self.time_age > TIME_LASTS {
            self.time = None;
        }
    }

    fn remember(&mut self, signs: &[Sign]) {
        for sign in signs {
            let Sign::Scene { scene, .. } = sign else { continue };
            match scene.aspect {
                Aspect::Day | Aspect::Night => self.time = Some(scene),
                Aspect::Weather => self.weather = Some(scene),
                Aspect::Place => self.place = Some(scene),
                Aspect::He => _ = self.he.get_or_insert(scene),
                Aspect::She => _ = self.she.get_or_insert(scene),
                Aspect::Person => {
                    self.he.get_or_insert(scene);
                    self.she.get_or_insert(scene);
                }
                Aspect::Animal => {}
            }
            if is_figure(scene.aspect) {
                self.meet(scene);
            }
        }
    }

    /// The two figures that were named last, the newest first.
    fn meet(&mut self, figure: &'static Scene) {
        let mut others = self.they.into_iter().flatten().filter(|known| known.english != figure.english);
        self.they = [Some(figure), others.next()];
    }

    /// Each scene once.
    fn phrases(&self, scenes: &[&'static Scene]) -> Vec<&'static str> {
        let mut phrases: Vec<&'static str> = Vec::new();
        for scene in scenes {
            let phrase = if self.chinese { scene.chinese } else { scene.english };
            if !phrases.contains(&phrase) {
                phrases.push(phrase);
            }
        }
        phrases
    }
}

fn is_figure(aspect: Aspect) -> bool {
    matches!(aspect, Aspect::He | Aspect::She | Aspect::Person | Aspect::Animal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(narrations: &[&str], language: &str) -> Vec<Vec<&'static str>> {
        settings(&narrations.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), language)
    }

    #[test]
    fn the_setting_stays_until_another_is_named() {
        let shots =
            ["At night the sea was black.", "A bell rang.", "Then the forest at dawn.", "A bell rang."];
        assert_eq!(
            settings_of(&shots, "en"),
            [vec![], vec!["at night", "by the sea"], vec![], vec!["at dawn", "in the forest"]]
        );
    }

    #[test]
    fn the_first_shot_takes_the_setting_that_the_story_opens_with() {
        let shots = ["The Bell", "At dusk it rang over the lake."];
        assert_eq!(settings_of(&shots, "en"), [vec!["at dusk", "by the lake"], vec![]]);
    }

    #[test]
    fn weather_passes() {
        let shots = settings_of(&["A storm came.", "1.", "2.", "3.", "4.", "5."], "en");
        assert_eq!(shots[4], ["in a storm"]);
        assert!(shots[5].is_empty());
        assert_eq!(settings_of(&["A storm at night.", "Morning.", "1."], "en")[2], ["in the morning"]);
        assert_eq!(settings_of(&["A storm at dusk.", "Night.", "1."], "en")[2], ["at night", "in a storm"]);
        assert_eq!(settings_of(&["A storm at dusk.", "The storm passed.", "1."], "en")[2], ["at dusk"]);
        assert_eq!(settings_of(&["夜里下着暴雨。", "雨停了。", "一。"], "zh")[2], ["夜晚"]);
    }

    #[test]
    fn a_pronoun_brings_its_figure_along() {
        let shots = [
            "A girl and her grandfather sat.",
            "She slept.",
            "He rose.",
            "The dog barked at her.",
            "They ran.",
        ];
        let expected = [vec![], vec!["a girl"], vec!["an old man"], vec!["a girl"], vec!["a girl", "a dog"]];
        assert_eq!(settings_of(&shots, "en"), expected);
        assert_eq!(settings_of(&["A girl sat.", "Her grandmother slept."], "en")[1], Vec::<&str>::new());
    }

    #[test]
    fn what_is_said_and_what_something_is_like_is_not_there() {
        let shots =
            ["In the forest.", "Waves rose like black hills. “The desert!” she cried.", "A bell rang."];
        assert_eq!(settings_of(&shots, "en")[2], ["by the sea"]);
    }

    #[test]
    fn chinese_stories_get_chinese_phrases() {
        let shots = ["夜晚，女孩坐在河边。", "她笑了。", "下星期再来。"];
        assert_eq!(settings_of(&shots, "zh"), [vec![], vec!["女孩", "夜晚", "河边"], vec!["夜晚", "河边"]]);
    }

    #[test]
    fn words_that_painters_cannot_read_are_translated() {
        assert_eq!(settings_of(&["La nuit, la mer dormait."], "fr"), [["at night", "by the sea"]]);
        assert_eq!(settings_of(&["Die Nacht war still.", "Es regnete."], "de")[1], ["at night"]);
    }
}
