//! What holds for every storyboard, whatever the story.

use proptest::prelude::*;

use super::*;

fn spec(story: &str, shot_count: Option<u32>) -> StoryboardSpec {
    StoryboardSpec {
        story: story.to_owned(),
        style: String::new(),
        language: None,
        shot_count,
        verbatim: true,
    }
}

fn board(story: &str, shot_count: u32) -> StoryboardOutput {
    storyboard(&spec(story, Some(shot_count))).expect("the story has text")
}

fn narrations(story: &str, shot_count: u32) -> Vec<String> {
    board(story, shot_count).shots.into_iter().map(|shot| shot.narration).collect()
}

/// What must be the same before and after.
fn told(text: &str) -> String {
    text.trim_start_matches('\u{FEFF}').chars().filter(|c| !c.is_whitespace() && !c.is_control()).collect()
}

fn check(story: &str, output: &StoryboardOutput) {
    let joined: String = output.shots.iter().map(|shot| shot.narration.as_str()).collect();
    assert_eq!(told(&joined), told(story));
    assert!(!output.title.is_empty() && !output.language.is_empty());
    for shot in &output.shots {
        assert!(!shot.narration.is_empty() && !shot.title.is_empty() && !shot.prompt.is_empty());
        assert!(shot.title.chars().count() <= 60, "{}", shot.title);
        assert!(shot.prompt.chars().count() <= 400, "{}", shot.prompt);
        assert_eq!(shot.narration, Tidy::new(&shot.narration).text);
    }
}

#[test]
fn sentences_stay_whole_while_there_are_enough_of_them() {
    let story = "The sea was calm. The boat left at dawn. A gull cried. Nobody came back. Night fell.";
    assert_eq!(
        narrations(story, 5),
        ["The sea was calm.", "The boat left at dawn.", "A gull cried.", "Nobody came back.", "Night fell."]
    );
    assert_eq!(narrations(story, 2).len(), 2);
    assert!(narrations(story, 2).iter().all(|narration| narration.ends_with('.')));
}

#[test]
fn a_paragraph_is_a_better_end_than_a_sentence_of_the_same_length() {
    let story =
        "One two three. Four five six.\n\nSix seven eight. Nine ten.\n\nOne two three. Four five six.";
    let expected =
        ["One two three. Four five six.", "Six seven eight. Nine ten.", "One two three. Four five six."];
    assert_eq!(narrations(story, 3), expected);
}

#[test]
fn with_fewer_sentences_than_shots_clauses_and_then_words_come_apart() {
    let story = "When the tide went out, the old boat lay on the sand.";
    assert_eq!(narrations(story, 2), ["When the tide went out,", "the old boat lay on the sand."]);
    assert_eq!(narrations("One two three", 3), ["One", "two", "three"]);
    assert_eq!(narrations("One two three", 9), ["One", "two", "three"]);
    assert_eq!(narrations("海很静", 5), ["海", "很", "静"]);
    assert_eq!(narrations("“Lighthouse!”", 5), ["“Lighthouse!”"]);
}

#[test]
fn an_emoji_family_is_never_torn_apart() {
    let story = "家👨‍👩‍👧‍👦人🇨🇳们e\u{301}好";
    let narrations = narrations(story, 200);
    assert_eq!(narrations, ["家👨‍👩‍👧‍👦", "人🇨🇳", "们", "e\u{301}", "好"]);
}

#[test]
fn thai_comes_apart_at_its_spaces() {
    let story = "กาลครั้งหนึ่งนานมาแล้ว มีเด็กหญิงคนหนึ่งอยู่ริมทะเล";
    assert_eq!(narrations(story, 2), ["กาลครั้งหนึ่งนานมาแล้ว", "มีเด็กหญิงคนหนึ่งอยู่ริมทะเล"]);
    assert_eq!(board(story, 2).language, "th");
}

#[test]
fn a_heading_opens_the_film_and_names_the_project() {
    let story =
        "The Long Night\n\nIt was dark. The wind rose. The sea broke over the wall. Then morning came.";
    let output = board(story, 4);
    assert_eq!(output.title, "The Long Night");
    assert_eq!(output.shots[0].narration, "The Long Night");
    assert_eq!(board(story, 2).shots[0].narration, "The Long Night It was dark. The wind rose.");
    check(story, &output);
}

#[test]
fn a_chapter_heading_stays_with_what_follows() {
    let story = "It was dark. The wind rose.\n\nChapter Two\n\nThen morning came. The sea slept.";
    let expected = ["It was dark. The wind rose.", "Chapter Two Then morning came. The sea slept."];
    assert_eq!(narrations(story, 2), expected);
    assert_eq!(narrations(story, 4)[2], "Chapter Two Then morning came.");
}

#[test]
fn lines_that_are_wrapped_are_read_on() {
    let story = "The old boat went slowly out over the quiet water and nobody on the\nbeach said anything. \
                 A gull cried, and the wind turned, and then it\nwas night.";
    assert!(narrations(story, 2)[0].ends_with("anything."));
}

#[test]
fn two_hundred_shots_of_one_long_sentence_are_even() {
    let story = "word ".repeat(2_000);
    let output = board(&story, 200);
    assert_eq!(output.shots.len(), 200);
    assert!(output.shots.iter().all(|shot| shot.narration.split(' ').count() == 10));
    check(&story, &output);
}

