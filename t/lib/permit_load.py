#!/usr/bin/python3
"""Clients that ask for permits, as many at once as there are, and checks that no two of them hold one.

    permit_load.py CLIENTS TTL_S SOCKET... -- NODE...

Each asks one of the sockets for POST /may-stop/NODE with a token of its own, holds what it gets for a moment, and gives it back.
A request whose outcome nobody knows is asked again with its token, of any socket, until the answer is yes or no. What is held is
held from the answer to the request that gives it back; all clients are one process, so that the order is certain.

Ends after a line on stdin, once there were 10,000 requests or a minute later, when nobody holds anything any more, with one line: requests=N taken=N refused=N unknown=N
returned=N overlaps=N, before which each overlap has one of its own.
"""
import asyncio
import json
import random
import sys
import time

counts = dict.fromkeys(("requests", "taken", "refused", "unknown", "returned", "overlaps"), 0)
held = {}  # token: until when at most


class Connections:
    """One to each socket, kept."""

    def __init__(self, paths):
        self.paths = paths
        self.open = {}

    async def ask(self, method, target):
        """Status and body of any of the sockets; (0, "") when there was no answer."""
        path = random.choice(self.paths)
        counts["requests"] += 1
        try:
            if path not in self.open:
                self.open[path] = await asyncio.open_unix_connection(path)
            reader, writer = self.open[path]
            writer.write(f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-Prober-User: load\r\n"
                         "Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
            length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length")]
            body = await reader.readexactly(length[0] if length else 0)
            return int(head.split()[1]), body.decode()
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            if path in self.open:
                self.open.pop(path)[1].close()
            await asyncio.sleep(0.05)
            return 0, ""


def hold(token, until):
    now = time.monotonic()
    for other in [other for other, end in held.items() if end <= now]:
        del held[other]
    if held:
        counts["overlaps"] += 1
        print(f"{token} was given while {', '.join(held)} was held", flush=True)
    held[token] = until


LEAST = 10000


async def until(told, ended):
    await told.wait()
    late = time.monotonic() + 60
    while counts["requests"] < LEAST and not counts["overlaps"] and time.monotonic() < late:
        await asyncio.sleep(0.1)
    ended.set()


async def client(number, connections, node, ttl, ended):
    n = 0
    while not ended.is_set():
        n += 1
        token = f"client-{number}-{n}"
        while True:
            began = time.monotonic()
            status, body = await connections.ask("POST", f"/may-stop/{node}?ttl={ttl}s&token={token}")
            if status in (200, 409):
                break
            counts["unknown"] += 1
            await asyncio.sleep(random.random() * 0.1)
        if status == 409:
            counts["refused"] += 1
            await asyncio.sleep(random.random() * 0.06)
            continue
        counts["taken"] += 1
        assert json.loads(body)["token"] == token, body
        hold(token, began + ttl)
        await asyncio.sleep(random.random() * 0.03)
        held.pop(token, None)
        while True:
            status, _ = await connections.ask("DELETE", f"/may-stop/{node}?token={token}")
            if status in (200, 409):
                break
            counts["unknown"] += 1
        counts["returned"] += 1


async def main():
    at = sys.argv.index("--")
    clients, ttl, sockets, nodes = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:at], sys.argv[at + 1:]
    told, ended = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, told.set)
    await asyncio.gather(until(told, ended), *(client(i, Connections(sockets), nodes[i % len(nodes)], ttl, ended)
                                               for i in range(clients)))
    print(" ".join(f"{name}={n}" for name, n in counts.items()), flush=True)


asyncio.run(main())
