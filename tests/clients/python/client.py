"""A gRPC client on grpc's C core that dials a mapper's socket in three forms.

Usage: client.py SOCKET PROTO_DIR SCENARIO
"""

import json
import sys
from pathlib import Path

import grpc
from google.protobuf import json_format
from google.protobuf import wrappers_pb2  # noqa: F401  (the types that configData may hold)
from grpc_reflection.v1alpha import reflection_pb2

# edgecore gives each call ten seconds in all.
TIMEOUT = 10

# The messages of v1 and v1alpha are the same on the wire.
REFLECTION_METHODS = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
]


def main(socket, proto_dir, scenario):
    sys.path.insert(0, proto_dir)
    api = grpc.protos("dmi/v1beta1/api.proto")
    service = api.DESCRIPTOR.services_by_name["DeviceMapperService"]
    calls = json.loads(Path(scenario).read_text())
    for dial, options in dial_forms(socket).items():
        for connection, rounds in [(1, 2), (2, 1)]:
            with open_channel(socket, options) as channel:
                play(channel, rounds, service, api, calls, {"dial": dial, "connection": connection})


def dial_forms(socket):
    return {
        "unix": [],
        "raw": [("grpc.default_authority", socket)],
        "escaped": [("grpc.default_authority", socket.replace("/", "%2F"))],
    }


def open_channel(socket, options):
    # Channels of one process share their connections unless told otherwise.
    return grpc.insecure_channel(f"unix:{socket}", options=[*options, ("grpc.use_local_subchannel_pool", 1)])


def play(channel, rounds, service, api, calls, labels):
    for _ in range(rounds):
        for call in calls:
            report(labels, call["rpc"], lambda: invoke(channel, service, api, call))
    report(labels, "ServerReflectionInfo", lambda: list_services(channel))


def invoke(channel, service, api, call):
    method = service.methods_by_name[call["rpc"]]
    request_type = getattr(api, method.input_type.name)
    response_type = getattr(api, method.output_type.name)
    stub = channel.unary_unary(
        f"/{service.full_name}/{method.name}",
        request_serializer=request_type.SerializeToString,
        response_deserializer=response_type.FromString,
    )
    request = json_format.ParseDict(call["request"], request_type())
    return json_format.MessageToDict(stub(request, timeout=TIMEOUT))


def list_services(channel):
    """Asks with the newest version of the reflection service that the server knows."""
    *newer, oldest = REFLECTION_METHODS
    for method in newer:
        try:
            return list_services_by(channel, method)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNIMPLEMENTED:
                raise
    return list_services_by(channel, oldest)


def list_services_by(channel, method):
    stub = channel.stream_stream(
        method,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    for response in stub(iter([request]), timeout=TIMEOUT):
        return {"services": [service.name for service in response.list_services_response.service]}
    return {"services": []}


def report(labels, rpc, attempt):
    try:
        line = {"code": "OK", "message": "", "response": attempt()}
    except grpc.RpcError as error:
        line = {"code": error.code().name, "message": error.details(), "response": None}
    print(json.dumps({**labels, "rpc": rpc, **line}), flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: client.py SOCKET PROTO_DIR SCENARIO")
    main(*sys.argv[1:])
