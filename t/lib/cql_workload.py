#!/usr/bin/env python3
"""An application behind a proxy: CQL requests at a fixed rate until told to end.

    t/lib/cql_workload.py --proxy 127.0.0.1 --ports 9042,9043 --rate 50 --out FILE

It knows no node, only the proxy, and holds one connection to each of its ports. Every request is
LOCAL_QUORUM and idempotent and may be tried again a few times, elsewhere. FILE gets a line of JSON for
each request: when it began, its ms, what it was, and the error, if one surfaced; and "begun" and "to",
the addresses connected to, at the end (SIGTERM), once all requests have their outcome.
"""

import argparse
import collections
import json
import logging
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True

import cassandra_fetch

sys.path.insert(0, str(cassandra_fetch.DRIVER))

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import (ConstantReconnectionPolicy, RetryPolicy,
                                WhiteListRoundRobinPolicy)
from cassandra.query import SimpleStatement

KEYS = 100
SCHEMA = ("CREATE KEYSPACE IF NOT EXISTS app WITH replication = "
          "{{'class': 'NetworkTopologyStrategy', {}}}",
          "CREATE TABLE IF NOT EXISTS app.t (k int PRIMARY KEY, v bigint)")


class Again(RetryPolicy):
    """What failed is tried again, on another connection, a bounded number of times."""
    TIMES = 3

    def _decide(self, retry_num):
        return (self.RETRY_NEXT_HOST if retry_num < self.TIMES else self.RETHROW), None

    def on_read_timeout(self, *args, retry_num, **words):
        return self._decide(retry_num)

    def on_write_timeout(self, *args, retry_num, **words):
        return self._decide(retry_num)

    def on_unavailable(self, *args, retry_num, **words):
        return self._decide(retry_num)

    def on_request_error(self, *args, retry_num, **words):
        return self._decide(retry_num)


class Counted(Cluster.connection_class):
    """A connection, and how many there were to which address."""
    to = collections.Counter()

    @classmethod
    def factory(cls, endpoint, timeout, *args, **words):
        cls.to[endpoint.resolve()[0]] += 1
        return super().factory(endpoint, timeout, *args, **words)


class Proxied(Cluster):
    """The ring that a node tells of must not make us forget the proxy, which is no part of it."""
    connection_class = Counted

    def remove_host(self, host):
        if host and host.endpoint not in self.endpoints_resolved:
            super().remove_host(host)


class Workload:
    def __init__(self, session, out):
        self.session = session
        self.out = out
        self.lock = threading.Lock()
        self.begun = self.ended = 0
        self.stop = threading.Event()

    def request(self, number):
        key = number // 2 % KEYS
        kind, query = (("read", f"SELECT v FROM app.t WHERE k = {key}") if number % 2 else
                       ("write", f"INSERT INTO app.t (k, v) VALUES ({key}, {number})"))
        began, clock = time.time(), time.monotonic()
        future = None

        def done(error):
            again = future.attempted_hosts if future else []
            line = json.dumps({"at": round(began, 3), "ms": round(1000 * (time.monotonic() - clock)),
                               "kind": kind, "tries": len(again), "error": error})
            with self.lock:
                self.ended += 1
                self.out.write(line + "\n")
                self.out.flush()

        def answered(rows):
            # A row that was acknowledged is never missing; the first reads follow their writes.
            done("the row is missing" if kind == "read" and not rows else None)

        self.begun += 1
        try:
            future = self.session.execute_async(SimpleStatement(query, is_idempotent=True))
            future.add_callbacks(answered, lambda error: done(f"{type(error).__name__}: {error}"))
        except Exception as error:     # none is known to come this way, but nothing goes uncounted
            done(f"{type(error).__name__}: {error}")

    def run(self, rate):
        began, number = time.monotonic(), 0
        while not self.stop.wait(max(0, began + number / rate - time.monotonic())):
            self.request(number)
            number += 1

    def drain(self, seconds):
        until = time.monotonic() + seconds
        while self.ended < self.begun and time.monotonic() < until:
            time.sleep(0.02)


def connect(args):
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy([args.proxy]), retry_policy=Again(),
        consistency_level=ConsistencyLevel.LOCAL_QUORUM, request_timeout=15)
    return Proxied([(args.proxy, port) for port in args.ports],
                   execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                   protocol_version=5, connect_timeout=10, control_connection_timeout=10,
                   reconnection_policy=ConstantReconnectionPolicy(0.5, max_attempts=None))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--proxy", required=True)
    parser.add_argument("--ports", required=True, type=lambda text: [int(p) for p in text.split(",")])
    parser.add_argument("--rate", type=float, default=50, help="requests a second (%(default)s)")
    parser.add_argument("--replicas", default="'dc1': 3", help="of the keyspace (%(default)s)")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)

    cluster = connect(args)
    session = cluster.connect()
    for statement in SCHEMA:
        session.execute(statement.format(args.replicas), timeout=60)
    for key in range(KEYS):
        session.execute(f"INSERT INTO app.t (k, v) VALUES ({key}, 0)", timeout=60)
    with open(args.out, "w", encoding="utf-8") as out:
        workload = Workload(session, out)
        signal.signal(signal.SIGTERM, lambda *_: workload.stop.set())
        workload.run(args.rate)
        workload.drain(30)
        out.write(json.dumps({"begun": workload.begun, "to": dict(Counted.to)}) + "\n")
    cluster.shutdown()


if __name__ == "__main__":
    main()
