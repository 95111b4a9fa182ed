//! Styles: free text, in which known names stand for a palette and a prompt fragment.

/// A style that the built-in painter has a palette for and that image models know by its fragment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KnownStyle {
    /// A frame of a feature film.
    Film,
    /// Japanese animation.
    Anime,
    /// A photograph.
    Realistic,
    /// Western cartoons.
    Cartoon,
    /// Transparent colour on paper.
    Watercolor,
    /// Thick paint on canvas.
    OilPainting,
    /// Chinese ink wash.
    Ink,
    /// Neon and chrome.
    Cyberpunk,
    /// Printed comics.
    Comic,
    /// Pixel art.
    Pixel,
    /// Computer-rendered figures.
    Render3d,
    /// Soft and glowing.
    Dreamy,
    /// Black and white.
    Noir,
    /// Japanese woodblock prints.
    Ukiyoe,
}

/// Every name that is understood, in lower case. Within one style the first is its own name.
const NAMES: &[(KnownStyle, &[&str])] = &[
    (KnownStyle::Film, &["film", "movie", "cinematic", "cinema", "电影", "電影"]),
    (KnownStyle::Anime, &["anime", "animation", "animated", "动画", "動畫", "动漫", "動漫", "アニメ"]),
    (
        KnownStyle::Realistic,
        &[
            "realistic",
            "realism",
            "photorealistic",
            "photo-realistic",
            "photographic",
            "photo",
            "photograph",
            "写实",
            "寫實",
        ],
    ),
    (KnownStyle::Cartoon, &["cartoon", "cartoons", "cartoonish", "卡通"]),
    (KnownStyle::Watercolor, &["watercolor", "watercolour", "aquarelle", "水彩", "水彩画"]),
    (KnownStyle::OilPainting, &["oil painting", "oil paint", "oils", "油画", "油畫"]),
    (
        KnownStyle::Ink,
        &["ink", "ink wash", "ink painting", "sumi-e", "sumi", "水墨", "水墨风", "水墨風", "水墨画", "国画"],
    ),
    (KnownStyle::Cyberpunk, &["cyberpunk", "cyber punk", "赛博朋克", "賽博朋克", "赛博"]),
    (KnownStyle::Comic, &["comic", "comics", "comic book", "manga", "漫画", "漫畫"]),
    (KnownStyle::Pixel, &["pixel", "pixel art", "pixelart", "pixelated", "8-bit", "像素", "像素画"]),
    (KnownStyle::Render3d, &["3d", "3d render", "3d rendering", "3d渲染", "三维渲染"]),
    (KnownStyle::Dreamy, &["dreamy", "dreamlike", "dream-like", "梦幻", "夢幻"]),
    (KnownStyle::Noir, &["noir", "film noir", "black and white", "black & white", "monochrome", "黑白"]),
    (KnownStyle::Ukiyoe, &["ukiyo-e", "ukiyoe", "ukiyo", "woodblock print", "woodblock", "浮世绘", "浮世繪"]),
];

impl KnownStyle {
    /// Every known style.
    pub const ALL: [Self; 14] = [
        Self::Film,
        Self::Anime,
        Self::Realistic,
        Self::Cartoon,
        Self::Watercolor,
        Self::OilPainting,
        Self::Ink,
        Self::Cyberpunk,
        Self::Comic,
        Self::Pixel,
        Self::Render3d,
        Self::Dreamy,
        Self::Noir,
        Self::Ukiyoe,
    ];

    /// The style that a free text names: in any case, with anything around the name. Of several names the
    /// longest counts, and of equally long ones the first: `film noir, black and white` is [`Self::Noir`].
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        NAMES
            .iter()
            .flat_map(|(style, names)| names.iter().map(move |name| (*style, *name)))
            .filter_map(|(style, name)| {
                let at = find_name(&text, name)?;
                Some((std::cmp::Reverse(name.len()), at, style))
            })
            .min_by_key(|(length, at, _)| (*length, *at))
            .map(|(_, _, style)| style)
    }

    /// English words that ask an image model for this style. They name a technique and no thing that could
    /// be taken for part of the scene.
    pub fn prompt_fragment(self) -> &'static str {
        match self {
            Self::Film => "cinematic film still, dramatic lighting, shallow depth of field, fine grain",
            Self::Anime => "anime style, clean line art, cel shading, vivid colors",
            Self::Realistic => "photorealistic, natural lighting, sharp focus, high detail",
            Self::Cartoon => "cartoon style, bold outlines, flat bright colors, simple rounded shapes",
            Self::Watercolor => "watercolor painting, soft translucent washes, textured paper",
            Self::OilPainting => "oil painting, visible brushstrokes, rich impasto texture, canvas grain",
            Self::Ink => {
                "Chinese ink wash painting, expressive brushwork, bare background, rice paper texture"
            }
            Self::Cyberpunk => "cyberpunk style, neon magenta and cyan glow, high contrast, futuristic",
            Self::Comic => "comic book style, inked outlines, halftone dots, strong flat colors",
            Self::Pixel => "pixel art, limited palette, crisp square pixels, 16-bit game style",
            Self::Render3d => "3D render, soft global illumination, smooth materials, stylized shapes",
            Self::Dreamy => "dreamy style, soft focus, pastel colors, gentle glow",
            Self::Noir => "black and white, film noir style, deep contrast, hard-edged shading",
            Self::Ukiyoe => "ukiyo-e woodblock print, flat color areas, fine outlines, muted pigments",
        }
    }
}

