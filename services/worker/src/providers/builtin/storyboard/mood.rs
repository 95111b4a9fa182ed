//! Tells the feeling of each shot from its words, its punctuation and its neighbours.

use domain::settings::Mood;

use super::lexicon::Lexicon;

const WORDS: &[(Mood, &str)] = &[
    (
        Mood::Calm,
        "calm quiet quietly still silent silence gentle gently soft softly sleep sleeping asleep slept dream moon \
         moonlight rest resting slow slowly peace peaceful breeze drift whisper murmur lullaby warm tender evening \
         dusk settle evenly breathe mist snow snowflake candle tea home patient old memory remember lake meadow \
         stars starlight lantern wait",
    ),
    (
        Mood::Calm,
        "平静 宁静 安静 静静 寂静 轻轻 温柔 柔和 睡 梦 月光 月亮 月色 休息 慢慢 缓缓 微风 细雨 低语 温暖 黄昏 傍晚 \
         星光 灯笼 回忆 记得 思念 悠悠 淡淡 薄雾 炊烟 故乡 家",
    ),
    (
        Mood::Tense,
        "storm thunder lightning tempest dark darkness darken black fear afraid frighten frightened terror terrified \
         terrible horror scream shriek danger dangerous chase chased hunt hunter flee fled escape wreck shipwreck \
         drown drowned sink sank sinking blood fight fought battle war attack enemy sword lost broken break broke \
         shadow crash howl roar shout desperate desperately tremble trembling shiver panic death dead die died dying \
         kill killed monster ghost trap trapped fall fell flood fire flames burn burned smoke alarm hurry ran gasp \
         grief weep wept cried tears storms wolf wolves cold bitter freezing cruel rage raged fury furious violent \
         vanish vanished gone alone rocks",
    ),
    (
        Mood::Tense,
        "暴风 风暴 暴雨 雷 闪电 狂风 黑暗 漆黑 恐惧 害怕 可怕 惊 尖叫 危险 追赶 追 逃 沉没 淹 血 战斗 战争 敌人 攻击 \
         剑 迷路 破碎 阴影 怒吼 咆哮 呼啸 绝望 颤抖 发抖 死 鬼 怪物 陷阱 坠 洪水 大火 火焰 燃烧 浓烟 着急 急忙 哭 \
         眼泪 泪 狼 寒冷 冰冷 刺骨 失踪 孤独 巨浪 翻 吼",
    ),
    (
        Mood::Bright,
        "laugh laughed laughter smile smiled sun sunlight sunny sunrise sunshine dawn morning dance dancing danced \
         joy joyful happy happily happiness gold golden bloom blossom spring cheer cheered bright brightly rainbow \
         festival feast sing sang singing song birthday hope play playing played flower flowers glad delight merry \
         wonderful celebrate celebration victory win won shine shining sparkle glitter light_returned summer \
         butterfly kite safe saved greet welcome welcomed embrace embraced hug",
    ),
    (
        Mood::Bright,
        "笑 微笑 阳光 太阳 日出 黎明 清晨 早晨 朝阳 跳舞 快乐 高兴 欢喜 欢呼 幸福 金色 金黄 开花 盛开 花朵 春天 明亮 \
         彩虹 节日 歌声 唱歌 唱 生日 希望 玩耍 美好 庆祝 胜利 闪耀 闪闪 夏天 蝴蝶 风筝 平安 欢迎 拥抱 得救",
    ),
];

/// The mood of each narration. One without a sign of its own takes that of the shot before it, or else of
/// the next that has one, or else is calm; an exclamation makes a calm shot that has no sign bright.
pub(super) fn moods(narrations: &[String]) -> Vec<Mood> {
    let lexicon = Lexicon::new(WORDS.iter().map(|(mood, words)| (*words, *mood)));
    let signs = |text: &String| lexicon.find(text).into_iter().map(|(_, mood)| mood).collect();
    let signs: Vec<Vec<Mood>> = narrations.iter().map(signs).collect();
    let mut before = signs.iter().find_map(|signs| told(signs, Mood::Calm)).unwrap_or(Mood::Calm);
    let mut moods = Vec::with_capacity(signs.len());
    for (signs, text) in signs.iter().zip(narrations) {
        let own = told(signs, before);
        let exclaims = text.contains(['!', '！']);
        // An exclamation colours its own shot only.
        moods.push(own.unwrap_or(if exclaims && before == Mood::Calm { Mood::Bright } else { before }));
        before = own.unwrap_or(before);
    }
    moods
}

/// The mood with the most signs. Of two that are even it is the one before, or else any rather than calm.
fn told(signs: &[Mood], before: Mood) -> Option<Mood> {
    let count = |mood: Mood| signs.iter().filter(|sign| **sign == mood).count();
    signs.iter().copied().max_by_key(|mood| (count(*mood), *mood == before, *mood != Mood::Calm))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moods_of(narrations: &[&str]) -> Vec<Mood> {
        moods(&narrations.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn words_tell_the_mood_in_english_and_chinese() {
        assert_eq!(moods_of(&["The lake lay still and quiet."]), [Mood::Calm]);
        assert_eq!(moods_of(&["Thunder crashed and the children screamed."]), [Mood::Tense]);
        assert_eq!(moods_of(&["They laughed and danced in the sunshine."]), [Mood::Bright]);
        assert_eq!(
            moods_of(&["月光静静地照着。", "狂风怒吼，她害怕极了。", "孩子们笑着放风筝。"]),
            [Mood::Calm, Mood::Tense, Mood::Bright]
        );
    }

    #[test]
    fn a_shot_without_a_sign_follows_its_neighbours() {
        assert_eq!(moods_of(&["He took a step.", "Wolves howled.", "He took a step."]), [Mood::Tense; 3]);
        assert_eq!(moods_of(&["He took a step."]), [Mood::Calm]);
    }

    #[test]
    fn an_exclamation_lifts_a_calm_shot_alone() {
        assert_eq!(moods_of(&["So be it!", "He took a step."]), [Mood::Bright, Mood::Calm]);
    }
}