#[test]
fn the_number_of_shots_follows_the_length_when_none_is_asked_for() {
    let count = |story: &str| storyboard(&spec(story, None)).map(|output| output.shots.len());
    assert_eq!(count("Hello"), Ok(1));
    let sentence =
        "The old boat went slowly out over the quiet water and nobody on the beach said anything. ";
    assert_eq!(count(&sentence.repeat(10)), Ok(9));
    assert_eq!(
        count(&"船慢慢地驶过安静的水面，岸上的人谁也没有说话，只有海鸥在叫，风从远处吹来。".repeat(10)),
        Ok(8)
    );
    assert_eq!(count(&sentence.repeat(200)), Ok(60));
    assert_eq!(count(&format!("The Boat\n\n{}", sentence.repeat(200))), Ok(60));
}

#[test]
fn a_story_without_text_is_refused() {
    assert_eq!(storyboard(&spec(" \u{0}\u{7}\n", Some(3))), Err(EmptyStory));
}

#[test]
fn a_story_of_marks_alone_is_one_shot() {
    for story in ["。", "?!", "…", "😀😀", "“"] {
        let output = board(story, 5);
        assert_eq!(output.shots.len(), 1);
        check(story, &output);
    }
}

#[test]
fn no_narration_grows_beyond_what_can_be_spoken_at_once() {
    for story in ["word ".repeat(4_000), "a".repeat(20_000), "海".repeat(20_000)] {
        assert!(narrations(&story, 1).iter().all(|narration| narration.chars().count() <= 10_000));
    }
}

#[test]
fn control_characters_and_wild_white_space_are_tidied() {
    assert_eq!(narrations("\u{FEFF}\t The\u{0}sea \r\n\u{3000}was\u{85} calm. ", 1), ["The sea was calm."]);
}

#[test]
fn the_style_joins_every_prompt() {
    let known = StoryboardSpec { style: "水彩".to_owned(), ..spec("A boat left. A gull cried.", Some(2)) };
    let own = StoryboardSpec { style: "stained  glass".to_owned(), ..known.clone() };
    for shot in storyboard(&known).expect("text").shots {
        assert!(shot.prompt.contains("watercolor painting"), "{}", shot.prompt);
    }
    for shot in storyboard(&own).expect("text").shots {
        assert!(shot.prompt.ends_with(". stained glass"), "{}", shot.prompt);
    }
}

fn one_of(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(pieces).prop_map(str::to_owned)
}

/// Stories of words, marks, line ends and scripts of every kind.
fn stories() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        8 => "[a-zA-Z]{1,9}",
        4 => "[ ]{1,2}",
        3 => one_of(&[". ", "! ", "? ", ", ", "; ", "...", "—", "——", "\n", "\n\n", "\r\n", "\u{3000}"]),
        3 => one_of(&["“", "”", "\"", "(", ")", "「", "」", "『", "』", "Mr. ", "3.14", "e.g. "]),
        4 => "[\u{4e00}-\u{4fff}]{1,6}",
        2 => one_of(&["。", "！", "？", "；", "，", "……", "؟ ", "۔ ", "। ", "๏"]),
        1 => "[\u{3041}-\u{3096}]{1,5}",
        1 => "[\u{e01}-\u{e30}]{1,5}",
        1 => "[\u{5d0}-\u{5ea}]{1,5}",
        1 => "[\u{905}-\u{94d}]{1,5}",
        1 => "[\u{ac00}-\u{ad00}]{1,4}",
        1 => one_of(&["👨‍👩‍👧", "🇨🇳", "e\u{301}", "1️⃣", "\u{202e}", "\u{200d}", "\u{0}", "\u{301}"]),
        1 => "\\PC{1,4}",
    ];
    prop::collection::vec(pieces, 1..120).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn nothing_is_lost_repeated_or_reordered(story in stories(), count in prop::option::of(1u32..=200)) {
        if let Ok(output) = storyboard(&spec(&story, count)) {
            check(&story, &output);
        } else {
            prop_assert_eq!(told(&story), "");
        }
    }

    #[test]
    fn there_are_as_many_shots_as_asked_for_or_as_words(story in stories(), count in 1u32..=200) {
        let words = atoms::atoms(&Tidy::new(&story)).len();
        if let Ok(output) = storyboard(&spec(&story, Some(count))) {
            prop_assert_eq!(output.shots.len(), words.min(usize::try_from(count).expect("small")));
        }
    }

    #[test]
    fn no_word_between_spaces_is_split(words in prop::collection::vec("[a-z’'.,!?—-]{0,3}[a-z]{1,9}[.,!?]{0,2}", 1..80), count in 1u32..=100) {
        let told: Vec<String> = narrations(&words.join(" "), count);
        let told: Vec<&str> = told.iter().flat_map(|narration| narration.split(' ')).collect();
        prop_assert_eq!(told, words);
    }

    #[test]
    fn every_cut_is_a_grapheme_boundary(story in stories(), count in 1u32..=200) {
        let tidy = Tidy::new(&story);
        let boundaries: Vec<usize> = tidy.text.grapheme_indices(true).map(|(at, _)| at).collect();
        for atom in atoms::atoms(&tidy) {
            let after_space = tidy.text[..atom.start].ends_with(' ');
            prop_assert!(after_space || boundaries.contains(&atom.start));
        }
        let _ = storyboard(&spec(&story, Some(count)));
    }
}
