use super::{
    complaints,
    metadata::{Dependency, Package},
    rules::Rules,
};

const RULES: &str = r#"
[licenses]
allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
exceptions = [{ crate = "odd", allow = ["MPL-2.0"] }]
[bans]
deny = [
    { crate = "openssl-sys", reason = "rustls is used" },
    { crate = "yaml", reason = "unmaintained", wrappers = ["wrapper"] },
]
[sources]
allow-registry = ["https://example.com/index"]
[advisories]
ignore = [{ id = "RUSTSEC-2020-0001", reason = "slow 1.2.3: never fed by strangers" }]
"#;

fn package(name: &str, licence: &str) -> Package {
    Package {
        name: name.to_owned(),
        version: "1.2.3".to_owned(),
        license: (!licence.is_empty()).then(|| licence.to_owned()),
        source: Some("registry+https://example.com/index".to_owned()),
        dependencies: Vec::new(),
    }
}

/// A dependency on any version.
fn dependency(name: &str) -> Dependency {
    Dependency { name: name.to_owned(), req: "*".to_owned(), path: None, kind: None, optional: false }
}

/// What is wrong with one package beside the one that the ignored advisory is about.
fn wrong(package: Package) -> Vec<String> {
    let rules = Rules::parse(RULES).expect("they are whole");
    complaints(&rules, &[self::package("slow", "MIT"), package])
}

#[test]
fn a_licence_is_weighed_as_an_expression() {
    for licence in [
        "MIT",
        "MIT OR GPL-3.0-only",
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "(MIT OR GPL-3.0-only) AND Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert_eq!(wrong(package("a", licence)), [""; 0], "{licence}");
    }
    for licence in ["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "MIT WITH LLVM-exception"] {
        let message = format!("a 1.2.3: the licence {licence} is not in licenses.allow");
        assert_eq!(wrong(package("a", licence)), [message]);
    }
}

#[test]
fn an_exception_is_for_one_crate() {
    for licence in ["MPL-2.0", "MPL-2.0+"] {
        assert_eq!(wrong(package("odd", licence)), [""; 0], "{licence}");
        assert_eq!(wrong(package("other", licence)).len(), 1, "{licence}");
    }
}

#[test]
fn a_package_must_have_a_licence_unless_it_is_of_the_workspace() {
    assert_eq!(wrong(package("a", "")), ["a 1.2.3: it has no licence"]);
    assert_eq!(wrong(Package { source: None, ..package("a", "") }), [""; 0]);
    assert!(wrong(package("a", "as you like"))[0].starts_with("a 1.2.3: the licence \"as you like\" cannot be read: "));
}

#[test]
fn a_banned_package_is_named_with_the_reason() {
    let message =
        "openssl-sys 1.2.3: it is banned: rustls is used; `cargo tree --workspace -i openssl-sys` says what brings it";
    assert_eq!(wrong(package("openssl-sys", "MIT")), [message]);
}

#[test]
fn a_banned_package_may_come_by_its_wrappers_alone() {
    let rules = Rules::parse(RULES).expect("they are whole");
    let bringing = |name: &str, kind: Option<&str>, optional| Package {
        dependencies: vec![Dependency { kind: kind.map(str::to_owned), optional, ..dependency("yaml") }],
        ..package(name, "MIT")
    };
    let found = |others: &[Package]| {
        let packages = [&[package("slow", "MIT"), package("yaml", "MIT")], others].concat();
        complaints(&rules, &packages).len()
    };
    assert_eq!(found(&[bringing("wrapper", None, false)]), 0);
    assert_eq!(found(&[bringing("wrapper", None, false), bringing("other", None, false)]), 1);
    assert_eq!(found(&[bringing("wrapper", None, false), bringing("other", Some("build"), false)]), 1);
    assert_eq!(found(&[bringing("wrapper", None, false), bringing("other", None, true)]), 0);
    assert_eq!(found(&[bringing("wrapper", None, false), bringing("other", Some("dev"), false)]), 0);
    assert_eq!(found(&[]), 1);
}

#[test]
fn packages_come_from_the_known_registry_or_the_workspace() {
    for source in
        ["git+https://example.com/index", "registry+https://other.example/index", "sparse+https://example.com/index"]
    {
        let found = wrong(Package { source: Some(source.to_owned()), ..package("a", "MIT") });
        assert_eq!(found, [format!("a 1.2.3: {source} is not in sources.allow-registry")]);
    }
    assert_eq!(wrong(Package { source: None, ..package("a", "MIT") }), [""; 0]);
}

#[test]
fn a_dependency_names_its_version_unless_it_lies_in_the_workspace() {
    let with = |path: Option<&str>| Package {
        source: None,
        dependencies: vec![Dependency { path: path.map(str::to_owned), ..dependency("b") }],
        ..package("a", "MIT")
    };
    assert_eq!(wrong(with(None)), ["a 1.2.3: it takes any version of b"]);
    assert_eq!(wrong(with(Some("/b"))), [""; 0]);
}

#[test]
fn an_ignored_advisory_ends_with_the_version_that_it_is_about() {
    let rules = Rules::parse(RULES).expect("they are whole");
    let fixed = Package { version: "1.2.4".to_owned(), ..package("slow", "MIT") };
    let found = complaints(&rules, &[fixed]);
    assert!(found.len() == 1 && found[0].starts_with("RUSTSEC-2020-0001: no package begins its reason"), "{found:?}");
}
