//! Keeps the rules of the house that no compiler knows: who depends on whom, who may name which library, and what
//! every file owes its reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What may not be used by what is pure.
const INPUT_AND_OUTPUT: [&str; 8] =
    ["tokio", "sqlx", "async-nats", "axum", "reqwest", "rustix", "tempfile", "rand"];
/// Libraries that one folder alone may name, in Rust's spelling.
const NAMED_IN: [(&str, &str); 2] =
    [("sqlx", "crates/infra/src/postgres"), ("async_nats", "crates/infra/src/nats")];
/// Where `tokio::spawn` is told to be an exception.
const SPAWNS: [&str; 1] = ["crates/infra/src/postgres/snapshot.rs"];

/// The workspace as it was named to the compiler, not as links resolve.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// Each package of the workspace with the names of what it depends on, tests aside.
fn packages() -> BTreeMap<String, (PathBuf, BTreeSet<String>)> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = |package: &Value| {
        let dependencies = package["dependencies"].as_array().unwrap().iter();
        let names =
            dependencies.filter(|on| on["kind"].is_null()).map(|on| on["name"].as_str().unwrap().to_owned());
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().strip_prefix(root()).unwrap_or(manifest).to_path_buf();
        (package["name"].as_str().unwrap().to_owned(), (folder, names.collect()))
    };
    metadata["packages"].as_array().unwrap().iter().map(package).collect()
}

/// Every Rust file below a folder of the workspace, by its path from the root.
fn rust_files(below: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(below)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<PathBuf> {
    ["crates", "services"].into_iter().flat_map(rust_files).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Modules that are there in tests only: declared after `#[cfg(test)]`, each with what is below it.
fn test_modules() -> Vec<PathBuf> {
    let mut modules = Vec::new();
    for file in sources() {
        let text = read(&file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let is_root = |name: &str| ["mod.rs", "lib.rs", "main.rs"].contains(&name);
        let folder = match file.file_name().and_then(|name| name.to_str()) {
            Some(name) if is_root(name) => file.parent().unwrap().to_path_buf(),
            _ => file.with_extension(""),
        };
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let name = pair[1].strip_suffix(';').and_then(|line| line.rsplit_once("mod "));
            modules.extend(name.map(|(_, name)| folder.join(name)));
        }
    }
    modules
}

/// A file's lines with their numbers, without comments and without what follows `#[cfg(test)]` at its end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    (1..).zip(lines).filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn dependencies_run_one_way() {
    let packages = packages();
    let of = |name: &str| &packages.get(name).unwrap_or_else(|| panic!("there is a package {name}")).1;
    let ours: BTreeSet<&String> = packages.keys().collect();
    let domain = of("storytovideo-domain");
    assert!(domain.iter().all(|on| !ours.contains(on)), "the domain depends on none of ours: {domain:?}");
    let impure: Vec<_> = INPUT_AND_OUTPUT.iter().filter(|library| domain.contains(**library)).collect();
    assert!(impure.is_empty(), "the domain is pure, but depends on {impure:?}");
    let infra: Vec<_> = of("storytovideo-infra").iter().filter(|on| ours.contains(on)).collect();
    assert_eq!(infra, ["storytovideo-domain"]);
    let services: BTreeSet<&String> = packages
        .iter()
        .filter(|(_, (folder, _))| folder.starts_with("services"))
        .map(|(name, _)| name)
        .collect();
    assert!(services.len() >= 4, "{services:?}");
    for service in services.iter().filter(|name| **name != "storytovideo") {
        let others: Vec<_> = of(service).iter().filter(|on| services.contains(on)).collect();
        assert!(others.is_empty(), "{service} depends on the services {others:?}");
    }
}

#[test]
fn only_infra_depends_on_sqlx_and_async_nats() {
    for (name, (_, dependencies)) in packages() {
        for library in ["sqlx", "async-nats"] {
            let may = name == "storytovideo-infra";
            assert!(may || !dependencies.contains(library), "{name} depends on {library}");
        }
    }
}

#[test]
fn a_library_of_an_adapter_is_named_in_that_adapter_alone() {
    for file in sources() {
        let text = read(&file);
        for (library, adapter) in NAMED_IN {
            let named = code(&text).find(|(_, line)| line.contains(&format!("{library}::")));
            let may = file.starts_with(adapter) || file.with_extension("").starts_with(adapter);
            assert!(may || named.is_none(), "{} names {library}: {named:?}", file.display());
        }
    }
}

#[test]
fn a_worker_has_no_database() {
    for file in rust_files("services/worker") {
        let text = read(&file);
        let named = code(&text).find(|(_, line)| line.contains("infra::postgres") || line.contains("PgPool"));
        assert_eq!(named, None, "{}", file.display());
    }
}

#[test]
fn every_file_opens_with_why_it_exists() {
    for file in sources().into_iter().chain(rust_files("tests")) {
        let first = read(&file).lines().next().unwrap_or_default().to_owned();
        let words = first.strip_prefix("//! ").unwrap_or_default();
        assert!(words.len() > 10, "{} opens with {first:?}", file.display());
    }
}

#[test]
fn every_task_is_tracked() {
    for file in sources().iter().filter(|file| !SPAWNS.iter().any(|exception| file == &Path::new(exception)))
    {
        let text = read(file);
        let spawned = code(&text).find(|(_, line)| line.contains("tokio::spawn("));
        assert_eq!(spawned, None, "{}", file.display());
    }
}

#[test]
fn nothing_is_unwrapped_outside_of_tests() {
    let tests = test_modules();
    let is_test = |file: &PathBuf| tests.iter().any(|module| file.with_extension("").starts_with(module));
    for file in sources().iter().filter(|file| !is_test(file) && !file.iter().any(|part| part == "tests")) {
        let text = read(file);
        let unwrapped = code(&text).find(|(_, line)| line.contains(".unwrap()") || line.contains(".expect("));
        assert_eq!(unwrapped, None, "{}", file.display());
    }
}

#[test]
fn nothing_is_global() {
    for file in sources() {
        let text = read(&file);
        let global =
            code(&text).find(|(_, line)| line.trim_start().trim_start_matches("pub ").starts_with("static "));
        assert_eq!(global, None, "{}", file.display());
    }
}
