//! The crate's sources as the compiler sees them in a build without tests: from `lib.rs` on by its `mod` declarations, without what
//! stands under `#[cfg(test)]`, wherever in a file it stands.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The text of each file, by its path below `src/`.
pub(crate) type Files = BTreeMap<PathBuf, String>;

/// A file that belongs to the build.
pub(crate) struct Source {
    /// Its path below `src/`.
    pub(crate) file: PathBuf,
    /// The names of the modules from the crate's root to this one; none for `lib.rs`.
    pub(crate) module: Vec<String>,
    /// Its code, without that of tests.
    pub(crate) code: TokenStream,
}

/// Reads all files of the crate.
pub(crate) fn read() -> Files {
    fn collect(root: &Path, folder: &Path, files: &mut Files) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(root, &path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Files::new();
    collect(&root, &root, &mut files);
    files
}

/// The files that a build without tests consists of.
pub(crate) fn sources(files: &Files) -> Vec<Source> {
    let mut found = Vec::new();
    follow(files, Path::new("lib.rs"), Vec::new(), &mut found);
    found
}

fn follow(files: &Files, file: &Path, module: Vec<String>, found: &mut Vec<Source>) {
    let text = files.get(file).unwrap_or_else(|| panic!("there is no {}", file.display()));
    let code = code(text);
    for name in declared(&code) {
        let module = [module.clone(), vec![name]].concat();
        // A file that is named by a `path` attribute is at neither place: generated code, which nobody writes.
        if let Some(file) = file_of(files, &module) {
            follow(files, &file, module, found);
        }
    }
    found.push(Source { file: file.to_owned(), module, code });
}

fn file_of(files: &Files, module: &[String]) -> Option<PathBuf> {
    let path = module.iter().collect::<PathBuf>();
    [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|file| files.contains_key(file))
}

/// The code of a text, without that of tests.
pub(crate) fn code(text: &str) -> TokenStream {
    without_tests(text.parse().unwrap())
}

/// The names in `mod name;`.
fn declared(code: &TokenStream) -> Vec<String> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let names = tokens.windows(3).filter(|three| is(&three[0], "mod") && is(&three[2], ";"));
    names.map(|three| three[1].to_string()).collect()
}

/// The code without the items, fields and arms that stand under `#[cfg(test)]`.
fn without_tests(tokens: TokenStream) -> TokenStream {
    let mut kept = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let of_tests = is(&token, "#") && rest.peek().is_some_and(is_cfg_test);
        if of_tests {
            rest.next();
            skip(&mut rest);
        } else if let TokenTree::Group(group) = token {
            kept.push(proc_macro2::Group::new(group.delimiter(), without_tests(group.stream())).into());
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

/// Whether these are the brackets of `#[cfg(test)]`, or of a `#[cfg(all(test, …))]`.
fn is_cfg_test(brackets: &TokenTree) -> bool {
    let text = brackets.to_string().replace(' ', "");
    text == "[cfg(test)]" || text.starts_with("[cfg(all(test,")
}

/// Skips the rest of what an attribute belongs to.
fn skip(rest: &mut std::iter::Peekable<impl Iterator<Item = TokenTree>>) {
    let mut ends_with_braces = true;
    while let Some(token) = rest.next() {
        match &token {
            // Another attribute of the same item.
            token if is(token, "#") => drop(rest.next()),
            token if is(token, ";") || is(token, ",") => return,
            TokenTree::Ident(word) if ["use", "static", "let"].iter().any(|it| word == it) => ends_with_braces = false,
            TokenTree::Ident(word) if word == "const" => {
                ends_with_braces =
                    rest.peek().is_some_and(|next| ["fn", "unsafe", "async"].iter().any(|it| is(next, it)));
            }
            TokenTree::Group(group) if ends_with_braces && group.delimiter() == Delimiter::Brace => return,
            _ => {}
        }
    }
}

pub(crate) fn is(token: &TokenTree, text: &str) -> bool {
    match token {
        TokenTree::Ident(word) => word == text,
        TokenTree::Punct(punct) => text.len() == 1 && text.starts_with(punct.as_char()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_under_an_attribute_of_tests_is_left_out() {
        for (code, kept) in [
            ("#[cfg(test)] mod tests { use a::b; } fn f() {}", "fn f() {}"),
            ("#[cfg(test)] mod tests; mod a;", "mod a;"),
            ("#[cfg(test)] #[allow(dead_code)] use a::{b, c}; use d;", "use d;"),
            ("#[cfg(test)] pub(crate) fn f(a: A, b: B) -> C { d } struct E;", "struct E;"),
            ("#[cfg(test)] const A: B = B { c: 1 }; const D: u8 = 1;", "const D: u8 = 1;"),
            ("#[cfg(test)] const fn f() { a } fn g() {}", "fn g() {}"),
            ("struct S { #[cfg(test)] a: A, b: B }", "struct S { b: B }"),
            ("impl S { #[cfg(test)] fn a() {} fn b() {} }", "impl S { fn b() {} }"),
            ("#[cfg(all(test, unix))] mod tests {} fn f() {}", "fn f() {}"),
            ("#[cfg(not(test))] fn f() {}", "#[cfg(not(test))] fn f() {}"),
            ("#[cfg(feature = \"test\")] fn f() {}", "#[cfg(feature = \"test\")] fn f() {}"),
        ] {
            let stripped = without_tests(code.parse().unwrap());
            assert_eq!(stripped.to_string(), kept.parse::<TokenStream>().unwrap().to_string(), "{code}");
        }
    }
}
