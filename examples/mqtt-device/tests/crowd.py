"""Plays many devices that publish themselves, each with a connection of its own: `crowd.py PORT COUNT`.

Device 7 is `dev-7`: it publishes `online` on `crowd/dev-7/status` and its number on `crowd/dev-7`, both kept, and its last will on the
first is `offline`. `ready` is printed when all are there. It speaks MQTT 3.1.1 by hand, since paho-mqtt takes three files of the system's for
each connection.
"""

import socket
import sys
import time


def text(string):
    return len(string).to_bytes(2, "big") + string.encode()


def packet(kind, body):
    """A packet of less than 128 bytes."""
    return bytes([kind, len(body)]) + body


def life(number):
    """What a device sends: CONNECT with a will that is kept, and two PUBLISH of QoS 1 that are kept."""
    name, status = f"dev-{number}", f"crowd/dev-{number}/status"
    flags = 0x20 | 0x08 | 0x04 | 0x02
    connect = text("MQTT") + bytes([4, flags]) + (600).to_bytes(2, "big") + text(name) + text(status) + text("offline")
    here = text(status) + (1).to_bytes(2, "big") + b"online"
    value = text(f"crowd/{name}") + (2).to_bytes(2, "big") + str(number).encode()
    return packet(0x10, connect) + packet(0x33, here) + packet(0x33, value)


#: CONNACK, and two PUBACK.
ANSWERS = bytes([0x20, 2, 0, 0, 0x40, 2, 0, 1, 0x40, 2, 0, 2])


def answers(connection):
    received = b""
    while len(received) < len(ANSWERS):
        received += connection.recv(len(ANSWERS) - len(received)) or sys.exit("the broker has closed a connection")
    return received


port, count = int(sys.argv[1]), int(sys.argv[2])
connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
for number, connection in enumerate(connections):
    connection.sendall(life(number))
assert all(answers(connection) == ANSWERS for connection in connections)
print("ready", flush=True)
while True:
    time.sleep(60)
