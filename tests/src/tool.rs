//! The foreign tools which `cargo xtask test` provides.

use std::{env, ffi::OsString, path::PathBuf};

/// Lists the tools that `cargo xtask test --without …` left out, separated by commas.
const WITHOUT: &str = "MAPPER_TEST_WITHOUT";
/// The Python interpreter which has the packages of all the requirements files.
const PYTHON: &str = "MAPPER_TEST_PYTHON";
/// The folder of the built Go programs.
const GO_CLIENTS: &str = "MAPPER_TEST_GO_CLIENTS";
/// The folder of the servers that the sinks write to.
const SERVERS: &str = "MAPPER_TEST_SERVERS";
/// The folder of the browser that shows the page.
const BROWSER: &str = "MAPPER_TEST_BROWSER";
/// The folder of the programs that read, write and play streams of pictures.
const FFMPEG: &str = "MAPPER_TEST_FFMPEG";
/// The folder of node-opcua, with the Node.js that runs it.
const NODE_OPCUA: &str = "MAPPER_TEST_NODE_OPCUA";

/// A tool that a test needs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Tool {
    /// It lies here.
    At(PathBuf),
    /// The user asked to do without it: the test returns at once. What is left out has been printed.
    LeftOut,
}

/// The Python interpreter that has the packages of all the requirements files.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which provides it.
#[track_caller]
pub fn python() -> Tool {
    Request { tool: "python", variable: PYTHON, file: None }.answer()
}

/// The Go program of this name: `go-1.53` or `go-1.67`, clients by the release of grpc-go in them, `mqtt-broker` or `rtsp-server`.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which builds it.
#[track_caller]
pub fn go_client(name: &str) -> Tool {
    Request { tool: "go", variable: GO_CLIENTS, file: Some(name) }.answer()
}

/// The program that checks what deploys a mapper, by the code of those that will read it.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which builds it.
#[track_caller]
pub fn deploy_check() -> Tool {
    Request { tool: "go", variable: GO_CLIENTS, file: Some("deploy-check") }.answer()
}

/// The server of this name: `redis-server`, `mosquitto`, `mariadbd`, `mariadb-install-db` or `victoria-metrics`; or `mariadb`, the
/// client.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which installs it.
#[track_caller]
pub fn server(name: &str) -> Tool {
    Request { tool: "servers", variable: SERVERS, file: Some(name) }.answer()
}

/// What belongs to the browser: `chromium`, `chromedriver`, or `axe.min.js`, the script of the checks of accessibility.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which installs it.
#[track_caller]
pub fn browser(name: &str) -> Tool {
    Request { tool: "browser", variable: BROWSER, file: Some(name) }.answer()
}

/// What reads, writes and plays streams of pictures: `ffmpeg` or `ffprobe`.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which installs it.
#[track_caller]
pub fn ffmpeg(name: &str) -> Tool {
    Request { tool: "ffmpeg", variable: FFMPEG, file: Some(name) }.answer()
}

/// A link to Node.js, beside `node_modules` with the OPC UA server in JavaScript, node-opcua.
///
/// # Panics
///
/// If the test was not started by `cargo xtask test`, which installs it.
#[track_caller]
pub fn node_opcua() -> Tool {
    Request { tool: "node-opcua", variable: NODE_OPCUA, file: Some("node") }.answer()
}

/// What a test asks for.
struct Request<'a> {
    /// The name for `--without`.
    tool: &'a str,
    /// The environment variable that says where it is.
    variable: &'a str,
    /// The file in the folder which the variable names; without it, the variable names the file.
    file: Option<&'a str>,
}

impl Request<'_> {
    #[track_caller]
    fn answer(&self) -> Tool {
        let without = env::var(WITHOUT).unwrap_or_default();
        match self.look_up(&without, env::var_os(self.variable)) {
            Ok(Tool::LeftOut) => {
                eprintln!("left out: this test needs {}", self.tool);
                Tool::LeftOut
            }
            Ok(tool) => tool,
            Err(why) => panic!("{why}: run `cargo xtask test`, which installs it"),
        }
    }

    /// The tool's place, or why it has none.
    fn look_up(&self, without: &str, place: Option<OsString>) -> Result<Tool, String> {
        if without.split(',').any(|tool| tool == self.tool) {
            return Ok(Tool::LeftOut);
        }
        let place = place.ok_or_else(|| format!("this test needs {}, and {} is not set", self.tool, self.variable))?;
        let mut path = PathBuf::from(place);
        path.extend(self.file);
        if path.is_file() { Ok(Tool::At(path)) } else { Err(format!("this test needs {}, a file", path.display())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: Request<'_> = Request { tool: "python", variable: "PYTHON", file: None };
    const CLIENT: Request<'_> = Request { tool: "go", variable: "CLIENTS", file: Some("go-1.67") };

    #[test]
    fn a_tool_lies_where_the_variable_says() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let found = PYTHON.look_up("", Some(file.path().into()));
        assert_eq!(found, Ok(Tool::At(file.path().to_owned())));
    }

    #[test]
    fn a_client_lies_in_the_folder_of_the_variable() {
        let folder = tempfile::tempdir().expect("a folder");
        let client = folder.path().join("go-1.67");
        std::fs::write(&client, "").expect("written");
        assert_eq!(CLIENT.look_up("python", Some(folder.path().into())), Ok(Tool::At(client)));
    }

    #[test]
    fn a_tool_is_left_out_only_if_it_is_listed_by_its_whole_name() {
        for without in ["go", "python,go", "go,python"] {
            assert_eq!(CLIENT.look_up(without, None), Ok(Tool::LeftOut), "{without}");
        }
        for without in ["", "python", "gopher", "go-1.67"] {
            assert!(CLIENT.look_up(without, None).is_err(), "{without}");
        }
    }

    #[test]
    fn a_tool_that_is_not_there_is_an_error_that_names_what_was_looked_for() {
        let unset = PYTHON.look_up("", None).expect_err("no variable");
        assert_eq!(unset, "this test needs python, and PYTHON is not set");
        let missing = CLIENT.look_up("", Some("/no/such/folder".into())).expect_err("no folder");
        assert_eq!(missing, "this test needs /no/such/folder/go-1.67, a file");
    }
}
