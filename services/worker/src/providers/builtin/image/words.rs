//! The words the painter knows, in English and Chinese, and how they are found in a prompt.

use super::scene::{Figure, Place, Season, Structure, Thing, Time, Water, Weather};

/// What a word stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Time(Time),
    Weather(Weather),
    Season(Season),
    Place(Place),
    Water(Water),
    Structure(Structure),
    Figure(Figure),
    Thing(Thing),
    /// Speaks of East Asia.
    Eastern,
    /// What mostly stands in a room, unless something outdoors is named.
    Indoors,
    /// Some person, unless one is named.
    Somebody,
    /// What follows is not there: something is only like it.
    Likeness,
    /// Looks like one of ours within a longer Chinese word, but is none.
    Nothing,
}

/// The bytes after a word of likeness in which what it is like stands.
const LIKENESS: usize = 26;

/// Each meaning once, what something is only like left out, in the order of its first mention. English goes by whole words, singular or
/// plural; Chinese by the longest known word at each place.
pub(super) fn words_in(prompt: &str) -> Vec<Word> {
    let text = prompt.to_lowercase();
    let mut found = Vec::new();
    let mut likeness = None;
    let mut rest = text.as_str();
    while let Some(letter) = rest.chars().next() {
        let (taken, meanings) = if letter.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            (end, english(&rest[..end]))
        } else {
            chinese(rest).unwrap_or((letter.len_utf8(), &[]))
        };
        if meanings == [Word::Likeness] {
            likeness = Some(rest.len());
        } else if !meanings.is_empty() && likeness.take().is_none_or(|at| at - rest.len() > LIKENESS) {
            for word in meanings {
                if *word != Word::Nothing && !found.contains(word) {
                    found.push(*word);
                }
            }
        }
        rest = &rest[taken..];
    }
    found
}

/// The meanings of an English word, in lower case.
fn english(word: &str) -> &'static [Word] {
    let singular = [Some(word), word.strip_suffix('s'), word.strip_suffix("es"), word.strip_suffix('y')];
    let known = |form: &str| ENGLISH.iter().find(|(forms, _)| forms.split(' ').any(|known| known == form));
    singular.into_iter().flatten().find_map(known).map_or(&[], |(_, meanings)| meanings)
}

/// The longest known word at the start of the text: its length in bytes and its meanings.
fn chinese(text: &str) -> Option<(usize, &'static [Word])> {
    CHINESE
        .iter()
        .flat_map(|(forms, meanings)| forms.split(' ').map(move |form| (form, *meanings)))
        .filter(|(form, _)| text.starts_with(form))
        .max_by_key(|(form, _)| form.len())
        .map(|(form, meanings)| (form.len(), meanings))
}

/// Words separated by spaces, and what they stand for.
type Entry = (&'static str, &'static [Word]);

