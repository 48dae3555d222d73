"""A Modbus TCP server: `server.py [port]`, where port 0, the default, is any that is free.

Units 1 and 2 are the boilers of devices/instance.yaml. The others are for the tests: unit 3 holds a number of each type,
unit 4 never answers, unit 5 cannot be reached by the gateway, unit 6 has a hole in its registers, unit 7 answers too late: when the
next request of the same connection is there, units 8 and 9 hold registers for whoever wants them, and unit 8 knows no mask writes.

What happens is printed, a line each:

    listening <port>
    connected
    request <unit> <function code> <address> <count>
"""

import asyncio
import sys

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusTcpServer
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
MASK_WRITE = 22


class Connection(ServerRequestHandler):
    """Sends the answers of the late unit before that to the next request."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = []

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
        if pdu.dev_id == LATE:
            self.held.append((pdu, addr))
        else:
            super().server_send(pdu, addr)


class Server(ModbusTcpServer):
    def callback_new_connection(self):
        return Connection(self, self.trace_packet, self.trace_pdu, self.trace_connect)


def trace_connect(connected):
    if connected:
        say("connected")


def trace_pdu(sending, pdu):
    if not sending:
        say("request", pdu.dev_id, pdu.function_code, pdu.address, pdu.count)
    return pdu


async def main(port):
    one_register = [SimData(0, datatype=DataType.REGISTERS)]
    units = [
        boiler(1, temperature=583),
        boiler(2, temperature=-71),
        of_each_type(),
        unit(4, one_register, action=never_answer),
        unit(5, one_register, action=no_response),
        with_a_hole(),
        unit(LATE, [SimData(0, values=[700, 701], datatype=DataType.REGISTERS)]),
        unit(MASKLESS, [SimData(0, values=[0] * 32, datatype=DataType.REGISTERS)]),
        unit(9, [SimData(0, values=[0] * 32, datatype=DataType.REGISTERS)]),
    ]
    server = Server(
        units, address=("127.0.0.1", port), trace_pdu=trace_pdu, trace_connect=trace_connect
    )
    await server.serve_forever(background=True)
    say("listening", server.transport.sockets[0].getsockname()[1])
    await server.serving


asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
