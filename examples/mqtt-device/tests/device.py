"""Plays a device that publishes itself: `device.py FAMILY PORT NAME`.

What it publishes and takes is as the documentation of its firmware says. It is told by messages of JSON on `play/NAME` what happens to
it:

    {"deaf": true}          it takes no commands any more
    {"slow": 1.5}           it takes each command so many seconds late
    {"publish": [topic, payload, retain]}   it publishes this

What happens is printed, a line each:

    ready
    command <topic> <payload>
"""

import json
import sys
import threading
import time

import paho.mqtt.client as mqtt


def say(*words):
    print(*words, flush=True)


class Device:
    """A device of any family: the connection, and what is played with it."""

    def __init__(self, port, name):
        self.port, self.name = port, name
        self.deaf, self.slow = False, 0
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=f"device-{name}")
        self.client.on_connect = self.connected
        self.client.on_message = self.received
        self.client.reconnect_delay_set(1, 1)
        self.prepare()

    def run(self):
        self.client.connect("127.0.0.1", self.port, keepalive=5)
        self.client.loop_forever()

    def publish(self, topic, payload, retain=False):
        text = payload if isinstance(payload, (str, bytes)) else json.dumps(payload)
        self.client.publish(topic, text, qos=1, retain=retain)

    def connected(self, client, *_rest):
        client.subscribe([(f"play/{self.name}", 1)] + [(filter, 1) for filter in self.filters()])
        self.greet()
        say("ready")

    def received(self, _client, _data, message):
        if message.topic == f"play/{self.name}":
            self.play(json.loads(message.payload))
            return
        say("command", message.topic, message.payload.decode(errors="replace"))
        if self.deaf:
            return
        if self.slow:
            threading.Timer(self.slow, self.command, (message.topic, message.payload)).start()
        else:
            self.command(message.topic, message.payload)

    def play(self, scene):
        self.deaf = scene.get("deaf", self.deaf)
        self.slow = scene.get("slow", self.slow)
        if "publish" in scene:
            self.publish(*scene["publish"])

    def prepare(self):
        """Sets what the broker needs before the connection, such as the last will."""

    def filters(self):
        """The topics of its commands."""
        return []

    def greet(self):
        """Publishes what a device does when it has connected."""

    def command(self, topic, payload):
        """Takes a command."""


class Tasmota(Device):
    """https://tasmota.github.io/docs/MQTT and /Commands: a socket that measures, and that can be dimmed."""

    def prepare(self):
        self.state = {"POWER": "OFF", "Dimmer": 50}
        self.client.will_set(f"tele/{self.name}/LWT", "Offline", qos=1, retain=True)

    def filters(self):
        return [f"cmnd/{self.name}/#"]

    def greet(self):
        self.publish(f"tele/{self.name}/LWT", "Online", retain=True)
        config = {
            "ip": "192.0.2.7",
            "dn": "Boiler's socket",
            "mac": "5CCF7F5F3A21",
            "md": "Nous A1T",
            "ofln": "Offline",
            "onln": "Online",
            "state": ["OFF", "ON", "TOGGLE", "HOLD"],
            "sw": "14.2.0",
            "t": self.name,
            "ft": "%prefix%/%topic%/",
            "tp": ["cmnd", "stat", "tele"],
            "rl": [1, 0, 0, 0],
            "ver": 1,
        }
        sensors = {"sn": {"Time": "2026-11-30T12:00:00", "ENERGY": {"TotalStartTime": "2026-01-01T00:00:00", "Power": 42}}}
        self.publish("tasmota/discovery/5CCF7F5F3A21/config", config, retain=True)
        self.publish("tasmota/discovery/5CCF7F5F3A21/sensors", {**sensors, "ver": 1}, retain=True)

    def telemetry(self):
        wifi = {"AP": 1, "SSId": "house", "Channel": 6, "Mode": "11n", "RSSI": 78, "Signal": -61}
        state = {"Time": "2026-11-30T12:00:00", "Uptime": "0T00:10:00", "UptimeSec": 600, **self.state, "Wifi": wifi}
        energy = {"TotalStartTime": "2026-01-01T00:00:00", "Total": 12.345, "Power": 42, "Voltage": 230, "Current": 0.182}
        self.publish(f"tele/{self.name}/STATE", state)
        self.publish(f"tele/{self.name}/SENSOR", {"Time": "2026-11-30T12:00:00", "ENERGY": energy})

    def command(self, topic, payload):
        name, text = topic.rsplit("/", 1)[1], payload.decode()
        if name.upper() == "TELEPERIOD":
            self.publish(f"stat/{self.name}/RESULT", {"TelePeriod": 300})
            self.telemetry()
        elif name.upper() == "POWER":
            if text:
                self.state["POWER"] = "ON" if text.upper() in ("ON", "1", "TRUE") else "OFF"
            self.publish(f"stat/{self.name}/RESULT", {"POWER": self.state["POWER"]})
            self.publish(f"stat/{self.name}/POWER", self.state["POWER"])
        elif name.upper() == "DIMMER":
            if text:
                self.state["Dimmer"] = max(0, min(100, int(text)))
            self.publish(f"stat/{self.name}/RESULT", dict(self.state))
        else:
            self.publish(f"stat/{self.name}/RESULT", {"Command": "Unknown"})


