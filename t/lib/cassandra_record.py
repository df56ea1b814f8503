"""Records t/fixtures/jolokia: a cluster is led through its states, the answers kept as they came.

Files are LABEL-nodeN-fast.json and LABEL-nodeN-detail.json, N being the node that was asked.
"""

import json
import pathlib
import signal
import threading
import time

from cassandra_cluster import FAILURE_DETECTOR, STORAGE_SERVICE
from cassandra_fetch import Failed

QUERY = "?ignoreErrors=true&includeRequest=false&includeStackTrace=false"


def read(mbean, attribute):
    return {"type": "read", "mbean": mbean, "attribute": attribute}


FAST = [read(FAILURE_DETECTOR, "SimpleStatesWithPort"),
        read(STORAGE_SERVICE, ["OperationMode", "NativeTransportRunning", "GossipRunning",
                               "LocalHostId", "ClusterName", "ReleaseVersion"])]
DETAIL = [*FAST, read(FAILURE_DETECTOR, "AllEndpointStatesWithPort"),
          read(FAILURE_DETECTOR, "PhiValuesWithPort"),
          read("org.apache.cassandra.db:type=StorageProxy", "MaxHintWindow")]


class Recorder:
    def __init__(self, cluster, out):
        self.cluster, self.out = cluster, pathlib.Path(out)
        self.out.mkdir(parents=True, exist_ok=True)

    def save(self, label, *numbers):
        for number in numbers:
            node = self.cluster.node(number)
            for name, body in (("fast", FAST), ("detail", DETAIL)):
                self._write(f"{label}-node{number}-{name}", self._ask(node, body))

    def save_start(self, label, number):
        """Starts a node and keeps each answer that differs in kind from the one before."""
        node = self.cluster.node(number)
        self.cluster.start(node)
        shape, count = None, 0
        until = time.monotonic() + 120
        while self.cluster.state(node) != ("NORMAL", True) and time.monotonic() < until:
            try:
                answer = self._ask(node, FAST)
            except OSError:
                continue
            if shape != (shape := _shape(answer)):
                count += 1
                self._write(f"{label}-{count:02}-node{number}-fast", answer)
        self.cluster.wait(node, "normal", 10)

    def until_gossiped(self, number, text):
        """Waits until node 1 has a word such as BOOT as the status of an endpoint."""
        end = f"{self.cluster.node(number)['address']}:7000\n"
        until = time.monotonic() + 60
        while time.monotonic() < until:
            states = self.cluster.jolokia(self.cluster.node(1)).read(
                FAILURE_DETECTOR, "AllEndpointStatesWithPort")
            part = states.partition(end)[2].split("\n/")[0]
            if f":{text}" in part:
                return
            time.sleep(0.1)
        raise Failed(f"node 1 never gossiped {text} for node {number}")

    def execute(self, number, operation, *arguments, timeout=120):
        self.cluster.jolokia(self.cluster.node(number), timeout).execute(
            STORAGE_SERVICE, operation, *arguments)

    def save_http(self, label, number, auth):
        """The whole answer, head and body, to one asking with (user, password)."""
        asker = self.cluster.jolokia(self.cluster.node(number), auth=auth)
        status, headers, body = asker.post(FAST, QUERY)
        head = f"HTTP/1.1 {status}\n" + "".join(f"{k}: {v}\n" for k, v in headers) + "\n"
        (self.out / f"{label}.http").write_bytes(head.encode() + body)

    def _ask(self, node, body):
        return self.cluster.jolokia(node).post(body, QUERY)[2]

    def _write(self, name, answer):
        (self.out / f"{name}.json").write_bytes(answer)


def _shape(answer):
    """What makes a phase of a start: which reads failed, and the values of those that did not."""
    elements = json.loads(answer)
    return json.dumps([{k: v for k, v in e.items() if k != "timestamp"} for e in elements],
                      sort_keys=True)


def record(cluster, out):
    if any(map(cluster.pid, cluster.nodes)) or len(cluster.nodes) != 3:
        raise Failed("record needs a new cluster of three nodes, none of them started")
    it = Recorder(cluster, out)
    wait = lambda number, what: cluster.wait(cluster.node(number), what, 240)
    try:
        it.save_start("start", 1)
        for number in (2, 3):
            cluster.start(cluster.node(number))
        for number in (2, 3):
            wait(number, "normal")
        for number in (1, 2, 3):
            wait(number, "up")
        it.save("steady", 1, 2, 3)
        _crash(it, wait)
        _services(it, wait)
        _membership(it, wait)
        _shutdown(it, wait)
    finally:
        cluster.stop(cluster.nodes, 0)


def _crash(it, wait):
    it.cluster.signal(it.cluster.node(3), signal.SIGKILL)
    wait(3, "gone")
    it.save("killed", 1, 2)
    wait(3, "down")
    it.save("killed-down", 1, 2)
    it.save_start("restart", 3)
    for number in (1, 2, 3):
        wait(number, "up")
    it.save("restarted", 1, 3)


def _services(it, wait):
    it.execute(2, "stopNativeTransport")
    it.save("native-off", 1, 2)
    it.execute(2, "startNativeTransport")
    wait(2, "normal")
    it.execute(2, "stopGossiping")
    wait(2, "down")
    it.save("gossip-off", 1, 2)
    it.execute(2, "startGossiping")
    wait(2, "up")


def _membership(it, wait):
    it.cluster.add("dc2:r2")
    it.cluster.start(it.cluster.node(4))
    it.until_gossiped(4, "BOOT")
    it.save("joining", 1, 4)
    wait(4, "normal")
    wait(4, "up")
    leaving = threading.Thread(target=it.execute, args=(4, "decommission(boolean)", False))
    leaving.start()
    wait(4, "leaving")
    it.until_gossiped(4, "LEAVING")
    it.save("leaving", 1, 4)
    leaving.join()
    wait(4, "decommissioned")
    it.save("decommissioned", 1, 4)
    it.cluster.stop([it.cluster.node(4)])
    it.save("decommissioned-gone", 1)


def _shutdown(it, wait):
    it.execute(2, "drain")
    wait(2, "drained")
    wait(2, "down")
    it.save("drained", 1, 2)
    it.cluster.stop([it.cluster.node(2)])
    it.save("shutdown", 1)
    it.cluster.conf |= {"jolokia_user": "prober", "jolokia_password": "right"}
    it.cluster.start(it.cluster.node(2))
    wait(2, "normal")
    for label, auth in (("login-none", ("", "")), ("login-wrong", ("prober", "wrong")),
                        ("login-right", ("prober", "right"))):
        it.save_http(label, 2, auth)
