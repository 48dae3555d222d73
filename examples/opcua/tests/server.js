"use strict";
// An OPC UA server by node-opcua, with the arguments, nodes, lines and commands of server.py, but for `--limit`, `many`, `raise`, `hide`, `show`, `halt` and `fail`.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { parseArgs } = require("node:util");

const { OPCUACertificateManager } = require("node-opcua-certificate-manager");
const { coerceLocalizedText } = require("node-opcua-data-model");
const { nodesets } = require("node-opcua-nodesets");
const { MessageSecurityMode, SecurityPolicy } = require("node-opcua-secure-channel");
const { OPCUAServer, RegisterServerMethod } = require("node-opcua-server");
const { coerceStatusCode, StatusCodes } = require("node-opcua-status-code");
const { EUInformation, Range } = require("node-opcua-types");
const { DataType, Variant, VariantArrayType } = require("node-opcua-variant");

const NAMESPACE = "urn:factory:boilers";
const URI = "urn:factory:server";

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    user: { type: "string" },
    users: { type: "string" },
    pki: { type: "string" },
    distrust: { type: "boolean", default: false },
    deprecated: { type: "boolean", default: false },
    certificate: { type: "string" },
    key: { type: "string" },
  },
});

function say(...words) {
  fs.writeSync(1, words.join(" ") + "\n");
}

/** The nodes, and the commands of the method `Obey`. */
class Plant {
  constructor(server) {
    this.space = server.engine.addressSpace;
    this.namespace = this.space.getNamespace(NAMESPACE);
    this.nodes = new Map();
  }

  add(parent, name, value, dataType = DataType[value.dataType], writable = true, description = "") {
    const node = this.namespace.addVariable({
      componentOf: parent,
      nodeId: `s=${name}`,
      browseName: name,
      description,
      dataType,
      valueRank: value.arrayType ? (value.dimensions?.length ?? 1) : -1,
      accessLevel: writable ? "CurrentRead | CurrentWrite" : "CurrentRead",
      value,
    });
    this.nodes.set(name, node);
    return node;
  }

  property(node, name, dataType, value) {
    const browseName = { name, namespaceIndex: 0 };
    this.namespace.addVariable({ propertyOf: node, browseName, dataType, value: { dataType: DataType.ExtensionObject, value } });
  }

  object(name) {
    return this.namespace.addObject({ organizedBy: this.space.rootFolder.objects, nodeId: `s=${name}`, browseName: name });
  }

  method(parent, id, name, inputs, outputs, call) {
    const list = (types) => Object.entries(types).map(([name, dataType]) => ({ name, dataType, description: "" }));
    const options = { nodeId: `s=${id}`, browseName: name, inputArguments: list(inputs), outputArguments: list(outputs) };
    const method = this.namespace.addMethod(parent, options);
    method.bindMethod(async (given, _context) => {
      const results = call(...given.map((argument) => argument.value));
      if (!Array.isArray(results)) return { statusCode: results };
      const types = Object.values(outputs);
      const outputArguments = results.map((value, index) => new Variant({ dataType: types[index], value }));
      return { statusCode: StatusCodes.Good, outputArguments };
    });
  }

  build() {
    const { Boolean, Double, Float, Int16, String, UInt16, UInt32 } = DataType;
    const boiler = this.object("Boiler");
    this.add(boiler, "Boiler.Temperature", { dataType: Float, value: 58.5 }, "Float", false);
    this.add(boiler, "Boiler.Operation", { dataType: UInt32, value: 123456 }, "UInt32", false);
    const setpoint = this.add(boiler, "Boiler.Setpoint", { dataType: Int16, value: 60 }, "Int16", true, "What it shall be");
    this.property(setpoint, "EURange", "Range", new Range({ low: 30, high: 80 }));
    const namespaceUri = "http://www.opcfoundation.org/UA/units/un/cefact";
    this.property(setpoint, "EngineeringUnits", "EUInformation", new EUInformation({ namespaceUri, unitId: 4408652, displayName: "°C" }));
    this.add(boiler, "Boiler.Pump", { dataType: Boolean, value: false });
    this.add(boiler, "Boiler.Name", { dataType: String, value: "north" });
    this.method(boiler, "Boiler.Fill", "Fill", { litres: UInt16, slowly: Boolean }, { minutes: Double, speed: String }, (litres, slowly) => {
      say("call fill", litres, slowly);
      return litres > 1000 ? StatusCodes.BadOutOfRange : [litres / 2, slowly ? "slowly" : "fast"];
    });
    this.method(boiler, "Boiler.Flush", "Flush", {}, {}, () => {
      say("call flush");
      return [];
    });
    this.method(boiler, "Obey", "Obey", { command: String }, {}, (line) => this.obey(line));
    this.types();
  }

