//! History for people: a sentence for every event, in English and Chinese, of who did what to which shot.
//!
//! One match over all events, without a wildcard: a new one does not compile until it has its words.

use std::fmt::Display;

use domain::ids::{ShotId, TaskId};
use domain::job::Kind;
use domain::project::{CancelReason, Event, Parameters, Project, Task};
use serde::Deserialize;
use utoipa::ToSchema;

/// A language that histories are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = HistoryLanguage)]
pub(crate) enum Language {
    /// English.
    En,
    /// Chinese.
    Zh,
}

/// The same in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Words {
    en: String,
    zh: String,
}

fn say(en: impl Into<String>, zh: impl Into<String>) -> Words {
    Words { en: en.into(), zh: zh.into() }
}

/// What happened and who did it, as one sentence. `before` is the project that the event happened to.
pub(crate) fn sentence(before: &Project, event: &Event, actor: &str, language: Language) -> String {
    let (who, did) = (who(actor), did(before, event));
    match language {
        Language::En => format!("{} {}.", who.en, did.en),
        Language::Zh => format!("{}{}。", who.zh, did.zh),
    }
}

/// Actors are `user:<name>`, `worker:<name>` and `system`; without authentication every user is `local`.
fn who(actor: &str) -> Words {
    match actor.split_once(':') {
        Some(("user", "local")) => say("Somebody", "有人"),
        Some(("user", name)) => say(name, name),
        Some(("worker", name)) => say(format!("Worker {name}"), format!("工作机{name}")),
        _ => say("The system", "系统"),
    }
}

#[expect(clippy::too_many_lines, reason = "one arm an event, and no wildcard: that is what makes it total")]
fn did(before: &Project, event: &Event) -> Words {
    let shot = |id| shot(before, id);
    let task = |id| task(before, id);
    match event {
        Event::ProjectCreated(_) => say("started the project", "创建了项目"),
        Event::ProjectRenamed(event) => title(&event.title),
        Event::StyleRevised(event) => style(&event.style),
        Event::SettingsRevised(_) => say("changed the settings", "修改了设置"),
        Event::StoryRevised(_) => say("rewrote the story", "改写了故事"),
        Event::ProjectDeleted(_) => say("moved the project to the trash", "把项目移入了回收站"),
        Event::ProjectAssigned(event) => with("gave the project to {}", "把项目交给了{}", &event.owner),
        Event::ErrandTaken(event) => {
            with("took it on as an errand of {}", "把它作为{}的委托接下", event.origin.as_str())
        }
        Event::ScenesNamed(event) => {
            with("named {} shots as their client does", "按客户端的名称标记了{}个镜头", event.scenes.len())
        }
        Event::ProjectRestored(event) => with("brought version {} back", "恢复到了第{}版", event.version),
        Event::ProjectForked(event) => with(
            "started the project from version {} of another one",
            "从另一个项目的第{}版创建了项目",
            event.version,
        ),
        Event::ProjectImported(event) => {
            with("brought the project here at version {}", "从别处导入了第{}版的项目", event.version)
        }
        Event::ProjectUndeleted(_) => say("took the project out of the trash", "把项目移出了回收站"),
        Event::ProjectPurged(_) => say("gave the project up for good", "永久放弃了项目"),
        Event::ShotCountRevised(event) => {
            with("asked for {} shots from now on", "把镜头数改为{}", event.shot_count)
        }
        Event::MusicUploaded(_) => say("gave the film music of their own", "上传了影片的音乐"),
        Event::MusicRemoved(_) => say("took the film's own music away", "去掉了上传的音乐"),
        Event::StoryboardAdopted(event) => {
            with("divided the story into {} shots", "把故事分成了{}个镜头", event.shots.len())
        }
        Event::ShotPromptRevised(event) => revised("the picture of", "的画面描述", &shot(event.shot_id)),
        Event::ShotNarrationRevised(event) => revised("the narration of", "的旁白", &shot(event.shot_id)),
        Event::ShotDetailsRevised(event) => revised("the details of", "的细节", &shot(event.shot_id)),
        Event::ShotLocked(event) => verb("locked", "锁定了", &shot(event.shot_id)),
        Event::ShotUnlocked(event) => verb("unlocked", "解锁了", &shot(event.shot_id)),
        Event::ShotAdded(event) => with("added shot {}", "添加了镜头{}", event.place + 1),
        Event::ShotRemoved(event) => verb("took out", "移除了", &shot(event.shot_id)),
        Event::ShotsReordered(_) => say("put the shots into another order", "调整了镜头的顺序"),
        Event::TakeSelected(event) => {
            verb("chose another take for", "另选了", &work(before, event.kind, Some(event.shot_id), None))
        }
        Event::TakeUploaded(event) => {
            verb("uploaded a picture for", "上传了画面，用于", &shot(event.shot_id))
        }
        Event::TakesExpired(event) => {
            with("let the media of {} unused takes go", "清理了{}个未使用的版本", event.takes.len())
        }
        Event::BatchPlanned(event) => {
            with("asked for {} things at once", "一次请求了{}项内容", event.children.len())
        }
        Event::TaskPlanned(event) => {
            verb("planned", "计划生成", &work(before, event.kind, event.shot_id, event.slot))
                .and(&part(before, &event.parameters))
        }
        Event::TaskQueued(event) => {
            verb("asked for", "请求生成", &work(before, event.kind, event.shot_id, None))
                .and(&part(before, &event.parameters))
        }
        Event::TaskStarted(event) => verb("began", "开始生成", &task(event.task_id)),
        Event::TaskRetryScheduled(event) => {
            verb("will try again to make", "将重试生成", &task(event.task_id))
                .and(&said(&event.failure.message))
        }
        Event::TaskDeferred(event) => {
            verb("put off", "推迟了", &task(event.task_id)).and(&said(&event.reason))
        }
        Event::TaskFinished(event) => verb("finished", "完成了", &task(event.task_id)),
        Event::TaskFailed(event) => {
            verb("could not make", "未能生成", &task(event.task_id)).and(&said(&event.failure.message))
        }
        Event::TaskCancelled(event) => {
            verb("stopped", "停止了", &task(event.task_id)).and(&why(event.reason))
        }
        Event::FilmRendered(event) => {
            with("completed version {} of the film", "完成了影片的第{}版", event.film_version)
                .and(&part(before, &event.parameters))
        }
    }
}

