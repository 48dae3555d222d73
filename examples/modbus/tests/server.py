"""A Modbus server: `server.py [port]`, where port 0, the default, is any that is free. It speaks Modbus TCP, and more if it is told to:

    --rtu PORT     RTU over TCP
    --tls PORT CERTIFICATE KEY CLIENTS  Modbus TCP over TLS, for clients whose certificate the last file vouches for
    --serial LINK  RTU on a serial line, which is a pair of pseudoterminals, one of them linked at this path

Units 1 and 2 are the boilers of devices/instance.yaml. The others are for the tests: unit 3 holds a number of each type,
unit 4 never answers, unit 5 cannot be reached by the gateway, unit 6 has a hole in its registers, unit 7 answers too late: when the
next request of the same connection is there, units 8 and 9 hold registers for whoever wants them, and unit 8 knows no mask writes.
In RTU every other answer of unit 10 is damaged on the line, unit 11 answers after noise, unit 12 a byte at a time, and whatever unit 13
answers is damaged. Unit 14 has a thousand registers, for the benchmark. Unit 15 answers every other request, unit 16 by another unit's id,
unit 17 in two halves, a while apart, unit 18 with a register too many, unit 19 slowly. Units 20 to 23 refuse what they are asked: they will
do it later, are busy, or are away. Unit 24 answers after noise that looks like the beginning of its answer, unit 25 in
two halves, the second of which comes before the answer to the next request. Units 101 to 122 hold their numbers,
units 201 to 210 never answer.

All units have the file 4 of ten records, the queue at 1246, and the same identification.

What happens is printed, a line each:

    rtu <port>
    tls <port>
    listening <port>
    connected
    request <unit> <function code> <address> <count>
"""

import argparse
import asyncio
import os
import ssl
import struct
import tty

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.pdu import ExceptionResponse
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.pdu.file_message import (
    FileRecord,
    ReadFifoQueueRequest,
    ReadFifoQueueResponse,
    ReadFileRecordRequest,
    ReadFileRecordResponse,
    WriteFileRecordRequest,
)
from pymodbus.server import ModbusSerialServer, ModbusTcpServer, ModbusTlsServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice


def say(*words):
    print(*words, flush=True)


def unit(number, holding, inputs=None, action=None):
    """A unit with four separate tables, of which coils and discrete inputs are sixteen bits each."""
    coils = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    discrete = [SimData(0, values=[False, True] * 8, datatype=DataType.BITS)]
    inputs = inputs or [SimData(0, datatype=DataType.REGISTERS)]
    return SimDevice(number, (coils, discrete, holding, inputs), action=action)


def boiler(number, temperature):
    return unit(
        number,
        holding=[
            SimData(0, values=600, datatype=DataType.INT16),  # setpoint, in tenths of a degree
            SimData(10, values=[0, 0, 0, 0], datatype=DataType.REGISTERS),
        ],
        inputs=[
            SimData(0, values=temperature, datatype=DataType.INT16),  # in tenths of a degree
            SimData(1, values=1.5, datatype=DataType.FLOAT32),  # pressure
            SimData(3, values=123456, datatype=DataType.UINT32),  # seconds of operation
        ],
    )


def of_each_type():
    return unit(
        3,
        holding=[
            SimData(0, values=-5, datatype=DataType.INT16),
            SimData(1, values=65535, datatype=DataType.UINT16),
            SimData(2, values=-70000, datatype=DataType.INT32),
            SimData(4, values=4000000000, datatype=DataType.UINT32),
            SimData(6, values=-5000000000000, datatype=DataType.INT64),
            SimData(10, values=5000000000000, datatype=DataType.UINT64),
            SimData(14, values=21.5, datatype=DataType.FLOAT32),
            SimData(16, values=0.1, datatype=DataType.FLOAT64),
            SimData(20, values=[0x5678, 0x1234], datatype=DataType.REGISTERS),  # 0x12345678, the low word first
            SimData(22, values=[0x3412, 0x7856], datatype=DataType.REGISTERS),  # 0x12345678, the low byte first
        ],
    )


async def never_answer(*_request):
    await asyncio.Event().wait()


async def no_response(*_request):
    return ExcCodes.GATEWAY_NO_RESPONSE


def refuse(code):
    async def action(*_request):
        return code

    return action


def with_a_hole():
    """Registers 0 to 9, without number 5."""
    return unit(
        6,
        holding=[
            SimData(0, values=[0, 1, 2, 3, 4], datatype=DataType.REGISTERS),
            SimData(6, values=[6, 7, 8, 9], datatype=DataType.REGISTERS),
        ],
    )