  types() {
    const parent = this.object("Types");
    for (const [name, value] of Object.entries({
      SByte: -8,
      Byte: 255,
      Int16: -32768,
      UInt16: 65535,
      Int32: -70000,
      UInt32: 4000000000,
      Float: 21.5,
      Double: 0.1,
      Boolean: true,
      String: "hello",
      ByteString: Buffer.from([0x00, 0xff]),
      DateTime: new Date("2026-12-01T08:00:00Z"),
      LocalizedText: coerceLocalizedText("hello"),
    })) {
      this.add(parent, name, { dataType: DataType[name], value });
    }
    for (const [name, value] of [["Int64", -5000000000000n], ["UInt64", 18446744073709551615n]]) {
      const halves = [value >> 32n, value].map((half) => Number(BigInt.asUintN(32, half)));
      this.add(parent, name, { dataType: DataType[name], arrayType: VariantArrayType.Scalar, value: halves });
    }
    this.add(parent, "List", { dataType: DataType.Int16, arrayType: VariantArrayType.Array, value: new Int16Array([1, 2, 3]) });
    const matrix = new Float64Array([1.5, 2.5, 3.5, 4.5]);
    this.add(parent, "Matrix", { dataType: DataType.Double, arrayType: VariantArrayType.Matrix, dimensions: [2, 2], value: matrix });
    const tank = this.space.findDataType("Tank", this.namespace.index);
    const full = this.space.constructExtensionObject(tank, { id: 7, level: { name: "full", value: 0.9 } });
    this.add(parent, "Structure", { dataType: DataType.ExtensionObject, value: full }, tank);
  }

  obey(line) {
    const [command, name, value] = line.match(/^(\S+)(?: (\S+))?(?: (.*))?$/).slice(1);
    const node = this.nodes.get(name);
    if (command === "set") {
      node.setValueFromSource({ dataType: node.readValue().value.dataType, value: JSON.parse(value) });
    } else if (command === "status") {
      node.setValueFromSource(node.readValue().value, coerceStatusCode(Number(value)));
    } else if (command === "mark") {
      say("mark");
    }
    return [];
  }
}

/** Prints what clients ask for. */
function spy(server) {
  server.on("create_session", () => say("session"));
  server.on("request", (request) => {
    if (request.schema.name === "ReadRequest") say("reads", request.nodesToRead.length);
    if (request.schema.name === "CreateMonitoredItemsRequest") say("monitors", request.itemsToCreate.length);
  });
}

/** Has those trusted whose certificates lie in `trusted/certs` now. The manager itself looks there every few seconds. */
function byFiles(manager) {
  const folder = path.join(manager.rootDir, "trusted/certs");
  manager.checkCertificate = async (chain, callback) => {
    const certificate = Array.isArray(chain) ? chain[0] : chain;
    const files = fs.readdirSync(folder).map((name) => fs.readFileSync(path.join(folder, name)));
    const status = files.some((file) => file.equals(certificate)) ? StatusCodes.Good : StatusCodes.BadCertificateUntrusted;
    callback?.(null, status);
    return status;
  };
  return manager;
}

/** Gives the server a certificate of its own, and returns the file. */
async function certify(manager) {
  await manager.initialize();
  if (options.certificate) return options.certificate;
  const outputFile = path.join(manager.rootDir, "own/certs/server.pem");
  const names = { applicationUri: URI, dns: [], ip: ["127.0.0.1"], subject: "CN=server" };
  await manager.createSelfSignedCertificate({ ...names, startDate: new Date(), validity: 365, outputFile });
  return outputFile;
}

async function main() {
  const deprecated = options.deprecated ? [SecurityPolicy.Basic128Rsa15, SecurityPolicy.Basic256] : [];
  const folder = options.pki ?? fs.mkdtempSync(path.join(os.tmpdir(), "node-opcua-"));
  const manager = (rootFolder, trusting) => {
    const manager = new OPCUACertificateManager({ rootFolder, automaticallyAcceptUnknownCertificate: trusting });
    return trusting ? manager : byFiles(manager);
  };
  const certificates = manager(folder, !options.distrust);
  const [name, password] = options.user?.split("=") ?? [];
  const server = new OPCUAServer({
    port: Number(options.port),
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    registerServerMethod: RegisterServerMethod.HIDDEN,
    nodeset_filename: [nodesets.standard, path.join(__dirname, "structures.xml")],
    serverInfo: { applicationUri: URI },
    allowAnonymous: !options.user && !options.users,
    userManager: { isValidUser: (...given) => given[0] === name && given[1] === password },
    serverCertificateManager: certificates,
    certificateFile: await certify(certificates),
    privateKeyFile: options.key,
    userCertificateManager: manager(options.users ?? path.join(folder, "users"), false),
    securityModes: options.pki ? [MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt] : [MessageSecurityMode.None],
    securityPolicies: options.pki
      ? [SecurityPolicy.Basic256Sha256, SecurityPolicy.Aes128_Sha256_RsaOaep, SecurityPolicy.Aes256_Sha256_RsaPss].concat(deprecated)
      : // By the second one passwords are protected.
        [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
  });
  await server.initialize();
  new Plant(server).build();
  spy(server);
  await server.start();
  say("listening", server.endpoints[0].port);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
