//! What the framework calls of a session.

use std::{collections::HashMap, sync::Arc};

use mapper_framework::{
    Call, Change, DataType, DeviceState, DriverError, Property, Reading, Reads, Session, Subscriptions, Value,
};
use ua::types::{
    AttributeId, DataValue, NodeId, NumericRange, ReadValueId, StatusCode, VariableId, Variant, VariantScalarTypeId,
    WriteValue,
};

use crate::{
    about::About,
    config::Config,
    fetch::{Answer, fetch, fetch_all, value_of},
    link::Link,
    method::{self, Methods},
    monitor::{Monitor, Wanted},
    node::Node,
    shapes::Shapes,
    status,
    value::{self, Shape},
    visitor::Visitor,
};

/// OPC UA's word for a value that is no list.
const SINGLE: i32 = -1;

/// One device: a session with its server.
pub struct Server {
    link: Link,
    pub(crate) about: About,
    /// Its name, for the log.
    device: String,
    config: Config,
    shapes: Shapes,
    methods: Methods,
    monitor: Option<Monitor>,
    /// All properties of the device.
    properties: Vec<Arc<Property<Visitor>>>,
    /// The arguments of methods that were set, by their property.
    arguments: HashMap<String, Value>,
}

impl Server {
    pub(crate) fn new(link: Link, about: About, device: &str, config: Config) -> Self {
        Self {
            link,
            about,
            device: device.to_owned(),
            config,
            shapes: Shapes::default(),
            methods: Methods::default(),
            monitor: None,
            properties: Vec::new(),
            arguments: HashMap::new(),
        }
    }

    /// The session, for requests.
    pub(crate) fn session(&self) -> &ua::client::Session {
        self.link.session()
    }

    /// Asks for the types of nodes, in as few requests as the server takes.
    pub(crate) async fn learn_all(&mut self, nodes: &[NodeId]) -> Result<(), DriverError> {
        self.shapes.learn(self.link.session(), nodes, &mut self.about.nodes_per_read).await
    }

    /// Reads an attribute of each node, in as few requests as the server takes.
    pub(crate) async fn attribute(&mut self, nodes: &[NodeId], id: AttributeId) -> Result<Vec<Answer>, DriverError> {
        let wanted: Vec<_> = nodes.iter().map(|node| ReadValueId::new(node.clone(), id)).collect();
        fetch_all(self.link.session(), &wanted, &mut self.about.nodes_per_read).await
    }

    /// The names and types of the arguments of a method.
    pub(crate) async fn arguments_of(&mut self, method: &NodeId) -> Result<Vec<(String, Shape)>, DriverError> {
        method::arguments(self.link.session(), &mut self.shapes, method).await
    }

    /// The type of a node.
    pub(crate) async fn shape(&mut self, node: &NodeId) -> Result<Shape, DriverError> {
        self.shapes.of_node(self.link.session(), node, &mut self.about.nodes_per_read).await
    }
}

impl Session for Server {
    type Visitor = Visitor;

    fn check(property: &Property<Visitor>) -> Result<(), DriverError> {
        Visitor::check(property)
    }

    /// What the server does not deliver is polled.
    async fn subscribe(&mut self, properties: &[Arc<Property<Visitor>>]) -> Result<Subscriptions, DriverError> {
        self.properties = properties.to_vec();
        if !self.config.subscribe {
            return Ok(Subscriptions::none());
        }
        let mut wanted = Vec::with_capacity(properties.len());
        for property in properties {
            let Some(node) = &property.visitor().node else { continue };
            // One whose namespace is not there fails when it is polled, with the reason.
            let Ok(node) = node.resolve(&self.about.namespaces) else { continue };
            wanted.push(Wanted { property: Arc::clone(property), node });
        }
        self.learn(wanted.iter().map(|wanted| (&*wanted.property, &wanted.node))).await?;
        let session = self.link.session();
        if self.monitor.is_none() && !wanted.is_empty() {
            self.monitor = Monitor::create(session, &self.device, &wanted).await?;
        }
        match &mut self.monitor {
            Some(monitor) => monitor.update(session, wanted, &mut self.about.items_per_call).await,
            None => Ok(Subscriptions::none()),
        }
    }

