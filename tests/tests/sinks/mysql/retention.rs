//! How long rows are kept.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use integration_tests::{DEADLINE, servers::MariaDbServer};
use mapper_framework::{
    config::MysqlLayout,
    model::DataType,
    sink::{Outcome, Sink},
};
use tokio::time::{sleep, timeout};

use super::{Fixture, record};

/// How many rows of a property are too old: more than one statement deletes.
const OLD: u64 = 2_500;

fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    since_1970.as_millis().try_into().expect("some centuries fit")
}

/// Waits until the table has so many rows.
async fn until_rows(fixture: &Fixture<'_>, table: &str, rows: usize) {
    let statement = format!("SELECT COUNT(*) FROM {table}");
    let fewer = async {
        while fixture.select(&statement).await != [rows.to_string()] {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(DEADLINE, fewer).await.expect("old rows are deleted");
}

#[tokio::test]
async fn rows_that_are_too_old_are_deleted_and_the_others_stay() {
    let Some(server) = MariaDbServer::start().await else { return };
    for (layout, table) in
        [(MysqlLayout::Single, "`device_data`"), (MysqlLayout::Property, "`default/boiler/pressure`")]
    {
        let mut fixture = Fixture::with_layout(&server, layout);
        let series = fixture.series("boiler", "pressure", DataType::Double);
        let hour_ago = now_ms() - 3_600_000;
        let old: Vec<_> = (0..OLD).map(|number| record(&series, number as f64, hour_ago + number)).collect();
        let fresh: Vec<_> = (0..10).map(|number| record(&series, f64::from(number), now_ms())).collect();
        let mut sink = fixture.open().await.expect("opened");
        for batch in old.chunks(500) {
            assert_eq!(sink.write(batch).await.expect("written"), Outcome::accepted(batch.len()));
        }
        sink.close().await;
        until_rows(&fixture, table, OLD as usize).await;

        fixture.config.mysql.keep = Duration::from_secs(10);
        let mut sink = fixture.open().await.expect("opened");
        assert_eq!(sink.write(&fresh[..1]).await.expect("written"), Outcome::accepted(1));
        until_rows(&fixture, table, 1).await;
        let index = format!("SHOW INDEX FROM {table} WHERE Column_name = 'ts' AND Seq_in_index = 1");
        assert_eq!(fixture.select(&index).await.len(), 1, "{table} can be asked by its time");
        sink.close().await;
    }
}

#[tokio::test]
async fn a_user_who_may_delete_nothing_writes_all_the_same() {
    let Some(server) = MariaDbServer::start().await else { return };
    let mut fixture = Fixture::new(&server);
    let series = fixture.pressure();
    let mut sink = fixture.open().await.expect("opened");
    assert_eq!(sink.write(&[record(&series, 1.0, 1_000)]).await.expect("written"), Outcome::accepted(1));
    sink.close().await;
    server.sql("REVOKE DELETE ON plant.* FROM mapper@127.0.0.1").await;
    fixture.config.mysql.keep = Duration::from_secs(1);
    let mut sink = fixture.open().await.expect("opened");
    for number in 0..30 {
        let outcomes = sink.write(&[record(&series, 2.0, 2_000 + number)]).await.expect("written");
        assert_eq!(outcomes, Outcome::accepted(1));
        sleep(Duration::from_millis(50)).await;
    }
    sink.health().await.expect("the connection is sound");
    until_rows(&fixture, "`device_data`", 31).await;
}
