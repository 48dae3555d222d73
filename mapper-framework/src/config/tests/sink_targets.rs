//! Lists of hosts, and of what holds for hosts.

use super::*;

#[test]
fn targets_and_hosts_are_lists_in_the_file_and_in_a_variable() {
    let yaml =
        "sinks: {redis: {allowed: [a.example]}, targets: [{host: b.example, kind: mqtt, tls: {ca_file: /b.pem}}]}";
    let variables = [
        ("MAPPER_SINKS__REDIS__ALLOWED", "[a.example]"),
        ("MAPPER_SINKS__TARGETS", "[{host: b.example, kind: mqtt, tls: {ca_file: /b.pem}}]"),
    ];
    for config in [load(file(yaml)), load(file("").env(variables))] {
        assert_eq!(config.sinks.redis.allowed, ["a.example"]);
        let [target] = &config.sinks.targets[..] else { panic!("{:?}", config.sinks.targets) };
        assert_eq!((target.host.as_str(), target.kind.as_str(), target.plaintext), ("b.example", "mqtt", false));
        assert_eq!(target.tls.ca_file.to_str(), Some("/b.pem"));
    }
}

#[test]
fn a_host_that_is_none_is_refused_with_its_key_and_its_place() {
    for (yaml, key, expected) in [
        ("redis: {allowed: [a, 'http://b']}", "sinks.redis.allowed", "\"http://b\" is more than a host"),
        ("mqtt: {allowed: ['']}", "sinks.mqtt.allowed", "is empty"),
        ("targets: [{host: a}, {kind: redis}]", "sinks.targets", "entry 2: host is empty"),
        (
            "targets: [{host: a, kind: rdis}]",
            "sinks.targets",
            "entry 1: kind \"rdis\" is no kind of sink: use one of http,",
        ),
        ("targets: [{host: a}, {host: a}]", "sinks.targets", "entry 2: is another one for \"a\""),
        ("targets: [{host: a, tls: {cert_file: /x}}]", "sinks.targets", "set both or none"),
    ] {
        let text = error(file(&format!("sinks: {{{yaml}}}")));
        assert!(text.starts_with("config.yaml:1:") && text.contains(key) && text.contains(expected), "{text}");
    }
}

#[test]
fn a_proxy_is_an_address_without_a_login() {
    for proxy in ["http://proxy.example:3128", "https://proxy.example/", "http://[fd00::1]:3128"] {
        assert_eq!(load(file(&format!("sinks: {{proxy: '{proxy}'}}"))).sinks.proxy, proxy);
    }
    for proxy in ["proxy:3128", "socks5://proxy:1080", "http://me:hunter2@proxy:3128", "http://proxy/path", "http://"] {
        let text = error(file(&format!("sinks: {{proxy: '{proxy}'}}")));
        assert!(text.contains("`sinks.proxy`") && text.contains("sinks.proxy_credentials"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_mistyped_key_of_a_target_is_no_small_matter() {
    let text = error(file("sinks: {targets: [{host: a, plaintxt: true}]}"));
    assert!(text.contains("sinks.targets[0]") && text.contains("plaintxt"), "{text}");
}

#[test]
fn a_password_that_was_written_into_a_host_is_not_repeated() {
    let text = error(file("sinks: {redis: {allowed: ['me:hunter2@a']}}"));
    assert!(text.contains("mounted Secret") && !text.contains("hunter2"), "{text}");
    let text = error(file("sinks: {targets: [{host: 'me:hunter2@a'}]}"));
    assert!(!text.contains("hunter2"), "{text}");
}
