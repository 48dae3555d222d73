//! The types of nodes, which are asked for once.

use std::{collections::HashMap, sync::Arc};

use mapper_framework::DriverError;
use ua::{
    client::Session,
    types::{
        AttributeId, BrowseDescription, BrowseDirection, BrowseResultMaskFlags, DataTypeDefinition, DataValue,
        NodeClassMask, NodeId, ReadValueId, ReferenceTypeId, StatusCode, StructureDefinition, Variant,
        VariantScalarTypeId as Scalar,
        custom::{DataTypeTree, DynamicTypeLoader, EncodingIds, ParentIds, TypeInfo},
    },
};

use crate::{
    fetch::{Answer, fetch_all},
    status,
    types::Structures,
    value::Shape,
};

/// What is asked of each node.
const ATTRIBUTES: [AttributeId; 2] = [AttributeId::DataType, AttributeId::ValueRank];
/// OPC UA's word for a value or a list of any dimensions.
const ANY_RANK: i32 = -2;
/// How deep a data type may lie below a built-in one, and a structure within another.
const DEPTH: usize = 32;

/// The types of the nodes that were asked for.
#[derive(Default)]
pub(crate) struct Shapes {
    of_nodes: HashMap<NodeId, Result<Shape, DriverError>>,
    supertypes: HashMap<NodeId, NodeId>,
    definitions: HashMap<NodeId, StructureDefinition>,
    pub(crate) structures: Structures,
}

impl Shapes {
    /// Whether a node's type is known, or that it has none.
    pub(crate) fn knows(&self, node: &NodeId) -> bool {
        let shape = self.of_nodes.get(node);
        shape.is_some_and(|shape| shape.as_ref().err().is_none_or(|error| !error.is_retryable()))
    }

    /// Asks for the types of these nodes, `most` attributes in one request, see [`fetch_all`]. What is wrong with one shows when it is used.
    ///
    /// # Errors
    ///
    /// The connection is lost.
    pub(crate) async fn learn(
        &mut self,
        session: &Session,
        nodes: &[NodeId],
        most: &mut usize,
    ) -> Result<(), DriverError> {
        let wanted =
            nodes.iter().flat_map(|node| ATTRIBUTES.map(|attribute| ReadValueId::new(node.clone(), attribute)));
        let answers = fetch_all(session, &wanted.collect::<Vec<_>>(), most).await?;
        for (node, answers) in nodes.iter().zip(answers.chunks(ATTRIBUTES.len())) {
            let shape = match self.of_answers(session, node, answers).await {
                Err(error) if error.is_disconnected() => return Err(error),
                shape => shape,
            };
            self.of_nodes.insert(node.clone(), shape);
        }
        Ok(())
    }

    /// The type of a node.
    ///
    /// # Errors
    ///
    /// The node has none, or the server does not answer.
    pub(crate) async fn of_node(
        &mut self,
        session: &Session,
        node: &NodeId,
        most: &mut usize,
    ) -> Result<Shape, DriverError> {
        // One that could not be had may be there by now.
        if !matches!(self.of_nodes.get(node), Some(Ok(_))) {
            self.learn(session, std::slice::from_ref(node), most).await?;
        }
        let unanswered = || Err(DriverError::failed(format_args!("the server does not say what {node} is")));
        self.of_nodes.get(node).cloned().unwrap_or_else(unanswered)
    }

    async fn of_answers(&mut self, session: &Session, node: &NodeId, answers: &[Answer]) -> Result<Shape, DriverError> {
        let [data_type, rank] = answers else {
            return Err(DriverError::failed("the server does not answer all of a request"));
        };
        let data_type = data_type.as_ref().map_err(Clone::clone)?;
        let Some(Variant::NodeId(id)) = &data_type.value else {
            let code = data_type.status.unwrap_or_default();
            return Err(status::of_operation(format_args!("the type of {node}"), code));
        };
        let rank = match rank {
            Ok(DataValue { value: Some(Variant::Int32(rank)), .. }) => *rank,
            _ => ANY_RANK,
        };
        self.of_type(session, id, rank).await
    }

    /// The shape of a value of a data type.
    ///
    /// # Errors
    ///
    /// The server does not say what the data type is.
    pub(crate) async fn of_type(
        &mut self,
        session: &Session,
        data_type: &NodeId,
        rank: i32,
    ) -> Result<Shape, DriverError> {
        let scalar = self.scalar(session, data_type).await?;
        if scalar == Scalar::ExtensionObject {
            self.define(session, data_type).await?;
        }
        Ok(Shape { scalar, data_type: data_type.clone(), rank })
    }

