"""An OPC UA server by asyncua: `server.py [--port PORT] [--user NAME=PASSWORD] [--users FOLDER] [--limit NODES]
[--pki FOLDER [--distrust] [--deprecated] [--certificate FILE --key FILE]]`.

With --users it is a login to have a certificate that lies in `trusted/certs` of that folder. With --pki it makes itself a certificate in that folder,
or takes the one given in PEM, and has no endpoint without protection, but with --deprecated some with a broken one. It then trusts each client, or with
--distrust those in `trusted/certs` only. It holds the boiler of devices/instance.yaml and, below the object `Types`, a node of each type. What happens is printed, a line each:

    listening <port>
    session
    reads <count of nodes>
    monitors <count of nodes>
    call <method> <arguments>

The method `Obey` takes commands:

    set <node's name> <JSON>       writes a value
    status <node's name> <code>    writes the value again, with this status code
    many <nodes>                   adds so many nodes below the object `Many`
    raise <first> <nodes> <times>  changes so many of those nodes, from the first one on, each so many times
    hide <node's name>             refuses to browse the node
    show <node's name>             browses it again
    halt <node's name>             prints `halts` when the node is browsed, and never answers
    fail <attribute's number>      fails the next read of one node that asks for this attribute
    mark                           prints `mark`, after all that was printed so far
"""

import argparse
import asyncio
import datetime
import json
from pathlib import Path

from asyncua import Server, ua, uamethod
from asyncua.common.structures104 import new_struct, new_struct_field
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.server.internal_session import InternalSession
from asyncua.server.user_managers import User, UserManager, UserRole
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

NAMESPACE = "urn:factory:boilers"

# What is to happen when a node is browsed, by the node's name.
unseen = {}
# The attributes of which the next read fails, by their numbers.
failing = set()


def say(*words):
    print(*words, flush=True)


class Users(UserManager):
    """One user with a password, those whose certificates lie in a folder, or anybody."""

    def __init__(self, login, folder):
        self.login = login
        self.folder = folder

    def get_user(self, iserver, username=None, password=None, certificate=None):
        anybody = self.login is None and self.folder is None
        by_password = username is not None and (username, password) == self.login
        by_certificate = username is None and self.folder is not None and lies_in(certificate, self.folder)
        return User(role=UserRole.User) if anybody or by_password or by_certificate else None


def lies_in(certificate, folder):
    return any(file.read_bytes() == certificate for file in Path(folder).glob("trusted/certs/*"))


def spy(limit):
    """Prints what clients ask for, and refuses requests to read or monitor more nodes than the limit."""
    create, read, browse = InternalSession.create_session, InternalSession.read, InternalSession.browse
    monitor = InternalSession.create_monitored_items

    async def create_session(self, *arguments, **more):
        if self.external:
            say("session")
        return await create(self, *arguments, **more)

    async def read_nodes(self, parameters):
        if not self.external:
            return await read(self, parameters)
        say("reads", len(parameters.NodesToRead))
        if limit and len(parameters.NodesToRead) > limit:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        first, attribute = parameters.NodesToRead[0], int(parameters.NodesToRead[0].AttributeId)
        # Namespace 0 is the server's own, of which a client's keep-alive asks.
        if len(parameters.NodesToRead) == 1 and first.NodeId.NamespaceIndex != 0 and attribute in failing:
            failing.remove(attribute)
            return [ua.DataValue(None, ua.StatusCode(ua.StatusCodes.BadResourceUnavailable))]
        return await read(self, parameters)

    async def browse_nodes(self, parameters):
        for wanted in parameters.NodesToBrowse if self.external else []:
            command = unseen.get(wanted.NodeId.Identifier)
            if command == "hide":
                return [ua.BrowseResult(ua.StatusCode(ua.StatusCodes.BadUserAccessDenied))]
            if command == "halt":
                say("halts")
                await asyncio.Event().wait()
        return await browse(self, parameters)

    async def create_monitored_items(self, parameters):
        say("monitors", len(parameters.ItemsToCreate))
        if limit and len(parameters.ItemsToCreate) > limit:
            raise ua.UaStatusCodeError(ua.StatusCodes.BadTooManyOperations)
        return await monitor(self, parameters)

    InternalSession.create_session = create_session
    InternalSession.read = read_nodes
    InternalSession.browse = browse_nodes
    InternalSession.create_monitored_items = create_monitored_items


