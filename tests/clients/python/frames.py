"""Takes frames of a stream, and prints a line of JSON for each: what came, as Python's own libraries have read it.

    frames.py mqtt PORT [3]       subscribes to all topics by MQTT 5, or 3.1.1
    frames.py http [STATUS...]    serves HTTP, and answers by one status after the other, then by 204; prints its port first
"""

import hashlib
import http.server
import json
import sys

import paho.mqtt.client as mqtt


def show(payload, **known):
    known.update(bytes=len(payload), sha256=hashlib.sha256(payload).hexdigest())
    print(json.dumps(known), flush=True)


def subscribe(port, protocol):
    def on_message(client, userdata, message):
        known = {"topic": message.topic, "qos": message.qos}
        properties = getattr(message, "properties", None)
        if properties is not None:
            known["content_type"] = getattr(properties, "ContentType", None)
            known["user"] = dict(getattr(properties, "UserProperty", []))
        show(message.payload, **known)

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="frames", protocol=protocol)
    client.on_connect = lambda *_: client.subscribe("#", qos=2)
    client.on_subscribe = lambda *_: print("subscribed", flush=True)
    client.on_message = on_message
    client.reconnect_delay_set(1, 1)
    client.connect("127.0.0.1", port)
    client.loop_forever()


def serve(answers):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = answers.pop(0) if answers else 204
            headers = {name.lower(): value for name, value in self.headers.items()}
            show(body, path=self.path, status=status, headers=headers)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print("port", server.server_port, flush=True)
    server.serve_forever()


if sys.argv[1] == "mqtt":
    subscribe(int(sys.argv[2]), mqtt.MQTTv311 if sys.argv[3:] else mqtt.MQTTv5)
else:
    serve([int(status) for status in sys.argv[2:]])
