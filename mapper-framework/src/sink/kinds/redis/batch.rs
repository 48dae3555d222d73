//! What a batch of records becomes: the commands, and what their answers mean for each record.

use std::collections::BTreeMap;

use redis::{Cmd, Pipeline};

use crate::{config::RedisSinkConfig, model::DeviceId};

use super::{
    super::super::{Outcome, Record, SinkError},
    sorted_set_key,
};

/// Sets last values that are newer than those which are there: `KEYS[1]` is the hash, and three arguments belong to each property,
/// its name, the time and the document.
const SET_NEWER: &str = include_str!("set_newer.lua");

/// The commands of a batch.
pub(super) struct Batch {
    pipeline: Pipeline,
    /// For each command what it writes to, for messages, and the records that depend on it.
    steps: Vec<(String, Vec<usize>)>,
    records: usize,
}

/// The indexes of a device's records in the batch, in their order.
struct OfDevice<'a> {
    device: &'a DeviceId,
    records: &'a [Record],
    indexes: Vec<usize>,
}

impl Batch {
    pub(super) fn new(config: &RedisSinkConfig, records: &[Record]) -> Self {
        let mut by_device = BTreeMap::<_, Vec<usize>>::new();
        for (index, record) in records.iter().enumerate() {
            by_device.entry(record.device()).or_default().push(index);
        }
        let mut batch = Self { pipeline: redis::pipe(), steps: Vec::new(), records: records.len() };
        for (device, indexes) in by_device {
            batch.add_device(config, &OfDevice { device, records, indexes });
        }
        // Else the first error would hide all other answers.
        batch.pipeline.ignore_errors();
        batch
    }

    pub(super) fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// How many commands there are.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The commands by what they write to, in their order: which ones they are, and what they are.
    pub(super) fn by_key(&self) -> Vec<(Vec<usize>, Vec<&Cmd>)> {
        let mut parts = BTreeMap::<&str, (Vec<usize>, Vec<&Cmd>)>::new();
        for (step, ((key, _), command)) in self.steps.iter().zip(self.pipeline.cmd_iter()).enumerate() {
            let (steps, commands) = parts.entry(key).or_default();
            steps.push(step);
            commands.push(command);
        }
        parts.into_values().collect()
    }

    fn add_device(&mut self, config: &RedisSinkConfig, of: &OfDevice<'_>) {
        if config.sorted_set {
            let key = sorted_set_key(of.device);
            self.add(key, of.sorted_set(key), &of.indexes);
            if config.max_length > 0 {
                self.add(key, keep_newest(key, config.max_length), &of.indexes);
            }
            self.add_expiry(config, key, &of.indexes);
        }
        if config.stream {
            let key = format!("{}/stream", of.device);
            for index in &of.indexes {
                self.add(&key, entry(&key, config.max_length, &of.records[*index]), &[*index]);
            }
            self.add_expiry(config, &key, &of.indexes);
        }
        if config.last_value {
            let key = format!("{}/last", of.device);
            self.add(&key, of.last_values(&key), &of.indexes);
            self.add_expiry(config, &key, &of.indexes);
        }
    }

    fn add_expiry(&mut self, config: &RedisSinkConfig, key: &str, indexes: &[usize]) {
        if !config.ttl.is_zero() {
            let millis = u64::try_from(config.ttl.as_millis()).unwrap_or(u64::MAX);
            let mut command = redis::cmd("PEXPIRE");
            command.arg(key).arg(millis);
            self.add(key, command, indexes);
        }
    }

    fn add(&mut self, key: &str, command: Cmd, indexes: &[usize]) {
        self.pipeline.add_command(command);
        self.steps.push((key.to_owned(), indexes.to_vec()));
    }

