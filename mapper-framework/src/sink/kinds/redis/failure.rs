//! What the errors of a server mean: whether a record, the target or the moment is at fault, and what puts it right.

use redis::RedisError;

use super::super::super::SinkError;

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The record or the target: the framework finds out.
    Unknown,
    /// The target, or a setting.
    Target,
    /// The moment.
    Moment,
    /// The moment, and another connection may lead to another server.
    Connection,
}

/// What a code means, with the cure. A code that is not here says nothing of who is at fault.
const CODES: [(&str, Fault, &str); 18] = [
    ("ASK", Fault::Target, CLUSTER),
    ("BUSY", Fault::Moment, "a script is running there: wait, or end it by SCRIPT KILL"),
    ("CLUSTERDOWN", Fault::Moment, "bring the missing nodes of the cluster back"),
    ("CROSSSLOT", Fault::Target, CLUSTER),
    ("DENIED", Fault::Target, "set a password on the server, or turn its protected-mode off"),
    ("LOADING", Fault::Moment, "wait until the server has read its data"),
    ("MASTERDOWN", Fault::Moment, MASTER),
    ("MISCONF", Fault::Moment, "the server cannot save to its disk: its log says why"),
    ("MOVED", Fault::Target, CLUSTER),
    ("NOAUTH", Fault::Target, "set a password in the folder sinks.redis.credentials or in REDIS_PASSWORD"),
    ("NOPERM", Fault::Unknown, "give the ACL user the right to the key"),
    ("NOREPLICAS", Fault::Moment, "bring the replicas back that min-replicas-to-write asks for"),
    ("OOM", Fault::Moment, "raise the server's maxmemory, or keep less by sinks.redis.max_length and sinks.redis.ttl"),
    ("READONLY", Fault::Connection, MASTER),
    ("TRYAGAIN", Fault::Moment, "wait until the slot has been moved"),
    ("UNBLOCKED", Fault::Connection, MASTER),
    (
        "WRONGPASS",
        Fault::Target,
        "put username and password right in the folder sinks.redis.credentials or in the environment",
    ),
    ("WRONGTYPE", Fault::Unknown, "rename or delete the key, which something else writes"),
];

/// What a text in an error means, whatever its code. The first that is found counts.
const TEXTS: [(&str, Fault, &str); 10] = [
    (
        "unknown command",
        Fault::Target,
        "the address is that of a Sentinel, of a proxy, or of a server that has renamed the command: write redis-sentinel:// or the address of the \
         master in addr, or turn the form off that needs it (EVAL: sinks.redis.last_value)",
    ),
    ("permissions to run", Fault::Target, "give the ACL user the right to the command"),
    ("can't run this command", Fault::Target, "give the ACL user the right to the command"),
    ("permissions to execute", Fault::Target, "give the ACL user the right to the command"),
    ("without any password configured", Fault::Target, "set a password on the server, or take the mapper's away"),
    ("no password is set", Fault::Target, "set a password on the server, or take the mapper's away"),
    ("DB index is out of range", Fault::Target, "use a smaller db in the manifest, or raise the server's databases"),
    ("SELECT is not allowed in cluster mode", Fault::Target, "a cluster has no other database: use db 0"),
    (
        "cluster support disabled",
        Fault::Target,
        "the address is that of a single server: write redis://host:port in addr",
    ),
    ("max number of clients", Fault::Connection, "raise the server's maxclients"),
];

const MASTER: &str = "give the address of the master, or have Sentinels find it (redis-sentinel://)";

const CLUSTER: &str = "the address is that of one node of a cluster: write redis-cluster://host:port in addr";

/// What an error means for whatever it belongs to: a record, a batch or a connection.
pub(super) fn sink_error(error: &RedisError) -> SinkError {
    let Some(code) = error.code() else { return SinkError::disconnected(error) };
    let said = said(code, error.detail().unwrap_or_default());
    let (fault, cure) = fault(code, &said);
    let reason = if cure.is_empty() { said } else { format!("{said}: {cure}") };
    match fault {
        Fault::Unknown => SinkError::refused(reason),
        Fault::Target => SinkError::misconfigured(reason),
        Fault::Moment => SinkError::failed(reason),
        Fault::Connection => SinkError::disconnected(reason),
    }
}

