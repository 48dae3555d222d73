//! A mapper for devices that are OPC UA servers.
//!
//! - `driver`: what the framework calls to connect, an [`OpcUa`] that opens a [`Server`] for each device
//! - `session`: what the framework calls of a session: reads, writes, calls, deliveries
//! - `fetch`: reads of many nodes; `monitor`: a subscription, by which the server delivers; `method`: the methods of objects
//! - `discover`: the search for what a server holds; `details`: what it says of variables beside their values
//! - `config`: what a user writes of a device, as [`Config`]; `visitor`: of a property, as [`Visitor`]; `node`: how nodes are named
//! - `endpoint`: the endpoints of a server, and which of them is taken
//! - `login`: user name and password or a certificate, from the device's credentials; `pki`: the folder of certificates;
//!   `certificate`: what one of a server says
//! - `link`: the session's life; `about`: what the server says of itself when it begins; `status`: what status codes mean
//! - `value`: values of the server's and of the framework's; `types`, `shapes`: the types of nodes and what is in structures

mod about;
mod certificate;
mod config;
mod details;
mod discover;
mod driver;
mod endpoint;
mod fetch;
mod link;
mod login;
mod method;
mod monitor;
mod node;
mod pki;
mod session;
mod shapes;
mod status;
mod trust;
mod types;
mod value;
mod visitor;

pub use config::Config;
pub use driver::{OpcUa, Settings};
pub use session::Server;
pub use visitor::Visitor;
