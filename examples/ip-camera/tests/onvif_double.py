"""A double of a camera's ONVIF services, for the tests: no camera, but as strict as ONVIF's WSDLs.

Each request is held against the schemas in the WSDLs, and so is each answer. With --auth wsse a request needs a UsernameToken with a
digest that is no older than five seconds and was not used before; with --auth http, HTTP's digest. All but the camera's time is behind it.

A file for --clock-file has the seconds that its clock is ahead, and may change at any time.

It prints a line for each request that it takes, and each that it refuses.

    onvif_double.py --auth wsse --clock 3600 --stream rtsp://… --jpeg FILE [--port N]
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import itertools
import re
import secrets
import socket
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lxml import etree

WSDLS = Path(sysconfig.get_path("purelib")) / "wsdl"
XS = "http://www.w3.org/2001/XMLSchema"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-"
WSSE, WSU = OASIS + "wss-wssecurity-secext-1.0.xsd", OASIS + "wss-wssecurity-utility-1.0.xsd"
DIGEST = OASIS + "wss-username-token-profile-1.0#PasswordDigest"
NONCE = OASIS + "wss-soap-message-security-1.0#Base64Binary"
TDS, TRT, TPTZ = (f"http://www.onvif.org/ver{it}/wsdl" for it in ("10/device", "10/media", "20/ptz"))
WSA, WSD = "http://schemas.xmlsoap.org/ws/2004/08/addressing", "http://schemas.xmlsoap.org/ws/2005/04/discovery"
NETWORK = "http://www.onvif.org/ver10/network/wsdl"
NAMES = (
    f'xmlns:s="{SOAP}" xmlns:tds="{TDS}" xmlns:trt="{TRT}" xmlns:tptz="{TPTZ}" xmlns:tt="http://www.onvif.org/ver10/schema" '
    f'xmlns:ter="http://www.onvif.org/ver10/error" xmlns:wsu="{WSU}"'
)
USER, PASSWORD = "operator", "hunter2"
# Seconds that the time of a token may be off.
TOLERANCE = 5


def schema_of(wsdl):
    """The schema within a WSDL, with what it imports from beside it."""
    tree = etree.parse(str(WSDLS / wsdl))
    text = etree.tostring(tree.find(f".//{{{XS}}}schema"))
    return etree.XMLSchema(etree.fromstring(text, base_url=str(WSDLS / wsdl)))


SCHEMAS = {TDS: schema_of("devicemgmt.wsdl"), TRT: schema_of("media.wsdl"), TPTZ: schema_of("ptz.wsdl")}


class Fault(Exception):
    """A refusal, as ONVIF's core specification has it."""

    def __init__(self, subcode, text):
        super().__init__(text)
        self.subcode = subcode

    def envelope(self):
        return envelope(
            f"<s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>{self.subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en">{self}</s:Text></s:Reason></s:Fault>'
        )


def envelope(body):
    return f'<?xml version="1.0" encoding="utf-8"?><s:Envelope {NAMES}><s:Body>{body}</s:Body></s:Envelope>'.encode()


