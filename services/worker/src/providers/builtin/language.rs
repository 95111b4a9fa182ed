//! Tells which language a text is in, from its script first and from its letters where a script serves many
//! languages, so that a story finds its voice without being asked.

use whatlang::{Detector, Info, Lang};

/// Letters of one script that are enough to know a language by; more text only costs time.
const ENOUGH_LETTERS: usize = 4_000;

/// Below so many letters a few everyday words say more than the statistics of letters.
const FEW_LETTERS: usize = 120;

/// The languages that espeak-ng speaks and that share a script, with their BCP 47 names. The first of each
/// script is taken for a text that tells too little.
const SHARING: &[(Script, Lang, &str)] = &[
    (Script::Latin, Lang::Eng, "en"),
    (Script::Latin, Lang::Fra, "fr"),
    (Script::Latin, Lang::Deu, "de"),
    (Script::Latin, Lang::Spa, "es"),
    (Script::Latin, Lang::Ita, "it"),
    (Script::Latin, Lang::Por, "pt"),
    (Script::Latin, Lang::Nld, "nl"),
    (Script::Latin, Lang::Pol, "pl"),
    (Script::Latin, Lang::Tur, "tr"),
    (Script::Latin, Lang::Swe, "sv"),
    (Script::Latin, Lang::Dan, "da"),
    (Script::Latin, Lang::Nob, "nb"),
    (Script::Latin, Lang::Fin, "fi"),
    (Script::Latin, Lang::Ces, "cs"),
    (Script::Latin, Lang::Slk, "sk"),
    (Script::Latin, Lang::Hun, "hu"),
    (Script::Latin, Lang::Ron, "ro"),
    (Script::Latin, Lang::Hrv, "hr"),
    (Script::Latin, Lang::Vie, "vi"),
    (Script::Latin, Lang::Ind, "id"),
    (Script::Latin, Lang::Cat, "ca"),
    (Script::Cyrillic, Lang::Rus, "ru"),
    (Script::Cyrillic, Lang::Ukr, "uk"),
    (Script::Cyrillic, Lang::Bul, "bg"),
    (Script::Cyrillic, Lang::Mkd, "mk"),
    (Script::Cyrillic, Lang::Srp, "sr"),
    (Script::Arabic, Lang::Ara, "ar"),
    (Script::Arabic, Lang::Pes, "fa"),
    (Script::Arabic, Lang::Urd, "ur"),
    (Script::Devanagari, Lang::Hin, "hi"),
    (Script::Devanagari, Lang::Mar, "mr"),
    (Script::Devanagari, Lang::Nep, "ne"),
];

/// Everyday words that betray a language in a short text.
const EVERYDAY: &[(&str, &[&str])] = &[
    (
        "en",
        &[
            "the", "and", "of", "was", "is", "were", "with", "he", "she", "it", "his", "her", "they", "to",
            "you",
        ],
    ),
    (
        "fr",
        &[
            "le", "la", "les", "des", "un", "une", "et", "est", "dans", "bonjour", "il", "elle", "du", "je",
            "nous",
        ],
    ),
    (
        "de",
        &[
            "der", "die", "das", "und", "ein", "eine", "ist", "war", "ich", "nicht", "mit", "im", "hallo",
            "sie",
        ],
    ),
    (
        "es",
        &["el", "la", "los", "las", "una", "y", "es", "en", "hola", "del", "por", "con", "había", "un", "mi"],
    ),
    (
        "it",
        &["il", "la", "gli", "una", "e", "è", "di", "che", "ciao", "nel", "della", "un", "per", "era", "con"],
    ),
    ("pt", &["o", "os", "uma", "um", "é", "em", "não", "olá", "da", "do", "com", "ela", "ele", "era", "na"]),
    (
        "nl",
        &["de", "het", "een", "en", "van", "is", "niet", "hallo", "zijn", "naar", "op", "ik", "hij", "zij"],
    ),
    ("pl", &["i", "w", "nie", "się", "na", "jest", "był", "była", "do", "cześć", "to", "ze"]),
    ("tr", &["bir", "ve", "bu", "merhaba", "ile", "için", "çok", "değil", "ne", "vardı"]),
    ("sv", &["och", "det", "en", "ett", "är", "hej", "som", "inte", "på", "den"]),
];