@uamethod
def fill(_parent, litres, slowly):
    say("call fill", litres, json.dumps(slowly))
    if litres > 1000:
        return ua.StatusCode(ua.StatusCodes.BadOutOfRange)
    return litres / 2, "slowly" if slowly else "fast"


@uamethod
def flush(_parent):
    say("call flush")


class Plant:
    def __init__(self, server, index):
        self.server = server
        self.index = index
        self.nodes = {}
        # The value that `raise` has written last.
        self.raised = 0

    async def add(self, parent, name, value, kind=None, writable=True):
        node = await parent.add_variable(ua.NodeId(name, self.index), name, value, kind)
        if writable:
            await node.set_writable()
        self.nodes[name] = node
        return node

    async def build(self):
        boiler = await self.server.nodes.objects.add_object(ua.NodeId("Boiler", self.index), "Boiler")
        await self.add(boiler, "Boiler.Temperature", 58.5, ua.VariantType.Float, writable=False)
        await self.add(boiler, "Boiler.Operation", 123456, ua.VariantType.UInt32, writable=False)
        setpoint = await self.add(boiler, "Boiler.Setpoint", 60, ua.VariantType.Int16)
        await setpoint.write_attribute(ua.AttributeIds.Description, ua.DataValue(ua.LocalizedText("What it shall be")))
        await setpoint.add_property(0, "EURange", ua.Range(Low=30, High=80))
        unit = ua.EUInformation("http://www.opcfoundation.org/UA/units/un/cefact", 4408652, ua.LocalizedText("°C"))
        await setpoint.add_property(0, "EngineeringUnits", unit)
        await self.add(boiler, "Boiler.Pump", False, ua.VariantType.Boolean)
        await self.add(boiler, "Boiler.Name", "north", ua.VariantType.String)
        await boiler.add_method(
            ua.NodeId("Boiler.Fill", self.index),
            "Fill",
            fill,
            [argument("litres", ua.ObjectIds.UInt16), argument("slowly", ua.ObjectIds.Boolean)],
            [argument("minutes", ua.ObjectIds.Double), argument("speed", ua.ObjectIds.String)],
        )
        await boiler.add_method(ua.NodeId("Boiler.Flush", self.index), "Flush", flush, [], [])
        obey = [argument("command", ua.ObjectIds.String)]
        await boiler.add_method(ua.NodeId("Obey", self.index), "Obey", self.obey, obey, [])
        await self.types()

    async def types(self):
        parent = await self.server.nodes.objects.add_object(ua.NodeId("Types", self.index), "Types")
        for name, value in [
            ("SByte", -8),
            ("Byte", 255),
            ("Int16", -32768),
            ("UInt16", 65535),
            ("Int32", -70000),
            ("UInt32", 4000000000),
            ("Int64", -5000000000000),
            ("UInt64", 18446744073709551615),
            ("Float", 21.5),
            ("Double", 0.1),
            ("Boolean", True),
            ("String", "hello"),
            ("ByteString", b"\x00\xff"),
            ("DateTime", datetime.datetime(2026, 12, 1, 8, 0, tzinfo=datetime.timezone.utc)),
            ("LocalizedText", ua.LocalizedText("hello")),
        ]:
            await self.add(parent, name, value, getattr(ua.VariantType, name))
        await self.add(parent, "List", [1, 2, 3], ua.VariantType.Int16)
        matrix = ua.Variant([[1.5, 2.5], [3.5, 4.5]], ua.VariantType.Double)
        await self.add(parent, "Matrix", matrix)
        text, double, number = ua.VariantType.String, ua.VariantType.Double, ua.VariantType.UInt16
        level = [new_struct_field("name", text), new_struct_field("value", double)]
        level, _ = await new_struct(self.server, self.index, "Level", level)
        tank = [new_struct_field("id", number), new_struct_field("level", level)]
        await new_struct(self.server, self.index, "Tank", tank)
        await self.server.load_data_type_definitions()
        full = ua.Tank(id=7, level=ua.Level(name="full", value=0.9))
        await self.add(parent, "Structure", ua.Variant(full, ua.VariantType.ExtensionObject))

    async def obey(self, _parent, line):
        command, *rest = line.Value.split(maxsplit=2)
        if command == "set":
            await self.write(rest[0], json.loads(rest[1]), ua.StatusCode(ua.StatusCodes.Good))
        elif command == "status":
            value = await self.nodes[rest[0]].read_data_value(raise_on_bad_status=False)
            await self.write(rest[0], value.Value.Value, ua.StatusCode(int(rest[1], 0)))
        elif command == "many":
            many = await self.server.nodes.objects.add_object(ua.NodeId("Many", self.index), "Many")
            for number in range(int(rest[0])):
                await self.add(many, f"Many.{number}", number, ua.VariantType.Int32)
        elif command == "raise":
            first, (count, times) = int(rest[0]), map(int, rest[1].split())
            await self.raise_(range(first, first + count), times)
        elif command in ("hide", "show", "halt"):
            unseen[rest[0]] = command
        elif command == "fail":
            failing.add(int(rest[0]))
        elif command == "mark":
            say("mark")
        return []

    async def raise_(self, numbers, times):
        nodes = [self.nodes[f"Many.{number}"].nodeid for number in numbers]
        for _ in range(times):
            self.raised += 1
            value = ua.DataValue(ua.Variant(self.raised, ua.VariantType.Int32), SourceTimestamp=now())
            for node in nodes:
                await self.server.write_attribute_value(node, value)

    async def write(self, name, value, status):
        node = self.nodes[name]
        variant = ua.Variant(value, await node.read_data_type_as_variant_type())
        await self.server.write_attribute_value(node.nodeid, ua.DataValue(variant, status, SourceTimestamp=now()))


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def argument(name, kind):
    return ua.Argument(Name=name, DataType=ua.NodeId(kind), ValueRank=-1, ArrayDimensions=[], Description=ua.LocalizedText(""))