class Zigbee2Mqtt(Device):
    """https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html: the bridge, and a lamp with availability switched on."""

    def prepare(self):
        self.lamp = {"state": "OFF", "brightness": 100, "color": {"x": 0.3, "y": 0.32}, "linkquality": 120}
        self.client.will_set("zigbee2mqtt/bridge/state", json.dumps({"state": "offline"}), qos=1, retain=True)

    def filters(self):
        return [f"zigbee2mqtt/{self.name}/set"]

    def greet(self):
        self.publish("zigbee2mqtt/bridge/state", {"state": "online"}, retain=True)
        self.publish(f"zigbee2mqtt/{self.name}/availability", {"state": "online"}, retain=True)
        state = {"type": "binary", "property": "state", "access": 7, "value_on": "ON", "value_off": "OFF"}
        brightness = {"type": "numeric", "property": "brightness", "access": 7, "value_min": 0, "value_max": 254}
        x = {"type": "numeric", "property": "x", "access": 7}
        color = {"type": "composite", "property": "color", "access": 7, "features": [x]}
        quality = {"type": "numeric", "property": "linkquality", "access": 1, "unit": "lqi", "value_min": 0, "value_max": 255}
        exposes = [{"type": "light", "features": [state, brightness, color]}, quality]
        definition = {"vendor": "IKEA", "model": "LED1624G9", "description": "Bulb", "exposes": exposes}
        lamp = {"ieee_address": "0x000b57fffec6a5b2", "type": "Router", "friendly_name": self.name, "definition": definition}
        coordinator = {"type": "Coordinator", "friendly_name": "Coordinator", "definition": None}
        self.publish("zigbee2mqtt/bridge/devices", [coordinator, lamp], retain=True)
        self.show()

    def show(self):
        self.publish(f"zigbee2mqtt/{self.name}", {**self.lamp, "last_seen": "2026-11-30T12:00:00+01:00"}, retain=True)

    def command(self, topic, payload):
        wanted = json.loads(payload)
        self.lamp["color"].update(wanted.pop("color", {}))
        self.lamp.update(wanted)
        self.show()


class ShellyOfFirstGeneration(Device):
    """https://shelly-api-docs.shelly.cloud/gen1/#mqtt: a plug, which has its messages kept, and publishes what changes."""

    def prepare(self):
        self.relay = "off"
        self.client.will_set(f"shellies/{self.name}/online", "false", qos=1, retain=True)

    def filters(self):
        return [f"shellies/{self.name}/command", f"shellies/{self.name}/relay/0/command"]

    def greet(self):
        self.publish(f"shellies/{self.name}/online", "true", retain=True)
        self.show()

    def show(self):
        self.publish(f"shellies/{self.name}/relay/0", self.relay, retain=True)
        self.publish(f"shellies/{self.name}/relay/0/power", "12.34", retain=True)
        self.publish(f"shellies/{self.name}/relay/0/energy", "6000", retain=True)

    def command(self, topic, payload):
        was, text = self.relay, payload.decode()
        if topic.endswith("relay/0/command"):
            self.relay = text
        if self.relay != was or text == "update":
            self.show()


class Shelly(Device):
    """https://shelly-api-docs.shelly.cloud/gen2/General/RPCProtocol: a plug with the settings that it is delivered with."""

    def prepare(self):
        self.switch = {"id": 0, "source": "init", "output": False, "apower": 8.9, "voltage": 230.1, "aenergy": {"total": 6.5}}
        self.client.will_set(f"{self.name}/online", "false", qos=1, retain=True)

    def filters(self):
        return [f"{self.name}/rpc"]

    def greet(self):
        self.publish(f"{self.name}/online", "true", retain=True)

    def command(self, topic, payload):
        call = json.loads(payload)
        answer = {"id": call["id"], "src": self.name, "dst": call["src"]}
        if call["method"] == "Shelly.GetStatus":
            answer["result"] = {"sys": {"unixtime": 1764338520}, "switch:0": self.switch}
        elif call["method"] == "Switch.Set" and call["params"]["id"] == 0:
            was, self.switch["output"] = self.switch["output"], call["params"]["on"]
            answer["result"] = {"was_on": was}
            change = {"ts": 1764338520.5, "switch:0": {"id": 0, "output": self.switch["output"], "source": "MQTT"}}
            event = {"src": self.name, "dst": f"{self.name}/events", "method": "NotifyStatus", "params": change}
            if self.switch["output"] != was:
                self.publish(f"{self.name}/events/rpc", event)
        else:
            answer["error"] = {"code": 404, "message": f"No handler for {call['method']}"}
        self.publish(f"{call['src']}/rpc", answer)


class Tank(Device):
    """A device of somebody's own making, as `devices/json.yaml` has it: its values, its log, and a pump that is switched."""

    def prepare(self):
        self.topic = f"plant/north/{self.name}"
        self.pump = "stopped"
        self.client.will_set(f"{self.topic}/status", "offline", qos=1, retain=True)

    def filters(self):
        return [f"{self.topic}/set"]

    def greet(self):
        self.publish(f"{self.topic}/status", "online", retain=True)
        self.publish(f"{self.topic}/log", "12:00 ALARM HIGH", retain=True)
        self.show()

    def show(self):
        self.publish(self.topic, {"level": 1.25, "pump": self.pump, "at": int(time.time() * 1000)}, retain=True)

    def command(self, topic, payload):
        self.pump = json.loads(payload)["pump"]
        self.show()


FAMILIES = {
    "json": Device,
    "tank": Tank,
    "tasmota": Tasmota,
    "zigbee2mqtt": Zigbee2Mqtt,
    "shelly1": ShellyOfFirstGeneration,
    "shelly": Shelly,
}

if __name__ == "__main__":
    FAMILIES[sys.argv[1]](int(sys.argv[2]), sys.argv[3]).run()
