//! The sinks against real servers.

mod access;
mod frames;
mod http;
mod influxdb2;
mod mqtt;
mod mysql;
mod otel;
mod proxy;
mod publish;
mod redis;
mod run;
mod tdengine;
mod web;
