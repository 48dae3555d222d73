//! The search for what a server holds: the variables and methods below a node.

use std::{
    collections::{HashMap, HashSet},
    mem,
};

use mapper_framework::{AccessMode, DataType, Discovery, DriverError, Found, Property};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use tracing::warn;
use ua::{
    client::Session,
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResultMaskFlags, DataValue, NodeClass, NodeClassMask,
        NodeId, ObjectId, ReferenceDescription, ReferenceTypeId, Variant, VariantScalarTypeId as Scalar,
    },
};

use crate::{details, fetch::Answer, node::Node, session::Server, status, value::Shape};

/// How many nodes right below one are looked at. A server may go on for ever.
const MOST_BELOW: usize = 65_536;
/// How many of them the server sends at once.
const AT_ONCE: u32 = 1000;
/// How many nodes are looked at in all, and how many below each other. Objects may hold each other, and a server make new ones.
const MOST_SEEN: usize = 100_000;
const MOST_LEVELS: usize = 32;

/// The arguments, for `--help`.
pub(crate) const ARGS: &[(&str, &str)] = &[
    ("url", "Where the server is, such as opc.tcp://192.0.2.7:4840"),
    ("securityPolicy", "Basic256Sha256, Aes128Sha256RsaOaep or Aes256Sha256RsaPss [default: None]"),
    ("securityMode", "Sign or SignAndEncrypt [default: SignAndEncrypt with a policy]"),
    ("timeout", "How many milliseconds the search waits for each answer [default: 3000]"),
    ("nodeID", "Node below which to look, such as nsu=urn:factory:boilers;s=Boiler [default: all objects]"),
    ("most", "How many variables, methods and arguments are enough [default: 500]"),
];

/// The arguments of `opcua discover url=opc.tcp://192.0.2.7:4840`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Args {
    url: String,
    security_policy: Option<String>,
    security_mode: Option<String>,
    timeout: Option<f64>,
    /// Below which node; by default all objects but the server's own.
    #[serde(rename = "nodeID")]
    node: Option<Node>,
    /// How many variables, methods and arguments of methods are enough.
    #[serde(default = "most")]
    most: usize,
}

fn most() -> usize {
    500
}

/// A variable or a method.
struct Below {
    /// The browse names on the way to it.
    name: String,
    node: NodeId,
}

impl Args {
    /// The keys of the config to search with: those of the device, and how long answers are waited for, which is the search's own.
    pub(crate) fn search_keys(&self) -> Map<String, Json> {
        let timeout = self.timeout.map(|timeout| ("timeout".to_owned(), json!(timeout)));
        self.keys().into_iter().chain(timeout).collect()
    }

    /// The keys of the device's config.
    fn keys(&self) -> Map<String, Json> {
        let texts = [("securityPolicy", &self.security_policy), ("securityMode", &self.security_mode)];
        let texts = texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value.as_ref()?))));
        let url = ("url".to_owned(), json!(self.url));
        [url].into_iter().chain(texts).collect()
    }
}

/// Adds the server with the variables and methods below the node. A node that cannot be looked into is passed over.
///
/// # Errors
///
/// The connection is lost, or the node is not there. What was found until then is added all the same.
pub(crate) async fn discover(server: &mut Server, args: &Args, discovery: &Discovery) -> Result<(), DriverError> {
    let root = match &args.node {
        Some(node) => node.resolve(&server.about.namespaces)?,
        None => ObjectId::ObjectsFolder.into(),
    };
    let own: NodeId = ObjectId::Server.into();
    let (mut seen, mut open) = (HashSet::from([own]), vec![(0, String::new(), root.clone())]);
    let (mut holds, mut rest) = (Holds::new(args, discovery), args.most);
    while let Some((level, path, node)) = open.pop().filter(|_| rest > 0) {
        if seen.len() >= MOST_SEEN {
            warn!("the search ends after {MOST_SEEN} nodes: name a node below which to look by nodeID");
            break;
        }
        if level == MOST_LEVELS {
            warn!(%node, "what is more than {MOST_LEVELS} levels down is passed over: name a node below which to look by nodeID");
            continue;
        }
        discovery.progress(format_args!("{} properties, looks at {node}", holds.names.len()));
        let below = match references(server.session(), &node, rest).await {
            Ok(below) => below,
            Err(error) if error.is_disconnected() || node == root => return Err(error),
            Err(error) => {
                warn!(%error, "a node is passed over");
                continue;
            }
        };
        let (mut variables, mut methods) = (Vec::new(), Vec::new());
        for below in below {
            let name = join(&path, below.browse_name.name.as_ref());
            let at = below.node_id.node_id;
            // Objects of one type share their methods.
            let is_method = below.node_class == NodeClass::Method;
            if below.node_id.server_index != 0 || !(is_method || seen.insert(at.clone())) {
                continue;
            }
            match below.node_class {
                NodeClass::Method => methods.push(Below { name, node: at }),
                NodeClass::Variable => variables.push(Below { name, node: at }),
                _ => open.push((level + 1, name, at)),
            }
        }
        variables.truncate(rest);
        rest -= variables.len();
        holds.take(server, variables).await?;
        rest -= holds.take_methods(server, &node, methods, rest).await?;
    }
    Ok(())
}

