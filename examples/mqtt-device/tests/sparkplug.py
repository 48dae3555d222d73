"""Plays an edge node that speaks Sparkplug B, with a device behind it: `sparkplug.py PORT GROUP NODE DEVICE`.

The payload is made by Google's protobuf from the fields of the Sparkplug specification 3.0, chapter 6.4. It is told by messages of JSON on
`play/NODE` what happens to it:

    {"set": ["level", 2.5]}   a metric of the device changes
    {"skip": 1}               so many messages are lost on their way
    {"death": true}           the device dies, and {"death": false}: it is born again
    {"stale": true}           the broker is sent the death of the connection before this one

What happens is printed, a line each:

    ready
    birth
    command <metric> <value>
"""

import json
import sys
import time

import paho.mqtt.client as mqtt
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FIELD = descriptor_pb2.FieldDescriptorProto
INT16, INT64, UINT32, FLOAT, DOUBLE, BOOLEAN, STRING = 2, 4, 7, 9, 10, 11, 12


def payload_class():
    """The message Payload of the specification, as far as it is needed here."""
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug.proto", package="sparkplug", syntax="proto2")
    payload = file.message_type.add(name="Payload")
    metric = payload.nested_type.add(name="Metric")
    value = metric.oneof_decl.add(name="value").name and 0
    for name, number, kind in [
        ("name", 1, FIELD.TYPE_STRING),
        ("alias", 2, FIELD.TYPE_UINT64),
        ("timestamp", 3, FIELD.TYPE_UINT64),
        ("datatype", 4, FIELD.TYPE_UINT32),
        ("is_historical", 5, FIELD.TYPE_BOOL),
        ("is_null", 7, FIELD.TYPE_BOOL),
    ]:
        metric.field.add(name=name, number=number, type=kind, label=FIELD.LABEL_OPTIONAL)
    for name, number, kind in [
        ("int_value", 10, FIELD.TYPE_UINT32),
        ("long_value", 11, FIELD.TYPE_UINT64),
        ("float_value", 12, FIELD.TYPE_FLOAT),
        ("double_value", 13, FIELD.TYPE_DOUBLE),
        ("boolean_value", 14, FIELD.TYPE_BOOL),
        ("string_value", 15, FIELD.TYPE_STRING),
    ]:
        metric.field.add(name=name, number=number, type=kind, label=FIELD.LABEL_OPTIONAL, oneof_index=value)
    payload.field.add(name="timestamp", number=1, type=FIELD.TYPE_UINT64, label=FIELD.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics",
        number=2,
        type=FIELD.TYPE_MESSAGE,
        type_name=".sparkplug.Payload.Metric",
        label=FIELD.LABEL_REPEATED,
    )
    payload.field.add(name="seq", number=3, type=FIELD.TYPE_UINT64, label=FIELD.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sparkplug.Payload"))


Payload = payload_class()
FIELDS = {FLOAT: "float_value", DOUBLE: "double_value", BOOLEAN: "boolean_value", STRING: "string_value", INT64: "long_value"}
WIDTHS = {"int_value": 1 << 32, "long_value": 1 << 64}


def say(*words):
    print(*words, flush=True)


class EdgeNode:
    def __init__(self, port, group, node, device):
        self.port, self.group, self.node, self.device = port, group, node, device
        self.seq, self.bd_seq, self.skip, self.dead = 0, int(time.time() * 1000) % 256, 0, False
        # The name of each metric, its type and its value; its alias is its place.
        self.metrics = {
            "level": [DOUBLE, 1.5],
            "Inputs/temperature": [INT16, -5],
            "count": [UINT32, 4000000000],
            "ratio": [FLOAT, 0.1],
            "running": [BOOLEAN, False],
            "name": [STRING, "north"],
        }
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"edge-{node}")
        self.client.on_connect, self.client.on_message = self.connected, self.received
        self.client.will_set(self.topic("NDEATH"), self.death(self.bd_seq), qos=1)

    def topic(self, kind):
        return f"spBv1.0/{self.group}/{kind}/{self.node}" + (f"/{self.device}" if kind.startswith("D") else "")

    def death(self, bd_seq):
        payload = Payload(timestamp=int(time.time() * 1000))
        payload.metrics.add(name="bdSeq", datatype=INT64, long_value=bd_seq)
        return payload.SerializeToString()

    def publish(self, kind, metrics):
        payload = Payload(timestamp=int(time.time() * 1000), seq=self.seq)
        payload.metrics.extend(metrics)
        self.seq = (self.seq + 1) % 256
        if self.skip:
            self.skip -= 1
            return
        self.client.publish(self.topic(kind), payload.SerializeToString())

    def metric(self, name, birth):
        datatype, value = self.metrics[name]
        field = FIELDS.get(datatype, "int_value")
        value = value % WIDTHS[field] if field in WIDTHS else value
        metric = Payload.Metric(alias=list(self.metrics).index(name), timestamp=int(time.time() * 1000), **{field: value})
        if birth:
            metric.name, metric.datatype = name, datatype
        return metric

    def birth(self):
        self.seq = 0
        control = Payload.Metric(name="Node Control/Rebirth", datatype=BOOLEAN, boolean_value=False)
        self.publish("NBIRTH", [Payload.Metric(name="bdSeq", datatype=INT64, long_value=self.bd_seq), control])
        if not self.dead:
            self.publish("DBIRTH", [self.metric(name, True) for name in self.metrics])
        say("birth")

    def connected(self, client, *_rest):
        client.subscribe([(f"play/{self.node}", 1), (self.topic("NCMD"), 1), (self.topic("DCMD"), 1)])
        self.birth()
        say("ready")

    def received(self, _client, _data, message):
        if message.topic.startswith("play/"):
            self.play(json.loads(message.payload))
            return
        for metric in Payload.FromString(message.payload).metrics:
            value = getattr(metric, metric.WhichOneof("value"))
            say("command", metric.name, value)
            if metric.name == "Node Control/Rebirth":
                self.birth()
            elif metric.name in self.metrics:
                if metric.datatype == INT16:
                    value = value - (1 << 32) if value >= 1 << 31 else value
                self.set(metric.name, value)

    def set(self, name, value):
        self.metrics[name][1] = value
        self.publish("DDATA", [self.metric(name, False)])

    def play(self, scene):
        self.skip = scene.get("skip", self.skip)
        if "set" in scene:
            self.set(*scene["set"])
        if "death" in scene:
            self.dead = scene["death"]
            self.publish("DDEATH" if self.dead else "DBIRTH", [] if self.dead else [self.metric(it, True) for it in self.metrics])
        if "stale" in scene:
            self.client.publish(self.topic("NDEATH"), self.death((self.bd_seq - 1) % 256))

    def run(self):
        self.client.connect("127.0.0.1", self.port, keepalive=5)
        self.client.loop_forever()


if __name__ == "__main__":
    EdgeNode(int(sys.argv[1]), *sys.argv[2:5]).run()
