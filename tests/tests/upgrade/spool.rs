//! What an older version has left on disk is delivered by this one.

use std::fs;

use anyhow::Result;
use integration_tests::{folder, golden_spool};

use crate::kept;

#[tokio::test]
async fn the_spool_of_each_version_is_delivered_whole() -> Result<()> {
    let mut spools = 0;
    for entry in fs::read_dir(kept("spool"))? {
        let (kept, copy) = (entry?.path(), tempfile::tempdir()?);
        folder::copy(&kept, copy.path())?;
        assert_eq!(golden_spool::read(copy.path()).await?, golden_spool::expected(), "{}", kept.display());
        spools += 1;
    }
    assert!(spools > 0, "the first release left one");
    Ok(())
}

#[tokio::test]
async fn a_spool_of_this_version_is_as_those_that_are_kept() -> Result<()> {
    let folder = tempfile::tempdir()?;
    golden_spool::write(folder.path()).await?;
    assert_eq!(golden_spool::read(folder.path()).await?, golden_spool::expected());
    Ok(())
}
