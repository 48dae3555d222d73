//! Files that are damaged, torn, foreign, or of another version.

use super::*;

/// A file with the wishes 1 to 4 for the devices a to d, a line for each behind the header.
async fn four(place: &Place) -> Vec<Vec<u8>> {
    let memory = place.open().await;
    keep(&memory, &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).await;
    drop(memory);
    place.content().split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn wishes(memory: &WriteMemory) -> Vec<String> {
    ["a", "b", "c", "d"].iter().filter_map(|name| wish(memory, name)).collect()
}

fn put(place: &Place, lines: &[Vec<u8>]) {
    fs::write(place.path(), lines.concat()).unwrap();
}

#[tokio::test]
async fn a_line_that_was_being_written_is_cut_without_complaint() {
    let whole = Place::new();
    let lines = four(&whole).await;
    let last = lines.last().unwrap();
    for written in 0..last.len() {
        let place = Place::new();
        put(&place, &[lines[..4].concat(), last[..written].to_vec()]);
        let memory = place.open().await;
        let expected: &[_] = if written == last.len() - 1 { &["1", "2", "3", "4"] } else { &["1", "2", "3"] };
        assert_eq!(wishes(&memory), expected, "{written} bytes");
        keep(&memory, &[("d", "5")]).await;
        drop(memory);
        let memory = place.open().await;
        assert_eq!(wishes(&memory), ["1", "2", "3", "5"]);
        assert!(memory.is_complete());
        assert_eq!((place.counts(), place.names()), ((0, 0), vec!["writes.memory".to_owned()]));
    }
}

#[tokio::test]
async fn damage_in_a_wish_costs_its_entry_and_the_memory_knows_that_it_is_incomplete() {
    for damaged in 1..=4 {
        let place = Place::new();
        let mut lines = four(&place).await;
        let at = lines[damaged].windows(7).position(|word| word == b"acknowl").unwrap();
        lines[damaged][at] ^= 1;
        put(&place, &lines);
        let broken = place.content();
        let memory = place.open().await;
        let expected: Vec<_> = (1..=4).filter(|at| *at != damaged).map(|at| at.to_string()).collect();
        assert_eq!(wishes(&memory), expected);
        assert!(!memory.is_complete());
        assert_eq!(place.counts(), (1, 0));
        assert_eq!(place.names(), ["writes.memory", "writes.memory.aside.1"]);
        assert_eq!(fs::read(place.folder.path().join("writes.memory.aside.1")).unwrap(), broken);
        keep(&memory, &[("e", "5")]).await;
        drop(memory);
        let memory = place.open().await;
        assert_eq!((wishes(&memory), wish(&memory, "e")), (expected, Some("5".to_owned())));
        assert!(!memory.is_complete(), "a second restart knows it as well");
        assert_eq!(place.counts(), (1, 0), "what was damaged is reported once");
    }
}

#[tokio::test]
async fn an_entry_that_a_damaged_line_has_replaced_does_not_come_back() {
    let place = Place::new();
    let memory = place.open().await;
    keep(&memory, &[("a", "old"), ("b", "2"), ("a", "new"), ("c", "3")]).await;
    drop(memory);
    let text = String::from_utf8(place.content()).unwrap();
    fs::write(place.path(), text.replace("\"new\"", "\"nex\"")).unwrap();
    let memory = place.open().await;
    assert_eq!(wishes(&memory), ["2", "3"]);
    assert!(!memory.is_complete());
}

#[tokio::test]
async fn a_line_that_no_longer_shows_whose_it_was_costs_all_that_it_may_have_replaced() {
    for damage in [&b""[..], b"\0\0\0\0\n", b"\n\n", b"\xff\xfe\n"] {
        let place = Place::new();
        let mut lines = four(&place).await;
        lines[3] = damage.to_vec();
        put(&place, &lines);
        let memory = place.open().await;
        assert_eq!(wishes(&memory), ["4"], "{damage:?}");
        assert!(!memory.is_complete());
        assert_eq!(place.counts(), (1, 0));
    }
}

#[tokio::test]
async fn damage_over_several_lines_at_the_end_costs_all_that_they_may_have_replaced() {
    let place = Place::new();
    let memory = place.open().await;
    keep(&memory, &[("a", "old"), ("b", "2"), ("c", "3"), ("a", "new")]).await;
    drop(memory);
    let mut content = place.content();
    // From the wish for c into that for a, over the end of the line.
    let from = content.windows(4).position(|word| word == b",\"3\"").unwrap();
    let to = content.windows(5).position(|word| word == b"\"new\"").unwrap();
    for by in [0, b'x', b'\n'] {
        content[from..to].fill(by);
        fs::write(place.path(), &content).unwrap();
        let memory = place.open().await;
        assert!(wishes(&memory).is_empty() && !memory.is_complete());
    }
}

#[tokio::test]
async fn a_broken_header_costs_no_entry() {
    let place = Place::new();
    let mut lines = four(&place).await;
    lines[0][3] ^= 1;
    put(&place, &lines);
    let memory = place.open().await;
    assert_eq!(wishes(&memory), ["1", "2", "3", "4"]);
    assert!(!memory.is_complete());
}

#[tokio::test]
async fn what_is_no_memory_at_all_is_set_aside() {
    for content in [&b""[..], b"hello", b"\n\n\n", &[0; 5000]] {
        let place = Place::new();
        fs::write(place.path(), content).unwrap();
        let memory = place.open().await;
        assert!(wishes(&memory).is_empty() && !memory.is_complete());
        keep(&memory, &[("a", "1")]).await;
        drop(memory);
        let memory = place.open().await;
        assert_eq!((wishes(&memory), memory.is_complete()), (vec!["1".to_owned()], false));
        assert_eq!(fs::read(place.folder.path().join("writes.memory.aside.1")).unwrap(), content);
    }
}

#[tokio::test]
async fn a_file_of_another_version_is_set_aside_and_nothing_of_it_is_taken() {
    let place = Place::new();
    let mut lines = four(&place).await;
    lines[0] = format::Header::encode_version(2, true).into_bytes();
    put(&place, &lines);
    let newer = place.content();
    let memory = place.open().await;
    assert!(wishes(&memory).is_empty() && !memory.is_complete());
    assert_eq!(place.counts(), (1, 0));
    assert_eq!(fs::read(place.folder.path().join("writes.memory.aside.1")).unwrap(), newer);
    drop(memory);
    assert!(!place.open().await.is_complete());
}

#[tokio::test]
async fn three_damaged_files_are_kept_and_the_newest_is_the_first() {
    let place = Place::new();
    for content in ["1", "2", "3", "4", "5"] {
        fs::write(place.path(), content).unwrap();
        drop(place.open().await);
    }
    let kept = [1, 2, 3].map(|number| place.folder.path().join(format!("writes.memory.aside.{number}")));
    assert_eq!(kept.map(|path| fs::read_to_string(path).unwrap()), ["5", "4", "3"]);
    assert_eq!(place.names().len(), 4);
}

#[tokio::test]
async fn a_file_that_was_removed_begins_anew() {
    let place = Place::new();
    fs::write(place.path(), "broken").unwrap();
    drop(place.open().await);
    fs::remove_file(place.path()).unwrap();
    assert!(place.open().await.is_complete());
}

/// A header, two wishes, and a property that was forgotten.
const FILE: &[u8] = include_bytes!("../../../../tests/golden/writes/memory-v1.txt");

#[tokio::test]
async fn the_form_of_the_file_stays() {
    let place = Place::new();
    let memory = place.open().await;
    memory.remember(&device("boiler"), "target", entry_of("21.5", Outcome::Pending, 0)).await;
    memory.remember(&device("böiler"), "mode\n", entry_of("{\"a\": \"ü\"}", Outcome::Unknown, 1_700_000_000)).await;
    memory.forget(&device("boiler"), "target").await;
    assert_eq!(String::from_utf8(place.content()).unwrap(), String::from_utf8(FILE.to_vec()).unwrap());
    drop(memory);
    fs::write(place.path(), FILE).unwrap();
    let memory = place.open().await;
    let found = memory.recall(&device("böiler"), "mode\n");
    assert_eq!(found, Some(entry_of("{\"a\": \"ü\"}", Outcome::Unknown, 1_700_000_000)));
    assert_eq!(memory.recall(&device("boiler"), "target"), None);
    assert_eq!((memory.is_complete(), place.counts()), (true, (0, 0)));
}

#[test]
fn a_header_is_told_from_anything_else() {
    let header = format::Header::encode(true).into_bytes();
    let line = &header[..header.len() - 1];
    assert_eq!(format::Header::judge(line), format::Header::Sound { is_complete: true });
    for bit in 0..line.len() * 8 {
        let mut line = line.to_vec();
        line[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(format::Header::judge(&line), format::Header::Broken, "bit {bit}");
    }
}
