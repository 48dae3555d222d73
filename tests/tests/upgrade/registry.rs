//! A registry in a folder, of the kind that cargo reads in the place of the real one. It is made of what cargo has downloaded for
//! the workspace, so a build from it needs no network.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, ensure};
use integration_tests::{
    cargo::{root, target},
    folder,
};
use serde_json::{Value as Json, json};

/// There is one registry, and one folder to build in.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A registry, at the same place in every run, so that what was built from it stays valid.
pub(crate) struct Registry {
    folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Registry {
    /// Makes the registry, with the crates that the workspace depends on.
    pub(crate) fn create() -> Result<Self> {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = target().join("upgrade/registry");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("index"))?;
        let registry = Self { folder, _turn: turn };
        registry.forget_framework()?;
        let (checksums, caches) = (locked_checksums()?, caches()?);
        for package in packages(root(), &["--locked"])?.iter().filter(|package| !package["source"].is_null()) {
            let name = crate_name(package);
            let checksum = checksums.get(&name).with_context(|| format!("{name} has no checksum in Cargo.lock"))?;
            let file = format!("{name}.crate");
            let cached = caches.iter().map(|cache| cache.join(&file)).find(|cached| cached.is_file());
            symlink(cached.with_context(|| format!("{file} is in no cache of cargo's"))?, registry.folder.join(file))?;
            registry.list(package, checksum)?;
        }
        Ok(registry)
    }

    /// Adds a packaged crate.
    pub(crate) fn publish(&self, file: &Path) -> Result<()> {
        let name = file.file_stem().and_then(OsStr::to_str).context("a crate's file has a name")?;
        let unpacked = tempfile::tempdir()?;
        run(Command::new("tar").arg("-xzf").arg(file).arg("-C").arg(unpacked.path()))?;
        let packages = packages(&unpacked.path().join(name), &["--no-deps"])?;
        let published = self.folder.join(format!("{name}.crate"));
        fs::copy(file, &published).with_context(|| format!("{} cannot be published", file.display()))?;
        self.list(&packages[0], &folder::checksum(&published)?)
    }

    /// Has cargo take all crates from here.
    pub(crate) fn configure(&self, cargo: &mut Command) {
        let folder = self.folder.display();
        cargo.args(["--config", "source.crates-io.replace-with='kept'"]);
        cargo.args(["--config", &format!("source.kept.local-registry='{folder}'")]);
        cargo.env("CARGO_HOME", self.home());
    }

    /// A home of cargo's own: what it unpacks from here is of no use to anybody else.
    fn home(&self) -> PathBuf {
        self.folder.with_file_name("home")
    }

    /// Has cargo unpack and build the framework again. It believes that a version in a registry never changes, and here it changes
    /// with the working tree.
    fn forget_framework(&self) -> Result<()> {
        let unpacked = folders(&self.home().join("registry/src")).into_iter().flat_map(|source| folders(&source));
        let of_framework = |folder: &PathBuf| {
            folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mapper-framework-"))
        };
        for folder in unpacked.filter(of_framework).chain(self.built_framework()) {
            fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be removed", folder.display()))?;
        }
        Ok(())
    }

    /// By which folders cargo knows the framework from here as built. The workspace's own lies beside it, and stays.
    fn built_framework(&self) -> Vec<PathBuf> {
        let (built, home) = (target().join("debug"), self.home().display().to_string());
        let sources = folders(&built.join("deps")).into_iter().filter_map(|file| {
            let hash = file.file_name()?.to_str()?.strip_prefix("mapper_framework-")?.strip_suffix(".d")?.to_owned();
            fs::read_to_string(&file).ok()?.contains(&home).then_some(hash)
        });
        let known = sources.map(|hash| built.join(format!(".fingerprint/mapper-framework-{hash}")));
        known.filter(|folder| folder.is_dir()).collect()
    }

    /// Appends a version to the index.
    fn list(&self, package: &Json, checksum: &str) -> Result<()> {
        let name = package["name"].as_str().context("a package has a name")?;
        let file = self.folder.join("index").join(index_path(name));
        fs::create_dir_all(file.parent().context("a file lies in a folder")?)?;
        let dependencies = package["dependencies"].as_array().context("the metadata lists dependencies")?;
        let dependencies: Vec<Json> = dependencies.iter().map(dependency).collect();
        let entry = json!({
            "name": name, "vers": package["version"], "deps": dependencies, "cksum": checksum,
            "features": {}, "features2": package["features"], "yanked": false, "links": package["links"], "v": 2,
        });
        let listed = fs::read_to_string(&file).unwrap_or_default();
        Ok(fs::write(&file, format!("{listed}{entry}\n"))?)
    }
}

/// A dependency, as the index has it: the name is the one that the package uses.
fn dependency(of: &Json) -> Json {
    let (name, package) =
        if of["rename"].is_null() { (&of["name"], &Json::Null) } else { (&of["rename"], &of["name"]) };
    let kind = if of["kind"].is_null() { "normal".into() } else { of["kind"].clone() };
    json!({
        "name": name, "package": package, "req": of["req"], "features": of["features"], "optional": of["optional"],
        "default_features": of["uses_default_features"], "target": of["target"], "kind": kind,
    })
}

/// Where the index keeps a crate of this name.
fn index_path(name: &str) -> PathBuf {
    let name = name.to_lowercase();
    match name.len() {
        1 | 2 => format!("{}/{name}", name.len()).into(),
        3 => format!("3/{}/{name}", &name[..1]).into(),
        _ => format!("{}/{}/{name}", &name[..2], &name[2..4]).into(),
    }
}

/// Name and version of a package, as in the name of its file.
fn crate_name(package: &Json) -> String {
    format!("{}-{}", package["name"].as_str().unwrap_or_default(), package["version"].as_str().unwrap_or_default())
}

/// The packages of a workspace, and those that it depends on, on whatever platform. What is missing of them is downloaded.
fn packages(workspace: &Path, arguments: &[&str]) -> Result<Vec<Json>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--format-version=1"]).args(arguments).current_dir(workspace);
    let metadata: Json = serde_json::from_slice(&run(&mut cargo)?)?;
    Ok(metadata["packages"].as_array().context("the metadata lists packages")?.clone())
}

/// What the command prints.
pub(crate) fn run(command: &mut Command) -> Result<Vec<u8>> {
    let output = command.output().with_context(|| format!("{command:?} cannot be started"))?;
    ensure!(output.status.success(), "{command:?} fails:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}

/// What lies in a folder, if it is there.
pub(crate) fn folders(within: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(within).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// The checksums in the workspace's lock file, by name and version.
fn locked_checksums() -> Result<BTreeMap<String, String>> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))?;
    let entry = |entry: &str| {
        let value = |key: &str| entry.lines().find_map(|line| line.strip_prefix(key)?.strip_suffix('"'));
        let (name, version) = (value("name = \"")?, value("version = \"")?);
        Some((format!("{name}-{version}"), value("checksum = \"")?.to_owned()))
    };
    Ok(lock.split("[[package]]").filter_map(entry).collect())
}

/// Where cargo keeps what it has downloaded, a folder for each registry.
fn caches() -> Result<Vec<PathBuf>> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo"))).context("cargo has a home")?;
    Ok(folders(&home.join("registry/cache")))
}
