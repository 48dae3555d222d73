//! The parts of a workload that the tests look at.

use serde_json::{Value as Json, json};

/// The pod's spec in a workload.
pub(crate) fn spec(workload: &Json) -> &Json {
    &workload["spec"]["template"]["spec"]
}

pub(crate) fn container(workload: &Json) -> &Json {
    &spec(workload)["containers"][0]
}

/// Where a volume is mounted in the container.
pub(crate) fn mount<'a>(workload: &'a Json, volume: &str) -> Option<&'a str> {
    list(&container(workload)["volumeMounts"]).find(|mount| mount["name"] == volume)?["mountPath"].as_str()
}

/// What a volume is made of.
pub(crate) fn volume<'a>(workload: &'a Json, name: &str) -> &'a Json {
    list(&spec(workload)["volumes"]).find(|volume| volume["name"] == name).expect("the volume is there")
}

/// A list, which may be absent.
pub(crate) fn list(list: &Json) -> impl Iterator<Item = &Json> {
    list.as_array().into_iter().flatten()
}

/// The Deployment of each node group, with what is laid over it there.
pub(crate) fn of_groups(application: &Json) -> Vec<Json> {
    let manifests = list(&application["spec"]["workloadTemplate"]["manifests"]);
    let deployment = manifests.filter(|manifest| manifest["kind"] == "Deployment").last().expect("a Deployment");
    let groups = list(&application["spec"]["workloadScope"]["targetNodeGroups"]);
    groups.map(|group| with(deployment.clone(), &group["overriders"])).collect()
}

fn with(mut deployment: Json, overriders: &Json) -> Json {
    let container = &mut deployment["spec"]["template"]["spec"]["containers"][0];
    for (field, overriders) in [
        ("command", &overriders["commandOverriders"]),
        ("args", &overriders["argsOverriders"]),
        ("env", &overriders["envOverriders"]),
    ] {
        for overrider in list(overriders) {
            change(&mut container[field], overrider);
        }
    }
    deployment
}

fn change(target: &mut Json, overrider: &Json) {
    // Variables are the same by name, words as a whole.
    let same = |one: &Json, other: &Json| one.get("name").unwrap_or(one) == other.get("name").unwrap_or(other);
    let mut items: Vec<_> = list(target).cloned().collect();
    let given: Vec<_> = list(&overrider["value"]).cloned().collect();
    if overrider["operator"] != "add" {
        items.retain(|item| !given.iter().any(|given| same(item, given)));
    }
    if overrider["operator"] != "remove" {
        items.extend(given);
    }
    *target = json!(items);
}