/// The server is a Sentinel, which knows where the data is and takes none.
pub(super) fn is_sentinel() -> SinkError {
    SinkError::misconfigured("a Sentinel answers, which takes no data: write redis-sentinel://host:port/name in addr")
}

/// The error with where it has happened.
pub(super) fn at(place: &str, error: &SinkError) -> SinkError {
    let make = if error.is_misconfigured() { SinkError::misconfigured } else { SinkError::disconnected };
    make(format!("{place}: {error}"))
}

/// The server's words, without the arguments of a command that it does not know: they are the samples.
fn said(code: &str, detail: &str) -> String {
    let detail = detail.split(", with args beginning with").next().unwrap_or_default();
    format!("{code} {detail}").trim_end().to_owned()
}

fn fault(code: &str, said: &str) -> (Fault, &'static str) {
    let by_text = TEXTS.iter().find(|(text, ..)| matches!(code, "ERR" | "NOPERM") && said.contains(text));
    let found = by_text.or_else(|| CODES.iter().find(|(known, ..)| *known == code));
    found.map_or((Fault::Unknown, ""), |(_, fault, cure)| (*fault, cure))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error that the client makes of a line on the wire.
    pub(super) fn of(line: &str) -> SinkError {
        let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        sink_error(&answer.extract_error().unwrap_err())
    }

    #[test]
    fn what_is_wrong_with_the_target_waits_with_the_cure() {
        for (line, cure) in [
            ("NOAUTH Authentication required.", "REDIS_PASSWORD"),
            ("WRONGPASS invalid username-password pair or user is disabled.", "sinks.redis.credentials"),
            ("NOPERM User mapper has no permissions to run the 'zadd' command", "right to the command"),
            ("NOPERM this user has no permissions to run the 'zadd' command or its subcommand", "right to the command"),
            (
                "ERR ACL failure in script: User m has no permissions to run the 'hset' command script: 1",
                "right to the command",
            ),
            ("ERR unknown command 'ZADD', with args beginning with: 'boiler' '17'", "a Sentinel"),
            ("ERR AUTH <password> called without any password configured for the default user.", "take the mapper's"),
            ("ERR DB index is out of range", "smaller db"),
            ("ERR SELECT is not allowed in cluster mode", "db 0"),
            ("DENIED Redis is running in protected mode", "password"),
            ("ERR This instance has cluster support disabled", "redis://"),
            ("MOVED 3999 127.0.0.1:6381", "a cluster"),
            ("ASK 3999 127.0.0.1:6381", "a cluster"),
            ("CROSSSLOT Keys in request don't hash to the same slot", "a cluster"),
        ] {
            let error = of(line);
            assert!(error.is_misconfigured() && error.to_string().contains(cure), "{line}: {error:?}");
        }
    }

    #[test]
    fn what_passes_comes_again_on_the_same_connection() {
        for line in [
            "BUSY Redis is busy running a script.",
            "CLUSTERDOWN The cluster is down",
            "LOADING Redis is loading the dataset in memory",
            "MASTERDOWN Link with MASTER is down",
            "MISCONF Redis is configured to save RDB snapshots",
            "NOREPLICAS Not enough good replicas to write.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "TRYAGAIN Multiple keys request during rehashing of slot",
        ] {
            let error = of(line);
            assert!(error.is_retryable() && !error.is_disconnected() && !error.is_refused(), "{line}: {error:?}");
        }
    }

    #[test]
    fn a_server_that_is_no_master_any_more_is_left() {
        for line in ["READONLY You can't write against a read only replica.", "ERR max number of clients reached"] {
            let error = of(line);
            assert!(error.is_disconnected() && !error.is_misconfigured(), "{line}: {error:?}");
        }
    }

    #[test]
    fn what_may_be_about_a_record_is_found_out() {
        for line in [
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "NOPERM User mapper has no permissions to access the 'boiler' key",
            "NOPERM No permissions to access a key",
            "ERR syntax error",
            "STRANGE nobody knows this one",
        ] {
            assert!(of(line).is_refused(), "{line}: {:?}", of(line));
        }
    }

    #[test]
    fn a_command_that_is_not_known_does_not_bring_the_samples_into_the_log() {
        let error = of("ERR unknown command 'ZADD', with args beginning with: 'boiler' '17' 'secret'").to_string();
        assert!(error.contains("'ZADD'") && !error.contains("secret"), "{error}");
    }
}
