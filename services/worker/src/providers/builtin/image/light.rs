//! The light of a scene: the colours of sky, sun, shade and haze by time, weather, mood and style.

use domain::settings::Mood;
use domain::style::KnownStyle;

use super::color::{Rgb, grey, hex};
use super::noise::lerp;
use super::scene::{Scene, Season, Time, Weather};

pub(super) struct Light {
    /// The sky at the top, in the middle and at the horizon.
    pub(super) sky: [Rgb; 3],
    /// The colour of sun or moon and of the halo around it.
    pub(super) sun: Rgb,
    /// How far sun or moon shows through the weather, 0 to 1.
    pub(super) sun_strength: f32,
    /// What falls on everything.
    ambient: Rgb,
    /// What falls on the side that faces the sun.
    key: Rgb,
    pub(super) haze: Rgb,
    /// How soon things far away fade into the haze; 1 in clear air.
    pub(super) haziness: f32,
    /// How much of the sky is covered, 0 to 1.
    pub(super) clouds: f32,
    pub(super) cloud_lit: Rgb,
    pub(super) cloud_shade: Rgb,
    /// How strongly windows and lamps shine, 0 to 1.
    pub(super) lamps: f32,
    /// How clearly stars are seen, 0 to 1.
    pub(super) stars: f32,
    /// Of lamps and windows.
    pub(super) lamp: Rgb,
}

impl Light {
    pub(super) fn of(scene: &Scene, style: Option<KnownStyle>, mood: Mood) -> Self {
        let mut light = Self::at(scene.time);
        light.under(scene.weather, scene.time);
        light.felt_as(mood);
        if scene.season == Season::Autumn {
            light.sky[2] = light.sky[2].mix(hex(0xf0c890), 0.2);
        }
        if let Some(style) = style {
            light.painted_in(style);
        }
        light
    }

    /// A surface of this colour: `lit` 0 faces away from the sun, 1 towards it; `depth` 0 is near, 1 far.
    #[inline]
    pub(super) fn shade(&self, albedo: Rgb, lit: f32, depth: f32) -> Rgb {
        (albedo * (self.ambient + self.key * lit)).mix(self.haze, self.haze_at(depth))
    }

    /// How much haze lies before things at this depth.
    #[inline]
    pub(super) fn haze_at(&self, depth: f32) -> f32 {
        (depth * self.haziness).clamp(0.0, 0.96)
    }

    /// The warm light of a lamp-lit room, for those who are in it.
    pub(super) fn indoors(&mut self) {
        self.ambient = self.ambient.mix(hex(0x8a6f5c), 0.7);
        self.key = self.key.mix(hex(0xa07448), 0.7);
        self.haziness = 0.0;
    }

    fn at(time: Time) -> Self {
        let base = |sky: [u32; 3], sun: u32, ambient: u32, key: u32, haze: u32| Self {
            sky: sky.map(hex),
            sun: hex(sun),
            sun_strength: 1.0,
            ambient: hex(ambient),
            key: hex(key),
            haze: hex(haze),
            haziness: 0.85,
            clouds: 0.38,
            cloud_lit: hex(sky[2]).mix(hex(sun), 0.6),
            cloud_shade: hex(sky[1]).mix(hex(sky[2]), 0.35),
            lamps: 0.0,
            stars: 0.0,
            lamp: hex(0xffc46b),
        };
        match time {
            Time::Dawn => Self {
                lamps: 0.35,
                haziness: 0.85,
                cloud_lit: hex(0xffdcc4),
                cloud_shade: hex(0xb79cb8),
                ..base([0x4a72b4, 0xb0a4cc, 0xffcf9e], 0xffe4b4, 0x70749e, 0xb88c58, 0xc3b6cc)
            },
            Time::Day => Self {
                cloud_lit: hex(0xffffff),
                cloud_shade: hex(0xb4c7dc),
                ..base([0x2b6dc0, 0x6ba7e2, 0xcfe6f4], 0xfff7e0, 0x8f9fb4, 0x7f7868, 0xc2d9ea)
            },
            Time::Sunset => Self {
                lamps: 0.5,
                haziness: 1.0,
                cloud_lit: hex(0xffb27a),
                cloud_shade: hex(0x8c5478),
                ..base([0x2f4284, 0xc4687c, 0xffb765], 0xffe2a0, 0x6d5f84, 0xb8743e, 0xbd7f8a)
            },
            Time::Dusk => Self {
                lamps: 0.9,
                stars: 0.35,
                sun_strength: 0.7,
                cloud_lit: hex(0xc98a9c),
                cloud_shade: hex(0x443f74),
                ..base([0x16214e, 0x4d4a88, 0xe0938a], 0xffc9a8, 0x50547e, 0x5c4658, 0x7f6b95)
            },
            Time::Night => Self {
                lamps: 1.0,
                stars: 1.0,
                clouds: 0.25,
                cloud_lit: hex(0x5b74a4),
                cloud_shade: hex(0x141e40),
                ..base([0x070d2a, 0x152657, 0x3a5f90], 0xe9efff, 0x3d4a74, 0x566588, 0x2e4c7a)
            },
        }
    }

