//! Picks the voice: the one asked for, or the language's own.

use std::collections::BTreeSet;

use super::text::{Reads, Speaker};

/// The one voice of the Piper package.
pub(super) const PIPER_VOICE: &str = "en_US-joe-medium";
/// What is added to voices that are not asked for by name, in order of preference. Of espeak-ng's variants this one
/// has the widest range of pitch (8 semitones, others 4 to 5, so that Chinese tones are told apart) and little
/// roughness; one variant for all languages keeps the speaker the same where a text mixes them.
const VARIANTS: [&str; 2] = ["Annie", "f3"];

/// Languages whose BCP 47 code is not the name of their best espeak-ng voice. In order of preference: plain `cmn`
/// reads Chinese characters as English letters in espeak-ng 1.51, so it comes last.
const NAMES: [(&str, &[&str]); 13] = [
    ("zh-hk", &["yue"]),
    ("zh-mo", &["yue"]),
    ("zh-hant-hk", &["yue"]),
    ("zh-yue", &["yue"]),
    ("yue", &["yue"]),
    ("zh", &["cmn-latn-pinyin", "cmn", "zh"]),
    ("cmn", &["cmn-latn-pinyin", "cmn", "zh"]),
    ("en", &["en-us", "en"]),
    ("no", &["nb", "no"]),
    ("nn", &["nb", "no"]),
    ("iw", &["he"]),
    ("in", &["id"]),
    ("fil", &["tl", "id"]),
];

/// A voice that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Voice {
    /// The Piper voice.
    Piper,
    /// An espeak-ng voice, by the name its `-v` takes.
    Espeak(String),
}

impl Voice {
    /// The name by which the voice can be asked for again.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Piper => PIPER_VOICE,
            Self::Espeak(name) => name,
        }
    }

    /// Which scripts it reads by itself.
    pub(super) fn reads(&self) -> Reads {
        match self {
            Self::Piper => Reads::Latin,
            Self::Espeak(name) if name.starts_with("cmn") || name.starts_with("yue") => Reads::Han,
            Self::Espeak(name) if name.starts_with("ja") => Reads::All,
            Self::Espeak(_) => Reads::NoHan,
        }
    }

    /// The voice that says a piece, when this is the one that was asked for. Absent when `voices` has none.
    pub(super) fn for_speaker(&self, speaker: Speaker, voices: &Voices) -> Option<Self> {
        match speaker {
            Speaker::Own => Some(self.clone()),
            Speaker::English | Speaker::Foreign => voices.of_language("en"),
            Speaker::Mandarin => voices.of_language("zh"),
        }
    }
}

/// The voices of an installed espeak-ng; none when it is not there.
#[derive(Debug, Default, Clone)]
pub(super) struct Voices {
    names: BTreeSet<String>,
    variants: BTreeSet<String>,
}

impl Voices {
    /// Understands the tables that `--voices` and `--voices=variant` print.
    pub(super) fn parse(voices: &str, variants: &str) -> Self {
        let names = voices.lines().skip(1).filter(|line| !line.contains(" mb/")).flat_map(names_of_line);
        let variants =
            variants.lines().filter_map(|line| line.split_once("!v/").map(|(_, name)| name.trim()));
        Self { names: names.collect(), variants: variants.map(str::to_owned).collect() }
    }

    /// The voice called `name`, with an optional variant after a plus sign, as in `en-gb+f3`.
    pub(super) fn named(&self, name: &str) -> Option<Voice> {
        let (voice, variant) =
            name.split_once('+').map_or((name, None), |(voice, variant)| (voice, Some(variant)));
        let voice = voice.to_lowercase();
        let known =
            self.names.contains(&voice) && variant.is_none_or(|variant| self.variants.contains(variant));
        known.then(|| Voice::Espeak(variant.map_or(voice.clone(), |variant| format!("{voice}+{variant}"))))
    }

    /// The voice of a BCP 47 language, or of the nearest language that has one.
    pub(super) fn of_language(&self, language: &str) -> Option<Voice> {
        let tag = language.to_lowercase().replace('_', "-");
        let mut prefix = Some(tag.as_str());
        while let Some(tag) = prefix {
            let special =
                NAMES.iter().find(|(language, _)| *language == tag).map_or(&[][..], |(_, names)| names);
            if let Some(name) = special.iter().copied().chain([tag]).find(|name| self.names.contains(*name)) {
                return Some(Voice::Espeak(self.with_variant(name)));
            }
            prefix = tag.rsplit_once('-').map(|(shorter, _)| shorter);
        }
        None
    }

