//! `pushMethod`.

use std::time::Duration;

use crate::{
    dmi::generated as pb,
    model::{HttpPush, Influxdb2Push, MqttPush, MysqlPush, OtelPush, PushMethod, RedisPush, TdenginePush},
};

use super::{Unreadable, from_config_data, to_config_data};

/// Reads the push methods of a property. What is wrong is given to `problem` with its field, and left out.
pub(super) fn to_push_methods(push: pb::PushMethod, mut problem: impl FnMut(&str, Unreadable)) -> Vec<PushMethod> {
    let mut methods = Vec::new();
    if let Some(http) = push.http {
        collect(&mut methods, to_http(http), &mut problem);
    }
    if let Some(mqtt) = push.mqtt {
        collect(&mut methods, to_mqtt(mqtt), &mut problem);
    }
    if let Some(otel) = push.otel {
        methods.push(PushMethod::Otel(OtelPush { endpoint_url: otel.endpoint_url }));
    }
    if let Some(anomaly) = push.anomaly_detection {
        let data = pb::CustomizedValue { data: anomaly.data };
        let config = to_config_data(Some(data), |key, wrong| problem(&format!("anomalyDetection.{key}"), wrong));
        methods.push(PushMethod::AnomalyDetection(config));
    }
    if let Some(db) = push.db_method {
        methods.extend(to_databases(db));
    }
    methods
}

type Misfit = (&'static str, Unreadable);

fn collect(
    methods: &mut Vec<PushMethod>,
    method: Result<PushMethod, Misfit>,
    problem: &mut impl FnMut(&str, Unreadable),
) {
    match method {
        Ok(method) => methods.push(method),
        Err((field, wrong)) => problem(field, wrong),
    }
}

fn to_http(http: pb::PushMethodHttp) -> Result<PushMethod, Misfit> {
    let wrong = |field, message: String, cure| (field, Unreadable::new(message, cure));
    let port = u16::try_from(http.port);
    let timeout = u64::try_from(http.timeout);
    let no_timeout = |_| wrong("http.timeout", format!("{} ms is negative", http.timeout), "use 0 for the default");
    Ok(PushMethod::Http(HttpPush {
        host_name: http.hostname,
        port: port.map_err(|_| wrong("http.port", format!("{} is not a port", http.port), "use 0 to 65535"))?,
        request_path: http.requestpath,
        timeout: match timeout.map_err(no_timeout)? {
            0 => None,
            millis => Some(Duration::from_millis(millis)),
        },
    }))
}

fn to_mqtt(mqtt: pb::PushMethodMqtt) -> Result<PushMethod, Misfit> {
    let qos = match mqtt.qos {
        0..=2 => mqtt.qos as u8,
        other => {
            let message = format!("{other} is not a quality of service");
            return Err(("mqtt.qos", Unreadable::new(message, "use 0, 1 or 2")));
        }
    };
    Ok(PushMethod::Mqtt(MqttPush { address: mqtt.address, topic: mqtt.topic, qos, retained: mqtt.retained }))
}

fn to_databases(db: pb::DbMethod) -> impl Iterator<Item = PushMethod> {
    let influxdb2 = db.influxdb2.map(|influxdb2| {
        let client = influxdb2.influxdb2_client_config.unwrap_or_default();
        let data = influxdb2.influxdb2_data_config.unwrap_or_default();
        PushMethod::Influxdb2(Influxdb2Push {
            url: client.url,
            org: client.org,
            bucket: client.bucket,
            measurement: data.measurement,
            tags: data.tag.into_iter().collect(),
            field_key: data.field_key,
        })
    });
    let redis = db.redis.map(|redis| {
        let client = redis.redis_client_config.unwrap_or_default();
        PushMethod::Redis(RedisPush {
            addr: client.addr,
            db: client.db,
            pool_size: client.poolsize,
            min_idle_conns: client.min_idle_conns,
        })
    });
    let tdengine = db.tdengine.map(|tdengine| {
        let client = tdengine.td_engine_client_config.unwrap_or_default();
        PushMethod::Tdengine(TdenginePush { addr: client.addr, db_name: client.dbname })
    });
    let mysql = db.mysql.map(|mysql| {
        let client = mysql.mysql_client_config.unwrap_or_default();
        PushMethod::Mysql(MysqlPush { addr: client.addr, database: client.database, user_name: client.user_name })
    });
    [influxdb2, redis, tdengine, mysql].into_iter().flatten()
}

/// Writes the push methods of a property; `None` if it has none.
pub(super) fn from_push_methods(methods: &[PushMethod]) -> Option<pb::PushMethod> {
    if methods.is_empty() {
        return None;
    }
    let mut push = pb::PushMethod::default();
    for method in methods {
        match method {
            PushMethod::Http(http) => push.http = Some(from_http(http)),
            PushMethod::Mqtt(mqtt) => {
                push.mqtt = Some(pb::PushMethodMqtt {
                    address: mqtt.address.clone(),
                    topic: mqtt.topic.clone(),
                    qos: i32::from(mqtt.qos),
                    retained: mqtt.retained,
                });
            }
            PushMethod::Otel(otel) => push.otel = Some(pb::PushMethodOtel { endpoint_url: otel.endpoint_url.clone() }),
            PushMethod::AnomalyDetection(config) => {
                let data = from_config_data(config).unwrap_or_default().data;
                push.anomaly_detection = Some(pb::AnomalyDetection { data });
            }
            database => from_database(database, push.db_method.get_or_insert_default()),
        }
    }
    Some(push)
}

fn from_http(http: &HttpPush) -> pb::PushMethodHttp {
    pb::PushMethodHttp {
        hostname: http.host_name.clone(),
        port: i64::from(http.port),
        requestpath: http.request_path.clone(),
        timeout: http.timeout.map_or(0, |timeout| i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX)),
    }
}

