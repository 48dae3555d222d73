//! A driver behind a pointer is a driver.

use std::{future::Future, sync::Arc, time::Duration};

use crate::model::{Device, Property};

use super::{Discovery, Driver, DriverError, Review, Session};

/// Has a pointer to a driver pass on all there is in [`Driver`].
macro_rules! passes_on {
    ($pointer:ident) => {
        impl<T: Driver> Driver for $pointer<T> {
            type Config = T::Config;
            type Session = T::Session;

            const DISCOVER_ARGS: &'static [(&'static str, &'static str)] = T::DISCOVER_ARGS;

            fn connect(
                &self,
                device: &Device,
                config: Self::Config,
            ) -> impl Future<Output = Result<Self::Session, DriverError>> + Send {
                T::connect(self, device, config)
            }

            fn review(
                &self,
                device: &Device,
                config: &Self::Config,
                property: &Property<<Self::Session as Session>::Visitor>,
            ) -> Review {
                T::review(self, device, config, property)
            }

            fn longest_wait(config: &Self::Config) -> Option<Duration> {
                T::longest_wait(config)
            }

            fn discover(&self, discovery: &Discovery) -> impl Future<Output = Result<(), DriverError>> + Send {
                T::discover(self, discovery)
            }
        }
    };
}

passes_on!(Arc);
passes_on!(Box);