class Camera:
    """What the double knows: its options, the tokens that were used, and where the camera points to."""

    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.used = set()
        self.position = [0.0, 0.0, 0.0]

    def now(self):
        file = self.options.clock_file
        ahead = float(Path(file).read_text()) if file else self.options.clock
        return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=ahead)

    def authenticate(self, root):
        token = root.find(f"{{{SOAP}}}Header/{{{WSSE}}}Security/{{{WSSE}}}UsernameToken")
        if token is None:
            raise Fault("ter:NotAuthorized", "there is no UsernameToken")
        find = lambda namespace, name: token.find(f"{{{namespace}}}{name}")
        user, password, nonce, created = find(WSSE, "Username"), find(WSSE, "Password"), find(WSSE, "Nonce"), find(WSU, "Created")
        if None in (user, password, nonce, created):
            raise Fault("ter:NotAuthorized", "the UsernameToken is not whole")
        if password.get("Type") != DIGEST or nonce.get("EncodingType") != NONCE:
            raise Fault("ter:NotAuthorized", "the UsernameToken is none with a digest")
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", created.text):
            raise Fault("ter:NotAuthorized", f"{created.text} is no time in UTC")
        age = self.now() - datetime.datetime.fromisoformat(created.text.replace("Z", "+00:00"))
        if abs(age.total_seconds()) > TOLERANCE:
            raise Fault(self.options.stale, "the UsernameToken is not of now")
        with self.lock:
            if nonce.text in self.used:
                raise Fault("ter:NotAuthorized", "the nonce was used before")
            self.used.add(nonce.text)
        raw = base64.b64decode(nonce.text, validate=True)
        expected = base64.b64encode(hashlib.sha1(raw + created.text.encode() + PASSWORD.encode()).digest()).decode()
        if user.text != USER or not hmac.compare_digest(password.text, expected):
            raise Fault("ter:NotAuthorized", "the password is wrong")

    def answer(self, request, origin):
        """The content of the answer's body."""
        name = etree.QName(request)
        if name.namespace not in SCHEMAS:
            raise Fault("ter:ActionNotSupported", f"there is no service of {name.namespace}")
        if not SCHEMAS[name.namespace].validate(request):
            raise Fault("ter:WellFormed", str(SCHEMAS[name.namespace].error_log.last_error.message).replace("<", ""))
        handler = getattr(self, name.localname, None)
        if handler is None:
            raise Fault("ter:ActionNotSupported", f"there is no {name.localname}")
        prefix = {TDS: "tds", TRT: "trt", TPTZ: "tptz"}[name.namespace]
        body = f"<{prefix}:{name.localname}Response>{handler(request, origin)}</{prefix}:{name.localname}Response>"
        written = etree.fromstring(f"<a {NAMES}>{body}</a>")[0]
        SCHEMAS[name.namespace].assertValid(written)
        return body

    def GetSystemDateAndTime(self, _request, _origin):
        now = self.now()
        return (
            "<tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType><tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime>"
            f"<tt:Time><tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second></tt:Time>"
            f"<tt:Date><tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day></tt:Date>"
            "</tt:UTCDateTime></tds:SystemDateAndTime>"
        )

    def GetDeviceInformation(self, _request, _origin):
        return (
            "<tds:Manufacturer>Gate &amp; Yard</tds:Manufacturer><tds:Model>Double</tds:Model><tds:FirmwareVersion>1.2.3</tds:FirmwareVersion>"
            "<tds:SerialNumber>0042</tds:SerialNumber><tds:HardwareId>7</tds:HardwareId>"
        )

    def GetCapabilities(self, _request, origin):
        origin = self.inner(origin)
        return (
            f"<tds:Capabilities><tt:Media><tt:XAddr>{origin}/onvif/media</tt:XAddr><tt:StreamingCapabilities/></tt:Media>"
            f"<tt:PTZ><tt:XAddr>{origin}/onvif/ptz</tt:XAddr></tt:PTZ></tds:Capabilities>"
        )

    def inner(self, origin):
        """What it takes for its own address: a camera behind a router knows no other one."""
        return f"http://{self.options.inner}:{origin.rsplit(':')[-1]}" if self.options.inner else origin

    def GetProfiles(self, _request, _origin):
        profile = '<trt:Profiles token="{0}" fixed="true"><tt:Name>{1}</tt:Name></trt:Profiles>'
        return profile.format("token_1", "main") + profile.format("token_2", "sub")

    def of_profile(self, request, answer):
        tokens = [it.text for it in request if etree.QName(it).localname == "ProfileToken"]
        if tokens and tokens[0] not in ("token_1", "token_2"):
            raise Fault("ter:NoProfile", f"there is no profile {tokens[0]}")
        return answer

    def GetStreamUri(self, request, _origin):
        return self.of_profile(request, self.uri(self.options.stream))

    def GetSnapshotUri(self, request, origin):
        return self.of_profile(request, self.uri(f"{self.inner(origin)}/snapshot.jpg?a=1&amp;b=2"))

    def uri(self, uri):
        return (
            f"<trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>"
            "<tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT0S</tt:Timeout></trt:MediaUri>"
        )

    def GetStatus(self, request, _origin):
        pan, tilt, zoom = self.position
        position = f'<tt:Position><tt:PanTilt x="{pan}" y="{tilt}"/><tt:Zoom x="{zoom}"/></tt:Position>'
        if self.options.position == "zoom":
            position = f'<tt:Position><tt:Zoom x="{zoom}"/></tt:Position>'
        if self.options.position == "none":
            position = ""
        return self.of_profile(
            request,
            f"<tptz:PTZStatus>{position}<tt:UtcTime>{self.now().strftime('%Y-%m-%dT%H:%M:%SZ')}</tt:UtcTime></tptz:PTZStatus>",
        )

    def vector(self, request):
        """Pan, tilt and zoom of a request; None where it has none."""
        found = {etree.QName(it).localname: it for it in request[1]}
        number = lambda name, axis: float(found[name].get(axis)) if name in found else None
        vector = [number("PanTilt", "x"), number("PanTilt", "y"), number("Zoom", "x")]
        if any(it is not None and abs(it) > 1 for it in vector):
            raise Fault("ter:InvalidPosition", f"{vector} is out of bounds")
        return vector

    def AbsoluteMove(self, request, _origin):
        vector = self.vector(request)
        print("moves to", *vector, flush=True)
        self.position = [old if new is None else new for old, new in zip(self.position, vector)]
        return self.of_profile(request, "")

    def ContinuousMove(self, request, _origin):
        timeouts = [it.text for it in request if etree.QName(it).localname == "Timeout"]
        print("moves at", *self.vector(request), "for", *timeouts, flush=True)
        return self.of_profile(request, "")

    def Stop(self, request, _origin):
        print("stops", *(it.text for it in request[1:]), flush=True)
        return self.of_profile(request, "")


