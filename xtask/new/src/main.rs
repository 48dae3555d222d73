//! `cargo xtask new`.

use std::{
    io::{IsTerminal, stderr, stdin},
    process::ExitCode,
};

use clap::Parser;
use new_mapper::Arguments;

fn main() -> ExitCode {
    let ask = stdin().is_terminal() && stderr().is_terminal();
    match Arguments::parse().run(ask) {
        Ok(folder) => {
            println!("made {0}\nnext: cd {0} && cargo run -- --standalone devices", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