    /// What the answers mean. A record of which one form was refused and another one can be written later comes again, and is
    /// refused when the second one has been written.
    ///
    /// # Errors
    ///
    /// Nothing was written and the server may take the batch later, or what is wrong with it concerns all records.
    pub(super) fn outcomes(&self, answers: Vec<Result<(), SinkError>>) -> Result<Vec<Outcome>, SinkError> {
        let mut outcomes = Outcome::accepted(self.records);
        let mut delay = None;
        for ((key, indexes), answer) in self.steps.iter().zip(answers) {
            let Err(error) = answer else { continue };
            if error.is_misconfigured() {
                return Err(error);
            }
            let of_key = format!("{key}: {error}");
            let outcome = if error.is_refused() { Outcome::Refused(of_key) } else { Outcome::Retry(of_key) };
            for index in indexes {
                if !matches!(outcomes[*index], Outcome::Retry(_)) {
                    outcomes[*index] = outcome.clone();
                }
            }
            delay = delay.or((!error.is_refused()).then_some(error));
        }
        match delay {
            // Named without a key.
            Some(error) if !outcomes.contains(&Outcome::Accepted) => Err(error),
            _ => Ok(outcomes),
        }
    }
}

impl OfDevice<'_> {
    fn sorted_set(&self, key: &str) -> Cmd {
        let mut command = redis::cmd("ZADD");
        command.arg(key);
        for record in self.indexes.iter().map(|index| &self.records[*index]) {
            command.arg(record.timestamp_ms()).arg(record.to_go_json());
        }
        command
    }

    fn last_values(&self, key: &str) -> Cmd {
        let mut newest = BTreeMap::<&str, &Record>::new();
        for record in self.indexes.iter().map(|index| &self.records[*index]) {
            let known = newest.entry(record.property()).or_insert(record);
            if known.timestamp_ms() <= record.timestamp_ms() {
                *known = record;
            }
        }
        let mut command = redis::cmd("EVAL");
        command.arg(SET_NEWER).arg(1).arg(key);
        for (property, record) in newest {
            command.arg(property).arg(record.timestamp_ms()).arg(record.to_json());
        }
        command
    }
}

fn keep_newest(key: &str, max_length: u64) -> Cmd {
    let last_to_go = i64::try_from(max_length).map_or(i64::MIN, |most| -most - 1);
    let mut command = redis::cmd("ZREMRANGEBYRANK");
    command.arg(key).arg(0).arg(last_to_go);
    command
}