class Handler(BaseHTTPRequestHandler):
    camera = None
    nonce = secrets.token_hex(8)
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body, kind, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def has_digest(self):
        """Whether the request has HTTP's digest of the password (RFC 7616, MD5 with qop=auth)."""
        header = self.headers.get("Authorization", "")
        fields = dict((key, quoted or plain) for key, quoted, plain in re.findall(r'(\w+)=(?:"([^"]*)"|([^\s,]+))', header))
        md5 = lambda text: hashlib.md5(text.encode()).hexdigest()
        if not header.startswith("Digest ") or fields.get("nonce") != self.nonce or fields.get("uri") != self.path:
            return False
        start, end = md5(f"{USER}:camera:{PASSWORD}"), md5(f"{self.command}:{self.path}")
        expected = md5(":".join([start, self.nonce, fields.get("nc", ""), fields.get("cnonce", ""), "auth", end]))
        return fields.get("username") == USER and fields.get("response") == expected

    def challenge(self):
        print("wants a digest", flush=True)
        header = f'Digest realm="camera", qop="auth", algorithm=MD5, nonce="{self.nonce}"'
        self.reply(401, b"", "text/plain", [("WWW-Authenticate", header)])

    def do_GET(self):
        if self.path != "/snapshot.jpg?a=1&b=2":
            return self.reply(404, b"", "text/plain")
        if self.camera.options.auth != "none" and not self.has_digest():
            return self.challenge()
        self.reply(200, Path(self.camera.options.jpeg).read_bytes(), "image/jpeg")

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.headers.get("Content-Type", "").startswith("application/soap+xml"):
            return self.reply(415, b"", "text/plain")
        try:
            root = etree.fromstring(body)
            request = root.find(f"{{{SOAP}}}Body")[0]
            name = etree.QName(request).localname
            if name != "GetSystemDateAndTime":
                if self.camera.options.auth == "http" and not self.has_digest():
                    return self.challenge()
                if self.camera.options.auth == "wsse":
                    self.camera.authenticate(root)
            origin = f"http://{self.headers['Host']}"
            answer = self.camera.answer(request, origin)
        except Fault as fault:
            print("refuses:", fault, flush=True)
            if fault.subcode == "401":
                return self.reply(401, b"", "text/plain")
            return self.reply(400, fault.envelope(), "application/soap+xml; charset=utf-8")
        print("takes", name, flush=True)
        self.reply(200, envelope(answer), "application/soap+xml; charset=utf-8")


