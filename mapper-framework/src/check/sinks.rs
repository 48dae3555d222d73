//! Where the samples of a device go, and what goes nowhere.

use super::{DEFAULT_CURE, Mapper, Verdicts, driver::place};
use crate::{
    manifest::{DeviceManifest, Fault},
    model::{AccessMode, Device, Property, Resolved, StreamTwin},
    sink::{self, RouteError},
};

pub(super) fn check(mapper: &Mapper<'_>, manifest: &DeviceManifest, resolved: &Resolved, verdicts: &mut Verdicts) {
    let device = &resolved.device;
    for property in device.properties() {
        let stream = StreamTwin::of(property).ok().flatten();
        // What becomes of frames need not be seen in the cloud.
        let mut is_pushed = has_push_method(manifest, property) || stream.is_some_and(StreamTwin::consumes);
        let kinds = if stream == Some(StreamTwin::Frame) { &mapper.frame_kinds } else { &mapper.kinds };
        for kind in kinds {
            match sink::routes(&**kind, &mapper.access, device, property) {
                Ok(routes) => is_pushed |= !routes.is_empty(),
                Err(refusal) => {
                    is_pushed = true;
                    verdicts.error(fault(manifest, property, &refusal));
                }
            }
        }
        for refusal in sink::strangers(&mapper.kinds, property) {
            verdicts.error(fault(manifest, property, &refusal));
        }
        if !is_pushed && !property.report_to_cloud() && !is_to_be_written(device, property) {
            let field = place(manifest, Some(property.name()), "reportToCloud");
            let message = "not set, and no pushMethod either: the property is collected for nobody";
            let cure = "set reportToCloud: true, or give it a pushMethod";
            verdicts.warning(Fault::new(field, message, cure).of_property(property.name()));
        }
    }
}

/// Whether the manifest has one, be it as wrong as it may.
fn has_push_method(manifest: &DeviceManifest, property: &Property) -> bool {
    let written = manifest.spec.properties.iter().find(|written| written.name == property.name());
    written.is_some_and(|written| written.push_method.is_some())
}

/// Such a property is there for its device, even where nobody sees it.
fn is_to_be_written(device: &Device, property: &Property) -> bool {
    let is_called =
        || device.methods().iter().any(|method| method.property_names.iter().any(|it| it == property.name()));
    property.access_mode() == AccessMode::ReadWrite && (property.desired().is_some() || is_called())
}

fn fault(manifest: &DeviceManifest, property: &Property, refusal: &RouteError) -> Fault {
    let RouteError { field, message, cure } = refusal;
    let cure = cure.as_deref().unwrap_or(DEFAULT_CURE);
    Fault::new(place(manifest, Some(property.name()), field), message, cure).of_property(property.name())
}
