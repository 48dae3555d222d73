//! The machine that the mapper runs on: its kernel, its files, its programs. Tests have another one.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::v4l2::{Kernel, Linux};

/// Where cameras are looked for, and who opens them.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    kernel: Arc<dyn Kernel>,
    ffmpeg: PathBuf,
}

impl Default for Machine {
    /// This machine.
    fn default() -> Self {
        Self { root: PathBuf::from("/"), kernel: Arc::new(Linux), ffmpeg: PathBuf::from("ffmpeg") }
    }
}

impl Machine {
    /// A machine whose `/dev` and `/sys` lie below this folder, with this kernel.
    pub fn new(root: impl Into<PathBuf>, kernel: Arc<dyn Kernel>) -> Self {
        Self { root: root.into(), kernel, ..Self::default() }
    }

    /// Sets the program that is run for `source: ffmpeg`; `ffmpeg` on the PATH by default. No manifest names it: who may write a Device must
    /// not choose what runs on a node.
    #[must_use]
    pub fn ffmpeg(mut self, program: impl Into<PathBuf>) -> Self {
        self.ffmpeg = program.into();
        self
    }

    pub(crate) fn kernel(&self) -> Arc<dyn Kernel> {
        Arc::clone(&self.kernel)
    }

    pub(crate) fn program(&self) -> &Path {
        &self.ffmpeg
    }

    /// A path of a manifest, on this machine.
    fn here(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The file that a name leads to, such as that of a link in `/dev/v4l/by-id`. Blocks.
    ///
    /// # Errors
    ///
    /// It is not there.
    pub(crate) fn file(&self, path: &Path) -> io::Result<PathBuf> {
        self.here(path)
            .canonicalize()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// The files in `/dev` that may be cameras, as a manifest names them. Blocks.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let folder = Path::new("/dev");
        let names = fs::read_dir(self.here(folder)).into_iter().flatten().flatten().map(|it| it.file_name());
        let number = |name: &str| name.strip_prefix("video")?.parse::<u32>().ok();
        let mut numbers: Vec<_> = names.filter_map(|name| number(name.to_str()?)).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| folder.join(format!("video{number}"))).collect()
    }

    /// The link in `/dev/v4l/by-id` that leads to a file, as a manifest names it. Blocks.
    pub(crate) fn link_to(&self, file: &Path) -> Option<PathBuf> {
        let folder = Path::new("/dev/v4l/by-id");
        let mut links: Vec<PathBuf> =
            fs::read_dir(self.here(folder)).into_iter().flatten().flatten().map(|it| it.path()).collect();
        links.sort_unstable();
        let link = links.into_iter().find(|link| link.canonicalize().is_ok_and(|target| target == file))?;
        Some(folder.join(link.file_name()?))
    }

