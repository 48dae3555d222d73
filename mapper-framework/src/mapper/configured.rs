//! Drivers and sinks that are made from sections of the config.

use std::{
    error::Error,
    sync::{Arc, OnceLock},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

use super::{Mapper, MapperBuilder, MapperError};
use crate::{
    config::{Config, DRIVER_SETTINGS, OwnSection, section_of_sink},
    driver::{Discovery, Driver, DriverError, Review, Session},
    model::{Device, Property},
    sink::{self, ErasedKind, SinkKind},
};

/// Makes the driver with the config, once.
pub(super) type MakeDriver = Box<dyn FnOnce(&Config) -> Result<(), MapperError> + Send>;

/// Makes a kind of sink with the config.
type MakeKind = Box<dyn FnOnce(&Config) -> Result<Arc<dyn ErasedKind>, MapperError> + Send>;

/// A kind of sink that the mapper's author has registered.
pub(super) enum OwnKind {
    Made(Arc<dyn ErasedKind>),
    /// Is made when the config is known.
    Configured(MakeKind),
}

/// Any error of a mapper's own.
type OwnError = Box<dyn Error + Send + Sync>;

impl Mapper {
    /// Starts with a driver that has settings of its own: the section `driver.settings` of the config.
    ///
    /// The keys are the fields of `S`, and their defaults its [`Default`]. They come from the file, the environment
    /// (`MAPPER_DRIVER__SETTINGS__…`) and the flag `--set driver.settings.KEY=VALUE`, and `--help` lists them. Let `S` have
    /// `#[serde(default)]`, or else a key that is left out is missing.
    ///
    /// `make` is called once, when the mapper starts to run or to `discover`. `check` makes no driver, and so goes without its
    /// [review](Driver::review).
    ///
    /// ```
    /// use std::convert::Infallible;
    ///
    /// use mapper_framework::{Device, Driver, DriverError, Mapper, Property, Reading, Session};
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// `driver.settings`
    /// #[derive(Serialize, Deserialize)]
    /// #[serde(default)]
    /// struct Settings {
    ///     /// `driver.settings.answer`, 42 by default.
    ///     answer: i64,
    /// }
    ///
    /// impl Default for Settings {
    ///     fn default() -> Self {
    ///         Self { answer: 42 }
    ///     }
    /// }
    ///
    /// struct Oracle(Settings);
    /// struct Asked(i64);
    ///
    /// impl Driver for Oracle {
    ///     type Config = ();
    ///     type Session = Asked;
    ///     async fn connect(&self, _: &Device, (): ()) -> Result<Asked, DriverError> {
    ///         Ok(Asked(self.0.answer))
    ///     }
    /// }
    ///
    /// impl Session for Asked {
    ///     type Visitor = ();
    ///     async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
    ///         Ok(self.0.into())
    ///     }
    /// }
    ///
    /// let mapper = Mapper::configured(|settings: Settings| Ok::<_, Infallible>(Oracle(settings)));
    /// # drop(mapper);
    /// ```
    ///
    /// # Errors
    ///
    /// What `make` returns ends the mapper with [`MapperError::Refused`], and the exit code 2.
    pub fn configured<S, D, E>(make: impl FnOnce(S) -> Result<D, E> + Send + 'static) -> MapperBuilder
    where
        S: Serialize + DeserializeOwned + Default,
        D: Driver,
        E: Into<OwnError>,
    {
        let made = Arc::new(OnceLock::new());
        let mut builder = Self::builder(Made(Arc::clone(&made)));
        builder.config.own.insert(DRIVER_SETTINGS.to_owned(), OwnSection::of::<S>());
        builder.make_driver = Some(Box::new(move |config| {
            let driver =
                make(config.own.read::<S>(DRIVER_SETTINGS)?).map_err(|error| refused(DRIVER_SETTINGS, error))?;
            // It is called once, so the place is empty.
            made.set(driver).unwrap_or(());
            Ok(())
        }));
        builder
    }
}

impl MapperBuilder {
    /// Registers a kind of sink that has settings of its own: the section `sinks.<name>` of the config, next to its key
    /// `credentials`, which every kind has. `name` is that of the kind, and not that of a built-in one.
    ///
    /// See [`Mapper::configured`] for `S`. `make` is called once the config is known, for `check` as well: leave what costs anything
    /// to [`SinkKind::open`].
    ///
    /// ```
    /// # use mapper_framework::{Driver, Mapper, sink::SinkKind};
    /// #[derive(Default, serde::Serialize, serde::Deserialize)]
    /// #[serde(default)]
    /// struct Settings {
    ///     /// `sinks.sqlite.file`
    ///     file: std::path::PathBuf,
    /// }
    ///
    /// # fn register(driver: impl Driver, kind: fn(Settings) -> Kind) {
    /// Mapper::builder(driver).configured_sink("sqlite", move |settings: Settings| match settings.file.is_relative() {
    ///     true => Err("`file` must be an absolute path"),
    ///     false => Ok(kind(settings)),
    /// });
    /// # }
    /// # use mapper_framework::{Device, Property, sink::{Credentials, Outcome, Record, Route, RouteError, Sink, SinkError, Target}};
    /// # struct Kind;
    /// # impl SinkKind for Kind {
    /// #     type Sink = Kind;
    /// #     fn name(&self) -> &str { "sqlite" }
    /// #     fn routes(&self, _: &Device, _: &Property) -> Result<Vec<Route>, RouteError> { Ok(Vec::new()) }
    /// #     async fn open(&self, _: &Target, _: &Credentials) -> Result<Kind, SinkError> { Ok(Kind) }
    /// # }
    /// # impl Sink for Kind {
    /// #     async fn write(&mut self, _: &[Record]) -> Result<Vec<Outcome>, SinkError> { Ok(Vec::new()) }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What `make` returns ends the mapper with [`MapperError::Refused`], and the exit code 2.
    pub fn configured_sink<S, K, E>(mut self, name: &str, make: impl FnOnce(S) -> Result<K, E> + Send + 'static) -> Self
    where
        S: Serialize + DeserializeOwned + Default,
        K: SinkKind,
        E: Into<OwnError>,
    {
        let section = section_of_sink(name);
        self.config.own.insert(section.clone(), OwnSection::of::<S>().with_credentials());
        self.kinds.push(OwnKind::Configured(Box::new(move |config| {
            let kind = make(config.own.read::<S>(&section)?).map_err(|error| refused(&section, error))?;
            if section_of_sink(kind.name()) != section {
                let reason = format!("its kind calls itself {:?}: register it by that name", kind.name());
                return Err(refused(&section, reason));
            }
            Ok(sink::erase(kind))
        })));
        self
    }

    /// Makes the kinds of sink that wait for the config.
    pub(crate) fn make_sinks(&mut self) -> Result<(), MapperError> {
        for kind in std::mem::take(&mut self.kinds) {
            let kind = match kind {
                OwnKind::Made(kind) => kind,
                OwnKind::Configured(make) => make(&self.config)?,
            };
            self.kinds.push(OwnKind::Made(kind));
        }
        Ok(())
    }

    /// Makes the driver that waits for the config.
    pub(crate) fn make_own_driver(&mut self) -> Result<(), MapperError> {
        self.make_driver.take().map_or(Ok(()), |make| make(&self.config))
    }

    /// The kinds of sink that are not built in, as far as they are made.
    pub(super) fn own_kinds(&self) -> impl Iterator<Item = Arc<dyn ErasedKind>> {
        self.kinds.iter().filter_map(|kind| match kind {
            OwnKind::Made(kind) => Some(Arc::clone(kind)),
            OwnKind::Configured(_) => None,
        })
    }
}

fn refused(section: &str, error: impl Into<OwnError>) -> MapperError {
    MapperError::Refused { section: section.to_owned(), reason: error.into().to_string() }
}

/// A driver that is made when the mapper starts. Nothing connects before.
struct Made<D>(Arc<OnceLock<D>>);

impl<D: Driver> Driver for Made<D> {
    type Config = D::Config;
    type Session = D::Session;

    const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = D::DISCOVER_ARGS;

    async fn connect(&self, device: &Device, config: D::Config) -> Result<D::Session, DriverError> {
        self.driver()?.connect(device, config).await
    }

    /// Before the driver is made, as in `check`, there is nobody to say anything.
    fn review(
        &self,
        device: &Device,
        config: &D::Config,
        property: &Property<<D::Session as Session>::Visitor>,
    ) -> Review {
        self.0.get().map_or_else(Review::new, |driver| driver.review(device, config, property))
    }

    fn longest_wait(config: &D::Config) -> Option<Duration> {
        D::longest_wait(config)
    }

    async fn discover(&self, discovery: &Discovery) -> Result<(), DriverError> {
        self.driver()?.discover(discovery).await
    }
}

impl<D> Made<D> {
    fn driver(&self) -> Result<&D, DriverError> {
        self.0.get().ok_or_else(|| DriverError::failed("the mapper does not run yet"))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use serde::Deserialize;

    use super::*;
    use crate::{Reading, model::DataType};

    #[derive(Default, Serialize, Deserialize)]
    struct Settings {
        unit: u8,
    }

    struct Meter(Settings);

    impl Driver for Meter {
        type Config = ();
        type Session = Self;

        const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = &[("bus", "Where to search")];

        async fn connect(&self, _: &Device, (): ()) -> Result<Self, DriverError> {
            Ok(Self(Settings { unit: self.0.unit }))
        }

        fn review(&self, _: &Device, (): &(), _: &Property<()>) -> Review {
            Review::new().reads(format!("unit {}", self.0.unit))
        }

        fn longest_wait((): &()) -> Option<Duration> {
            Some(Duration::from_secs(1))
        }
    }

    impl Session for Meter {
        type Visitor = ();

        async fn read(&mut self, _: &Property<()>) -> Result<Reading, DriverError> {
            Ok(0.into())
        }
    }

    #[test]
    fn a_driver_that_is_made_later_is_asked_all_that_a_driver_is() {
        let mut builder = Mapper::configured(|settings: Settings| Ok::<_, Infallible>(Meter(settings)));
        assert_eq!(builder.driver.discover_args(), [("bus", "Where to search")]);
        let (device, level) = (Device::builder("meter").build(), Property::builder("level", DataType::Int).build());
        assert_eq!(builder.driver.review(&device, &level).reading(), None);
        assert_eq!(builder.driver.longest_wait(&device), Some(Duration::from_secs(1)));
        builder.make_own_driver().unwrap();
        assert_eq!(builder.driver.review(&device, &level).reading(), Some("unit 0"));
    }
}