/// A sentence with a number or name in it.
fn with(en: &str, zh: &str, what: impl Display) -> Words {
    let what = what.to_string();
    say(en.replacen("{}", &what, 1), zh.replacen("{}", &what, 1))
}

/// Somebody's own words.
fn said(words: &str) -> Words {
    say(format!(": {words}"), format!("：{words}"))
}

impl Words {
    fn and(self, more: &Self) -> Self {
        say(self.en + &more.en, self.zh + &more.zh)
    }
}

fn title(title: &str) -> Words {
    if title.is_empty() {
        return say("took the project's title away", "去掉了项目的标题");
    }
    say(format!("named the project “{title}”"), format!("把项目命名为《{title}》"))
}

fn style(style: &str) -> Words {
    if style.is_empty() {
        return say("took the style away", "去掉了风格");
    }
    say(format!("changed the style to “{style}”"), format!("把风格改为“{style}”"))
}

fn revised(en: &str, zh: &str, shot: &Words) -> Words {
    say(format!("changed {en} {}", shot.en), format!("修改了{}{zh}", shot.zh))
}

fn verb(en: &str, zh: &str, object: &Words) -> Words {
    say(format!("{en} {}", object.en), format!("{zh}{}", object.zh))
}

fn why(reason: CancelReason) -> Words {
    match reason {
        CancelReason::Requested => say(", as was asked", "（按要求）"),
        CancelReason::DependencyFailed => {
            say(", as what it needed was not made", "，因为它所需的内容没有生成")
        }
        CancelReason::Superseded => say(", as what it was for has changed", "，因为它所依据的内容已改变"),
        CancelReason::Surplus => say(", as there is no such shot", "，因为没有对应的镜头"),
        CancelReason::ProjectDeleted => say(", as the project went to the trash", "，因为项目已移入回收站"),
        CancelReason::ShotRemoved => say(", as its shot was taken out", "，因为它的镜头已被移除"),
        CancelReason::Imported => say(", as it was begun elsewhere", "，因为它是在别处开始的"),
    }
}

/// A shot by its number and title.
fn shot(project: &Project, id: ShotId) -> Words {
    let Some(place) = project.shots.iter().position(|shot| shot.id == id) else {
        return say("a shot that is gone", "一个已不存在的镜头");
    };
    let (number, title) = (place + 1, &project.shots[place].title);
    if title.is_empty() {
        return say(format!("shot {number}"), format!("镜头{number}"));
    }
    say(format!("shot {number} “{title}”"), format!("镜头{number}《{title}》"))
}

fn task(project: &Project, id: TaskId) -> Words {
    match project.tasks.get(&id) {
        Some(Task { kind, shot, slot, parameters, .. }) => {
            work(project, *kind, *shot, *slot).and(&part(project, parameters))
        }
        None => say("a task", "一项任务"),
    }
}