const ENGLISH: &[Entry] = &[
    ("dawn sunrise daybreak morning", &[Word::Time(Time::Dawn)]),
    ("day noon midday daytime afternoon daylight", &[Word::Time(Time::Day)]),
    ("sunny", &[Word::Time(Time::Day), Word::Weather(Weather::Clear)]),
    ("sunset evening", &[Word::Time(Time::Sunset)]),
    ("dusk twilight nightfall gloaming", &[Word::Time(Time::Dusk)]),
    ("night midnight nighttime dark moonles", &[Word::Time(Time::Night)]),
    ("moon moonlight moonlit moonrise", &[Word::Thing(Thing::Moon), Word::Time(Time::Night)]),
    ("star starry starlight starlit constellation", &[Word::Thing(Thing::Stars), Word::Time(Time::Night)]),
    ("sun sunlight sunlit sunshine", &[Word::Thing(Thing::Sun)]),
    ("cloud cloudy overcast", &[Word::Weather(Weather::Clouds)]),
    ("clear", &[Word::Weather(Weather::Clear)]),
    ("rain rainy raining drizzle downpour rainfall", &[Word::Weather(Weather::Rain)]),
    ("storm stormy thunder lightning thunderstorm tempest hurricane", &[Word::Weather(Weather::Storm)]),
    ("snow snowy snowing snowfall blizzard snowstorm", &[Word::Weather(Weather::Snow)]),
    ("fog foggy mist misty haze hazy", &[Word::Weather(Weather::Fog)]),
    ("spring blossom cherry", &[Word::Season(Season::Spring)]),
    ("summer", &[Word::Season(Season::Summer)]),
    ("autumn maple", &[Word::Season(Season::Autumn)]),
    ("winter ice icy frozen frost frosty", &[Word::Season(Season::Winter)]),
    ("mountain peak summit alp alpine ridge volcano valley", &[Word::Place(Place::Mountains)]),
    ("hill hilly hillside meadow pasture", &[Word::Place(Place::Hills)]),
    ("desert dune sahara oasi", &[Word::Place(Place::Desert)]),
    ("forest wood woodland jungle grove", &[Word::Place(Place::Forest), Word::Thing(Thing::Tree)]),
    ("plain prairie steppe grassland savanna", &[Word::Place(Place::Plain), Word::Thing(Thing::Grass)]),
    ("field farmland wheat", &[Word::Place(Place::Plain), Word::Thing(Thing::Field)]),
    ("farm", &[Word::Place(Place::Plain), Word::Structure(Structure::House), Word::Thing(Thing::Field)]),
    ("beach coast shore seaside shoreline island", &[Word::Place(Place::Beach)]),
    ("cliff", &[Word::Place(Place::Cliff)]),
    ("street alley avenue downtown market", &[Word::Place(Place::Street)]),
    (
        "room kitchen bedroom classroom indoor indoors interior attic parlor parlour nursery",
        &[Word::Place(Place::Room)],
    ),
    (
        "window windowpane windowsill fireplace hearth armchair sofa curtain hall library office cafe workshop study inside",
        &[Word::Indoors],
    ),
    ("astronaut cosmonaut", &[Word::Place(Place::Space), Word::Figure(Figure::Person)]),
    ("underwater undersea coral reef seabed", &[Word::Place(Place::Underwater)]),
    ("space planet galaxy spaceship spacecraft rocket universe cosmo nebula", &[Word::Place(Place::Space)]),
    ("sea ocean bay wave tide", &[Word::Water(Water::Sea)]),
    (
        "harbor harbour port pier dock quay jetty wharf",
        &[Word::Water(Water::Sea), Word::Structure(Structure::Pier), Word::Structure(Structure::Boat)],
    ),
    ("lake pond reservoir lagoon", &[Word::Water(Water::Lake)]),
    ("river stream creek brook canal", &[Word::Water(Water::River)]),
    ("house cottage cabin hut farmhouse barn shed mansion", &[Word::Structure(Structure::House)]),
    ("village town hamlet", &[Word::Structure(Structure::Village)]),
    ("city cities skyline skyscraper metropolis cityscape", &[Word::Structure(Structure::City)]),
    ("lighthouse beacon", &[Word::Structure(Structure::Lighthouse)]),
    ("castle palace fortress kingdom", &[Word::Structure(Structure::Castle)]),
    ("temple pagoda shrine monastery", &[Word::Structure(Structure::Temple), Word::Eastern]),
    ("church chapel cathedral", &[Word::Structure(Structure::Church)]),
    ("tower", &[Word::Structure(Structure::Tower)]),
    ("windmill mill", &[Word::Structure(Structure::Windmill)]),
    ("bridge", &[Word::Structure(Structure::Bridge)]),
    ("ship sail galleon sailboat pirate", &[Word::Structure(Structure::Ship)]),
    ("boat canoe raft rowboat kayak fisherman fishermen", &[Word::Structure(Structure::Boat)]),
    ("tent camp campsite", &[Word::Structure(Structure::Tent)]),
    (
        "person man woman traveler traveller farmer knight king queen warrior wanderer grandmother grandfather \
         mother father keeper hero monk wizard witch prince princess sailor hiker stranger soldier samurai \
         figure teacher lady gentleman shepherd",
        &[Word::Figure(Figure::Person)],
    ),
    ("he she", &[Word::Somebody]),
    ("child children kid boy girl son daughter student", &[Word::Figure(Figure::Child)]),
    ("crowd crowded people busy bustling villager family crew men women", &[Word::Figure(Figure::Crowd)]),
    (
        "bird seagull gull crow eagle swallow crane raven dove sparrow geese goose owl flock",
        &[Word::Figure(Figure::Bird)],
    ),
    ("dog puppy puppies hound", &[Word::Figure(Figure::Dog)]),
    ("cat kitten", &[Word::Figure(Figure::Cat)]),
    ("horse pony ponies stallion donkey unicorn", &[Word::Figure(Figure::Horse)]),
    ("cow ox buffalo cattle bull", &[Word::Figure(Figure::Cow)]),
    ("sheep lamb goat", &[Word::Figure(Figure::Sheep)]),
    ("rabbit bunny bunn hare", &[Word::Figure(Figure::Rabbit)]),
    ("fox", &[Word::Figure(Figure::Fox)]),
    ("wolf wolve", &[Word::Figure(Figure::Wolf)]),
    ("deer stag reindeer", &[Word::Figure(Figure::Deer)]),
    ("bear", &[Word::Figure(Figure::Bear)]),
    ("fish fishe koi", &[Word::Figure(Figure::Fish)]),
    ("whale dolphin", &[Word::Figure(Figure::Whale)]),
    ("dragon", &[Word::Figure(Figure::Dragon)]),
    ("tree oak pine willow birch orchard", &[Word::Thing(Thing::Tree)]),
    ("bamboo", &[Word::Thing(Thing::Tree), Word::Eastern]),
    ("flower roses garden bloom tulip sunflower lavender poppy poppie", &[Word::Thing(Thing::Flowers)]),
    ("grass reed lawn", &[Word::Thing(Thing::Grass)]),
    ("rock stone boulder", &[Word::Thing(Thing::Rock)]),
    ("lantern lamp candle lamplight flame torch", &[Word::Thing(Thing::Lantern)]),
    ("streetlight streetlamp", &[Word::Thing(Thing::StreetLamp)]),
    ("fire campfire bonfire", &[Word::Thing(Thing::Fire)]),
    ("smoke chimney", &[Word::Thing(Thing::Smoke)]),
    ("path road trail lane", &[Word::Thing(Thing::Path)]),
    ("rainbow", &[Word::Thing(Thing::Rainbow)]),
    ("neon", &[Word::Thing(Thing::Neon)]),
    ("umbrella", &[Word::Thing(Thing::Umbrella)]),
    ("balloon", &[Word::Thing(Thing::Balloon)]),
    ("like", &[Word::Likeness]),
    ("chinese japanese china japan kimono asian", &[Word::Eastern]),
];