    /// The file of the camera with this serial number. Of the several files that one camera has, it is the one that captures. Blocks.
    ///
    /// # Errors
    ///
    /// No camera has it, or several have.
    pub(crate) fn file_of(&self, serial: &str) -> io::Result<PathBuf> {
        let class = Path::new("/sys/class/video4linux");
        let mut found: Vec<Found> = Vec::new();
        let mut others: Vec<String> = Vec::new();
        // A machine that never had a camera has no such folder.
        for entry in fs::read_dir(self.here(class)).into_iter().flatten() {
            let Some(node) = Found::at(&entry?.path()) else { continue };
            if node.serial == serial {
                found.push(node);
            } else if !others.contains(&node.serial) {
                others.push(node.serial);
            }
        }
        found.sort_unstable_by_key(|node| (node.index, node.name.len(), node.name.clone()));
        let Some(first) = found.first() else { return Err(unknown(serial, &others)) };
        if let Some(twin) = found.iter().find(|node| node.camera != first.camera) {
            let names = format!("/dev/{} and /dev/{}", first.name, twin.name);
            let message = format!(
                "{names} are two cameras with the serial number {serial:?}: name each by `device`, such as a link in /dev/v4l/by-path"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        self.file(&Path::new("/dev").join(&first.name))
    }
}

fn unknown(serial: &str, others: &[String]) -> io::Error {
    let there = if others.is_empty() {
        "there is no camera with one".to_owned()
    } else {
        format!("there are {}", others.join(", "))
    };
    io::Error::new(io::ErrorKind::NotFound, format!("no camera has the serial number {serial:?}: {there}"))
}

/// A file of a camera, as sysfs has it.
#[derive(Debug)]
struct Found {
    /// Such as `video0`.
    name: String,
    /// The camera's own folder, which all of its files share.
    camera: PathBuf,
    serial: String,
    /// Which of its camera's files this is: the first one captures, the second one has data about the pictures.
    index: u32,
}

impl Found {
    /// None for one without a serial number, and for one that was unplugged meanwhile.
    fn at(folder: &Path) -> Option<Self> {
        let name = folder.file_name()?.to_str()?.to_owned();
        // The interface; the camera is above it.
        let interface = folder.join("device").canonicalize().ok()?;
        let read = |folder: &Path, name: &str| fs::read_to_string(folder.join(name)).ok();
        let (camera, serial) =
            interface.ancestors().take(2).find_map(|folder| Some((folder.to_owned(), read(folder, "serial")?)))?;
        let index = read(folder, "index").and_then(|index| index.trim().parse().ok()).unwrap_or_default();
        Some(Self { name, camera, serial: serial.trim().to_owned(), index })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A machine with these nodes: their name, their camera's port, its serial number, and their index.
    fn machine(nodes: &[(&str, &str, &str, u32)]) -> (TempDir, Machine) {
        let root = tempfile::tempdir().expect("a folder can be made");
        let class = root.path().join("sys/class/video4linux");
        fs::create_dir_all(&class).expect("it can be made");
        fs::create_dir_all(root.path().join("dev")).expect("it can be made");
        for (name, port, serial, index) in nodes {
            let camera = root.path().join("sys/devices").join(port);
            let node = camera.join(format!("{port}:1.0/video4linux/{name}"));
            fs::create_dir_all(&node).expect("it can be made");
            fs::write(camera.join("serial"), format!("{serial}\n")).expect("it can be written");
            fs::write(node.join("index"), format!("{index}\n")).expect("it can be written");
            symlink("../..", node.join("device")).expect("it can be linked");
            symlink(&node, class.join(name)).expect("it can be linked");
            fs::write(root.path().join("dev").join(name), "").expect("it can be written");
        }
        let machine = Machine::new(root.path(), Arc::new(Linux));
        (root, machine)
    }

    #[test]
    fn a_serial_number_leads_to_the_file_of_its_camera_that_captures() {
        let nodes = [
            ("video10", "1-2", "A1", 0),
            ("video11", "1-2", "A1", 1),
            ("video9", "1-4", "B7", 1),
            ("video2", "1-4", "B7", 0),
        ];
        let (root, machine) = machine(&nodes);
        assert_eq!(
            machine.file_of("A1").expect("it is there"),
            root.path().join("dev/video10").canonicalize().expect("it is there")
        );
        assert!(machine.file_of("B7").expect("it is there").ends_with("dev/video2"));
        let unknown = machine.file_of("C0").expect_err("there is none").to_string();
        assert!(
            unknown.starts_with("no camera has the serial number \"C0\": there are ") && unknown.contains("B7"),
            "{unknown}"
        );
    }

    #[test]
    fn two_cameras_with_one_serial_number_are_refused_with_the_cure() {
        let (_root, machine) = machine(&[("video0", "1-2", "SN0001", 0), ("video2", "1-3", "SN0001", 0)]);
        let error = machine.file_of("SN0001").expect_err("it is nobody's").to_string();
        assert!(error.contains("/dev/video0 and /dev/video2 are two cameras") && error.contains("by-path"), "{error}");
    }

    #[test]
    fn a_machine_without_cameras_says_so() {
        let (root, machine) = machine(&[]);
        fs::remove_dir_all(root.path().join("sys")).expect("it can be removed");
        assert!(machine.file_of("A").is_err_and(|error| error.to_string().ends_with("there is no camera with one")));
        assert!(
            machine.file(Path::new("/dev/video0")).is_err_and(|error| error.to_string().starts_with("/dev/video0: "))
        );
    }
}
