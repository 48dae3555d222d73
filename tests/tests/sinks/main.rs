//! The sinks against real servers.

mod http;
mod influxdb2;
mod otel;
mod web;
