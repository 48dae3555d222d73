//! Which modules of the crate a piece of code names.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::sources::is;

/// The first names after `crate::`, or after as many `super::` as lead to the crate's root from a module at this depth: alone or in
/// braces, in code, macros and visibilities alike.
pub(crate) fn uses(code: &TokenStream, depth: usize) -> Vec<String> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let mut found = Vec::new();
    // How far the code is below the root: deeper within `mod name { … }`.
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => {
                let inline = at >= 2 && is(&tokens[at - 2], "mod") && group.delimiter() == Delimiter::Brace;
                found.extend(uses(&group.stream(), depth + usize::from(inline)));
                at += 1;
            }
            token if is(token, "crate") || is(token, "super") => {
                let (reached, end) = climb(&tokens, at, depth);
                if reached == 0 && is_path_separator(&tokens, end) {
                    found.extend(heads(tokens.get(end + 2)));
                }
                at = end.max(at + 1);
            }
            _ => at += 1,
        }
    }
    found
}

/// The names of paths that begin with one of another crate, such as `tonic` in `tonic::Status`.
pub(crate) fn first_names(code: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Group(group) => found.extend(first_names(&group.stream())),
            TokenTree::Ident(name) if is_path_separator(&tokens, at + 1) => found.push(name.to_string()),
            _ => {}
        }
    }
    found
}

/// How deep one is after the `crate` or the `super`s that stand here, and where these end.
fn climb(tokens: &[TokenTree], at: usize, depth: usize) -> (usize, usize) {
    if is(&tokens[at], "crate") {
        return (0, at + 1);
    }
    let (mut depth, mut end) = (depth.saturating_sub(1), at + 1);
    while is_path_separator(tokens, end) && tokens.get(end + 2).is_some_and(|token| is(token, "super")) {
        (depth, end) = (depth.saturating_sub(1), end + 3);
    }
    (depth, end)
}

fn is_path_separator(tokens: &[TokenTree], at: usize) -> bool {
    tokens.get(at..at + 2).is_some_and(|two| two.iter().all(|token| is(token, ":")))
}

/// The name that stands here, or the first ones of the paths in braces.
fn heads(of: Option<&TokenTree>) -> Vec<String> {
    match of {
        Some(TokenTree::Group(group)) => {
            let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
            tokens.split(|token| is(token, ",")).filter_map(|path| Some(path.first()?.to_string())).collect()
        }
        Some(token) => vec![token.to_string()],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_single_paths_are_seen_in_code_macros_and_visibilities() {
        for (code, found) in [
            ("use crate::{model::{A, B}, dmi::client::C}; fn f() { crate::twin::D }", vec!["model", "dmi", "twin"]),
            ("select! { x = crate::runtime::next() => {} }", vec!["runtime"]),
            ("pub(in crate::sink) fn f() {}", vec!["sink"]),
            ("// use crate::runtime;\nlet s = \"crate::twin\";", vec![]),
            ("pub(crate) fn f() {}", vec![]),
        ] {
            assert_eq!(uses(&code.parse().unwrap(), 1), found, "{code}");
        }
    }

    #[test]
    fn a_way_to_the_root_by_super_is_seen_at_each_depth() {
        let code: TokenStream =
            "use super::a; use super::super::b; mod m { use super::super::{c::C, d}; }".parse().unwrap();
        assert_eq!(uses(&code, 1), ["a", "b", "c", "d"]);
        assert_eq!(uses(&code, 2), ["b"]);
        assert_eq!(uses(&code, 3), [""; 0]);
    }
}