LATE = 7
MASKLESS = 8
FLAWED = 10
NOISY = 11
SLOW = 12
DAMAGED = 13
MANY = 14
FORGETFUL = 15
MISTAKEN = 16
HALVED = 17
TALKATIVE = 18
SLUGGISH = 19
REFUSING = {
    20: ExcCodes.ACKNOWLEDGE,
    21: ExcCodes.DEVICE_BUSY,
    22: ExcCodes.GATEWAY_PATH_UNAVIABLE,
    23: ExcCodes.GATEWAY_NO_RESPONSE,
}
MISLEADING = 24
TORN = 25
LIVING = range(101, 123)
DEAD = range(201, 211)
MASK_WRITE = 22
WHILE = 0.3


class Connection(ServerRequestHandler):
    """Sends the answers of the late unit before that to the next request."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = []
        self.remembers = True
        self.halve = None
        self.rest = None

    async def handle_request(self):
        for answer in self.held:
            super().server_send(*answer)
        self.held.clear()
        pdu = self.last_pdu
        if pdu and pdu.dev_id == MASKLESS and pdu.function_code == MASK_WRITE:
            refusal = ExceptionResponse(
                MASK_WRITE, ExcCodes.ILLEGAL_FUNCTION, device_id=MASKLESS, transaction=pdu.transaction_id
            )
            super().server_send(refusal, self.last_addr)
            return
        await super().handle_request()

    def server_send(self, pdu, addr):
        if pdu.dev_id == FORGETFUL:
            self.remembers = not self.remembers
        if pdu.dev_id == MISTAKEN:
            pdu.dev_id += 20
        if pdu.dev_id == TALKATIVE:
            pdu.registers.append(0)
        if pdu.dev_id == LATE:
            self.held.append((pdu, addr))
        elif pdu.dev_id in (HALVED, TORN):
            self.halve = pdu.dev_id
            super().server_send(pdu, addr)
        elif pdu.dev_id == SLUGGISH:
            asyncio.get_running_loop().call_later(WHILE, super().server_send, pdu, addr)
        elif pdu.dev_id != FORGETFUL or not self.remembers:
            super().server_send(pdu, addr)

    def send(self, data, addr=None):
        self.send_rest()
        halved, self.halve = self.halve, None
        if halved:
            data, self.rest = data[:8], (data[8:], addr)
        if halved == HALVED:
            asyncio.get_running_loop().call_later(WHILE, self.send_rest)
        super().send(data, addr)

    def send_rest(self):
        rest, self.rest = self.rest, None
        if rest:
            super().send(*rest)


class RtuConnection(Connection):
    """Some units are hard to understand."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.flawless = True

    def send(self, data, addr=None):
        unit = data[0]
        if unit == FLAWED:
            self.flawless = not self.flawless
        if unit == DAMAGED or (unit == FLAWED and not self.flawless):
            data = data[:-1] + bytes([data[-1] ^ 1])
        if unit == NOISY:
            data = b"\x00\xff\xfe" + data
        if unit == MISLEADING:
            data = data[:2] + b"\x28" + data
        if unit == SLOW:
            asyncio.ensure_future(self.send_slowly(data, addr))
        else:
            super().send(data, addr)

    async def send_slowly(self, data, addr):
        for byte in data:
            super().send(bytes([byte]), addr)
            await asyncio.sleep(0.005)


FILE = 4
RECORDS = [0x0DFE, 0x0020, 0x41AC, 0x0000, 4, 5, 6, 7, 8, 9]
QUEUE = 1246
QUEUED = [440, 4740, 65535]


def is_there(record):
    return record.file_number == FILE and record.record_number + record.record_length <= len(RECORDS)


class ReadFile(ReadFileRecordRequest):
    """pymodbus answers with the same text whatever is asked, and takes the number of records for that of bytes."""

    def decode(self, data):
        self.records = []
        for start in range(1, data[0], 7):
            _, file, number, length = struct.unpack(">BHHH", data[start : start + 7])
            record = FileRecord(file_number=file, record_number=number)
            record.record_length = length
            self.records.append(record)

    async def datastore_update(self, _context, device_id):
        if not all(is_there(record) for record in self.records):
            return ExceptionResponse(self.function_code, ExcCodes.ILLEGAL_ADDRESS)
        for record in self.records:
            words = RECORDS[record.record_number :][: record.record_length]
            record.record_data = struct.pack(f">{len(words)}H", *words)
        return ReadFileRecordResponse(self.records, device_id, self.transaction_id)


class WriteFile(WriteFileRecordRequest):
    async def datastore_update(self, context, device_id):
        for record in self.records:
            words = struct.unpack(f">{record.record_length}H", record.record_data)
            end = record.record_number + record.record_length
            RECORDS[record.record_number : end] = words
        return await super().datastore_update(context, device_id)