/// A writing system, as far as the length of a text or its language depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// Chinese characters, also in Japanese.
    Han,
    /// Hiragana and katakana.
    Kana,
    /// Korean.
    Hangul,
    /// The other scripts that put no spaces between words; the language that is written in it.
    Unspaced(&'static str),
    /// Latin.
    Latin,
    /// Cyrillic.
    Cyrillic,
    /// Arabic.
    Arabic,
    /// Devanagari.
    Devanagari,
    /// A script that serves mostly one language, given here.
    Of(&'static str),
    /// Anything else.
    Other,
}

impl Script {
    /// The script of a character; punctuation is [`Self::Other`].
    pub(super) fn of(c: char) -> Self {
        if c.is_ascii() {
            return if c.is_ascii_alphabetic() { Self::Latin } else { Self::Other };
        }
        match u32::from(c) {
            0xC0..=0x24F | 0x1E00..=0x1EFF | 0xFF21..=0xFF5A => Self::Latin,
            0x370..=0x3FF | 0x1F00..=0x1FFF => Self::Of("el"),
            0x400..=0x52F => Self::Cyrillic,
            0x531..=0x58F => Self::Of("hy"),
            0x5D0..=0x5F4 => Self::Of("he"),
            0x620..=0x6FF | 0x750..=0x77F | 0xFB50..=0xFDFF | 0xFE70..=0xFEFC => Self::Arabic,
            0x900..=0x97F => Self::Devanagari,
            0x980..=0x9FF => Self::Of("bn"),
            0xA00..=0xA7F => Self::Of("pa"),
            0xA80..=0xAFF => Self::Of("gu"),
            0xB80..=0xBFF => Self::Of("ta"),
            0xC00..=0xC7F => Self::Of("te"),
            0xC80..=0xCFF => Self::Of("kn"),
            0xD00..=0xD7F => Self::Of("ml"),
            0xD80..=0xDFF => Self::Of("si"),
            0xE00..=0xE7F => Self::Unspaced("th"),
            0xE80..=0xEFF => Self::Unspaced("lo"),
            0xF00..=0xFFF => Self::Unspaced("bo"),
            0x1000..=0x109F | 0xAA60..=0xAA7F => Self::Unspaced("my"),
            0x10A0..=0x10FF => Self::Of("ka"),
            0x1200..=0x137F => Self::Of("am"),
            0x1780..=0x17FF => Self::Unspaced("km"),
            0x1100..=0x11FF | 0x3131..=0x318E | 0xA960..=0xA97C | 0xAC00..=0xD7FB => Self::Hangul,
            0x3041..=0x309F | 0x30A1..=0x30FA | 0x30FC..=0x30FF | 0x31F0..=0x31FF | 0xFF66..=0xFF9F => {
                Self::Kana
            }
            0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3105..=0x312F | 0x3400..=0x4DBF => {
                Self::Han
            }
            0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF => Self::Han,
            _ => Self::Other,
        }
    }

    /// Whether words follow each other without a space.
    pub(super) fn is_unspaced(self) -> bool {
        matches!(self, Self::Han | Self::Kana | Self::Unspaced(_))
    }

    /// How long a letter takes to say, in halves of an English letter (about 0.03 s). From usual rates of
    /// narration: 180 English words, 260 Chinese characters, 330 Korean syllables a minute.
    pub(super) fn spoken_weight(self) -> u32 {
        match self {
            Self::Han => 5,
            Self::Hangul => 4,
            Self::Kana | Self::Unspaced(_) => 3,
            _ => 2,
        }
    }
}

/// The BCP 47 primary language of a text, for example `en` or `zh`, among those that espeak-ng speaks; in a
/// mixed text that of most of the spoken time. `en` when the text tells too little.
pub fn detect(text: &str) -> &'static str {
    let mut tally: Vec<(Script, u32)> = Vec::new();
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        let script = Script::of(c);
        match tally.iter_mut().find(|(known, _)| *known == script) {
            Some((_, weight)) => *weight += script.spoken_weight(),
            None => tally.push((script, script.spoken_weight())),
        }
    }
    let weight_of =
        |wanted: Script| tally.iter().find(|(script, _)| *script == wanted).map_or(0, |(_, weight)| *weight);
    let (han, kana, hangul) = (weight_of(Script::Han), weight_of(Script::Kana), weight_of(Script::Hangul));
    // A Chinese text may quote a little kana; a Japanese one is seldom less than a third kana.
    let japanese = kana * 6 > han;
    for (script, weight) in &mut tally {
        match script {
            Script::Kana if japanese => *weight += han,
            Script::Han if japanese => *weight = 0,
            Script::Hangul if hangul > han => *weight += han,
            _ => {}
        }
    }
    tally.retain(|(script, _)| *script != Script::Other);
    let main = tally.iter().rev().max_by_key(|(_, weight)| *weight).map(|(script, _)| *script);
    match main {
        Some(Script::Han) => "zh",
        Some(Script::Kana) => "ja",
        Some(Script::Hangul) => "ko",
        Some(Script::Of(language) | Script::Unspaced(language)) => language,
        Some(script @ (Script::Latin | Script::Cyrillic | Script::Arabic | Script::Devanagari)) => {
            detect_within(script, text)
        }
        Some(Script::Other) | None => "en",
    }
}

