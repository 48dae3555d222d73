//! Structures whose fields the server describes.

use std::sync::Arc;

use serde_json::Value as Json;
use ua::types::{
    ExtensionObject, NodeId, StructureType,
    custom::{DataTypeTree, DynamicStructure, ParentIds, StructTypeInfo},
};

use crate::value::{Shape, object, of_json, to_json};

/// The structures that are known.
#[derive(Clone)]
pub(crate) struct Structures {
    tree: Arc<DataTypeTree>,
}

impl Default for Structures {
    fn default() -> Self {
        Self { tree: Arc::new(DataTypeTree::new(ParentIds::new())) }
    }
}

impl Structures {
    pub(crate) fn new(tree: Arc<DataTypeTree>) -> Self {
        Self { tree }
    }

    fn of(&self, data_type: &NodeId) -> Result<&Arc<StructTypeInfo>, String> {
        self.tree.get_struct_type(data_type).ok_or_else(|| format!("the server does not say what is in a {data_type}"))
    }

    /// A structure as an object of its fields.
    ///
    /// # Errors
    ///
    /// The server does not say what is in it.
    pub(crate) fn to_json(&self, body: &ExtensionObject) -> Result<Json, String> {
        if body.is_null() {
            return Ok(Json::Null);
        }
        let Some(structure) = body.inner_as::<DynamicStructure>() else {
            return Err(format!("the server does not say what is in a {}", body.binary_type_id()));
        };
        let info = self.of(&body.data_type().unwrap_or_default().node_id)?;
        if info.structure_type == StructureType::Union {
            return Err(format!("{} is a union, which has no form as a value", info.name));
        }
        let fields = info.fields.iter();
        object(fields.zip(structure.values()).map(|(field, value)| Ok((field.name.clone(), to_json(value, self)?))))
    }

    /// An object as a structure. All fields have to be there.
    ///
    /// # Errors
    ///
    /// A field is missing, is not one, or does not fit.
    pub(crate) fn encode(&self, json: &Json, data_type: &NodeId) -> Result<ExtensionObject, String> {
        let info = self.of(data_type)?;
        if info.structure_type != StructureType::Structure {
            return Err(format!("{} is a {:?}, which can only be read", info.name, info.structure_type));
        }
        let Json::Object(given) = json else {
            return Err(format!("expected an object with the fields of {}, found {json}", info.name));
        };
        if let Some(unknown) = given.keys().find(|name| info.get_field_by_name(name).is_none()) {
            let known: Vec<_> = info.fields.iter().map(|field| field.name.as_str()).collect();
            return Err(format!("{unknown:?} is no field: there are {}", known.join(", ")));
        }
        let values = info.fields.iter().map(|field| {
            let json = given.get(&field.name).ok_or_else(|| format!("the field {:?} is missing", field.name))?;
            let shape = Shape { scalar: field.scalar_type, data_type: field.type_id.clone(), rank: field.value_rank };
            of_json(json, &shape, self).map_err(|error| format!("{}: {error}", field.name))
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let structure = DynamicStructure::new_struct(Arc::clone(info), Arc::clone(&self.tree), values);
        structure.map(ExtensionObject::new).map_err(|error| error.to_string())
    }
}