/// What a task makes: of a shot, or of a place in a storyboard that does not exist yet.
fn work(project: &Project, kind: Kind, of: Option<ShotId>, slot: Option<u32>) -> Words {
    let whole = match (of, slot) {
        (Some(id), _) => Some(shot(project, id)),
        (None, Some(slot)) => Some(say(format!("shot {}", slot + 1), format!("镜头{}", slot + 1))),
        (None, None) => None,
    };
    let part = match kind {
        Kind::Storyboard => say("the storyboard", "分镜"),
        Kind::Image => say("the picture", "画面"),
        Kind::Video => say("the clip", "视频"),
        Kind::Tts => say("the voice", "配音"),
        Kind::Film => say("the film", "影片"),
    };
    match whole {
        Some(shot) => say(format!("{} of {}", part.en, shot.en), format!("{}的{}", shot.zh, part.zh)),
        None => part,
    }
}

/// Which part of the film it is, when it is not the whole.
fn part(project: &Project, film: &Parameters) -> Words {
    let shot = |id: Option<ShotId>| id.map(|id| shot(project, id));
    let shots = match (shot(film.from_shot), shot(film.to_shot)) {
        (None, None) => None,
        (Some(from), None) => Some(say(format!("from {} on", from.en), format!("从{}起", from.zh))),
        (None, Some(to)) => Some(say(format!("up to {}", to.en), format!("到{}为止", to.zh))),
        (Some(from), Some(to)) => {
            Some(say(format!("from {} to {}", from.en, to.en), format!("从{}到{}", from.zh, to.zh)))
        }
    };
    let length = film.max_seconds.map(|seconds| with("at most {} seconds", "最多{}秒", seconds));
    let parts: Vec<Words> = shots.into_iter().chain(length).collect();
    if parts.is_empty() {
        return say("", "");
    }
    let told = |word: fn(&Words) -> &str| parts.iter().map(word).collect::<Vec<_>>();
    say(
        format!(" ({})", told(|part| &part.en).join(", ")),
        format!("（{}）", told(|part| &part.zh).join("，")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::project::TaskQueued;
    use std::path::Path;

    /// One event of every type, as the domain keeps them for its own tests.
    fn every_event() -> Vec<Event> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/domain/src/project/golden");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let events: Vec<Event> = files
            .map(|file| serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
            .collect();
        assert_eq!(events.len(), Event::TYPES.len());
        events
    }

    #[test]
    fn every_event_is_told_in_both_languages() {
        for event in every_event() {
            let english = sentence(&Project::default(), &event, "user:ada", Language::En);
            assert!(english.starts_with("ada ") && english.ends_with('.'), "{english}");
            let own_words = english.chars().filter(|c| ('\u{4e00}'..='\u{9fff}').contains(c)).count();
            assert_eq!(own_words, 0, "{english}");
            let chinese = sentence(&Project::default(), &event, "worker:gpu-1", Language::Zh);
            assert!(chinese.starts_with("工作机gpu-1") && chinese.ends_with('。'), "{chinese}");
        }
    }

    #[test]
    fn a_sentence_says_which_shot_by_number_and_title() {
        let mut project = Project::default();
        let (mut prompt, mut adopted) = (None, None);
        for event in every_event() {
            match event {
                Event::StoryboardAdopted(_) => adopted = Some(event),
                Event::ShotPromptRevised(_) => prompt = Some(event),
                _ => {}
            }
        }
        let (prompt, adopted) = (prompt.unwrap(), adopted.unwrap());
        assert_eq!(
            sentence(&project, &prompt, "system", Language::En),
            "The system changed the picture of a shot that is gone."
        );
        project.evolve(&adopted);
        let told = |language| sentence(&project, &prompt, "user:local", language);
        assert_eq!(told(Language::En), "Somebody changed the picture of shot 1 “Dusk”.");
        assert_eq!(told(Language::Zh), "有人修改了镜头1《Dusk》的画面描述。");
    }
    #[test]
    fn a_sentence_says_which_part_of_the_film() {
        let adopted = every_event().into_iter().find(|event| matches!(event, Event::StoryboardAdopted(_)));
        let queued = every_event().into_iter().find(|event| matches!(event, Event::TaskQueued(_)));
        let (Some(adopted), Some(Event::TaskQueued(queued))) = (adopted, queued) else {
            panic!("no samples")
        };
        let mut project = Project::default();
        project.evolve(&adopted);
        let (first, seconds) = (Some(project.shots[0].id), Some(12.5));
        let told = |from_shot, to_shot, max_seconds, language| {
            let parameters = Parameters { from_shot, to_shot, max_seconds, ..Parameters::default() };
            let film = TaskQueued { kind: Kind::Film, shot_id: None, parameters, ..queued.clone() };
            sentence(&project, &film.into(), "user:local", language)
        };
        let whole = "Somebody asked for the film.";
        assert_eq!(told(None, None, None, Language::En), whole);
        let english = "Somebody asked for the film (from shot 1 “Dusk” on, at most 12.5 seconds).";
        assert_eq!(told(first, None, seconds, Language::En), english);
        assert_eq!(
            told(first, first, None, Language::Zh),
            "有人请求生成影片（从镜头1《Dusk》到镜头1《Dusk》）。"
        );
    }
}
