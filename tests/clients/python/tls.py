"""Asks a mapper over TLS, without a certificate and with one.

Usage: tls.py URL CERTIFICATE KEY. The certificate is the server's, what this client trusts, and what it identifies itself by.
"""

import json
import ssl
import sys
import urllib.error
import urllib.request


def ask(url, context, method="GET", body=None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.status, json.load(error)


def main(url, certificate, key):
    stranger = ssl.create_default_context(cafile=certificate)
    status, problem = ask(url + "/api/v2/devices", stranger)
    assert status == 401, problem

    known = ssl.create_default_context(cafile=certificate)
    known.load_cert_chain(certificate, key)
    status, devices = ask(url + "/api/v2/devices", known)
    assert status == 200 and devices["total"] == 1, devices
    heater = url + "/api/v2/devices/default/room-1/properties/heater"
    status, answer = ask(heater, known, "PUT", b'{"value": "true"}')
    assert status == 200 and answer["readBack"][0]["value"] == "true", answer
    status, _ = ask(heater, stranger, "PUT", b'{"value": "false"}')
    assert status == 401, status
    print("all steps done")


if __name__ == "__main__":
    main(*sys.argv[1:])