async def main(options):
    login = tuple(options.user.split("=", 1)) if options.user else None
    spy(options.limit)
    server = Server(user_manager=Users(login, options.users))
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options.port}")
    if login or options.users:
        tokens = [(login, ua.UserNameIdentityToken), (options.users, ua.X509IdentityToken)]
        server.set_identity_tokens([token for wanted, token in tokens if wanted])
    policies = [ua.SecurityPolicyType.NoSecurity]
    if options.pki:
        await protect(server, options)
        if options.distrust:
            server.set_certificate_validator(lambda certificate, _client: require_trust(certificate, options.pki))
        names = ("Basic256Sha256", "Aes") + (("Basic128Rsa15", "Basic256_") if options.deprecated else ())
        policies = [policy for policy in ua.SecurityPolicyType if policy.name.startswith(names)]
    server.set_security_policy(policies)
    index = await server.register_namespace(NAMESPACE)
    plant = Plant(server, index)
    await plant.build()
    async with server:
        say("listening", server.bserver._server.sockets[0].getsockname()[1])
        await asyncio.Event().wait()


async def protect(server, options):
    """Gives the server a certificate of its own."""
    uri = "urn:factory:server"
    await server.set_application_uri(uri)
    key, certificate = options.key, options.certificate
    if not certificate:
        key, certificate = Path(options.pki) / "server.pem", Path(options.pki) / "server.der"
        await setup_self_signed_certificate(key, certificate, uri, "127.0.0.1", [ExtendedKeyUsageOID.SERVER_AUTH], {})
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))


async def require_trust(certificate, folder):
    if not lies_in(certificate.public_bytes(Encoding.DER), folder):
        raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)


parser = argparse.ArgumentParser()
parser.add_argument("--port", type=int, default=0)
parser.add_argument("--user")
parser.add_argument("--users")
parser.add_argument("--pki")
parser.add_argument("--distrust", action="store_true")
parser.add_argument("--deprecated", action="store_true")
parser.add_argument("--certificate")
parser.add_argument("--key")
parser.add_argument("--limit", type=int, default=0)
asyncio.run(main(parser.parse_args()))
