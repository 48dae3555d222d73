//! A driver behind a pointer is a driver.

use std::{future::Future, sync::Arc};

use crate::model::{Device, Property};

use super::{Discovery, Driver, DriverError, Review, Session};

impl<T: Driver> Driver for Arc<T> {
    type Config = T::Config;
    type Session = T::Session;

    fn connect(
        &self,
        device: &Device,
        config: Self::Config,
    ) -> impl Future<Output = Result<Self::Session, DriverError>> + Send {
        T::connect(self, device, config)
    }

    fn discover(&self, discovery: &Discovery) -> impl Future<Output = Result<(), DriverError>> + Send {
        T::discover(self, discovery)
    }

    fn review(
        &self,
        device: &Device,
        config: &Self::Config,
        property: &Property<<Self::Session as Session>::Visitor>,
    ) -> Review {
        T::review(self, device, config, property)
    }
}

impl<T: Driver> Driver for Box<T> {
    type Config = T::Config;
    type Session = T::Session;

    fn connect(
        &self,
        device: &Device,
        config: Self::Config,
    ) -> impl Future<Output = Result<Self::Session, DriverError>> + Send {
        T::connect(self, device, config)
    }

    fn discover(&self, discovery: &Discovery) -> impl Future<Output = Result<(), DriverError>> + Send {
        T::discover(self, discovery)
    }

    fn review(
        &self,
        device: &Device,
        config: &Self::Config,
        property: &Property<<Self::Session as Session>::Visitor>,
    ) -> Review {
        T::review(self, device, config, property)
    }
}