/// The language of the words in this one script.
fn detect_within(script: Script, text: &str) -> &'static str {
    let words: String = text
        .chars()
        .map(|c| if c.is_alphabetic() && Script::of(c) != script { ' ' } else { c })
        .take(ENOUGH_LETTERS)
        .collect();
    let candidates = || SHARING.iter().filter(|(known, ..)| *known == script);
    let usual = candidates().next().map_or("en", |(.., name)| *name);
    let by_words = || if script == Script::Latin { by_everyday_words(&words) } else { None };
    let by_letters = || {
        let detector = Detector::with_allowlist(candidates().map(|(_, lang, _)| *lang).collect());
        let found = detector.detect(&words).filter(Info::is_reliable)?;
        candidates().find(|(_, lang, _)| *lang == found.lang()).map(|(.., name)| *name)
    };
    let letters = words.chars().filter(|c| c.is_alphabetic()).count();
    let told =
        if letters < FEW_LETTERS { by_words().or_else(by_letters) } else { by_letters().or_else(by_words) };
    told.unwrap_or(usual)
}

/// The language with the most everyday words in the text, if one has more than the others.
fn by_everyday_words(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let words: Vec<&str> = text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()).collect();
    let mut hits: Vec<(usize, &'static str)> = EVERYDAY
        .iter()
        .map(|(language, everyday)| (words.iter().filter(|word| everyday.contains(word)).count(), *language))
        .collect();
    hits.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    match hits[..] {
        [(best, language), (second, _), ..] if best > second => Some(language),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_of_its_own_tells_the_language() {
        let texts = [
            ("海很静，船来了。", "zh"),
            ("夜の海は静かだった。", "ja"),
            ("ロボット", "ja"),
            ("바다가 잠들었다.", "ko"),
            ("ทะเลเงียบ", "th"),
            ("Η θάλασσα ήταν ήρεμη", "el"),
            ("הים היה שקט", "he"),
            ("समुद्र शांत था", "hi"),
            ("كان البحر هادئا", "ar"),
            ("Море было спокойно, и лодка ушла.", "ru"),
        ];
        for (text, language) in texts {
            assert_eq!(detect(text), language, "{text}");
        }
    }

    #[test]
    fn languages_that_share_the_latin_script_are_told_apart() {
        let texts = [
            ("At dawn the sea lay quiet and gulls circled over the beach.", "en"),
            ("Le vieux gardien monta l'escalier du phare pendant que la pluie tombait sur la mer.", "fr"),
            ("Der alte Wächter stieg die Treppe hinauf, und der Regen fiel auf das Meer.", "de"),
            ("El viejo guardián subió la escalera del faro y la lluvia caía sobre el mar.", "es"),
            ("Il vecchio guardiano salì le scale del faro e la pioggia cadeva sul mare.", "it"),
            ("O velho guardião subiu a escada do farol e a chuva não parava de cair no mar.", "pt"),
            ("De oude wachter klom de trap van de vuurtoren op en het regende op zee.", "nl"),
            ("Stary latarnik wszedł po schodach, a deszcz padał na morze i nie było nikogo.", "pl"),
            ("Yaşlı bekçi fenerin merdivenlerini çıktı ve denize bir yağmur yağdı.", "tr"),
        ];
        for (text, language) in texts {
            assert_eq!(detect(text), language, "{text}");
        }
    }

    #[test]
    fn short_texts_are_known_by_their_everyday_words() {
        for (text, language) in
            [("Bonjour le monde", "fr"), ("Hallo, ich bin hier", "de"), ("¡Hola! ¿Y tú?", "es")]
        {
            assert_eq!(detect(text), language, "{text}");
        }
    }

    #[test]
    fn a_text_that_tells_too_little_is_english() {
        for text in ["", "…", "123", "Mira", "OK", "🌊", "Lighthouse", "Storm!"] {
            assert_eq!(detect(text), "en", "{text}");
        }
    }

    #[test]
    fn a_mixed_text_is_in_the_language_that_is_spoken_longer() {
        assert_eq!(detect("他打开了 Python，然后开始写代码。"), "zh");
        assert_eq!(detect("The old man wrote 海 on the wall of the harbor and left."), "en");
        assert_eq!(detect("「の」is a Japanese particle, and there are many more of them."), "en");
        assert_eq!(detect("日本語の小説を読む中国人"), "ja");
    }
}
