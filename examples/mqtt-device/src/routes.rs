//! Who has asked for which topics.

use std::collections::HashMap;

use crate::topic;

/// Filters, and who has asked for them.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Topics, which are looked up.
    exact: HashMap<String, Vec<u64>>,
    /// Filters for several topics, which are tried one by one.
    wild: HashMap<String, Vec<u64>>,
    /// Who gets the message at hand; kept for its memory.
    found: Vec<u64>,
}

impl Routes {
    pub(crate) fn add(&mut self, filter: &str, who: u64) {
        let all = self.table(filter).entry(filter.to_owned()).or_default();
        if !all.contains(&who) {
            all.push(who);
        }
    }

    /// Returns whether nobody asks for it any more.
    pub(crate) fn remove(&mut self, filter: &str, who: u64) -> bool {
        let table = self.table(filter);
        let Some(all) = table.get_mut(filter) else { return false };
        all.retain(|it| *it != who);
        let is_free = all.is_empty();
        if is_free {
            table.remove(filter);
        }
        is_free
    }

    /// Removes somebody, and returns the filters that nobody asks for any more.
    pub(crate) fn remove_all(&mut self, who: u64) -> Vec<String> {
        let filters = self.exact.iter().chain(&self.wild).filter(|(_, all)| all.contains(&who));
        let filters: Vec<_> = filters.map(|(filter, _)| filter.clone()).collect();
        filters.into_iter().filter(|filter| self.remove(filter, who)).collect()
    }

    /// All filters, in order.
    pub(crate) fn filters(&self) -> Vec<String> {
        let mut filters: Vec<_> = self.exact.keys().chain(self.wild.keys()).cloned().collect();
        filters.sort_unstable();
        filters
    }

    /// Calls `give` once for each who has asked for the topic.
    pub(crate) fn each(&mut self, topic: &str, give: impl FnMut(u64)) {
        self.found.clear();
        self.found.extend(self.exact.get(topic).into_iter().flatten());
        let wild = self.wild.iter().filter(|(filter, _)| topic::fits(filter, topic));
        self.found.extend(wild.flat_map(|(_, all)| all));
        if self.found.len() > 1 {
            self.found.sort_unstable();
            self.found.dedup();
        }
        self.found.iter().copied().for_each(give);
    }

    fn table(&mut self, filter: &str) -> &mut HashMap<String, Vec<u64>> {
        if topic::is_wild(filter) { &mut self.wild } else { &mut self.exact }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_has_asked_gets_a_message_once() {
        let mut routes = Routes::default();
        routes.add("a/b", 1);
        routes.add("a/+", 1);
        routes.add("a/#", 2);
        let given = |routes: &mut Routes, topic| {
            let mut given = Vec::new();
            routes.each(topic, |who| given.push(who));
            given
        };
        assert_eq!(given(&mut routes, "a/b"), [1, 2]);
        assert_eq!(given(&mut routes, "a/b/c"), [2]);
        assert!(!routes.remove("a/b", 2), "somebody else asks for it");
        assert_eq!(routes.remove_all(2), ["a/#"]);
        assert!(given(&mut routes, "a/b/c").is_empty());
        let mut free = routes.remove_all(1);
        free.sort();
        assert_eq!(free, ["a/+", "a/b"]);
    }
}