const CHINESE: &[Entry] = &[
    ("清晨 早晨 黎明 日出 拂晓 破晓 早上 清早 凌晨 晨光 朝阳", &[Word::Time(Time::Dawn)]),
    ("白天 中午 正午 下午 午后 白昼 上午", &[Word::Time(Time::Day)]),
    ("晴天 晴朗 阳光明媚 晴空", &[Word::Time(Time::Day), Word::Weather(Weather::Clear)]),
    ("黄昏 日落 夕阳 傍晚 落日 晚霞 余晖", &[Word::Time(Time::Sunset)]),
    ("暮色 薄暮 天黑", &[Word::Time(Time::Dusk)]),
    ("夜 夜晚 夜里 深夜 晚上 午夜 黑夜 半夜 夜色 黑暗", &[Word::Time(Time::Night)]),
    ("月亮 月光 明月 月色 月下 满月 圆月", &[Word::Thing(Thing::Moon), Word::Time(Time::Night)]),
    ("星星 星空 繁星 群星 星光 星辰", &[Word::Thing(Thing::Stars), Word::Time(Time::Night)]),
    ("太阳 阳光", &[Word::Thing(Thing::Sun)]),
    ("云 乌云 多云 白云 阴天", &[Word::Weather(Weather::Clouds)]),
    ("雨 下雨 细雨 大雨 雨中", &[Word::Weather(Weather::Rain)]),
    ("风暴 暴风雨 暴雨 雷雨 闪电 雷电 雷 台风", &[Word::Weather(Weather::Storm)]),
    ("雪 下雪 大雪 风雪 飘雪 雪花 暴风雪", &[Word::Weather(Weather::Snow)]),
    ("雾 薄雾 浓雾 雾气 云雾", &[Word::Weather(Weather::Fog)]),
    ("春 春天 桃花 樱花 梅花", &[Word::Season(Season::Spring)]),
    ("夏 夏天 夏日", &[Word::Season(Season::Summer)]),
    ("秋 秋天 枫叶 红叶 金秋", &[Word::Season(Season::Autumn)]),
    ("冬 冬天 寒冬 冰 冰雪", &[Word::Season(Season::Winter)]),
    ("山 高山 山脉 群山 山峰 雪山 山谷 山顶 大山 火山", &[Word::Place(Place::Mountains)]),
    ("山村", &[Word::Place(Place::Mountains), Word::Structure(Structure::Village)]),
    ("山丘 丘陵 山坡 小山", &[Word::Place(Place::Hills)]),
    ("沙漠 沙丘 戈壁", &[Word::Place(Place::Desert)]),
    ("森林 树林 丛林 林中 林间 山林", &[Word::Place(Place::Forest), Word::Thing(Thing::Tree)]),
    ("竹林", &[Word::Place(Place::Forest), Word::Thing(Thing::Tree), Word::Eastern]),
    ("草原 平原 草地", &[Word::Place(Place::Plain), Word::Thing(Thing::Grass)]),
    ("田野 麦田 稻田 农田 田", &[Word::Place(Place::Plain), Word::Thing(Thing::Field)]),
    ("海滩 沙滩 海边 海岸 岛 小岛", &[Word::Place(Place::Beach)]),
    ("悬崖 峭壁 崖", &[Word::Place(Place::Cliff)]),
    ("街 街道 街头 大街 小巷 巷 市场 集市 马路", &[Word::Place(Place::Street)]),
    ("房间 屋里 屋内 室内 厨房 卧室 教室 客厅 书房", &[Word::Place(Place::Room)]),
    ("窗 窗户 窗前 窗边 窗外 壁炉 沙发 窗帘 图书馆 办公室", &[Word::Indoors]),
    ("海底 水下 珊瑚", &[Word::Place(Place::Underwater)]),
    ("宇宙 太空 星球 银河 飞船 火箭", &[Word::Place(Place::Space)]),
    ("宇航员", &[Word::Place(Place::Space), Word::Figure(Figure::Person)]),
    ("海 大海 海洋 海浪 海上 波浪 海面 浪", &[Word::Water(Water::Sea)]),
    (
        "港口 港湾 码头",
        &[Word::Water(Water::Sea), Word::Structure(Structure::Pier), Word::Structure(Structure::Boat)],
    ),
    ("湖 湖泊 湖面 池塘", &[Word::Water(Water::Lake)]),
    ("河 江 河流 小溪 溪 河边 江边 小河", &[Word::Water(Water::River)]),
    ("房子 房屋 小屋 木屋 屋 农舍 茅屋 院子", &[Word::Structure(Structure::House)]),
    ("村 村庄 村子 小镇 镇 乡村 村落", &[Word::Structure(Structure::Village)]),
    ("城市 都市 高楼 摩天 上海 大厦", &[Word::Structure(Structure::City)]),
    ("灯塔", &[Word::Structure(Structure::Lighthouse)]),
    ("城堡 宫殿 王宫 皇宫", &[Word::Structure(Structure::Castle)]),
    ("寺 庙 寺庙 佛塔 宝塔 神社 古寺 亭", &[Word::Structure(Structure::Temple), Word::Eastern]),
    ("教堂", &[Word::Structure(Structure::Church)]),
    ("塔 高塔", &[Word::Structure(Structure::Tower)]),
    ("风车 磨坊", &[Word::Structure(Structure::Windmill)]),
    ("桥 石桥 小桥", &[Word::Structure(Structure::Bridge)]),
    ("船 帆船 大船 海盗", &[Word::Structure(Structure::Ship)]),
    ("小船 渔船 木船 渔夫 渔民 舟 竹筏", &[Word::Structure(Structure::Boat)]),
    ("帐篷 营地", &[Word::Structure(Structure::Tent)]),
    (
        "人 男人 女人 老人 老爷爷 奶奶 爷爷 母亲 父亲 妈妈 爸爸 农夫 骑士 国王 王后 武士 侠客 旅人 和尚 巫师 \
         公主 王子 书生 将军 士兵 老师 女子 男子 少年 少女 姑娘",
        &[Word::Figure(Figure::Person)],
    ),
    ("他 她", &[Word::Somebody]),
    ("全村的人 全村人 村里人", &[Word::Figure(Figure::Crowd), Word::Structure(Structure::Village)]),
    ("孩子 小孩 男孩 女孩 儿童 小女孩 小男孩 学生 儿子 女儿", &[Word::Figure(Figure::Child)]),
    ("人群 拥挤 人们 热闹 众人 村民 行人 他们 她们 熙熙攘攘", &[Word::Figure(Figure::Crowd)]),
    ("鸟 小鸟 海鸥 鹰 燕子 乌鸦 鹤 大雁 飞鸟 麻雀 鸽子", &[Word::Figure(Figure::Bird)]),
    ("狗 小狗 犬", &[Word::Figure(Figure::Dog)]),
    ("猫 小猫", &[Word::Figure(Figure::Cat)]),
    ("马 白马 骏马 驴", &[Word::Figure(Figure::Horse)]),
    ("牛 水牛 黄牛", &[Word::Figure(Figure::Cow)]),
    ("羊 绵羊 山羊", &[Word::Figure(Figure::Sheep)]),
    ("兔子 兔 白兔", &[Word::Figure(Figure::Rabbit)]),
    ("狐狸 狐", &[Word::Figure(Figure::Fox)]),
    ("狼", &[Word::Figure(Figure::Wolf)]),
    ("鹿 小鹿", &[Word::Figure(Figure::Deer)]),
    ("熊", &[Word::Figure(Figure::Bear)]),
    ("鱼 小鱼 锦鲤", &[Word::Figure(Figure::Fish)]),
    ("鲸 鲸鱼 海豚", &[Word::Figure(Figure::Whale)]),
    ("龙 巨龙", &[Word::Figure(Figure::Dragon)]),
    ("树 大树 松树 柳树 古树 树木 果园", &[Word::Thing(Thing::Tree)]),
    ("竹 竹子", &[Word::Thing(Thing::Tree), Word::Eastern]),
    ("花 花园 鲜花 花朵 玫瑰 野花", &[Word::Thing(Thing::Flowers)]),
    ("草 草丛 芦苇", &[Word::Thing(Thing::Grass)]),
    ("石 石头 岩石", &[Word::Thing(Thing::Rock)]),
    ("灯 灯笼 烛光 蜡烛 灯火 油灯 火把", &[Word::Thing(Thing::Lantern)]),
    ("路灯", &[Word::Thing(Thing::StreetLamp)]),
    ("火 篝火 火焰 营火", &[Word::Thing(Thing::Fire)]),
    ("炊烟 烟 烟囱", &[Word::Thing(Thing::Smoke)]),
    ("路 小路 山路 道路 小径", &[Word::Thing(Thing::Path)]),
    ("彩虹", &[Word::Thing(Thing::Rainbow)]),
    ("霓虹 霓虹灯", &[Word::Thing(Thing::Neon), Word::Thing(Thing::Lantern)]),
    ("伞 雨伞", &[Word::Thing(Thing::Umbrella)]),
    ("气球 热气球", &[Word::Thing(Thing::Balloon)]),
    ("像 好像 如同 仿佛 宛如", &[Word::Likeness]),
    (
        "马上 马虎 上街 人生 大家 国家 家庭 家乡 火车 花费 花时间 雨伞下 水龙头 公里 云南 江湖 夜以继日 雷同 石油 \
         作家 画家 专家 家人 别人 工人 个人 令人 机器人 山东 山西 海关 海拔 网络 雨停 雪停 雨过天晴",
        &[Word::Nothing],
    ),
];