/// What a server holds, as far as it was found. It is added when this is dropped, and so however the search ends.
struct Holds<'a> {
    discovery: &'a Discovery,
    found: Option<Found>,
    /// The keys of the device's config.
    keys: Map<String, Json>,
    /// The nodes of methods, for the key `methods`.
    methods: Map<String, Json>,
    /// The names of the properties, each with the last number of another one that would have it, too.
    names: HashMap<String, usize>,
}

impl<'a> Holds<'a> {
    fn new(args: &Args, discovery: &'a Discovery) -> Self {
        let found = Found::new("opcua-server").description(format!("The OPC UA server at {}", args.url));
        let (methods, names) = (Map::new(), HashMap::new());
        Self { discovery, found: Some(found), keys: args.keys(), methods, names }
    }

    /// Takes in those of the variables that can be read and whose types are known.
    async fn take(&mut self, server: &mut Server, variables: Vec<Below>) -> Result<(), DriverError> {
        let nodes: Vec<_> = variables.iter().map(|variable| variable.node.clone()).collect();
        server.learn_all(&nodes).await?;
        let levels = server.attribute(&nodes, AttributeId::UserAccessLevel).await?;
        let details = details::ask(server, &nodes).await?;
        for ((Below { name, node }, level), mut details) in variables.into_iter().zip(levels).zip(details) {
            let Some(access) = access(level) else { continue };
            let Ok(shape) = server.shape(&node).await else { continue };
            // Some servers have a node's name for its description.
            if name.ends_with(&join("", &details.description)) {
                details.description.clear();
            }
            let data_type = data_type(&shape);
            let name = self.free(name);
            let property = details.describe(Property::builder(&name, data_type), is_number(data_type));
            self.add(property.access_mode(access).visitor(json!({"nodeID": written(server, &node)})));
        }
        Ok(())
    }

    /// Takes in those of an object's methods that this user may call, with a property for each argument, until there are `most` of both. Returns how
    /// many there are.
    async fn take_methods(
        &mut self,
        server: &mut Server,
        object: &NodeId,
        methods: Vec<Below>,
        most: usize,
    ) -> Result<usize, DriverError> {
        let mut count = 0;
        let nodes: Vec<_> = methods.iter().map(|method| method.node.clone()).collect();
        let allowed = server.attribute(&nodes, AttributeId::UserExecutable).await?;
        for (Below { name, node }, allowed) in methods.into_iter().zip(allowed) {
            if count >= most {
                break;
            }
            if !matches!(allowed, Ok(DataValue { value: Some(Variant::Boolean(true)), .. }))
                || self.methods.contains_key(&name)
            {
                continue;
            }
            let arguments = match server.arguments_of(&node).await {
                Err(error) if error.is_disconnected() => return Err(error),
                Err(_) => continue,
                Ok(arguments) => arguments,
            };
            count += 1 + arguments.len();
            let mut taken = Vec::with_capacity(arguments.len());
            for (argument, shape) in arguments {
                let data_type = data_type(&shape);
                let argument = self.free(join(&name, &argument));
                let property = Property::builder(&argument, data_type).access_mode(AccessMode::ReadWrite);
                self.add(property.visitor(json!({"argument": first(data_type)})));
                taken.push(argument);
            }
            let taken: Vec<_> = taken.iter().map(String::as_str).collect();
            self.found = self.found.take().map(|found| found.method(&name, "", &taken));
            let nodes = json!({"objectID": written(server, object), "methodID": written(server, &node)});
            self.methods.insert(name, nodes);
        }
        Ok(count.min(most))
    }

