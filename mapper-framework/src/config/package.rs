//! The mapper's package.

/// A mapper's name, version and description, from its `Cargo.toml`: [`package!()`](crate::package) makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    name: &'static str,
    version: &'static str,
    description: &'static str,
}

impl Package {
    /// A package of these names. Rather use [`package!()`](crate::package).
    pub const fn new(name: &'static str, version: &'static str, description: &'static str) -> Self {
        Self { name, version, description }
    }

    /// The package's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The package's version.
    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// What the package is, in one sentence. Empty where its `Cargo.toml` does not say.
    pub const fn description(&self) -> &'static str {
        self.description
    }
}

/// The [`Package`](crate::config::Package) of the crate in which it is written: the mapper's name, version and description from
/// its `Cargo.toml`.
///
/// ```
/// let package = mapper_framework::package!();
/// assert!(!package.version().is_empty());
/// ```
#[macro_export]
macro_rules! package {
    () => {
        $crate::config::Package::new(
            ::core::env!("CARGO_PKG_NAME"),
            ::core::env!("CARGO_PKG_VERSION"),
            ::core::env!("CARGO_PKG_DESCRIPTION"),
        )
    };
}