    async fn read(&mut self, property: &Property<Visitor>) -> Result<Reading, DriverError> {
        let Some(node) = &property.visitor().node else { return self.argument(property).map(Reading::from) };
        let id = node.resolve(&self.about.namespaces)?;
        self.learn([(property, &id)].into_iter()).await?;
        let answer = self.ask(value_of(id, &property.visitor().index_range)).await?;
        self.reading(property, node, answer)
    }

    /// Reads all nodes in as few requests as the server takes.
    async fn read_many(&mut self, reads: &mut Reads<'_, Visitor>) -> Result<(), DriverError> {
        let properties = reads.properties();
        let mut wanted = Vec::with_capacity(properties.len());
        for (index, property) in properties.iter().enumerate() {
            match &property.visitor().node {
                None => reads.set_at(index, self.argument(property).map(Reading::from)),
                Some(node) => match node.resolve(&self.about.namespaces) {
                    Ok(id) => wanted.push((index, node, id)),
                    Err(error) => reads.set_at(index, Err(error)),
                },
            }
        }
        self.learn(wanted.iter().map(|(index, _, id)| (&*properties[*index], id))).await?;
        let nodes = wanted.iter().map(|(index, _, id)| value_of(id.clone(), &properties[*index].visitor().index_range));
        let nodes: Vec<_> = nodes.collect();
        let mut done = 0;
        while done < nodes.len() {
            let answers = fetch(self.link.session(), &nodes[done..], &mut self.about.nodes_per_read).await?;
            for ((index, node, _), answer) in wanted[done..].iter().zip(&answers) {
                reads.set_at(*index, self.reading(&properties[*index], node, answer.clone()));
            }
            done += answers.len();
        }
        Ok(())
    }

    async fn write(&mut self, property: &Property<Visitor>, value: &Value) -> Result<(), DriverError> {
        let visitor = property.visitor();
        let Some(node) = &visitor.node else {
            self.arguments.insert(property.name().to_owned(), value.clone());
            return Ok(());
        };
        let id = node.resolve(&self.about.namespaces)?;
        let mut shape = self.shape(&id).await?;
        if shape.scalar == VariantScalarTypeId::Variant {
            shape = self.current_shape(node, &id, shape).await?;
        }
        if visitor.index_range.has_range() {
            let part = self.value(node, &id, &visitor.index_range).await?;
            let whole = self.value(node, &id, &NumericRange::None).await?;
            value::require_part(node, &part, &whole, &visitor.index_range)?;
        }
        let encoded = value::encode(value, &shape, &visitor.index_range, &self.shapes.structures);
        let encoded = encoded.map_err(|error| DriverError::refused(format_args!("{node}: {error}")))?;
        let wanted = WriteValue {
            node_id: id,
            attribute_id: AttributeId::Value as u32,
            index_range: visitor.index_range.clone(),
            // Many servers refuse a write that sets times or the status.
            value: DataValue { value: Some(encoded), ..DataValue::null() },
        };
        let codes = self.link.session().write(&[wanted]).await.map_err(|error| status::of_request(node, error))?;
        match codes.first() {
            Some(code) if code.is_bad() => Err(status::of_operation(node, *code)),
            Some(_) => Ok(()),
            None => Err(DriverError::failed(format_args!("{node}: the server does not answer all of a request"))),
        }
    }

    async fn call(&mut self, call: &Call<'_, Visitor>) -> Result<Vec<Value>, DriverError> {
        let name = &call.method().name;
        let Some(nodes) = self.config.methods.get(name) else {
            return Err(DriverError::unsupported(format_args!(
                "the nodes of {name:?} are missing: write them in protocol.configData.methods"
            )));
        };
        let (object, method) =
            (nodes.object.resolve(&self.about.namespaces)?, nodes.method.resolve(&self.about.namespaces)?);
        let mut arguments = Vec::with_capacity(call.method().property_names.len());
        for property in &call.method().property_names {
            arguments.push(match call.argument(property) {
                Some(given) => given.clone(),
                None => self.held(property)?,
            });
        }
        let results = self.methods.call(self.link.session(), &mut self.shapes, object, method, &arguments).await?;
        let given = call.arguments().filter(|(property, _)| property.visitor().argument.is_some());
        self.arguments.extend(given.map(|(property, value)| (property.name().to_owned(), value.clone())));
        Ok(results)
    }

