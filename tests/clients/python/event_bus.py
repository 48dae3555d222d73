"""A responder that answers on an MQTT broker as edgecore's module eventBus does.

Usage: event_bus.py --port PORT --device NAMESPACE/NAME …   (--help lists the rest)

It subscribes to the twins and states that mappers publish, stores what edgecore would store, and answers what edgecore would
answer. It leaves out the topics `twin/update/document` and `twin/update/delta`, which edgecore publishes as well.

What happens is printed, an object of JSON a line. Each has an `event`, and `device` is `namespace/name`:

    ready                                              it is connected and subscribed, for the first time or again
    away      reason                                   the broker does not take the connection, or it has ended
    stored    device property value expected timestamp a twin; `expected` is null where the mapper has sent none
    state     device state                             a state
    refused   device properties code reason            a message of twins, and the answer says so
    dropped   device topic reason                      a message without an answer of its own

What is stored is printed before it is answered: whoever kills this has all lines of which a mapper can know.
"""

import argparse
import json
import queue
import re
import time
import uuid

from paho.mqtt.client import CallbackAPIVersion, Client

ROOT = "$hw/events/device/"
TWINS = "twin/update"
STATES = "state/update"
STATE_NAMES = {"ok", "online", "offline", "unhealthy", "unknown"}
TYPES = {"string", "int", "integer", "float", "boolean"}

# fullmatch, since `$` would let a newline at the end pass.
LEGAL_NAME = re.compile(r"[a-zA-Z0-9\-_.,:/@#]{1,128}")
LEGAL_VALUE = re.compile(r"[a-zA-Z0-9\-_.,:/@#]{0,512}")


class Refused(Exception):
    """A message that is answered with a code."""

    def __init__(self, code, reason):
        super().__init__(reason)
        self.code, self.reason = code, reason


class Unreadable(Exception):
    """A message of which edgecore's answer names neither the device nor the event."""


class Dropped(Exception):
    """A message that is not answered at all."""


def main():
    options = arguments()
    # One worker, as in edgecore: a message that takes long holds up those behind it.
    messages = queue.SimpleQueue()
    client = connect(options, messages)
    responder = Responder(options, client)
    while True:
        topic, payload = messages.get()
        time.sleep(options.delay_ms / 1000)
        responder.take(topic, payload)


def arguments():
    parser = argparse.ArgumentParser(description="Answers on a broker as edgecore does.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--ca", metavar="FILE", help="connects by TLS, and trusts these certificates")
    parser.add_argument("--device", action="append", default=[], help="a device it knows: namespace/name, or namespace/*")
    parser.add_argument("--delay-ms", type=float, default=0, help="how long each message takes")
    parser.add_argument("--refuse", action="append", default=[], metavar="NAMESPACE/NAME/PROPERTY")
    parser.add_argument("--mute", action="append", default=[], metavar="NAMESPACE/NAME", help="stores nothing of it")
    return parser.parse_args()


def connect(options, messages):
    """A client that connects in a thread of its own, again and again, and subscribes each time."""

    def on_connect(client, _data, _flags, reason, _properties):
        if reason.is_failure:
            say("away", reason=str(reason))
        else:
            # What is published while this is away is lost: a session of edgecore's does not outlive its connection.
            client.subscribe([(f"{ROOT}+/+/{TWINS}", 1), (f"{ROOT}+/+/{STATES}", 1)])

    def on_subscribe(_client, _data, _id, reasons, _properties):
        failures = [str(reason) for reason in reasons if reason.is_failure]
        if failures:
            say("away", reason=", ".join(failures))
        else:
            say("ready")

    client = Client(CallbackAPIVersion.VERSION2)
    client.on_connect = on_connect
    client.on_subscribe = on_subscribe
    client.on_disconnect = lambda _client, _data, _flags, reason, _properties: say("away", reason=str(reason))
    client.on_message = lambda _client, _data, message: messages.put((message.topic, message.payload))
    if options.user is not None:
        client.username_pw_set(options.user, options.password)
    if options.ca is not None:
        client.tls_set(ca_certs=options.ca)
    client.reconnect_delay_set(min_delay=0.1, max_delay=0.5)
    client.connect_async(options.host, options.port)
    client.loop_start()
    return client


