//! What is made from the command line's description: completions for shells, and the manual.

use std::io;

use clap_complete::Shell;
use clap_mangen::Man;

use super::Help;

/// The script that completes the command line in a shell.
pub(crate) fn completions(help: &Help, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut help.command(), help.package.name(), &mut script);
    script
}

/// The manual page of the program, or of a subcommand; `None` if there is no such subcommand.
pub(crate) fn manual(help: &Help, subcommand: Option<&str>) -> io::Result<Option<Vec<u8>>> {
    let mut command = help.command().disable_help_subcommand(true);
    command.build();
    let command = match subcommand {
        None => command,
        Some(name) => match command.find_subcommand(name) {
            Some(found) => found.clone(),
            None => return Ok(None),
        },
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(Some(page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Package;

    const HELP: Help = Help {
        package: Package::new("tower-light-mapper", "0.3.1", "Switches tower lights"),
        own_keys: Vec::new(),
        discover_args: &[("bus", "Where to search")],
    };

    #[test]
    fn a_script_completes_the_mapper_s_own_name() {
        let shells = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh];
        for shell in shells {
            let script = String::from_utf8(completions(&HELP, shell)).unwrap();
            assert!(script.contains("tower-light-mapper") && script.contains("scaffold"), "{shell}");
        }
    }

    #[test]
    fn the_manual_has_a_page_for_the_program_and_for_each_subcommand() {
        let page = |subcommand| manual(&HELP, subcommand).unwrap().map(|page| String::from_utf8(page).unwrap());
        let whole = page(None).unwrap();
        assert!(whole.contains("Switches tower lights") && whole.contains("config\\-file"), "{whole}");
        assert!(page(Some("check")).unwrap().contains("kubeedge"));
        assert!(page(Some("discover")).unwrap().contains("Where to search"));
        assert_eq!(page(Some("chek")), None);
    }
}