    /// A name that no property has yet: this one, or with a number.
    fn free(&mut self, name: String) -> String {
        let Some(mut number) = self.names.get(&name).copied() else {
            self.names.insert(name.clone(), 1);
            return name;
        };
        let free = loop {
            number += 1;
            let numbered = format!("{name}_{number}");
            if !self.names.contains_key(&numbered) {
                break numbered;
            }
        };
        self.names.insert(name, number);
        self.names.insert(free.clone(), 1);
        free
    }

    fn add(&mut self, property: Property<Json>) {
        self.found = self.found.take().map(|found| found.property(property));
    }
}

impl Drop for Holds<'_> {
    fn drop(&mut self) {
        let Some(found) = self.found.take().filter(|_| !(self.names.is_empty() && self.methods.is_empty())) else {
            return;
        };
        let mut keys = mem::take(&mut self.keys);
        if !self.methods.is_empty() {
            keys.insert("methods".to_owned(), Json::Object(mem::take(&mut self.methods)).to_string().into());
        }
        self.discovery.add(found.config(keys));
    }
}

/// The objects, variables and methods right below a node, with about so many variables at most.
async fn references(session: &Session, node: &NodeId, most: usize) -> Result<Vec<ReferenceDescription>, DriverError> {
    let failed = |error| status::of_request(format_args!("looking at {node}"), error);
    let wanted = BrowseDescription {
        node_id: node.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
        include_subtypes: true,
        node_class_mask: (NodeClassMask::OBJECT | NodeClassMask::VARIABLE | NodeClassMask::METHOD).bits(),
        result_mask: (BrowseResultMaskFlags::BrowseName | BrowseResultMaskFlags::NodeClass).bits(),
    };
    let mut answer = session.browse(&[wanted], AT_ONCE, None).await.map_err(failed)?.into_iter().next();
    let (mut all, mut variables) = (Vec::new(), 0);
    while let Some(part) = answer {
        if part.status_code.is_bad() {
            return Err(status::of_operation(node, part.status_code));
        }
        let references = part.references.unwrap_or_default();
        variables += references.iter().filter(|below| below.node_class == NodeClass::Variable).count();
        all.extend(references);
        if part.continuation_point.is_null_or_empty() {
            break;
        }
        let is_enough = variables >= most || all.len() >= MOST_BELOW;
        let next = session.browse_next(is_enough, &[part.continuation_point]).await.map_err(failed)?;
        answer = next.into_iter().next().filter(|_| !is_enough);
    }
    Ok(all)
}

/// A property's name: letters, digits and underscores.
fn join(path: &str, name: &str) -> String {
    let name: String = name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    if path.is_empty() { name } else { format!("{path}_{name}") }
}

/// What this user may do with a variable; none if it cannot be read.
fn access(level: Answer) -> Option<AccessMode> {
    const READ: u8 = 1;
    const WRITE: u8 = 2;
    let Some(Variant::Byte(level)) = level.ok()?.value else { return None };
    match (level & READ != 0, level & WRITE != 0) {
        (false, _) => None,
        (true, false) => Some(AccessMode::ReadOnly),
        (true, true) => Some(AccessMode::ReadWrite),
    }
}

fn is_number(data_type: DataType) -> bool {
    matches!(data_type, DataType::Int | DataType::Float | DataType::Double)
}

/// The value of an argument until somebody sets it.
fn first(data_type: DataType) -> &'static str {
    match data_type {
        DataType::Boolean => "false",
        it if is_number(it) => "0",
        _ => "",
    }
}

fn data_type(shape: &Shape) -> DataType {
    if shape.rank >= 0 {
        return DataType::String;
    }
    match shape.scalar {
        Scalar::Boolean => DataType::Boolean,
        Scalar::SByte
        | Scalar::Byte
        | Scalar::Int16
        | Scalar::UInt16
        | Scalar::Int32
        | Scalar::UInt32
        | Scalar::Int64 => DataType::Int,
        Scalar::Float => DataType::Float,
        Scalar::Double => DataType::Double,
        Scalar::ByteString => DataType::Bytes,
        _ => DataType::String,
    }
}

/// The node with the URI of its namespace.
fn written(server: &Server, node: &NodeId) -> String {
    let known = server.about.namespaces.known_namespaces().iter().find(|(_, index)| **index == node.namespace);
    match known {
        Some((uri, _)) if node.namespace > 0 => format!("nsu={uri};{}", node.identifier),
        _ => node.to_string(),
    }
}
