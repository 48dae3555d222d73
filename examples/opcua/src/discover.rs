//! The search for what a server holds: the variables below a node.

use std::collections::HashSet;

use mapper_framework::{AccessMode, DataType, Discovery, DriverError, Found, Property};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use ua::{
    client::Session,
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResultMaskFlags, NodeClass, NodeClassMask, NodeId,
        ObjectId, ReadValueId, ReferenceDescription, ReferenceTypeId, TimestampsToReturn, Variant,
        VariantScalarTypeId as Scalar,
    },
};

use crate::{node::Node, session::Server, status, value::Shape};

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
    /// How many variables are enough.
    #[serde(default = "most")]
    most: usize,
}

fn most() -> usize {
    500
}

/// A variable that can be read.
struct Variable {
    /// The browse names on the way to it.
    name: String,
    node: NodeId,
}

impl Args {
    /// The keys of the device's config.
    pub(crate) fn keys(&self) -> Json {
        let texts = [("securityPolicy", &self.security_policy), ("securityMode", &self.security_mode)];
        let texts = texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value.as_ref()?))));
        let timeout = self.timeout.map(|timeout| ("timeout".to_owned(), json!(timeout)));
        let url = ("url".to_owned(), json!(self.url));
        Json::Object([url].into_iter().chain(texts).chain(timeout).collect::<Map<_, _>>())
    }
}

/// Adds the server with the variables below the node.
///
/// # Errors
///
/// The connection is lost, or the node is not there.
pub(crate) async fn discover(server: &mut Server, args: &Args, discovery: &Discovery) -> Result<(), DriverError> {
    let root = match &args.node {
        Some(node) => node.resolve(&server.about.namespaces)?,
        None => ObjectId::ObjectsFolder.into(),
    };
    let variables = browse(server.session(), root, args.most, discovery).await?;
    discovery.progress(format_args!("{} variables: asks for their types", variables.len()));
    let mut found =
        Found::new("opcua-server").description(format!("The OPC UA server at {}", args.url)).config(args.keys());
    let nodes: Vec<_> = variables.iter().map(|variable| variable.node.clone()).collect();
    server.learn_all(&nodes).await?;
    let mut names = HashSet::new();
    for Variable { mut name, node } in variables {
        let Some(access) = access(server.session(), &node).await? else { continue };
        let Ok(shape) = server.shape(&node).await else { continue };
        while !names.insert(name.clone()) {
            name.push('_');
        }
        let visitor = json!({"nodeID": written(server, &node)});
        found = found.property(Property::builder(&name, data_type(&shape)).access_mode(access).visitor(visitor));
    }
    discovery.add(found);
    Ok(())
}

/// The variables below a node, at most so many.
async fn browse(
    session: &Session,
    root: NodeId,
    most: usize,
    discovery: &Discovery,
) -> Result<Vec<Variable>, DriverError> {
    let own: NodeId = ObjectId::Server.into();
    let (mut seen, mut open, mut variables) = (HashSet::from([own]), vec![(String::new(), root)], Vec::new());
    while let Some((path, node)) = open.pop() {
        if variables.len() >= most {
            break;
        }
        discovery.progress(format_args!("{} variables, looks at {node}", variables.len()));
        for below in references(session, node).await? {
            let node = below.node_id.node_id;
            if below.node_id.server_index != 0 || !seen.insert(node.clone()) {
                continue;
            }
            let name = join(&path, below.browse_name.name.as_ref());
            match below.node_class {
                NodeClass::Variable => variables.push(Variable { name, node }),
                _ => open.push((name, node)),
            }
        }
    }
    variables.truncate(most);
    Ok(variables)
}

/// The objects and variables right below a node.
async fn references(session: &Session, node: NodeId) -> Result<Vec<ReferenceDescription>, DriverError> {
    let failed = |error| status::of_request("browsing", error);
    let wanted = BrowseDescription {
        node_id: node.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HierarchicalReferences.into(),
        include_subtypes: true,
        node_class_mask: (NodeClassMask::OBJECT | NodeClassMask::VARIABLE).bits(),
        result_mask: (BrowseResultMaskFlags::BrowseName | BrowseResultMaskFlags::NodeClass).bits(),
    };
    let mut answer = session.browse(&[wanted], 0, None).await.map_err(failed)?.into_iter().next();
    let mut all = Vec::new();
    while let Some(part) = answer {
        if part.status_code.is_bad() {
            return Err(status::of_operation(&node, part.status_code));
        }
        all.extend(part.references.into_iter().flatten());
        if part.continuation_point.is_null_or_empty() {
            break;
        }
        answer = session.browse_next(false, &[part.continuation_point]).await.map_err(failed)?.into_iter().next();
    }
    Ok(all)
}

/// A property's name: letters, digits and underscores.
fn join(path: &str, name: &str) -> String {
    let name: String = name.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    if path.is_empty() { name } else { format!("{path}_{name}") }
}

/// What this user may do with a variable; none if it cannot be read.
async fn access(session: &Session, node: &NodeId) -> Result<Option<AccessMode>, DriverError> {
    const READ: u8 = 1;
    const WRITE: u8 = 2;
    let wanted = [ReadValueId::new(node.clone(), AttributeId::UserAccessLevel)];
    let answers = session.read(&wanted, TimestampsToReturn::Neither, 0.0).await;
    let answers = answers.map_err(|error| status::of_request("browsing", error))?;
    let Some(Variant::Byte(level)) = answers.into_iter().next().and_then(|answer| answer.value) else {
        return Ok(None);
    };
    Ok(match (level & READ != 0, level & WRITE != 0) {
        (false, _) => None,
        (true, false) => Some(AccessMode::ReadOnly),
        (true, true) => Some(AccessMode::ReadWrite),
    })
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