    /// The built-in type below which a data type stands.
    async fn scalar(&mut self, session: &Session, data_type: &NodeId) -> Result<Scalar, DriverError> {
        let mut at = data_type.clone();
        for _ in 0..DEPTH {
            if let Some(scalar) = ParentIds::new().get_builtin_type(&at) {
                return Ok(scalar);
            }
            at = self.supertype(session, &at).await?;
        }
        Err(DriverError::refused(format_args!("the data type {data_type} stands below no built-in one")))
    }

    async fn supertype(&mut self, session: &Session, data_type: &NodeId) -> Result<NodeId, DriverError> {
        if let Some(known) = self.supertypes.get(data_type) {
            return Ok(known.clone());
        }
        let description = BrowseDescription {
            node_id: data_type.clone(),
            browse_direction: BrowseDirection::Inverse,
            reference_type_id: ReferenceTypeId::HasSubtype.into(),
            include_subtypes: false,
            node_class_mask: NodeClassMask::DATA_TYPE.bits(),
            result_mask: BrowseResultMaskFlags::empty().bits(),
        };
        let answers = session.browse(&[description], 1, None).await;
        let answers = answers.map_err(|error| status::of_request(format_args!("the data type {data_type}"), error))?;
        let parent = answers.into_iter().flat_map(|answer| answer.references.unwrap_or_default()).next();
        let parent = parent.map(|parent| parent.node_id.node_id);
        let parent = parent
            .ok_or_else(|| DriverError::refused(format_args!("the server does not say what a {data_type} is")))?;
        self.supertypes.insert(data_type.clone(), parent.clone());
        Ok(parent)
    }

    /// Learns what is in a structure, and in those within it.
    async fn define(&mut self, session: &Session, data_type: &NodeId) -> Result<(), DriverError> {
        let mut open = vec![data_type.clone()];
        // It is kept when it is whole, so that what fails is asked for anew.
        let mut found = HashMap::new();
        while let Some(next) = open.pop().filter(|_| found.len() < DEPTH) {
            if self.definitions.contains_key(&next) || found.contains_key(&next) {
                continue;
            }
            let Some(definition) = definition(session, &next).await? else { continue };
            for field in definition.fields.iter().flatten() {
                if self.scalar(session, &field.data_type).await? == Scalar::ExtensionObject {
                    open.push(field.data_type.clone());
                }
            }
            found.insert(next, definition);
        }
        if !found.is_empty() {
            self.definitions.extend(found);
            self.renew(session)?;
        }
        Ok(())
    }

    /// Makes what is known the library's, so that it decodes these structures from now on.
    fn renew(&mut self, session: &Session) -> Result<(), DriverError> {
        let mut parents = ParentIds::new();
        for (child, parent) in &self.supertypes {
            parents.add_type(child.clone(), parent.clone());
        }
        let mut tree = DataTypeTree::new(parents);
        for (id, definition) in &self.definitions {
            let encodings = EncodingIds { binary_id: definition.default_encoding_id.clone(), ..EncodingIds::default() };
            let definition = DataTypeDefinition::Structure(definition.clone());
            let info = TypeInfo::from_type_definition(
                definition,
                id.to_string(),
                Some(encodings),
                false,
                id,
                tree.parent_ids(),
            );
            tree.add_type(id.clone(), info.map_err(DriverError::failed)?);
        }
        let tree = Arc::new(tree);
        session.add_type_loader(Arc::new(DynamicTypeLoader::new(Arc::clone(&tree))));
        self.structures = Structures::new(tree);
        Ok(())
    }
}

/// What the server says is in a structure. Abstract types, and those of old servers, have no definition; whether that hurts shows with a value.
///
/// # Errors
///
/// The server does not say now, and may later.
async fn definition(session: &Session, data_type: &NodeId) -> Result<Option<StructureDefinition>, DriverError> {
    let wanted = [ReadValueId::new(data_type.clone(), AttributeId::DataTypeDefinition)];
    for answer in fetch_all(session, &wanted, &mut 1).await? {
        let answer = answer?;
        if let Some(Variant::ExtensionObject(body)) = &answer.value {
            return Ok(body.inner_as::<StructureDefinition>().cloned());
        }
        if let Some(code) = answer.status.filter(StatusCode::is_bad) {
            let error = status::of_operation(format_args!("what is in a {data_type}"), code);
            return if error.is_retryable() { Err(error) } else { Ok(None) };
        }
    }
    Ok(None)
}
