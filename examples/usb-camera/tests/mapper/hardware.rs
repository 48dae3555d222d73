//! A real camera: `cargo xtask test -- -p usb-camera --hardware /dev/video0`. It changes settings, and sets them back.

use std::{
    env,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::sync::Mutex;
use usb_camera::{
    FourCc, Machine, UsbCamera,
    scaffold::manifests,
    v4l2::{ControlId, ControlKind, Intervals, Kernel, Linux, Node, Sizes, Taken, Wanted},
};

use crate::bed::{get, id, size, start, twin};

/// How long a camera has for its pictures.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one of them is waited for at once.
const LOOK: Duration = Duration::from_millis(250);

/// The camera has one stream: the tests that capture, and those that open it, take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// The camera's file.
fn camera() -> PathBuf {
    let path = env::var_os("MAPPER_TEST_CAMERA")
        .expect("`cargo xtask test -- -p usb-camera --hardware /dev/video0` names a camera");
    Path::new(&path).canonicalize().expect("the camera is plugged in")
}

/// A format that the mapper takes, with a size and an interval of the camera's.
fn wanted(node: &mut dyn Node) -> Wanted {
    let formats = node.formats().unwrap();
    let format = formats.iter().find_map(|format| FourCc::of_text(format));
    let format = format.unwrap_or_else(|| panic!("the mapper takes none of {formats:?}"));
    let size = match node.sizes(format).unwrap() {
        Sizes::Each(sizes) => sizes[0],
        Sizes::Range { least, .. } => least,
    };
    let interval = match node.intervals(format, size).unwrap() {
        Intervals::Each(intervals) => intervals[0],
        Intervals::Range { most, .. } => most,
    };
    Wanted { format, size, interval }
}

#[test]
#[ignore = "needs a camera: `cargo xtask test -- -p usb-camera --hardware /dev/video0`"]
fn a_real_camera_says_what_it_is_and_its_settings_lie_within_their_bounds() {
    let _turn = TURN.blocking_lock();
    let mut node = Linux.open(&camera()).unwrap();
    let identity = node.identity().unwrap();
    assert!(!identity.card.is_empty() && !identity.driver.is_empty(), "{identity:?}");
    for control in node.controls().unwrap() {
        if !control.readable {
            continue;
        }
        let value = node.get(control.id).unwrap_or_else(|error| panic!("{control:?}: {error}"));
        let is_number = !matches!(control.kind, ControlKind::Bitmask | ControlKind::Button);
        let is_within = control.range.is_none_or(|range| (range.minimum..=range.maximum).contains(&value));
        assert!(!is_number || is_within, "{control:?} is {value}");
        if control.kind == ControlKind::Menu {
            assert!(control.menu.iter().any(|(entry, _)| *entry == value), "{control:?} is {value}");
        }
    }
}

#[test]
#[ignore = "needs a camera: `cargo xtask test -- -p usb-camera --hardware /dev/video0`"]
fn a_real_camera_captures_while_its_settings_are_read_through_another_file() {
    let _turn = TURN.blocking_lock();
    let path = camera();
    let (mut settings, mut node) = (Linux.open(&path).unwrap(), Linux.open(&path).unwrap());
    let readable = settings.controls().unwrap().into_iter().find(|control| control.readable);
    let wanted = wanted(&mut *node);
    let mut capture = node.capture(wanted).unwrap();
    let (mut pictures, mut bytes, mut waited) = (0, Vec::new(), Duration::ZERO);
    while pictures < 30 {
        match capture.next(LOOK, &mut bytes).unwrap() {
            Taken::Nothing => waited += LOOK,
            Taken::Damaged => pictures += 1,
            Taken::Picture => {
                assert!(!bytes.is_empty());
                pictures += 1;
            }
        }
        assert!(waited < PATIENCE, "only {pictures} pictures of {wanted:?}");
        if let Some(control) = &readable {
            settings.get(control.id).unwrap();
        }
    }
}

#[tokio::test]
#[ignore = "needs a camera: `cargo xtask test -- -p usb-camera --hardware /dev/video0`"]
async fn a_real_camera_is_served_by_the_manifests_that_are_made_from_it() {
    let _turn = TURN.lock().await;
    let yaml = manifests(&Machine::default(), &camera()).unwrap();
    let device = yaml
        .lines()
        .skip_while(|line| *line != "kind: Device")
        .find_map(|line| line.strip_prefix("  name: "))
        .unwrap()
        .to_owned();
    let (bed, address) = start(UsbCamera::default()).await;
    bed.edge().apply(&yaml).await.unwrap();
    twin(&bed, &device, "state", "streaming").await;
    let (_, jpeg) = get(address, &format!("/api/v2/devices/default/{device}/snapshot.jpg")).await;
    let granted = bed.edge().twin(&id(&device), "format").unwrap();
    let (width, height) = size(&jpeg);
    assert!(granted.value().ends_with(&format!("/{width}x{height}")), "{} is {width}x{height}", granted.value());
    // A setting that cannot be listed, and is there all the same wherever the kernel answers for it.
    if Linux.open(&camera()).unwrap().get(ControlId::Brightness).is_ok() {
        let before = bed.handle().read(&id(&device), "Brightness").await.unwrap().value.to_string();
        bed.handle().write(&id(&device), "Brightness", &before).await.unwrap();
    }
    bed.stop().await.unwrap();
}
