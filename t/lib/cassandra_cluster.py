"""A cluster of real nodes in one directory: cluster.json, and nodeN/ with all that a node owns."""

import contextlib
import json
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import sys
import time

import cassandra_conf
import cassandra_fetch
import cassandra_jolokia
from cassandra_fetch import Failed

STORAGE_SERVICE = "org.apache.cassandra.db:type=StorageService"
FAILURE_DETECTOR = "org.apache.cassandra.net:type=FailureDetector"
PORTS = (cassandra_conf.STORAGE, cassandra_conf.NATIVE, cassandra_conf.JMX,
         cassandra_conf.JOLOKIA)


class Cluster:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory).resolve()
        try:
            self.conf = json.loads((self.directory / "cluster.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise Failed(f"{directory} holds no cluster; make one with: new {directory}") from None

    @classmethod
    def new(cls, directory, base, layout, seeds, **conf):
        directory = pathlib.Path(directory).resolve()
        if (directory / "cluster.json").exists():
            raise Failed(f"{directory} already holds a cluster")
        directory.mkdir(parents=True, exist_ok=True)
        conf |= {"base": base or free_base(len(layout) + 4), "nodes": []}
        for number, place in enumerate(layout, 1):
            conf["nodes"].append(_node(conf, number, place, number in seeds, bootstrap=False))
        _save(directory, conf)
        cluster = cls(directory)
        for node in conf["nodes"]:
            cassandra_conf.write(conf, node, cluster.home(node))
        return cluster

    def add(self, place):
        """A node that will bootstrap when it is started."""
        number = len(self.conf["nodes"]) + 1
        node = _node(self.conf, number, place, seed=False, bootstrap=True)
        self.conf["nodes"].append(node)
        _save(self.directory, self.conf)
        cassandra_conf.write(self.conf, node, self.home(node))
        return node

    @property
    def nodes(self):
        return self.conf["nodes"]

    def node(self, number):
        for node in self.nodes:
            if str(node["number"]) == str(number):
                return node
        raise Failed(f"no node {number}: this cluster has 1 to {len(self.nodes)}")

    def home(self, node):
        return self.directory / f"node{node['number']}"

    def jolokia(self, node, timeout=5, auth=None):
        auth = auth or (self.conf["jolokia_user"], self.conf["jolokia_password"])
        return cassandra_jolokia.Jolokia(node["address"], cassandra_conf.JOLOKIA, auth, timeout)

    # Processes: a pid counts only with the start time it had when we started it.

    def pid(self, node):
        try:
            pid, started = (self.home(node) / "pid").read_text(encoding="ascii").split()
        except (FileNotFoundError, ValueError):
            return None
        return int(pid) if start_time(pid) == started else None

    def start(self, node, die_with=None):
        if self.pid(node):
            raise Failed(f"node {node['number']} is already running")
        home = self.home(node)
        netns = home / "netns"
        until = time.monotonic() + 5     # what just ended may not have closed all it had open
        for port in () if netns.exists() else PORTS:
            while not can_bind(node["address"], port):
                if time.monotonic() > until:
                    raise Failed(f"{node['address']}:{port} is taken")
                time.sleep(0.1)
        command = cassandra_conf.command(self.conf, node, home)
        if netns.exists():
            command = ["nsenter", f"--net={netns}", *command]
        with open(home / "console.log", "ab") as console:
            java = subprocess.Popen(command, cwd=home, stdin=subprocess.DEVNULL, stdout=console,
                                    stderr=console, start_new_session=True)
        (home / "pid").write_text(f"{java.pid} {start_time(java.pid)}", encoding="ascii")
        if die_with:
            watch(die_with, java.pid)

    def signal(self, node, number):
        pid = self.pid(node)
        if not pid:
            raise Failed(f"node {node['number']} is not running")
        os.kill(pid, number)

    def stop(self, nodes, timeout=20):
        """SIGTERM (and SIGCONT, for the paused), SIGKILL for those that take too long."""
        self._signal_all(nodes, signal.SIGTERM, signal.SIGCONT)
        until = time.monotonic() + timeout
        while time.monotonic() < until and any(map(self.pid, nodes)):
            time.sleep(0.05)
        self._signal_all(nodes, signal.SIGKILL)
        for node in nodes:
            self.wait(node, "gone", 10)

    def _signal_all(self, nodes, *numbers):
        for number in numbers:
            for node in nodes:
                if pid := self.pid(node):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)

    # What nodes say

    def state(self, node):
        """OperationMode and whether CQL is served; None while there is no answer."""
        try:
            answer = self.jolokia(node).read(STORAGE_SERVICE,
                                             ["OperationMode", "NativeTransportRunning"])
        except Failed:
            return None
        return answer["OperationMode"], answer["NativeTransportRunning"]

    def opinions(self, node):
        """What the other running nodes' failure detectors say of a node."""
        said = {}
        for other in self.nodes:
            if other is node or not self.pid(other):
                continue
            try:
                states = self.jolokia(other).read(FAILURE_DETECTOR, "SimpleStatesWithPort")
            except Failed:
                said[other["number"]] = "?"
                continue
            mine = {key.rsplit("/", 1)[-1]: value for key, value in states.items()}
            said[other["number"]] = mine.get(f"{node['address']}:{cassandra_conf.STORAGE}", "?")
        return said

    def wait(self, node, what, timeout):
        """Until a node is normal, gone, up or down (as all the others say) or in a named mode."""
        until = time.monotonic() + timeout
        while not self._is(node, what):
            if what != "gone" and what != "down" and not self.pid(node):
                raise Failed(f"node {node['number']} died; its log ends:\n{self.log_tail(node)}")
            if time.monotonic() > until:
                raise Failed(f"node {node['number']} is not {what} after {timeout} s; "
                             f"its log ends:\n{self.log_tail(node)}")
            time.sleep(0.1)

    def _is(self, node, what):
        if what == "gone":
            return not self.pid(node)
        if what in ("up", "down"):
            said = self.opinions(node)
            return bool(said) and set(said.values()) == {what.upper()}
        state = self.state(node)
        if what == "normal":
            return state == ("NORMAL", True)
        return bool(state) and state[0] == what.upper()

    def log_tail(self, node, lines=6):
        home = self.home(node)
        for name in ("system.log", "console.log"):
            try:
                text = (home / name).read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:
                continue
            said = [line for line in text.splitlines() if not line.startswith("\t")]
            if said:
                return "\n".join(line[:200] for line in said[-lines:]) + f"\n({home / name})"
        return f"(nothing was written in {home})"


def _node(conf, number, place, seed, bootstrap):
    dc, _, rack = place.partition(":")
    return {"number": number, "address": f"{conf['base']}{number}", "dc": dc,
            "rack": rack or "r1", "seed": seed, "bootstrap": bootstrap}


def _save(directory, conf):
    part = directory / "cluster.json.part"
    part.write_text(json.dumps(conf, indent=2) + "\n", encoding="utf-8")
    part.rename(directory / "cluster.json")


def start_time(pid):
    """As in /proc/PID/stat: it tells our process from a later one with the same pid."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def can_bind(address, port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_base(nodes):
    for third in random.sample(range(1, 255), 254):
        base = f"127.0.{third}."
        if all(can_bind(f"{base}{n}", port) for n in range(1, nodes + 1) for port in PORTS):
            return base
    raise Failed("no 127.0.A.0/24 is free of listeners")


def watch(parent, child):
    """Leaves a process behind that ends `child` when `parent` ends, and itself with either."""
    subprocess.Popen([sys.executable, "-B", __file__, str(parent), str(child)],
                     start_new_session=True, stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _watch(parent, child):
    ends = os.pidfd_open(child)
    try:
        origin = os.pidfd_open(parent)
        select.select([origin, ends], [], [])
    except ProcessLookupError:
        pass
    for number in (signal.SIGTERM, signal.SIGCONT, signal.SIGKILL):
        try:
            signal.pidfd_send_signal(ends, number)
        except ProcessLookupError:
            return
        if number == signal.SIGCONT:
            select.select([ends], [], [], 5)


if __name__ == "__main__":
    _watch(int(sys.argv[1]), int(sys.argv[2]))
