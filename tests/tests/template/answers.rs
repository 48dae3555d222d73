//! What becomes of the answers to the template's questions.

use std::{fs, path::Path};

use integration_tests::{
    cargo::root,
    generate::{Project, generate, generate_into},
};

const SINKS: [&str; 7] = ["http", "influxdb2", "mqtt", "mysql", "otel", "redis", "tdengine"];

/// The longest name that is taken.
const LONG: &str = "n23456789-123456789-123456789-123456789-1234567890";

/// The text files of a project, each with its path in it.
fn files(project: &Project) -> Vec<(String, String)> {
    fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    collect(&project.path, &project.path, &mut found);
    found.sort();
    found
}

/// Asserts that a wrong answer is refused with this message, and that nothing is generated.
fn is_refused(question: &str, answer: &str, message: &str) {
    let folder = tempfile::tempdir().unwrap();
    let error = generate_into(folder.path(), &[(question, answer)]).unwrap_err();
    let told = format!("{error:#}");
    assert!(told.contains(message), "{question}={answer}: {told}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{question}={answer}");
}

/// The names of the cases, and what is answered in each: every driver with all, none, one and some of
/// the sinks, and with names that fill a line.
fn combinations() -> Vec<Vec<(&'static str, &'static str)>> {
    let sinks = ["all", "none", "http,mqtt", "mysql,redis,influxdb2"].into_iter().chain(SINKS);
    sinks.flat_map(|sinks| ["polling", "events"].map(|kind| vec![("driver_kind", kind), ("sinks", sinks)])).collect()
}