    async fn changed(&mut self) -> Result<Vec<Change>, DriverError> {
        let Some(monitor) = &mut self.monitor else { return Err(self.link.lost().await) };
        let values = tokio::select! {
            values = monitor.deliveries() => values?,
            lost = self.link.lost() => return Err(lost),
        };
        Ok(values.into_iter().filter_map(|(property, value)| self.change(&property, value)).collect())
    }

    /// As the server says it of itself.
    async fn state(&mut self) -> Result<DeviceState, DriverError> {
        const RUNNING: i32 = 0;
        let answer = self.ask(value_of(VariableId::Server_ServerStatus_State.into(), &NumericRange::None)).await?;
        Ok(match answer?.value {
            Some(Variant::Int32(RUNNING)) => DeviceState::Online,
            _ => DeviceState::Unhealthy,
        })
    }

    async fn close(self) {
        self.link.close().await;
    }
}

impl Server {
    fn change(&self, property: &Property<Visitor>, value: DataValue) -> Option<Change> {
        let node = property.visitor().node.as_ref()?;
        Some(match self.reading(property, node, Ok(value)) {
            Ok(reading) => Change::new(property.name(), reading),
            Err(error) => Change::failed(property.name(), error),
        })
    }

    /// The value of an argument that a call leaves out.
    fn held(&self, name: &str) -> Result<Value, DriverError> {
        let property = self.properties.iter().find(|property| property.name() == name);
        match property.filter(|property| property.visitor().argument.is_some()) {
            Some(property) => self.argument(property),
            None => Err(DriverError::refused(format_args!("the argument {name:?} is missing"))),
        }
    }

    /// The value that an argument has now.
    fn argument(&self, property: &Property<Visitor>) -> Result<Value, DriverError> {
        if let Some(known) = self.arguments.get(property.name()) {
            return Ok(known.clone());
        }
        let first = property.visitor().argument.as_deref().unwrap_or_default();
        Ok(Value::parse(first, property.data_type())?)
    }

    /// Learns what is in the structures among these before they are read for the first time. Only text can show one.
    async fn learn(&mut self, nodes: impl Iterator<Item = (&Property<Visitor>, &NodeId)>) -> Result<(), DriverError> {
        let texts = nodes.filter(|(property, _)| property.data_type() == DataType::String);
        let unknown: Vec<_> = texts.map(|(_, node)| node).filter(|node| !self.shapes.knows(node)).cloned().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        self.learn_all(&unknown).await
    }

    /// What a node, or a part of it, holds now.
    async fn value(&self, node: &Node, id: &NodeId, range: &NumericRange) -> Result<Variant, DriverError> {
        let answer = self.ask(value_of(id.clone(), range)).await??;
        let code = answer.status.unwrap_or_default();
        answer.value.ok_or_else(|| status::of_operation(node, code))
    }

    /// The shape of what a node that takes any type holds now.
    async fn current_shape(&self, node: &Node, id: &NodeId, any: Shape) -> Result<Shape, DriverError> {
        let held = self.ask(value_of(id.clone(), &NumericRange::None)).await??.value;
        let scalar = held.as_ref().and_then(Variant::scalar_type_id).ok_or_else(|| {
            DriverError::failed(format_args!(
                "{node}: the node takes any type and has no value yet, so that its type is not known"
            ))
        })?;
        let rank = if held.is_some_and(|held| held.is_array()) { any.rank } else { SINGLE };
        Ok(Shape { scalar, rank, ..any })
    }

    /// The answer for one node. The outer error is a connection that is lost.
    async fn ask(&self, node: ReadValueId) -> Result<Answer, DriverError> {
        let unanswered = || Err(DriverError::failed("the server does not answer all of a request"));
        let answers = fetch(self.link.session(), &[node], &mut 1).await?;
        Ok(answers.into_iter().next().unwrap_or_else(unanswered))
    }

    fn reading(&self, property: &Property<Visitor>, node: &Node, answer: Answer) -> Result<Reading, DriverError> {
        let mut answer = answer?;
        // Some servers send an empty list with these.
        if let Some(code @ (StatusCode::BadIndexRangeNoData | StatusCode::BadIndexRangeInvalid)) = answer.status {
            return Err(status::of_operation(node, code));
        }
        if let Some(value) = answer.value.take() {
            answer.value = Some(value::part(node, value, &property.visitor().index_range)?);
        }
        value::reading(node, answer, property.data_type(), &self.shapes.structures)
    }
}
