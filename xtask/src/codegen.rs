//! Regenerates the checked-in protobuf code with `protox`, so that neither users nor contributors need `protoc`.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};
use prost::Message;
use protox::prost_reflect::prost_types;

/// Where the generated code lies, below the workspace's root.
const GENERATED: &str = "mapper-framework/src/dmi/generated";

/// Writes the generated files, or with `check` compares them with what is checked in.
pub(crate) fn run(check: bool) -> Result<()> {
    let target = crate::root().join(GENERATED);
    let fresh = generate()?;
    if check { compare(&target, &fresh) } else { write(&target, &fresh) }
}

/// The generated files by name.
fn generate() -> Result<BTreeMap<String, Vec<u8>>> {
    let proto = crate::root().join("proto");
    let descriptors: prost_types::FileDescriptorSet =
        protox::compile(["dmi/v1beta1/api.proto"], [&proto]).context("proto/dmi/v1beta1/api.proto does not compile")?;
    let out = crate::root().join("target/codegen");
    fs::create_dir_all(&out)?;
    tonic_prost_build::configure()
        .out_dir(&out)
        .build_transport(false)
        .compile_fds(descriptors.clone())
        .context("generating the code failed")?;
    Ok(BTreeMap::from([
        ("v1beta1.rs".to_owned(), fs::read(out.join("v1beta1.rs"))?),
        ("descriptors.bin".to_owned(), descriptors.encode_to_vec()),
    ]))
}

fn write(target: &Path, fresh: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    fs::create_dir_all(target)?;
    for (name, bytes) in fresh {
        fs::write(target.join(name), bytes)?;
        println!("wrote {GENERATED}/{name}");
    }
    Ok(())
}

fn compare(target: &Path, fresh: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    for (name, bytes) in fresh {
        let kept = fs::read(target.join(name)).with_context(|| format!("{GENERATED}/{name} cannot be read"))?;
        if &kept != bytes {
            bail!("{GENERATED}/{name} is not what proto/ gives: run `cargo xtask codegen` and commit the result");
        }
    }
    println!("{GENERATED} is what proto/ gives");
    Ok(())
}