#[test]
fn a_project_on_the_release_has_all_sinks_and_its_version() {
    let project = generate(&[("framework", "released")]).unwrap();
    let manifest = project.read("Cargo.toml").unwrap();
    assert!(manifest.starts_with("[package]\nname = \"my-mapper\"\n"), "{manifest}");
    let version = env!("CARGO_PKG_VERSION");
    let sinks = SINKS.map(|sink| format!(", \"sink-{sink}\"")).concat();
    let framework = |features: &str| {
        format!(
            "\nmapper-framework = {{ version = \"{version}\", default-features = false, features = [{features}] }}\n"
        )
    };
    assert!(
        manifest.contains(&framework(&format!("\"cli\", \"http\", \"eventbus\"{sinks}")))
            && manifest.contains(&framework("\"testing\"")),
        "{manifest}"
    );
    assert!(project.read("src/main.rs").unwrap().contains(r#".protocol("simulated")"#));
}

#[test]
fn the_template_names_the_framework_s_version() {
    let template = fs::read_to_string(root().join("mapper-template/answers.rhai")).unwrap();
    let version = env!("CARGO_PKG_VERSION");
    let found = template.matches(&format!("\"version = \\\"{version}\\\"\"")).count();
    assert_eq!(found, 1, "mapper-template/answers.rhai must ask for {version}, the workspace's version");
}

#[test]
fn what_is_generated_is_whole_in_every_combination() {
    for answers in combinations() {
        let project = generate(&answers).unwrap();
        let files = files(&project);
        for (name, text) in &files {
            // Helm, Prometheus and Grafana have braces of their own.
            let has_braces =
                ["templates", "monitoring"].iter().any(|it| name.starts_with(&format!("deploy/chart/{it}/")));
            assert!(has_braces || !(text.contains("{{") || text.contains("{%")), "{answers:?}: {name} has braces left");
            assert!(!text.contains("\n\n\n") && !text.starts_with('\n'), "{answers:?}: {name} has lines too many");
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{answers:?}: the end of {name}");
            assert!(!text.lines().any(|line| line.ends_with(' ')), "{answers:?}: {name} has spaces at an end");
        }
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        let own = [".dockerignore", ".github/workflows/ci.yml", ".gitignore", "Cargo.toml", "Dockerfile", "README.md"];
        let own = own.into_iter().chain(["config.yaml", "deploy/README.md", "deploy/chart/values.yaml"]);
        let own = own.chain(["devices/instance.yaml", "devices/model.yaml", "tests/driver.rs"]);
        let missing: Vec<&str> = own.filter(|file| !names.contains(file)).collect();
        assert!(missing.is_empty(), "{answers:?}: there is no {missing:?} in {names:?}");
        let sources: Vec<&str> = names.into_iter().filter(|name| name.starts_with("src/")).collect();
        assert_eq!(sources, ["src/driver.rs", "src/main.rs"], "{answers:?}");
        let formatted = project.cargo().args(["fmt", "--check"]).output().unwrap();
        assert!(formatted.status.success(), "{answers:?}: {}", String::from_utf8_lossy(&formatted.stdout));
    }
}

#[test]
fn the_code_is_short() {
    for kind in ["polling", "events"] {
        let project = generate(&[("driver_kind", kind)]).unwrap();
        let lines = |file: &str| project.read(file).unwrap().lines().count();
        let (driver, main) = (lines("src/driver.rs"), lines("src/main.rs"));
        assert!(driver <= 130, "{kind}: the driver has {driver} lines");
        assert!(driver + main < 150, "{kind}: src has {} lines", driver + main);
    }
}

#[test]
fn the_answers_stand_where_they_belong() {
    let project = generate(&[("protocol", "modbus-rtu"), ("sinks", "redis,http")]).unwrap();
    let manifest = project.read("Cargo.toml").unwrap();
    let features = r#", default-features = false, features = ["cli", "http", "eventbus", "sink-http", "sink-redis"] }"#;
    assert!(manifest.contains(features), "{manifest}");
    for file in ["config.yaml", "devices/model.yaml", "devices/instance.yaml", "src/main.rs"] {
        assert!(project.read(file).unwrap().contains("\"modbus-rtu\""), "{file}");
    }
    let config = project.read("config.yaml").unwrap();
    assert!(config.contains("socket_path: /etc/kubeedge/my-mapper.sock "), "{config}");
}

#[test]
fn a_manifest_shows_the_push_methods_of_the_chosen_sinks_only() {
    let methods = |sinks| {
        let text = generate(&[("sinks", sinks)]).unwrap().read("devices/instance.yaml").unwrap();
        ["http:", "influxdb2:", "mqtt:", "mysql:", "otel:", "redis:", "TDEngine:"]
            .map(|method| text.lines().any(|line| line.trim_start_matches(['#', ' ']) == method))
    };
    assert_eq!(methods("all"), [true; 7]);
    assert_eq!(methods("none"), [false; 7]);
    for (place, sink) in SINKS.into_iter().enumerate() {
        assert_eq!(methods(sink), std::array::from_fn(|other| other == place), "{sink}");
    }
    let text = generate(&[("sinks", "mqtt")]).unwrap().read("devices/instance.yaml").unwrap();
    assert!(!text.contains("dbMethod"), "{text}");
}

#[test]
fn the_framework_comes_from_where_the_user_says() {
    let line = |answers: &[(&str, &str)]| {
        let manifest = generate(answers).unwrap().read("Cargo.toml").unwrap();
        manifest.lines().find(|line| line.starts_with("mapper-framework = ")).unwrap().to_owned()
    };
    let git = line(&[("framework", "git"), ("framework_git", "https://example.com/mappers.git"), ("sinks", "none")]);
    let features = r#"default-features = false, features = ["cli", "http"] }"#;
    assert_eq!(git, format!(r#"mapper-framework = {{ git = "https://example.com/mappers.git", {features}"#));
    let path = line(&[("framework", "path"), ("framework_path", "/home/me/mapper-framework"), ("sinks", "none")]);
    assert_eq!(path, format!(r#"mapper-framework = {{ path = "/home/me/mapper-framework", {features}"#));
}

#[test]
fn a_name_is_brought_into_the_form_that_kubernetes_takes() {
    for (given, name) in [
        ("modbus-tcp", "modbus-tcp"),
        (LONG, LONG),
        ("ModbusTCP2", "modbus-tcp2"),
        ("hall_7_heaters", "hall-7-heaters"),
        ("My Mapper", "my-mapper"),
        ("match", "match"),
        ("x1", "x1"),
    ] {
        let project = generate(&[("project-name", given)]).unwrap();
        for (file, line) in [
            ("Cargo.toml", format!("name = \"{name}\"")),
            ("devices/model.yaml", format!("  name: \"{name}\"")),
            ("devices/instance.yaml", format!("  name: \"{name}-1\"")),
            ("config.yaml", format!("  name: \"{name}\"")),
        ] {
            assert!(project.read(file).unwrap().lines().any(|found| found == line), "{given:?}: {file}");
        }
    }
}

#[test]
fn a_name_that_cannot_be_used_is_refused_with_a_cure_and_leaves_nothing_behind() {
    let long = "n".repeat(51);
    for (name, message) in [
        (
            "2nd-floor",
            "2nd-floor begins with a digit, which cargo refuses: begin with a letter, as in mapper-2nd-floor",
        ),
        ("größe", "größe has \"ö\" in it: use letters from a to z, digits and dashes"),
        ("--", "it has no letter: begin with one"),
        ("build", "build is reserved: take another one, as in my-build"),
        ("mapper-framework", "mapper-framework is reserved"),
        (&long, "it has 51 characters, and Kubernetes wants short names: use at most 50"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = generate_into(folder.path(), &[("project-name", name)]).unwrap_err();
        let told = format!("{error:#}");
        assert!(told.contains("the project's name cannot be used: ") && told.contains(message), "{name}: {told}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn a_wrong_answer_is_refused_by_its_name() {
    for (question, answer) in [
        ("protocol", "two words"),
        ("protocol", "-x"),
        ("driver_kind", "pulling"),
        ("sinks", "kafka"),
        ("sinks", "http,kafka"),
        ("sinks", "http, mqtt"),
        ("sinks", "all,http"),
        ("framework", "crates"),
    ] {
        is_refused(question, answer, &format!("\"{answer}\" is not a valid value for {question}"));
    }
}

#[test]
fn a_source_of_the_framework_must_be_given_and_be_whole() {
    is_refused("framework", "git", "`framework_git` is missing default value");
    is_refused("framework", "path", "`framework_path` is missing default value");
    for (framework, question, answer) in
        [("git", "framework_git", "example.com/mappers"), ("path", "framework_path", "../mapper-framework")]
    {
        let error = generate(&[("framework", framework), (question, answer)]).unwrap_err();
        let message = format!("\"{answer}\" is not a valid value for {question}");
        assert!(format!("{error:#}").contains(&message), "{error:#}");
    }
}
