//! Devices with one register, for tests of how they are reached.

use serde_json::Value;

/// The model of these devices.
pub(crate) const MODEL: &str = "
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: model}
spec:
  protocol: modbus
  properties:
    - {name: register, type: INT, accessMode: ReadOnly}
";

/// A device of [`MODEL`] whose register has this address and is read in this cycle, in milliseconds. `config` is its `configData`.
pub(crate) fn device(name: &str, address: u16, cycle: u32, config: &Value) -> String {
    format!(
        "---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {{name: {name}}}
spec:
  deviceModelRef: {{name: model}}
  nodeName: edge-node
  protocol: {{protocolName: modbus, configData: {config}}}
  stateReport: {{reportToCloud: true}}
  properties:
    - name: register
      reportToCloud: true
      collectCycle: {cycle}
      visitors: {{protocolName: modbus, configData: {{register: HoldingRegister, address: {address}, type: int16}}}}
"
    )
}