    fn under(&mut self, weather: Weather, time: Time) {
        let dark = match time {
            Time::Night => 0.42,
            Time::Dusk => 0.7,
            _ => 1.0,
        };
        let (cover, veil, tone, sun, haze) = match weather {
            Weather::Clear => return,
            Weather::Clouds => (0.62, 0.25, hex(0x9fb0c0), 0.75, 1.0),
            Weather::Rain => (0.9, 0.62, hex(0x76869a), 0.25, 1.35),
            Weather::Storm => (0.97, 0.78, hex(0x3d4658), 0.12, 1.2),
            Weather::Snow => (0.85, 0.55, hex(0xc3ced9), 0.35, 1.25),
            Weather::Fog => (0.6, 0.6, hex(0xc8d0d4), 0.5, 1.9),
        };
        // Grey weather keeps something of the hour's own tint.
        let tone = tone.mix(self.sky[2], 0.2) * dark;
        self.clouds = cover;
        self.sun_strength *= sun;
        self.stars *= (1.0 - cover) * 0.8;
        self.haziness *= haze;
        self.sky = [
            self.sky[0].mix(tone * 0.72, veil),
            self.sky[1].mix(tone, veil),
            self.sky[2].mix(tone * 1.18, veil),
        ];
        self.haze = self.haze.mix(tone * 1.05, veil);
        self.cloud_lit = self.cloud_lit.mix(tone * 1.2, veil);
        self.cloud_shade = self.cloud_shade.mix(tone * 0.6, veil);
        self.ambient = self.ambient.mix(tone * 1.5, veil * 0.5);
        self.key = self.key.mix(tone * 0.3, veil);
        self.lamps = self.lamps.max(veil * 0.9);
    }

    fn felt_as(&mut self, mood: Mood) {
        let (brightness, saturation, cast) = match mood {
            Mood::Calm => (1.0, 0.94, Rgb { r: 1.01, g: 1.0, b: 0.99 }),
            Mood::Tense => (0.86, 0.78, Rgb { r: 0.97, g: 0.99, b: 1.04 }),
            Mood::Bright => (1.06, 1.12, Rgb { r: 1.02, g: 1.0, b: 0.97 }),
        };
        if mood == Mood::Tense {
            self.clouds = lerp(self.clouds, 1.0, 0.35);
        }
        self.recolour(|color| {
            (color.saturate(saturation) * cast * brightness).map(|channel| channel.clamp(0.0, 1.0))
        });
    }

    /// Styles with a sky of their own; the others only treat the finished picture.
    fn painted_in(&mut self, style: KnownStyle) {
        let dark = self.sky[1].luma() < 0.3;
        match style {
            KnownStyle::Anime => {
                self.recolour(|color| color.saturate(1.25));
                self.cloud_lit = self.cloud_lit.mix(grey(1.0), if dark { 0.0 } else { 0.35 });
            }
            KnownStyle::Cyberpunk => {
                let neon = [hex(0x0b0a26), hex(0x3a1a6e), hex(0xff5a9c)];
                for (own, neon) in self.sky.iter_mut().zip(neon) {
                    *own = own.mix(neon, 0.85);
                }
                self.haze = hex(0x6c4aa4);
                (self.ambient, self.key) = (hex(0x46709a), hex(0x9a4a86));
                (self.cloud_lit, self.cloud_shade) = (hex(0xa0307c), hex(0x150a30));
                (self.sun, self.lamps, self.lamp) = (hex(0xffa47a), 1.0, hex(0x4fe8ff));
            }
            KnownStyle::Ukiyoe => {
                let light = if dark { 0.42 } else { 1.0 };
                self.sky =
                    [self.sky[0].mix(hex(0x1f4e79), 0.75), hex(0xe4d4ac) * light, hex(0xf0d2a4) * light];
                self.haze = hex(0xb4c0b0) * light;
                self.cloud_lit = hex(0xf4e9cc) * light;
                self.cloud_shade = hex(0xe0cfa8) * light;
                self.sun = hex(0xd8452e);
            }
            KnownStyle::Ink => {
                let paper = hex(0xf2eada) * if dark { 0.66 } else { 1.0 };
                self.sky = [paper * 0.93, paper, paper];
                (self.haze, self.cloud_lit, self.cloud_shade) = (paper, paper, paper * 0.86);
                (self.ambient, self.key) = (self.ambient * 0.36, self.key * 0.62);
                self.haziness = self.haziness.clamp(0.74, 0.95);
            }
            KnownStyle::Dreamy => {
                self.recolour(|color| color.mix(hex(0xe8b8e0), 0.22));
                self.haziness *= 1.2;
            }
            KnownStyle::Render3d => self.recolour(|color| color.mix(grey(color.luma().sqrt()), 0.12)),
            _ => {}
        }
    }

    fn recolour(&mut self, change: impl Fn(Rgb) -> Rgb) {
        self.sky = self.sky.map(&change);
        for color in [
            &mut self.ambient,
            &mut self.key,
            &mut self.haze,
            &mut self.cloud_lit,
            &mut self.cloud_shade,
            &mut self.sun,
        ] {
            *color = change(*color);
        }
    }
}