class ReadQueue(ReadFifoQueueRequest):
    async def datastore_update(self, _context, device_id):
        if self.address != QUEUE:
            return ExceptionResponse(self.function_code, ExcCodes.ILLEGAL_ADDRESS)
        return ReadFifoQueueResponse(QUEUED, device_id, self.transaction_id)


IDENTIFICATION = ModbusDeviceIdentification(
    info={0: "Kessel & Söhne", 1: "B-12", 2: "V2.1", 5: "boiler", 0x80: "hall 7"}
)


class TcpServer(ModbusTcpServer):
    def callback_new_connection(self):
        return Connection(self, self.trace_packet, self.trace_pdu, self.trace_connect)


class TlsServer(ModbusTlsServer):
    def callback_new_connection(self):
        return Connection(self, self.trace_packet, self.trace_pdu, self.trace_connect)


class RtuServer(ModbusTcpServer):
    def callback_new_connection(self):
        return RtuConnection(self, self.trace_packet, self.trace_pdu, self.trace_connect)


class SerialServer(ModbusSerialServer):
    def callback_new_connection(self):
        return RtuConnection(self, self.trace_packet, self.trace_pdu, self.trace_connect)


def trace_connect(connected):
    if connected:
        say("connected")


def trace_pdu(sending, pdu):
    if not sending:
        say("request", pdu.dev_id, pdu.function_code, pdu.address, pdu.count)
    return pdu


COMMON = {
    "trace_pdu": trace_pdu,
    "trace_connect": trace_connect,
    "identity": IDENTIFICATION,
    "custom_pdu": [ReadFile, WriteFile, ReadQueue],
}


def units():
    one_register = [SimData(0, datatype=DataType.REGISTERS)]
    many = [SimData(0, values=[0] * 32, datatype=DataType.REGISTERS)]
    counted = [SimData(0, values=list(range(125)), datatype=DataType.REGISTERS)]
    return [
        boiler(1, temperature=583),
        boiler(2, temperature=-71),
        of_each_type(),
        unit(4, one_register, action=never_answer),
        unit(5, one_register, action=no_response),
        with_a_hole(),
        unit(LATE, [SimData(0, values=[700, 701], datatype=DataType.REGISTERS)]),
        unit(MASKLESS, many),
        unit(9, many),
        unit(MANY, [SimData(0, values=list(range(1000)), datatype=DataType.REGISTERS)]),
        *(unit(number, counted) for number in (FLAWED, NOISY, SLOW, DAMAGED, MISLEADING)),
        *(unit(number, counted) for number in (FORGETFUL, MISTAKEN, HALVED, TALKATIVE, SLUGGISH, TORN)),
        *(unit(number, counted, action=refuse(code)) for number, code in REFUSING.items()),
        *(unit(number, [SimData(0, values=number, datatype=DataType.INT16)]) for number in LIVING),
        *(unit(number, one_register, action=never_answer) for number in DEAD),
    ]


def port_of(server):
    return server.transport.sockets[0].getsockname()[1]


def secured(certificate, key, clients):
    """Shows a certificate, and wants to see one."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


def serial_line(link):
    """Two pseudoterminals that carry what the other one gets: one for the server, one for the client, at the link."""
    (near, server), (far, client) = os.openpty(), os.openpty()
    for end in (server, client):
        tty.setraw(end)
    loop = asyncio.get_running_loop()
    loop.add_reader(near, lambda: os.write(far, os.read(near, 4096)))
    loop.add_reader(far, lambda: os.write(near, os.read(far, 4096)))
    if os.path.islink(link):
        os.unlink(link)
    os.symlink(os.ttyname(client), link)
    return os.ttyname(server)


async def main(arguments):
    if arguments.rtu is not None:
        address = ("127.0.0.1", arguments.rtu)
        server = RtuServer(units(), framer=FramerType.RTU, address=address, **COMMON)
        await server.serve_forever(background=True)
        say("rtu", port_of(server))
    if arguments.tls:
        port, *files = arguments.tls
        server = TlsServer(
            units(), framer=FramerType.SOCKET, address=("127.0.0.1", int(port)), sslctx=secured(*files), **COMMON
        )
        await server.serve_forever(background=True)
        say("tls", port_of(server))
    if arguments.serial:
        server = SerialServer(units(), port=serial_line(arguments.serial), **COMMON)
        await server.serve_forever(background=True)
    server = TcpServer(units(), address=("127.0.0.1", arguments.port), **COMMON)
    await server.serve_forever(background=True)
    say("listening", port_of(server))
    await server.serving


parser = argparse.ArgumentParser()
parser.add_argument("port", nargs="?", type=int, default=0)
parser.add_argument("--rtu", type=int)
parser.add_argument("--tls", nargs=4)
parser.add_argument("--serial")
asyncio.run(main(parser.parse_args()))