def answer_probes(port, udp, lose):
    """WS-Discovery: answers each probe for a video transmitter, and first with garbage, as the network has it. Some get lost before."""
    for number in itertools.count():
        data, peer = udp.recvfrom(65535)
        root = etree.fromstring(data)
        probe = root.find(f"{{{SOAP}}}Body/{{{WSD}}}Probe")
        types = probe.find(f"{{{WSD}}}Types")
        prefix, name = types.text.split(":")
        head = lambda name: root.findtext(f"{{{SOAP}}}Header/{{{WSA}}}{name}")
        message = head("MessageID")
        asks_for_cameras = (types.nsmap[prefix], name) == (NETWORK, "NetworkVideoTransmitter")
        is_probe = (head("Action"), head("To")) == (f"{WSD}/Probe", "urn:schemas-xmlsoap-org:ws:2005:04:discovery")
        if not (asks_for_cameras and is_probe and re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", message)):
            print("refuses a probe:", data, flush=True)
            continue
        if number < lose:
            continue
        udp.sendto(b"<garbage", peer)
        match = (
            f'<s:Envelope xmlns:s="{SOAP}" xmlns:a="{WSA}" xmlns:d="{WSD}" xmlns:dn="{NETWORK}">'
            f"<s:Header><a:MessageID>urn:uuid:1</a:MessageID><a:RelatesTo>{{}}</a:RelatesTo></s:Header><s:Body><d:ProbeMatches><d:ProbeMatch>"
            "<a:EndpointReference><a:Address>urn:uuid:42</a:Address></a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types>"
            "<d:Scopes>onvif://www.onvif.org/name/{} onvif://www.onvif.org/hardware/Double</d:Scopes>"
            "<d:XAddrs>https://127.0.0.1/ http://127.0.0.1:{}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
            "</d:ProbeMatch></d:ProbeMatches></s:Body></s:Envelope>"
        )
        gate, yard = ("Gate%20camera", f"{port}/onvif/device_service"), ("Yard", f"{port}/onvif?a=1&amp;b=%20")
        # One to somebody else's question, twice the right one, and another camera.
        for answer in (("urn:uuid:other", "Other", "1/"), (message, *gate), (message, *gate), (message, *yard)):
            udp.sendto(match.format(*answer).encode(), peer)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--auth", choices=["none", "wsse", "http"], default="none")
    parser.add_argument("--clock", type=float, default=0, help="seconds that its clock is ahead")
    parser.add_argument("--clock-file", default="", help="a file with these seconds")
    parser.add_argument("--stale", default="ter:NotAuthorized", help="the fault of a token that is not of now; 401 for this status")
    parser.add_argument("--position", choices=["all", "zoom", "none"], default="all", help="what it says of where it looks")
    parser.add_argument("--lose", type=int, default=0, help="how many probes get lost")
    parser.add_argument("--stream", default="rtsp://127.0.0.1/")
    parser.add_argument("--jpeg", default="")
    parser.add_argument("--inner", default="", help="the host that it takes for its own")
    options = parser.parse_args()
    Handler.camera = Camera(options)
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    threading.Thread(target=answer_probes, args=(server.server_port, udp, options.lose), daemon=True).start()
    print("listening", server.server_port, udp.getsockname()[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
