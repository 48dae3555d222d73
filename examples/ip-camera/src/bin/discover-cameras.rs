//! Prints the cameras of this network: the address for `onvif` in a manifest, the camera's name, and what it is.
//!
//! `cargo run -p ip-camera --bin discover-cameras`

use std::{process::ExitCode, time::Duration};

use ip_camera::discovery::{EVERYBODY, discover};

/// How long answers are waited for.
const WAIT: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match discover(EVERYBODY, WAIT).await {
        Ok(cameras) => {
            for camera in &cameras {
                println!("{camera}");
            }
            eprintln!("{} cameras have answered within {WAIT:?}", cameras.len());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("the network cannot be asked: {error}: is there a route for 239.255.255.250?");
            ExitCode::FAILURE
        }
    }
}