/// Where the name stands in the text, in bytes. A name in Latin letters must be words of its own, so that
/// `pink` is no ink; Chinese and Japanese put no spaces between words, so there any place will do.
fn find_name(text: &str, name: &str) -> Option<usize> {
    let spaced = name.is_ascii();
    let continues_word = |c: char| c.is_ascii_alphanumeric();
    text.match_indices(name).map(|(at, _)| at).find(|&at| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        !spaced || !(before.is_some_and(continues_word) || after.is_some_and(continues_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_documented_names_are_known() {
        let expected = [
            ("电影", KnownStyle::Film),
            ("动画", KnownStyle::Anime),
            ("写实", KnownStyle::Realistic),
            ("水墨风", KnownStyle::Ink),
            ("赛博朋克", KnownStyle::Cyberpunk),
            ("油画", KnownStyle::OilPainting),
            ("漫画", KnownStyle::Comic),
            ("像素", KnownStyle::Pixel),
            ("3D渲染", KnownStyle::Render3d),
            ("梦幻", KnownStyle::Dreamy),
            ("黑白", KnownStyle::Noir),
            ("浮世绘", KnownStyle::Ukiyoe),
            ("水墨", KnownStyle::Ink),
            ("水彩", KnownStyle::Watercolor),
            ("film", KnownStyle::Film),
            ("movie", KnownStyle::Film),
            ("cinematic", KnownStyle::Film),
            ("anime", KnownStyle::Anime),
            ("animation", KnownStyle::Anime),
            ("realistic", KnownStyle::Realistic),
            ("cartoon", KnownStyle::Cartoon),
            ("watercolor", KnownStyle::Watercolor),
            ("watercolour", KnownStyle::Watercolor),
            ("oil painting", KnownStyle::OilPainting),
            ("ink wash", KnownStyle::Ink),
            ("cyberpunk", KnownStyle::Cyberpunk),
            ("comic", KnownStyle::Comic),
            ("pixel art", KnownStyle::Pixel),
            ("3d", KnownStyle::Render3d),
            ("dreamy", KnownStyle::Dreamy),
            ("black and white", KnownStyle::Noir),
            ("ukiyo-e", KnownStyle::Ukiyoe),
        ];
        for (name, style) in expected {
            assert_eq!(KnownStyle::parse(name), Some(style), "{name}");
        }
    }

    #[test]
    fn case_and_surrounding_space_do_not_matter() {
        assert_eq!(KnownStyle::parse("  Oil PAINTING\n"), Some(KnownStyle::OilPainting));
        assert_eq!(KnownStyle::parse("3d渲染"), Some(KnownStyle::Render3d));
    }

    #[test]
    fn a_name_inside_free_text_is_found() {
        assert_eq!(KnownStyle::parse("a loose watercolour, lots of blue"), Some(KnownStyle::Watercolor));
        assert_eq!(KnownStyle::parse("宫崎骏式的动画风格"), Some(KnownStyle::Anime));
        assert_eq!(KnownStyle::parse("film noir"), Some(KnownStyle::Noir));
        assert_eq!(KnownStyle::parse("film写实"), Some(KnownStyle::Realistic));
    }

    #[test]
    fn letters_inside_another_word_are_no_name() {
        for text in ["pink", "filmography", "a comical hat", "x3d", "soils", "photon"] {
            assert_eq!(KnownStyle::parse(text), None, "{text}");
        }
    }

    #[test]
    fn unknown_text_is_no_known_style() {
        for text in ["", "   ", "stained glass", "剪纸", "🎨"] {
            assert_eq!(KnownStyle::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_style_has_names_and_its_fragment_leads_back_to_it() {
        for style in KnownStyle::ALL {
            assert!(NAMES.iter().any(|(named, names)| *named == style && !names.is_empty()));
            assert_eq!(KnownStyle::parse(style.prompt_fragment()), Some(style), "{style:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_parsed(text in "\\PC{0,60}") {
            let _ = KnownStyle::parse(&text);
        }
    }
}
