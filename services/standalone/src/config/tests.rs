//! The list of settings, the command line and the documentation say the same.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Command, CommandFactory};

use super::settings::{SETTINGS, keys, variable_of};
use super::*;
use crate::cli::Cli;

fn config(text: &str) -> Result<Config, ConfigError> {
    Ok(Config { file: file::parse(Path::new("test.toml"), text)? })
}

/// The environment variables of a command's flags and of all below it, with each flag's name.
fn flags(command: &Command) -> BTreeSet<(String, String)> {
    let flag = |argument: &Arg| {
        let variable = argument.get_env()?.to_str()?.to_owned();
        Some((variable, format!("--{}", argument.get_long().expect("a setting has a long flag"))))
    };
    let own = command.get_arguments().filter_map(flag);
    own.chain(command.get_subcommands().flat_map(flags)).collect()
}

#[test]
fn every_flag_with_a_variable_is_a_setting_and_every_setting_but_secrets_has_a_flag() {
    let flags: BTreeSet<String> = flags(&Cli::command()).into_iter().map(|(variable, _)| variable).collect();
    let settings = SETTINGS.iter().map(|key| variable_of(key));
    let expected: BTreeSet<String> = settings.chain([FILE_VARIABLE.to_owned()]).collect();
    assert_eq!(flags, expected);
}

#[test]
fn the_documentation_lists_every_setting_with_its_flag_and_its_variable() {
    let document = include_str!("../../../../docs/configuration.md");
    let cells = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().replace('`', "")).collect();
        (cells.len() > 4).then(|| [cells[1].clone(), cells[2].clone(), cells[3].clone()])
    };
    let rows: Vec<[String; 3]> =
        document.lines().filter(|line| line.starts_with("| `")).filter_map(cells).collect();
    let flags = flags(&Cli::command());
    let row = |key: &str| {
        let variable = variable_of(key);
        let flag = flags.iter().find(|(of, _)| *of == variable).map_or("—", |(_, flag)| flag.as_str());
        [key.to_owned(), flag.to_owned(), variable]
    };
    assert_eq!(rows, keys().map(row).collect::<Vec<_>>());
}

#[test]
fn what_the_file_says_is_the_default_of_a_flag_and_a_flag_goes_before_it() {
    let config = config("bind = \"127.0.0.1:9\"\nallowed_hosts = [\"a\", \"b\"]\n").unwrap();
    let bind = |words: &[&str]| {
        let matches = config.defaults_for(Cli::command()).try_get_matches_from(words).unwrap();
        let up = matches.subcommand_matches("up").unwrap();
        let hosts: Vec<String> = up.get_many::<String>("allowed_host").unwrap().cloned().collect();
        assert_eq!(hosts, ["a", "b"]);
        up.get_one::<std::net::SocketAddr>("bind").unwrap().to_string()
    };
    assert_eq!(bind(&["storytovideo", "up"]), "127.0.0.1:9");
    assert_eq!(bind(&["storytovideo", "up", "--bind", "127.0.0.1:7"]), "127.0.0.1:7");
}

#[test]
fn what_is_no_setting_is_refused_by_name() {
    let refused = |text: &str| config(text).unwrap_err().to_string();
    assert!(refused("bnid = 1").contains("`bnid`"));
    assert!(refused("[auth]\njwt_secrte = \"x\"").contains("`auth.jwt_secrte`"));
    assert!(refused("[auth.issuer]\nx = 1").contains("`auth.issuer`"));
    assert!(refused("[nowhere]\nx = 1").contains("`nowhere`"));
    assert!(refused("auth = 1").contains("`auth`"));
    assert!(refused("bind = { x = 1 }").contains("`bind`"));
    assert!(refused("bind = [[1]]").contains("`bind`"));
    assert!(refused("bind =").contains("test.toml"));
}

#[test]
fn a_secret_of_the_file_is_found_by_its_key() {
    let config = config("[auth]\njwt_secret = \"s\"").unwrap();
    assert_eq!(config.secret("auth.jwt_secret").unwrap().as_deref(), Some("s"));
    assert_eq!(config.secret("auth.signing_key").unwrap(), None);
}

#[test]
fn the_file_is_named_before_the_arguments_end() {
    let named = |words: &[&str]| named_file(&words.iter().map(OsString::from).collect::<Vec<_>>());
    assert_eq!(named(&["up", "--config", "a.toml"]), Some(PathBuf::from("a.toml")));
    assert_eq!(named(&["--config=b.toml", "up"]), Some(PathBuf::from("b.toml")));
    assert_eq!(named(&["film", "--", "--config", "a.toml"]), None);
}
