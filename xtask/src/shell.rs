//! Runs other programs: says what it runs, and what failed.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output},
};

use anyhow::{Context, Result, bail};

/// The cargo which runs this program, in the workspace's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(crate::root());
    command
}

/// Prints the command and runs it; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    println!("$ {}", display(command));
    let status = command.status().with_context(|| format!("`{}` cannot be started", display(command)))?;
    check(command, status, "")
}

/// Runs the command without a word; its output is seen only if it fails.
pub(crate) fn run_quietly(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// What the command prints to its standard output, without the white space around it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("`{}` cannot be started", display(command)))?;
    let stdout = String::from_utf8_lossy(&stdout);
    check(command, status, &format!("{stdout}{}", String::from_utf8_lossy(&stderr)))?;
    Ok(stdout.trim().to_owned())
}

/// Whether the command can be started and succeeds; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The first program of this name on the `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    find_all(program).into_iter().next()
}

/// All programs of this name on the `PATH`, in its order.
pub(crate) fn find_all(program: &str) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(program)).filter(|file| is_executable(file)).collect()
}

fn is_executable(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn check(command: &Command, status: ExitStatus, output: &str) -> Result<()> {
    if !status.success() {
        let output = output.trim();
        let separator = if output.is_empty() { "" } else { ":\n" };
        bail!("`{}` failed ({status}){separator}{output}", display(command));
    }
    Ok(())
}

/// The command as one would type it.
fn display(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let program = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let mut command = Command::new("/some/where/cargo");
        command.args(["test", "--", "two words", "it's", ""]);
        assert_eq!(display(&command), r"cargo test -- 'two words' 'it'\''s' ''");
    }

    #[test]
    fn a_failed_command_is_named_with_its_status_and_what_it_printed() {
        let error = run_quietly(Command::new("sh").args(["-c", "echo out; echo why >&2; exit 3"])).expect_err("exit 3");
        assert_eq!(error.to_string(), "`sh -c 'echo out; echo why >&2; exit 3'` failed (exit status: 3):\nout\nwhy");
    }

    #[test]
    fn a_command_that_does_not_exist_is_named() {
        let error = run_quietly(&mut Command::new("no-such-program-anywhere")).expect_err("there is none");
        assert_eq!(error.to_string(), "`no-such-program-anywhere` cannot be started");
    }

    #[test]
    fn output_is_trimmed() {
        assert_eq!(output(Command::new("echo").arg(" 1.2.3 ")).expect("echo succeeds"), "1.2.3");
    }

    #[test]
    fn find_looks_along_the_path() {
        assert!(find("sh").is_some_and(|sh| sh.ends_with("sh")));
        assert_eq!(find("no-such-program-anywhere"), None);
    }
}