fn entry(key: &str, max_length: u64, record: &Record) -> Cmd {
    let mut command = redis::cmd("XADD");
    command.arg(key);
    if max_length > 0 {
        command.arg("MAXLEN").arg("~").arg(max_length);
    }
    command.arg("*").arg("payload").arg(record.to_json());
    command
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Arc,
        time::{Duration, UNIX_EPOCH},
    };

    use redis::Arg;

    use crate::{
        model::{DataType, Device, Property, Value},
        sink::{Route, Series, Target},
    };

    use super::*;

    fn record(device: &str, property: &str, value: impl Into<Value>, after: u64) -> Record {
        let property = Property::builder(property, DataType::Double).unit("bar").build();
        let device = Device::builder(device).property(property.clone()).build();
        let route = Route::to(Target::new("redis", &()));
        let series = Arc::new(Series::new(&device, &property, route));
        Record::new(series, value.into(), UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + after))
    }

    /// One command on each line, without the script's text.
    fn shown(batch: &Batch) -> String {
        let text = |arg: Arg<&[u8]>| match arg {
            Arg::Simple(bytes) => String::from_utf8_lossy(bytes).replace(SET_NEWER, "<set_newer.lua>"),
            other => panic!("not an argument: {other:?}"),
        };
        let line = |command: &Cmd| command.args_iter().map(text).collect::<Vec<_>>().join(" ") + "\n";
        batch.pipeline.cmd_iter().map(line).collect()
    }

    fn sent(config: &RedisSinkConfig) -> String {
        let records = [record("boiler", "pressure", 2.5, 123), record("boiler", "pressure", 2.25, 223)];
        shown(&Batch::new(config, &records))
    }

    fn only() -> RedisSinkConfig {
        RedisSinkConfig { sorted_set: false, ..RedisSinkConfig::default() }
    }

    #[test]
    fn a_sorted_set_is_what_the_readers_of_the_go_framework_expect() {
        let golden = include_str!("../../../../tests/golden/redis/sorted_set.txt");
        assert_eq!(sent(&RedisSinkConfig::default()), golden);
    }

    #[test]
    fn a_stream_has_an_entry_for_each_record() {
        let golden = include_str!("../../../../tests/golden/redis/stream.txt");
        assert_eq!(sent(&RedisSinkConfig { stream: true, ..only() }), golden);
    }

    #[test]
    fn a_hash_gets_the_newest_of_each_property_and_an_expiry() {
        let golden = include_str!("../../../../tests/golden/redis/last_value.txt");
        let ttl = Duration::from_secs(3600);
        assert_eq!(sent(&RedisSinkConfig { last_value: true, ttl, ..only() }), golden);
    }

    #[test]
    fn without_a_bound_nothing_is_cut() {
        let config = RedisSinkConfig { stream: true, max_length: 0, ..RedisSinkConfig::default() };
        let sent = sent(&config);
        assert!(!sent.contains("ZREMRANGEBYRANK") && !sent.contains("MAXLEN"), "{sent}");
        assert_eq!(sent.lines().count(), 3, "{sent}");
    }

    #[test]
    fn a_key_of_another_type_costs_its_records_only() {
        let config = RedisSinkConfig { max_length: 0, ..RedisSinkConfig::default() };
        let records = [record("a", "p", 1.0, 0), record("b", "p", 2.0, 0), record("a", "p", 3.0, 1)];
        let answers = vec![Err(SinkError::refused("WRONGTYPE")), Ok(())];
        let outcomes = Batch::new(&config, &records).outcomes(answers).unwrap();
        assert_eq!(outcomes[0], Outcome::refused("a: WRONGTYPE"));
        assert_eq!(outcomes[1], Outcome::Accepted);
        assert_eq!(outcomes[2], outcomes[0]);
    }

    #[test]
    fn what_may_be_taken_later_comes_again_and_is_not_refused_before() {
        let config = RedisSinkConfig { max_length: 0, stream: true, ..RedisSinkConfig::default() };
        let records = [record("a", "p", 1.0, 0), record("b", "p", 2.0, 0)];
        let batch = Batch::new(&config, &records);
        let loading = || Err(SinkError::failed("LOADING"));
        let outcomes = batch.outcomes(vec![Err(SinkError::refused("WRONGTYPE")), loading(), Ok(()), Ok(())]).unwrap();
        assert!(matches!(&outcomes[0], Outcome::Retry(reason) if reason.contains("LOADING")), "{outcomes:?}");
        assert_eq!(outcomes[1], Outcome::Accepted);
        let error = batch.outcomes((0..4).map(|_| loading()).collect()).unwrap_err();
        assert!(error.is_retryable() && !error.is_disconnected(), "{error:?}");
    }

    #[test]
    fn what_is_wrong_with_the_target_holds_up_the_whole_batch() {
        let config = RedisSinkConfig { max_length: 0, ..RedisSinkConfig::default() };
        let records = [record("a", "p", 1.0, 0), record("b", "p", 2.0, 0)];
        let answers = vec![Ok(()), Err(SinkError::misconfigured("MOVED"))];
        assert!(Batch::new(&config, &records).outcomes(answers).unwrap_err().is_misconfigured());
    }

    #[test]
    fn the_commands_of_one_key_keep_their_order() {
        let config = RedisSinkConfig { stream: true, max_length: 7, ..RedisSinkConfig::default() };
        let records = [record("a", "p", 1.0, 0), record("b", "p", 2.0, 0), record("a", "p", 3.0, 1)];
        let batch = Batch::new(&config, &records);
        let parts = batch.by_key();
        let steps: Vec<_> = parts.iter().map(|(steps, _)| steps.as_slice()).collect();
        // The sets `a` and `b`, each added to and cut, and the streams, of which that of `a` has two entries.
        assert_eq!(steps, [&[0, 1][..], &[4, 5], &[2, 3], &[6]]);
        assert_eq!(batch.len(), 7);
    }
}
