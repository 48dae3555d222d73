"""A client of the mapper's HTTP API that is made from its OpenAPI document: each operation is a method.

Usage: api.py URL TOKEN. It does the steps of the tutorial: looks at the device, reads it, switches the heater by a write and by a method, sees
both come back, and asks why a property that fails has no value.
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request


class Api:
    """Operations by their ids. Parameters of the path and the query are keyword arguments, and so is the body."""

    def __init__(self, url, token):
        self.url, self.token = url, token
        document = self.ask("GET", "/api/v2/openapi.json")
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if "operationId" in operation
        }

    def __getattr__(self, name):
        method, path, operation = self.operations[name]
        places = {parameter["name"]: parameter["in"] for parameter in operation.get("parameters", [])}

        def call(body=None, **arguments):
            quoted = {key: urllib.parse.quote(str(value), safe="") for key, value in arguments.items()}
            filled = path.format(**{key: value for key, value in quoted.items() if places[key] == "path"})
            query = {key: value for key, value in arguments.items() if places[key] == "query"}
            return self.ask(method, filled + ("?" + urllib.parse.urlencode(query) if query else ""), body)

        return call

    def ask(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Authorization", "Bearer " + self.token)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


def main(url, token):
    api = Api(url, token)
    room = {"namespace": "default", "name": "room-1"}

    [device] = api.listDevices(search="ROOM")["items"]
    assert device["state"] == "online" and device["properties"] == 3, device
    temperature = api.getProperty(**room, property="temperature", fresh="true")
    assert temperature["value"] == "21.5" and temperature["description"] == "Größe 温度", temperature

    written = api.writeProperty({"value": "true"}, **room, property="heater")
    assert [it["value"] for it in written["readBack"]] == ["true"], written
    called = api.callMethod({"arguments": {"heater": "false"}}, **room, method="switch")
    assert called["results"] == [{"value": "false", "type": "BOOLEAN"}], called
    assert api.getProperty(**room, property="heater", fresh="true")["value"] == "false"

    try:
        api.writeProperty({"value": "warm"}, **room, property="heater")
        raise AssertionError("a word is no boolean")
    except urllib.error.HTTPError as error:
        problem = json.load(error)
        assert error.headers["Content-Type"] == "application/problem+json" and problem["status"] == 422, problem

    why = api.explain(**room, property="broken")
    assert why["heldUpBy"] == "read", why
    why = api.explain(namespace="default", name="attic", property="temperature")
    assert why["heldUpBy"] == "session", why
    [session] = [stage for stage in why["stages"] if stage["name"] == "session"]
    assert "the door is locked" in session["detail"] and session["cure"] and session["since"], session
    problems = {(it["subject"]["name"], it["subject"]["property"]) for it in api.listProblems()["items"]}
    assert problems == {("attic", None), ("room-1", "broken")}, problems
    print("all steps done")


if __name__ == "__main__":
    main(*sys.argv[1:])