    fn with_variant(&self, name: &str) -> String {
        let variant = VARIANTS.iter().find(|variant| self.variants.contains(**variant));
        variant.map_or_else(|| name.to_owned(), |variant| format!("{name}+{variant}"))
    }
}

/// The names by which a line of the voice table can be asked for: its own, and its other languages as `(zh 5)`.
fn names_of_line(line: &str) -> Vec<String> {
    let spaced = line.replace(")(", ") (");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let others = words.windows(2).filter_map(|pair| {
        let priority = pair[1].strip_suffix(')')?;
        priority.parse::<u32>().ok().and(pair[0].strip_prefix('('))
    });
    words.get(1).copied().into_iter().chain(others).map(str::to_lowercase).collect()
}

/// The voice for a job: the one asked for if it exists and Piper speaks the language, else the language's own.
pub(super) fn choose(asked: Option<&str>, language: &str, has_piper: bool, voices: &Voices) -> Option<Voice> {
    let english = language.split(['-', '_']).next().is_some_and(|tag| tag.eq_ignore_ascii_case("en"));
    let asked = asked.and_then(|name| voices.named(name));
    let piper = (english && has_piper).then_some(Voice::Piper);
    asked.or(piper).or_else(|| voices.of_language(language))
}

#[cfg(test)]
mod tests {
    use super::*;

    const VOICES: &str = "\
Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  cmn             --/M      Chinese_(Mandarin,_latin_as_English) sit/cmn              (zh-cmn 5)(zh 5)
 5  cmn-latn-pinyin --/M      Chinese_(Mandarin,_latin_as_Pinyin) sit/cmn-Latn-pinyin  (zh-cmn 5)(zh 5)
 2  en-gb           --/M      English_(Great_Britain) gmw/en               (en 2)
 2  en-us           --/M      English_(America)  gmw/en-US            (en 3)
 5  fr-fr           --/M      French_(France)    roa/fr               (fr 5)
 7  af              --/M      afrikaans-mbrola-1 mb/mb-af1
 5  nb              --/M      Norwegian_Bokmål  gmq/nb               (no 5)
 5  yue             --/M      Chinese_(Cantonese) sit/yue              (zh-yue 5)(zh 8)
";
    const VARIANT_TABLE: &str = "\
Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  variant         --/F      female3            !v/f3
 5  variant         --/F      Annie              !v/Annie
 5  variant         --/M      Mr_Serious         !v/Mr serious
";

    fn name(asked: Option<&str>, language: &str, piper: bool) -> Option<String> {
        let voice = choose(asked, language, piper, &Voices::parse(VOICES, VARIANT_TABLE));
        voice.map(|voice| voice.name().to_owned())
    }

    #[test]
    fn each_language_gets_its_own_voice() {
        for (language, expected) in [
            ("zh", "cmn-latn-pinyin+Annie"),
            ("zh-Hans-CN", "cmn-latn-pinyin+Annie"),
            ("zh-HK", "yue+Annie"),
            ("fr-CA", "fr+Annie"),
            ("no", "nb+Annie"),
            ("en-GB", "en-gb+Annie"),
            ("en-AU", "en-us+Annie"),
        ] {
            assert_eq!(name(None, language, false).as_deref(), Some(expected), "{language}");
        }
    }

    #[test]
    fn english_is_spoken_by_piper_where_it_is_installed() {
        assert_eq!(name(None, "en-GB", true).as_deref(), Some(PIPER_VOICE));
        assert_eq!(name(None, "fr", true).as_deref(), Some("fr+Annie"));
    }

    #[test]
    fn a_voice_asked_for_by_name_is_taken() {
        assert_eq!(name(Some("en-GB+f3"), "en", true).as_deref(), Some("en-gb+f3"));
        assert_eq!(name(Some(PIPER_VOICE), "en", true).as_deref(), Some(PIPER_VOICE));
    }

    #[test]
    fn an_unknown_voice_becomes_the_languages_own() {
        for asked in ["nova", "en-gb+nosuch", "--path=/etc", "", "af"] {
            assert_eq!(name(Some(asked), "fr", true).as_deref(), Some("fr+Annie"), "{asked}");
        }
        assert_eq!(name(Some(PIPER_VOICE), "zh", true).as_deref(), Some("cmn-latn-pinyin+Annie"));
    }

    #[test]
    fn a_language_without_a_voice_has_none() {
        assert_eq!(name(None, "dz", true), None);
        assert_eq!(name(None, "", false), None);
    }
}