fn from_database(method: &PushMethod, db: &mut pb::DbMethod) {
    match method {
        PushMethod::Influxdb2(influxdb2) => db.influxdb2 = Some(from_influxdb2(influxdb2)),
        PushMethod::Redis(redis) => {
            let client = pb::RedisClientConfig {
                addr: redis.addr.clone(),
                db: redis.db,
                poolsize: redis.pool_size,
                min_idle_conns: redis.min_idle_conns,
            };
            db.redis = Some(pb::DbMethodRedis { redis_client_config: Some(client) });
        }
        PushMethod::Tdengine(tdengine) => {
            let client = pb::TdEngineClientConfig { addr: tdengine.addr.clone(), dbname: tdengine.db_name.clone() };
            db.tdengine = Some(pb::DbMethodTdEngine { td_engine_client_config: Some(client) });
        }
        PushMethod::Mysql(mysql) => {
            let client = pb::MySqlClientConfig {
                addr: mysql.addr.clone(),
                database: mysql.database.clone(),
                user_name: mysql.user_name.clone(),
            };
            db.mysql = Some(pb::DbMethodMySql { mysql_client_config: Some(client) });
        }
        PushMethod::Http(_) | PushMethod::Mqtt(_) | PushMethod::Otel(_) | PushMethod::AnomalyDetection(_) => {}
    }
}

fn from_influxdb2(influxdb2: &Influxdb2Push) -> pb::DbMethodInfluxdb2 {
    pb::DbMethodInfluxdb2 {
        influxdb2_client_config: Some(pb::Influxdb2ClientConfig {
            url: influxdb2.url.clone(),
            org: influxdb2.org.clone(),
            bucket: influxdb2.bucket.clone(),
        }),
        influxdb2_data_config: Some(pb::Influxdb2DataConfig {
            measurement: influxdb2.measurement.clone(),
            tag: influxdb2.tags.clone().into_iter().collect(),
            field_key: influxdb2.field_key.clone(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each, every field set to something of its own.
    fn all() -> Vec<PushMethod> {
        vec![
            PushMethod::Http(HttpPush {
                host_name: "http://collector".into(),
                port: 8080,
                request_path: "/ingest".into(),
                timeout: Some(Duration::from_millis(1500)),
            }),
            PushMethod::Mqtt(MqttPush {
                address: "mqtt://broker:1883".into(),
                topic: "plant/t".into(),
                qos: 2,
                retained: true,
            }),
            PushMethod::Otel(OtelPush { endpoint_url: "http://otel:4318/v1/metrics".into() }),
            PushMethod::AnomalyDetection([("window".to_owned(), 5.into())].into_iter().collect()),
            PushMethod::Influxdb2(Influxdb2Push {
                url: "http://influx:8086".into(),
                org: "plant".into(),
                bucket: "edge".into(),
                measurement: "m".into(),
                tags: [("hall".to_owned(), "2".to_owned())].into(),
                field_key: "value".into(),
            }),
            PushMethod::Redis(RedisPush { addr: "redis:6379".into(), db: 3, pool_size: 10, min_idle_conns: 2 }),
            PushMethod::Tdengine(TdenginePush { addr: "td:6041".into(), db_name: "edge".into() }),
            PushMethod::Mysql(MysqlPush {
                addr: "mysql:3306".into(),
                database: "edge".into(),
                user_name: "mapper".into(),
            }),
        ]
    }

    #[test]
    fn every_field_of_every_push_method_passes_both_ways() {
        let written = from_push_methods(&all()).expect("there are some");
        let read = to_push_methods(written, |field, message| panic!("{field}: {message}"));
        assert_eq!(read, all());
    }

    #[test]
    fn a_wrong_field_costs_one_push_method() {
        let push = pb::PushMethod {
            http: Some(pb::PushMethodHttp { port: 70_000, ..Default::default() }),
            mqtt: Some(pb::PushMethodMqtt { qos: 3, ..Default::default() }),
            otel: Some(pb::PushMethodOtel::default()),
            ..Default::default()
        };
        let mut fields = Vec::new();
        let methods = to_push_methods(push, |field, _| fields.push(field.to_owned()));
        assert_eq!(fields, ["http.port", "mqtt.qos"]);
        assert_eq!(methods, [PushMethod::Otel(OtelPush::default())]);
    }

    #[test]
    fn absent_inner_messages_are_tolerated() {
        let db = pb::DbMethod {
            influxdb2: Some(pb::DbMethodInfluxdb2::default()),
            redis: Some(pb::DbMethodRedis::default()),
            ..Default::default()
        };
        let push = pb::PushMethod { db_method: Some(db), ..Default::default() };
        assert_eq!(to_push_methods(push, |field, message| panic!("{field}: {message}")).len(), 2);
    }
}
