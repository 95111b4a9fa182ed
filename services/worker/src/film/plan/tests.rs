//! Plans of small films: golden ones, each rule, and what holds for any film.

use domain::project::limits::{LONGEST_TRANSITION, SHORTEST_SHOT};
use proptest::prelude::*;

use super::*;
use crate::film::fixtures::{film, shot, varied_film};

/// Compares with a plan that was looked at once. After a wanted change: raise [`PLAN_VERSION`], look at what
/// the failure prints, and store it.
fn assert_golden(spec: &FilmSpec, golden: &str) {
    let plan = serde_json::to_value(FilmPlan::from(spec).unwrap()).unwrap();
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    assert!(plan == golden, "the plan changed; it is now\n{plan:#}");
}

#[test]
fn a_film_with_one_of_everything_is_planned_as_ever() {
    assert_golden(&varied_film(), include_str!("../golden/varied.json"));
}

#[test]
fn a_tall_film_is_planned_as_ever() {
    let spec = FilmSpec { width: 720, height: 1280, fps: 30, ..varied_film() };
    assert_golden(&spec, include_str!("../golden/tall.json"));
}

#[test]
fn the_voice_leads() {
    let spec = film(vec![shot(1, "", 10.0, Transition::Cut)]);
    let plan = FilmPlan::from(&spec).unwrap();
    // 3 frames of lead, 120 of voice, 15 until the end.
    assert_eq!((plan.frames, plan.voices[0].first_frame, plan.voices[0].frames), (138, 3, 120));
    let spec = film(vec![shot(1, "", 10.0, Transition::Cut), shot(2, "", 1.0, Transition::Cut)]);
    // 5 (4.2 rounded up) of tail where another shot follows.
    assert_eq!(FilmPlan::from(&spec).unwrap().shots[0].frames, 128);
}

#[test]
fn no_shot_is_shorter_than_two_and_a_half_seconds_or_than_the_user_wants() {
    let mut spec = film(vec![shot(1, "", 0.1, Transition::Cut), shot(2, "", 0.1, Transition::Cut)]);
    spec.shots[1].duration_seconds = Some(4.01);
    let plan = FilmPlan::from(&spec).unwrap();
    assert_eq!(plan.shots.iter().map(|shot| shot.frames).collect::<Vec<_>>(), [30, 49]);
}

#[test]
fn a_transition_overlaps_both_shots_and_voices_keep_their_pause() {
    let spec = film(vec![shot(1, "", 3.0, Transition::Crossfade), shot(2, "", 3.0, Transition::Cut)]);
    let plan = FilmPlan::from(&spec).unwrap();
    let shots: u64 = plan.shots.iter().map(|shot| shot.frames).sum();
    assert_eq!(plan.frames, shots - 6);
    let silence = plan.voices[1].first_frame - plan.voices[0].first_frame - plan.voices[0].frames;
    assert!(silence >= 4, "{silence} frames between voices");
}

#[test]
fn no_shot_begins_sooner_after_another_than_those_who_ask_for_films_reckon() {
    for (fps, transition) in (12..=60).flat_map(|fps| Transition::ALL.iter().map(move |kind| (fps, *kind))) {
        for (seconds, own) in [(0.1, None), (3.0, None), (0.1, Some(7.01))] {
            let mut shots = vec![shot(1, "", seconds, transition), shot(2, "", 9.0, Transition::Cut)];
            shots[0].duration_seconds = own;
            let plan = FilmPlan::from(&FilmSpec { fps, ..film(shots) }).unwrap();
            let begins = plan.shots[1].first_frame as f64 / f64::from(fps);
            let length = own.unwrap_or(0.0).max(SHORTEST_SHOT);
            assert!(
                begins >= seconds.max(length - LONGEST_TRANSITION),
                "{begins} s: {transition}, {fps}, {own:?}"
            );
        }
    }
}

#[test]
fn a_shot_with_nothing_to_show_follows_the_films_rule() {
    let mut spec = film(vec![shot(1, "", 1.0, Transition::Cut), shot(2, "", 1.0, Transition::Cut)]);
    spec.shots[0].visual = FilmVisual::Card;
    let plan = |on_missing| FilmPlan::from(&FilmSpec { on_missing, ..spec.clone() });
    let card = plan(OnMissing::Card).unwrap();
    assert_eq!(card.shots[0].look, Look::Card { title: "Shot 1".to_owned() });
    let skip = plan(OnMissing::Skip).unwrap();
    assert_eq!((skip.shots.len(), skip.voices.len(), skip.warnings.len()), (1, 1, 1));
    assert_eq!(plan(OnMissing::Fail), Err(PlanError::NothingToShow { shot: 1 }));
}

#[test]
fn what_is_no_film_is_refused() {
    let good = film(vec![shot(1, "", 1.0, Transition::Cut)]);
    let refused = |spec: FilmSpec| FilmPlan::from(&spec).unwrap_err();
    assert_eq!(refused(film(Vec::new())), PlanError::Empty);
    assert_eq!(refused(FilmSpec { fps: 61, ..good.clone() }), PlanError::FrameRate(61));
    let odd = FilmSpec { width: 321, ..good.clone() };
    assert_eq!(refused(odd), PlanError::FrameSize { width: 321, height: 180 });
    for seconds in [f64::NAN, f64::INFINITY, -1.0, 1e9] {
        assert_eq!(
            refused(film(vec![shot(1, "", seconds, Transition::Cut)])),
            PlanError::Duration { shot: 1 }
        );
    }
    let many = film((0..201).map(|number| shot(number, "", 1.0, Transition::Cut)).collect());
    assert_eq!(refused(many), PlanError::TooManyShots(201));
}

