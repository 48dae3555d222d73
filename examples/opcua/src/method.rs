//! The methods of a server's objects.

use std::collections::HashMap;

use mapper_framework::{DataType, DriverError, Value};
use ua::{
    client::Session,
    types::{
        Argument, AttributeId, BrowseDescription, BrowseDirection, BrowseResultMaskFlags, CallMethodResult,
        NodeClassMask, NodeId, NumericRange, ReadValueId, ReferenceTypeId, StatusCode, TimestampsToReturn, Variant,
    },
};

use crate::{
    shapes::Shapes,
    status,
    value::{Shape, encode, to_value},
};

/// The name of the property of a method that says what it takes, as OPC UA has it.
const INPUT_ARGUMENTS: &str = "InputArguments";

/// What the methods take that were called.
#[derive(Default)]
pub(crate) struct Methods(HashMap<NodeId, Vec<(String, Shape)>>);

impl Methods {
    /// Calls a method, and returns its results.
    ///
    /// # Errors
    ///
    /// The arguments are not what it takes, or the server refuses the call.
    pub(crate) async fn call(
        &mut self,
        session: &Session,
        shapes: &mut Shapes,
        object: NodeId,
        method: NodeId,
        arguments: &[Value],
    ) -> Result<Vec<Value>, DriverError> {
        if !self.0.contains_key(&method) {
            let taken = self::arguments(session, shapes, &method).await?;
            self.0.insert(method.clone(), taken);
        }
        let taken = &self.0[&method];
        if taken.len() != arguments.len() {
            let names: Vec<_> = taken.iter().map(|(name, _)| name.as_str()).collect();
            return Err(DriverError::refused(format_args!(
                "{method} takes {} arguments ({}), and the manifest's method names {} properties",
                taken.len(),
                names.join(", "),
                arguments.len()
            )));
        }
        let encoded = taken.iter().zip(arguments).map(|((name, shape), value)| {
            let encoded = encode(value, shape, &NumericRange::None, &shapes.structures);
            encoded.map_err(|error| DriverError::refused(format_args!("the argument {name:?} of {method}: {error}")))
        });
        let encoded = encoded.collect::<Result<Vec<_>, _>>()?;
        let called = session.call_one((object, method.clone(), Some(encoded))).await;
        let result = called.map_err(|error| status::of_request(format_args!("calling {method}"), error))?;
        if result.status_code.is_bad() {
            return Err(refusal(&method, taken, &result));
        }
        let results = result.output_arguments.into_iter().flatten();
        let results = results.map(|result| to_value(result, DataType::String, &shapes.structures));
        results
            .collect::<Result<_, _>>()
            .map_err(|error| DriverError::failed(format_args!("a result of {method}: {error}")))
    }
}

/// Why the server does not carry a call out, with the argument that it is about.
fn refusal(method: &NodeId, taken: &[(String, Shape)], result: &CallMethodResult) -> DriverError {
    let codes = result.input_argument_results.iter().flatten();
    match taken.iter().zip(codes).find(|(_, code)| code.is_bad()) {
        Some(((name, _), code)) => status::of_operation(format_args!("the argument {name:?} of {method}"), *code),
        None => status::of_operation(format_args!("calling {method}"), result.status_code),
    }
}

/// The names and types of the arguments that a method takes.
///
/// # Errors
///
/// The server does not say.
pub(crate) async fn arguments(
    session: &Session,
    shapes: &mut Shapes,
    method: &NodeId,
) -> Result<Vec<(String, Shape)>, DriverError> {
    let failed = |error| status::of_request(format_args!("the arguments of {method}"), error);
    let unanswered = || DriverError::failed("the server does not answer all of a request");
    let properties = BrowseDescription {
        node_id: method.clone(),
        browse_direction: BrowseDirection::Forward,
        reference_type_id: ReferenceTypeId::HasProperty.into(),
        include_subtypes: false,
        node_class_mask: NodeClassMask::VARIABLE.bits(),
        result_mask: BrowseResultMaskFlags::BrowseName.bits(),
    };
    let answers = session.browse(&[properties], 0, None).await.map_err(failed)?;
    let answer = answers.into_iter().next().ok_or_else(unanswered)?;
    if answer.status_code.is_bad() {
        return Err(status::of_operation(format_args!("the arguments of {method}"), answer.status_code));
    }
    let mut found = answer.references.into_iter().flatten();
    let Some(inputs) = found.find(|property| property.browse_name.name.as_ref() == INPUT_ARGUMENTS) else {
        return Ok(Vec::new());
    };
    let wanted = [ReadValueId::new(inputs.node_id.node_id, AttributeId::Value)];
    let answers = session.read(&wanted, TimestampsToReturn::Neither, 0.0).await.map_err(failed)?;
    let answer = answers.into_iter().next().ok_or_else(unanswered)?;
    if let Some(code) = answer.status.filter(StatusCode::is_bad) {
        return Err(status::of_operation(format_args!("the arguments of {method}"), code));
    }
    let Some(Variant::Array(list)) = answer.value else { return Ok(Vec::new()) };
    let mut taken = Vec::with_capacity(list.values.len());
    for argument in &list.values {
        let Variant::ExtensionObject(body) = argument else { continue };
        let Some(Argument { name, data_type, value_rank, .. }) = body.inner_as::<Argument>() else { continue };
        taken.push((name.to_string(), shapes.of_type(session, data_type, *value_rank).await?));
    }
    Ok(taken)
}
