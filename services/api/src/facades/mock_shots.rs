//! Built-in shots for those who develop clients: no storyboard has to be waited for, and they are always the same.

use axum::http::StatusCode;
use domain::ids::ProjectId;
use domain::job::Kind;
use domain::project::{Command, Generate, GivenShot, Only, Parameters, ShotPatch};

use super::call::Call;
use crate::problem::Problem;

/// Title, prompt and narration of each.
const SHOTS: [[&str; 3]; 3] = [
    ["Dusk", "A lighthouse on a cliff at dusk, calm sea", "The lamp on the cliff was dark that evening."],
    ["Storm", "A small ship in a storm at night, high waves", "Out at sea a ship looked for the light."],
    [
        "Dawn",
        "The lighthouse lit at dawn, a ship in the harbour",
        "Then the lamp shone, and the ship came home.",
    ],
];

/// Puts them in place of what a story has, and lets their pictures and voices be made. Only with developer mode on.
pub(super) async fn give(call: &Call, id: ProjectId) -> Result<(), Problem> {
    let app = &call.app;
    if !app.api.developer_mode {
        let detail = "built-in shots are for those who develop clients: whoever runs this server must set api.developer_mode";
        return Err(Problem::new(StatusCode::FORBIDDEN, "developer_mode_off", detail));
    }
    app.project_row(id).await?;
    // First of all, so that no storyboard brings others meanwhile.
    let caller = call.caller.clone().for_several_commands();
    app.execute(&caller, id, Command::CancelWork, call.fields.digest).await?;
    let state = app.api.store.load(id).await?.state;
    let removed = state.shots.iter().map(|shot| Command::RemoveShot { shot: shot.id });
    let mut commands: Vec<Command> = removed.collect();
    commands.push(Command::GiveShots { shots: SHOTS.map(given).into() });
    let (kinds, parameters) = (vec![Kind::Image, Kind::Tts], Parameters::default());
    commands.push(Command::Generate(Generate { kinds, shots: None, only: Only::Missing, parameters }));
    call.execute(id, Command::Together(commands)).await?;
    Ok(())
}

fn given([title, prompt, narration]: [&str; 3]) -> GivenShot {
    let text = |text: &str| Some(text.to_owned());
    let content = ShotPatch {
        title: text(title),
        prompt: text(prompt),
        narration: text(narration),
        ..ShotPatch::default()
    };
    GivenShot { content, ..GivenShot::default() }
}
