//! A folder of manifests, applied whenever it changes.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::{sync::mpsc, time::Instant};

use super::{LocalEdgeError, core::Core, event::EdgeEvent, folder};
use crate::manifest::{Resource, ResourceId, duplicate};

/// How long a folder has to be quiet before it is read: editors save in several steps.
const QUIET: Duration = Duration::from_millis(100);

/// How long its changes wait at most, should it never be quiet.
const LONGEST: Duration = Duration::from_secs(2);

/// How often a folder that is gone is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// What is watched for a path: a file is watched by its folder, since editors put another file in its place.
fn watched(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|_| path.is_file());
    match folder {
        Some(folder) if folder.as_os_str().is_empty() => PathBuf::from("."),
        Some(folder) => folder.to_owned(),
        None => path.to_owned(),
    }
}

/// Follows a folder or a file. Ends, with the thread of its watcher, when it is dropped.
pub(super) struct Follower {
    core: Arc<Core>,
    folder: PathBuf,
    /// The folder that is watched for it.
    watched: PathBuf,
    /// Runs a thread of its own, which ends when this is dropped.
    watcher: RecommendedWatcher,
    /// Whether the folder is gone, and is looked for.
    is_gone: bool,
    /// Holds one signal at most: that something has changed since the folder was read.
    changed: mpsc::Receiver<()>,
    /// By file, what was last read of it without a fault.
    files: BTreeMap<PathBuf, Vec<Resource>>,
    /// What has been applied.
    applied: BTreeMap<ResourceId, Resource>,
    /// What has been said of the files, so that it is said once.
    said: Vec<String>,
}

impl Follower {
    /// Starts to watch a folder and applies what is in it.
    pub(super) async fn start(core: Arc<Core>, folder: &Path) -> Result<Self, LocalEdgeError> {
        let unreadable = |error| LocalEdgeError::io(folder, error);
        // The watcher says less plainly what is wrong with a folder.
        if tokio::fs::metadata(folder).await.map_err(unreadable)?.is_dir() {
            drop(tokio::fs::read_dir(folder).await.map_err(unreadable)?);
        }
        let (signal, changed) = mpsc::channel(1);
        let watched = watched(folder);
        let failed = |source: notify::Error| LocalEdgeError::Watch { path: folder.to_owned(), source: source.into() };
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // To read a file is an event too, and would go round for ever. A full channel has its signal already.
            if event.map_or(true, |event| !event.kind.is_access()) {
                signal.try_send(()).unwrap_or(());
            }
        })
        .map_err(failed)?;
        // Watch first and read then, so that no change falls between.
        watcher.watch(&watched, RecursiveMode::NonRecursive).map_err(failed)?;
        let mut follower = Self {
            core,
            folder: folder.to_owned(),
            watched,
            watcher,
            is_gone: false,
            changed,
            files: BTreeMap::new(),
            applied: BTreeMap::new(),
            said: Vec::new(),
        };
        follower.read().await.map_err(unreadable)?;
        Ok(follower)
    }

    /// Applies changes until it is dropped.
    pub(super) async fn run(mut self) {
        while self.has_changed().await {
            self.settle().await;
            self.watch_anew();
            let outcome = self.read().await;
            if let (Err(error), false) = (&outcome, self.is_gone) {
                let message = format!("{}: {error}: what was applied stays", self.folder.display());
                self.core.emit(EdgeEvent::Warning { message });
            }
            self.is_gone = outcome.is_err();
        }
    }

    /// Waits for a change, or for the next look at a folder that is gone. `false` where no change can come any more.
    async fn has_changed(&mut self) -> bool {
        if self.is_gone {
            return tokio::time::timeout(RETRY, self.changed.recv()).await.unwrap_or(Some(())).is_some();
        }
        self.changed.recv().await.is_some()
    }

    /// Waits until the folder is quiet, but not for ever: a file that is written all the time must not hide the changes of others.
    async fn settle(&mut self) {
        let end = Instant::now() + LONGEST;
        while Instant::now() < end
            && let Ok(Some(())) = tokio::time::timeout(QUIET, self.changed.recv()).await
        {}
    }

    /// Watches the folder of this name, which may have been made anew: a watch ends with the folder that it was made for.
    fn watch_anew(&mut self) {
        self.watcher.unwatch(&self.watched).unwrap_or_default();
        // That it is not there, reading it says.
        self.watcher.watch(&self.watched, RecursiveMode::NonRecursive).unwrap_or_default();
    }

    async fn read(&mut self) -> std::io::Result<()> {
        let mut said = Vec::new();
        let mut files = BTreeMap::new();
        for (path, outcome) in folder::read(&self.folder).await? {
            let resources = match outcome {
                Ok(parsed) => {
                    said.extend(parsed.warnings.into_iter().map(|message| EdgeEvent::Warning { message }));
                    parsed.resources
                }
                Err(error) => {
                    said.push(EdgeEvent::ManifestRefused { message: error.to_string() });
                    self.files.remove(&path).unwrap_or_default()
                }
            };
            files.insert(path, resources);
        }
        if files.is_empty() {
            let message = format!("{}: there is no manifest in it: put *.yaml files there", self.folder.display());
            said.push(EdgeEvent::Warning { message });
        }
        self.files = files;
        said.extend(self.duplicates().into_iter().map(|message| EdgeEvent::Warning { message }));
        self.say(said);
        self.follow().await;
        Ok(())
    }

    /// What is said of resources that stand in the files more than once.
    fn duplicates(&self) -> Vec<String> {
        let mut first = BTreeMap::new();
        let mut messages = Vec::new();
        let all = self.files.iter().flat_map(|(path, resources)| resources.iter().map(move |it| (path, it.id())));
        for (path, id) in all {
            if let Some(other) = first.insert(id.clone(), path) {
                messages.push(format!("{}: {id}: {}", path.display(), duplicate(&other.display())));
            }
        }
        messages
    }

    /// Emits what was not said the last time.
    fn say(&mut self, events: Vec<EdgeEvent>) {
        let before = std::mem::take(&mut self.said);
        for event in events {
            let text = format!("{event:?}");
            if !before.contains(&text) {
                self.core.emit(event);
            }
            self.said.push(text);
        }
    }

    /// Applies what is new or has changed, and deletes what is gone.
    ///
    /// What has not changed in the files stays as it is, so that a desired value set by other means is not set back.
    async fn follow(&mut self) {
        let all = self.files.values().flatten().cloned();
        let wanted: BTreeMap<ResourceId, Resource> = all.map(|resource| (resource.id(), resource)).collect();
        // Devices before their models.
        let gone: Vec<ResourceId> = self.applied.keys().filter(|id| !wanted.contains_key(id)).rev().cloned().collect();
        for id in gone {
            if let Err(error) = self.core.delete(&id).await {
                self.core.emit(EdgeEvent::Warning { message: format!("{id} cannot be deleted: {error}") });
            }
        }
        let news = wanted.iter().filter(|(id, resource)| self.applied.get(id) != Some(resource) || self.waits(id));
        self.core.apply(news.map(|(_, resource)| resource.clone()).collect()).await;
        self.applied = wanted;
    }

    /// Whether it is a device that was applied before its model.
    fn waits(&self, id: &ResourceId) -> bool {
        matches!(id, ResourceId::Device(id) if self.core.read(|state| state.awaits_model(id)))
    }
}
