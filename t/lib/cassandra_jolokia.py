"""Jolokia over HTTP, as much of it as tests need."""

import base64
import http.client
import json

from cassandra_fetch import Failed


class Jolokia:
    def __init__(self, address, port, auth=("", ""), timeout=5):
        self.host, self.port, self.timeout = address, port, timeout
        self.headers = {"Content-Type": "application/json"}
        if auth[0]:
            word = base64.b64encode(":".join(auth).encode()).decode()
            self.headers["Authorization"] = f"Basic {word}"

    @property
    def url(self):
        return f"http://{self.host}:{self.port}/jolokia"

    def post(self, body, query=""):
        """The answer as it came: (HTTP status, headers, bytes)."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=self.timeout)
        try:
            connection.request("POST", "/jolokia/" + query, json.dumps(body), self.headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def ask(self, request):
        try:
            status, _, body = self.post(request)
        except OSError as error:
            raise Failed(f"{self.url}: {error.strerror or error}") from None
        try:
            answer = json.loads(body)
        except ValueError:
            raise Failed(f"{self.url}: HTTP {status}, not JSON: {body[:80]!r}") from None
        if answer.get("status") != 200:
            raise Failed(f"{self.url}: {answer.get('error') or f'HTTP {status}'}")
        return answer["value"]

    def read(self, mbean, attribute):
        return self.ask({"type": "read", "mbean": mbean, "attribute": attribute})

    def execute(self, mbean, operation, *arguments):
        """An operation that is overloaded needs its signature: "decommission(boolean)"."""
        if not arguments and "(" not in operation:
            operation += "()"
        return self.ask({"type": "exec", "mbean": mbean, "operation": operation,
                         "arguments": list(arguments)})