#[test]
fn a_new_picture_renames_its_own_segments_alone() {
    let spec = film((1..=5).map(|n| shot(n, "Hello there.", 2.0, Transition::Crossfade)).collect());
    let mut edited = spec.clone();
    edited.shots[2].visual = FilmVisual::Still { picture: crate::film::fixtures::key("image", 99, "png") };
    let keys = |spec: &FilmSpec| {
        let plan = FilmPlan::from(spec).unwrap();
        plan.segments.iter().map(|segment| plan.segment_key(segment, "x264")).collect::<Vec<_>>()
    };
    let (before, after) = (keys(&spec), keys(&edited));
    let changed: Vec<_> = (0..before.len()).filter(|at| before[*at] != after[*at]).collect();
    assert_eq!(changed, [3, 4, 5]);
}

#[test]
fn a_segment_keeps_its_name_when_the_film_before_it_grows() {
    let spec = film((1..=3).map(|n| shot(n, "Hello there.", 2.0, Transition::Cut)).collect());
    let mut longer = spec.clone();
    longer.shots[0].duration_seconds = Some(9.0);
    let last = |spec: &FilmSpec| {
        let plan = FilmPlan::from(spec).unwrap();
        plan.segment_key(plan.segments.last().unwrap(), "x264")
    };
    assert_eq!(last(&spec), last(&longer));
    assert_ne!(last(&spec), last(&FilmSpec { fps: 13, ..spec.clone() }));
}

#[test]
fn a_film_that_is_cut_is_the_same_up_to_there_and_says_so() {
    let spec = film((1..=3).map(|n| shot(n, "Hello there.", 2.0, Transition::Crossfade)).collect());
    let whole = FilmPlan::from(&spec).unwrap();
    let cut = FilmPlan::from(&FilmSpec { max_seconds: Some(4.0), ..spec.clone() }).unwrap();
    assert_eq!((whole.frames, cut.frames), (98, 48));
    assert_eq!(cut.warnings, ["the film ends after 4.0 s, as was asked"]);
    let keys = |plan: &FilmPlan| {
        plan.segments.iter().map(|segment| plan.segment_key(segment, "x264")).collect::<Vec<_>>()
    };
    let (of_whole, of_cut) = (keys(&whole), keys(&cut));
    assert_eq!(of_cut[..2], of_whole[..2], "what is whole is taken from the store");
    assert_ne!(of_cut[2], of_whole[2]);
    assert_eq!((of_cut.len(), cut.shots.len(), cut.voices.len()), (3, 2, 2));
    let longer = FilmSpec { max_seconds: Some(60.0), ..spec };
    assert_eq!(FilmPlan::from(&longer), Ok(whole));
}

#[test]
fn a_film_in_another_format_is_of_other_segments() {
    let spec = film(vec![shot(1, "", 1.0, Transition::Cut)]);
    let key = |format| {
        let plan = FilmPlan::from(&FilmSpec { format, ..spec.clone() }).unwrap();
        plan.segment_key(&plan.segments[0], "x264")
    };
    assert_eq!(key(None), key(Some(FilmFormat::Mp4)));
    assert_ne!(key(None), key(Some(FilmFormat::Webm)));
}

fn any_transition() -> impl Strategy<Value = Transition> {
    proptest::sample::select(Transition::ALL)
}

fn any_shot() -> impl Strategy<Value = FilmShot> {
    (any::<u32>(), "[a-z,. 灯塔。，]{0,80}", 0.0..8.0_f64, any_transition(), any::<bool>(), 0.0..6.0_f64)
        .prop_map(|(number, narration, seconds, transition, spoken, own)| {
            let mut shot = shot(number, &narration, seconds, transition);
            shot.duration_seconds = (own > 3.0).then_some(own);
            shot.voice = shot.voice.filter(|_| spoken);
            shot
        })
}

proptest! {
    #[test]
    fn frames_sum_exactly_and_nothing_overlaps(
        shots in proptest::collection::vec(any_shot(), 1..12),
        fps in 12..=60_u32,
        max_seconds in proptest::option::of(1.0..40.0_f64),
    ) {
        let spec = FilmSpec { fps, max_seconds, ..film(shots) };
        let plan = FilmPlan::from(&spec).unwrap();
        prop_assert!(plan.seconds() <= max_seconds.unwrap_or(f64::INFINITY));
        let mut next = 0;
        for segment in &plan.segments {
            prop_assert_eq!(segment.first_frame, next);
            prop_assert!(segment.frames > 0);
            next += segment.frames;
            for slice in segment.slices() {
                let shot = &plan.shots[slice.shot];
                prop_assert_eq!(shot.first_frame + slice.at, segment.first_frame);
                prop_assert!(slice.at + segment.frames <= shot.frames);
                if matches!(segment.content, Content::Transition { .. }) {
                    prop_assert!(segment.frames * 3 <= shot.frames);
                }
            }
        }
        prop_assert_eq!(next, plan.frames);
        let mut silent_from = 0;
        for voice in &plan.voices {
            prop_assert!(voice.first_frame >= silent_from);
            silent_from = voice.first_frame + voice.frames;
        }
        prop_assert!(silent_from <= plan.frames);
        let mut free_from = 0;
        for caption in &plan.captions {
            prop_assert!(caption.first_frame >= free_from && caption.frames > 0);
            free_from = caption.first_frame + caption.frames;
        }
        prop_assert!(free_from <= plan.frames);
    }
}