class Responder:
    def __init__(self, options, client):
        self.options = options
        self.client = client
        # The twins that have been stored: device and property.
        self.known = set()

    def take(self, topic, payload):
        namespace, name, *kind = topic.removeprefix(ROOT).split("/")
        device, is_twins = f"{namespace}/{name}", "/".join(kind) == TWINS
        try:
            # edgecore looks for the namespace from the topic's beginning, and finds some of them too early.
            if namespace in ROOT:
                raise Dropped("the namespace is a part of the topic's beginning")
            if device in self.options.mute:
                raise Dropped("muted")
            take = self.take_twins if is_twins else self.take_state
            take(topic, device, parse(payload))
        except Unreadable as why:
            if is_twins:
                self.answer(f"{ROOT}/{TWINS}", event_id="", code=400, reason=str(why))
            say("dropped", device=device, topic=topic, reason=str(why))
        except Dropped as why:
            say("dropped", device=device, topic=topic, reason=str(why))

    def take_twins(self, topic, device, message):
        event_id, twins = message.get("event_id", ""), read_twins(message)
        try:
            self.judge(device, twins)
        except Refused as why:
            self.answer(topic, event_id=event_id, code=why.code, reason=why.reason)
            say("refused", device=device, properties=list(twins), code=why.code, reason=why.reason)
            return
        self.known.update((device, property) for property in twins)
        for property, twin in twins.items():
            value, expected = text_of(twin, "actual"), text_of(twin, "expected")
            stored = {"value": value, "expected": expected, "timestamp": message.get("timestamp")}
            say("stored", device=device, property=property, **stored)
        self.answer(topic, event_id=event_id, twin=twins)

    def judge(self, device, twins):
        if not self.knows(device):
            raise Refused(404, "device not found")
        for property, twin in twins.items():
            if f"{device}/{property}" in self.options.refuse:
                raise Refused(400, f"{property} is refused, as asked for")
            type_name = (twin.get("metadata") or {}).get("type", "string")
            if (device, property) not in self.known and type_name not in TYPES:
                raise Refused(400, "the value type is not allowed")

    def take_state(self, topic, device, message):
        state = str(message.get("state", "")).lower()
        if state not in STATE_NAMES:
            raise Dropped(f"the state {state!r} is none of edgecore's")
        if not self.knows(device):
            raise Dropped("device not found")
        say("state", device=device, state=state)
        self.answer(topic, event_id=str(uuid.uuid4()), device={"name": device.split("/")[1], "state": state})

    def knows(self, device):
        return device in self.options.device or f"{device.split('/')[0]}/*" in self.options.device

    def answer(self, topic, **fields):
        payload = json.dumps({"timestamp": int(time.time() * 1000), **fields})
        self.client.publish(f"{topic}/result", payload, qos=1)


def parse(payload):
    try:
        message = json.loads(payload)
    except ValueError as error:
        raise Unreadable(f"no JSON: {error}") from error
    if not isinstance(message, dict):
        raise Unreadable("no object")
    return message


def read_twins(message):
    """The twins by property, if all of them are legal: one that is not costs the whole message."""
    twins = message.get("twin")
    if not isinstance(twins, dict) or not twins or not all(isinstance(twin, dict) for twin in twins.values()):
        raise Unreadable("no twins")
    for property, twin in twins.items():
        if not LEGAL_NAME.fullmatch(property):
            raise Unreadable(f"the name {property!r} is not legal")
        for side in ["actual", "expected"]:
            value = text_of(twin, side)
            if value is not None and not LEGAL_VALUE.fullmatch(value):
                raise Unreadable(f"the {side} value of {property} is not legal: {value!r}")
    return twins


def text_of(twin, side):
    """The value of a side of a twin; None where the mapper has sent none."""
    value = (twin.get(side) or {}).get("value")
    if value is not None and not isinstance(value, str):
        raise Unreadable(f"the {side} value is no text: {value!r}")
    return value


def say(event, **fields):
    # One write a line, since two threads print.
    print(json.dumps({"event": event, **fields}) + "\n", end="", flush=True)


if __name__ == "__main__":
    main()
