//! The sinks against real servers.

mod mysql;
mod redis;
mod tdengine;
mod mqtt;
mod http;
mod influxdb2;
mod otel;
mod web;
