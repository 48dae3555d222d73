//! What a server says of a variable beside its value: a description, a range, a unit.

use mapper_framework::{DriverError, model::PropertyBuilder};
use ua::types::{
    AttributeId, BrowseDescription, BrowseDirection, BrowseResultMaskFlags, DataValue, EUInformation, NodeClassMask,
    NodeId, Range, ReferenceTypeId, Variant,
};

use crate::{session::Server, status};

/// The properties of a variable that say its range and its unit, as OPC UA has them.
const RANGE: &str = "EURange";
const UNIT: &str = "EngineeringUnits";
/// How many nodes one request looks at.
const AT_ONCE: usize = 100;

/// What a server says of a variable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Details {
    pub(crate) description: String,
    range: Option<Range>,
    unit: String,
}

impl Details {
    /// Writes them into a property.
    pub(crate) fn describe(&self, property: PropertyBuilder, is_number: bool) -> PropertyBuilder {
        let property = property.description(&self.description).unit(&self.unit);
        match &self.range {
            Some(range) if is_number && range.low < range.high => property.minimum(range.low).maximum(range.high),
            _ => property,
        }
    }
}

/// Asks for the details of variables. Where a server does not say them, there are none.
///
/// # Errors
///
/// The connection is lost.
pub(crate) async fn ask(server: &mut Server, nodes: &[NodeId]) -> Result<Vec<Details>, DriverError> {
    let mut details = vec![Details::default(); nodes.len()];
    for (details, description) in details.iter_mut().zip(server.attribute(nodes, AttributeId::Description).await?) {
        details.description = text(description).unwrap_or_default();
    }
    let mut properties = Vec::new();
    for (part, first) in nodes.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE)) {
        properties.extend(properties_of(server, part).await?.into_iter().map(|(index, node)| (first + index, node)));
    }
    let values: Vec<_> = properties.iter().map(|(_, node)| node.clone()).collect();
    for ((index, _), value) in properties.iter().zip(server.attribute(&values, AttributeId::Value).await?) {
        let Ok(DataValue { value: Some(Variant::ExtensionObject(body)), .. }) = value else { continue };
        if let Some(range) = body.inner_as::<Range>() {
            details[*index].range = Some(range.clone());
        } else if let Some(unit) = body.inner_as::<EUInformation>() {
            details[*index].unit = unit.display_name.text.to_string();
        }
    }
    Ok(details)
}

/// The text of an attribute.
pub(crate) fn text(answer: Result<DataValue, DriverError>) -> Option<String> {
    match answer.ok()?.value? {
        Variant::LocalizedText(text) => Some(text.text.as_ref().to_owned()),
        _ => None,
    }
}

/// The nodes that hold ranges and units of these variables, each with the variable's place.
async fn properties_of(server: &Server, nodes: &[NodeId]) -> Result<Vec<(usize, NodeId)>, DriverError> {
    let wanted = nodes.iter().map(|node| BrowseDescription {
        node_id: node.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HasProperty.into(),
        include_subtypes: false,
        node_class_mask: NodeClassMask::VARIABLE.bits(),
        result_mask: BrowseResultMaskFlags::BrowseName.bits(),
    });
    let answers = match server.session().browse(&wanted.collect::<Vec<_>>(), 0, None).await {
        Ok(answers) => answers,
        Err(error) => {
            let error = status::of_request("ranges and units", error);
            return if error.is_disconnected() { Err(error) } else { Ok(Vec::new()) };
        }
    };
    let found = answers.into_iter().enumerate().flat_map(|(index, answer)| {
        let properties = answer.references.into_iter().flatten();
        let properties = properties.filter(|property| [RANGE, UNIT].contains(&property.browse_name.name.as_ref()));
        properties.map(move |property| (index, property.node_id.node_id))
    });
    Ok(found.collect())
}
