//! The unix socket that the mapper listens on.

use std::{
    fs,
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{UnixListener, UnixStream},
    time::sleep,
};

pub(crate) use crate::config::MAX_SOCKET_PATH;

/// Why the mapper's socket cannot be listened on. The texts name the path and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The path does not fit into a socket address.
    #[error(
        "the socket path {path:?} has {} bytes, and a unix socket takes at most {MAX_SOCKET_PATH}: set a shorter grpc_server.socket_path",
        path.as_os_str().len()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// Another process listens there.
    #[error("another process answers on {path:?}: stop it, or give this mapper its own grpc_server.socket_path")]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The folder of the socket is not there. It is not made: on a node, edgecore has made it.
    #[error(
        "there is no folder {folder:?} for the mapper's socket: on an edge node edgecore makes /etc/kubeedge, where its own socket is \
         expected, too; elsewhere run with --standalone DIR, or set grpc_server.socket_path and common.edgecore_sock"
    )]
    #[non_exhaustive]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The path is a folder.
    #[error("{path:?} is a folder: set grpc_server.socket_path to a file in it, such as {:?}", path.join("mapper.sock"))]
    #[non_exhaustive]
    IsFolder {
        /// The path.
        path: PathBuf,
    },
    /// The path of edgecore's socket is a folder.
    #[error(
        "common.edgecore_sock is {path:?}, which is a folder: set it to the socket in it, {:?}; since KubeEdge v1.23 edgecore's \
         dmiSockPath names the folder only",
        path.join("dmi.sock")
    )]
    #[non_exhaustive]
    EdgecoreIsFolder {
        /// The path.
        path: PathBuf,
    },
    /// There is a file which is not a socket, and which is left alone.
    #[error("{path:?} is there and is not a socket: remove it, or set another grpc_server.socket_path")]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error("cannot listen on {path:?}: {source}")]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A socket that is listened on. Its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Socket {
    /// Listens on `path`, which only the user of this process can then connect to (mode 0600). A socket file that nobody answers
    /// on is left from an earlier run, and replaced.
    pub(crate) async fn bind(path: &Path) -> Result<Self, SocketError> {
        let fail = |source| SocketError::Io { path: path.to_owned(), source };
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(SocketError::TooLong { path: path.to_owned() });
        }
        if path.is_dir() {
            return Err(SocketError::IsFolder { path: path.to_owned() });
        }
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            return Err(SocketError::NoFolder { folder: folder.to_owned() });
        }
        remove_stale(path).await?;
        let (listener, inode) = bind_private(path).map_err(fail)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Another process may have taken the path since: its file is not ours to remove.
        if fs::metadata(&self.path).is_ok_and(|file| file.ino() == self.inode)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = ?self.path, %error, "the socket's file cannot be removed");
        }
    }
}

/// Binds a socket with mode 0600, and returns its inode.
///
/// It is bound beside the path and moved there once its mode is set: between `bind` and `chmod` it has the mode that the umask
/// leaves, and whoever connects then stays connected. Where the path leaves no bytes for a name beside it, it is bound directly.
fn bind_private(path: &Path) -> io::Result<(UnixListener, u64)> {
    // At random, since in a folder that containers share, each of them may be process 1.
    let beside = path.with_file_name(format!(".{:08x}", RandomState::new().hash_one(path) as u32));
    if beside.as_os_str().len() > MAX_SOCKET_PATH {
        let listener = UnixListener::bind(path)?;
        return Ok((listener, make_private(path)?));
    }
    let listener = UnixListener::bind(&beside)?;
    let moved = make_private(&beside).and_then(|inode| fs::rename(&beside, path).map(|()| inode));
    if moved.is_err() {
        // The first error is the one that is returned.
        fs::remove_file(&beside).ok();
    }
    Ok((listener, moved?))
}

fn make_private(path: &Path) -> io::Result<u64> {
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    fs::metadata(path).map(|file| file.ino())
}

/// Checks that edgecore's socket may be at this path, if not now then later.
pub(crate) fn check_edgecore(path: &Path) -> Result<(), SocketError> {
    if path.is_dir() { Err(SocketError::EdgecoreIsFolder { path: path.to_owned() }) } else { Ok(()) }
}

async fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let fail = |source| SocketError::Io { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error)),
        Ok(file) if !file.file_type().is_socket() => return Err(SocketError::NotASocket { path: path.to_owned() }),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(fail),
        Err(error) => Err(fail(error)),
        Ok(_) => Err(SocketError::InUse { path: path.to_owned() }),
    }
}

/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections for as long as the stream is polled. One that fails to be accepted costs only itself: when the process has
/// no file descriptor left, the next one is accepted when it has.
pub(crate) fn incoming(socket: Arc<Socket>) -> impl tokio_stream::Stream<Item = io::Result<UnixStream>> {
    futures_util::stream::unfold(socket, |socket| async move {
        let mut failures = 0_u32;
        loop {
            match socket.accept().await {
                Ok(stream) => return Some((Ok(stream), socket)),
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(%error, "no connection can be accepted, and will be tried again");
                    }
                    failures = failures.saturating_add(1);
                    // The listener stays ready, so without a pause this would spin.
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_for_its_user_alone_and_goes_with_its_owner() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        let socket = Socket::bind(&path).await.expect("the path is free");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_leaves_nothing_beside_it_and_can_be_dialled_where_it_was_moved() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        let socket = Socket::bind(&path).await.expect("the path is free");
        let names: Vec<_> =
            fs::read_dir(folder.path()).expect("it is there").flatten().map(|file| file.path()).collect();
        assert_eq!(names, std::slice::from_ref(&path));
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), socket.accept());
        assert!(connected.is_ok() && accepted.is_ok());
    }

    #[tokio::test]
    async fn a_path_without_room_for_a_name_beside_it_is_bound_all_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("x".repeat(MAX_SOCKET_PATH - folder.path().as_os_str().len() - 3));
        fs::create_dir(&deep).expect("the folder is ours");
        let path = deep.join("s");
        assert_eq!(path.as_os_str().len(), MAX_SOCKET_PATH);
        let socket = Socket::bind(&path).await.expect("it just fits");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("the path is free"));
        assert!(path.exists(), "a crashed process leaves its socket's file");
        assert!(Socket::bind(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_socket_somebody_answers_on_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        let first = Socket::bind(&path).await.expect("the path is free");
        let error = Socket::bind(&path).await.expect_err("the path is taken");
        assert!(matches!(error, SocketError::InUse { .. }), "{error}");
        assert!(UnixStream::connect(first.path()).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("mapper.sock");
        fs::write(&path, "precious").expect("the folder is ours");
        assert!(matches!(Socket::bind(&path).await, Err(SocketError::NotASocket { .. })));
        assert_eq!(fs::read_to_string(&path).expect("it is still there"), "precious");
    }

    #[tokio::test]
    async fn a_folder_that_is_missing_is_not_made_and_one_in_the_sockets_place_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let missing = folder.path().join("kubeedge");
        let error = Socket::bind(&missing.join("mapper.sock")).await.expect_err("there is no folder").to_string();
        assert!(error.contains("there is no folder") && error.contains("run with --standalone DIR"), "{error}");
        assert!(!missing.exists());
        let error = Socket::bind(folder.path()).await.expect_err("it is a folder").to_string();
        assert!(error.contains("is a folder: set grpc_server.socket_path to a file in it"), "{error}");
        let error = check_edgecore(folder.path()).expect_err("it is a folder").to_string();
        let cure = format!("set it to the socket in it, {:?}", folder.path().join("dmi.sock"));
        assert!(error.contains(&cure), "{error}");
        assert!(check_edgecore(&missing.join("dmi.sock")).is_ok(), "edgecore may come later");
    }

    #[tokio::test]
    async fn a_path_of_200_bytes_is_refused_by_its_length() {
        let path = PathBuf::from(format!("/tmp/{}", "x".repeat(195)));
        let error = Socket::bind(&path).await.expect_err("the path is too long").to_string();
        assert!(error.contains("has 200 bytes") && error.contains("at most 107"), "{error}");
    }
}
