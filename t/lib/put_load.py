#!/usr/bin/python3
"""Clients of the control socket, each of which drains a node of its own with a TTL that it counts up.

    put_load.py SOCKET CLIENTS COUNT ADDRESS...

Prints "sent CLIENT TTL" before a request and "acked CLIENT TTL" after its 200, and ends when every
client has COUNT of them and there was a line on stdin. A request that got no answer is sent again, with the next TTL. Besides,
one client sets /dcs to values that are whole or not: NAME of N characters, N replicas.
"""
import asyncio
import sys

out = sys.stdout


def say(*words):
    out.write(" ".join(map(str, words)) + "\n")
    out.flush()


class Connection:
    def __init__(self, path):
        self.path = path
        self.reader = self.writer = None

    async def put(self, target, body=b""):
        """The status; 0 when there was no answer."""
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_unix_connection(self.path)
            self.writer.write(b"PUT %s HTTP/1.1\r\nHost: x\r\nX-Prober-User: load\r\nContent-Length: %d\r\n\r\n%s"
                              % (target.encode(), len(body), body))
            await self.writer.drain()
            head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 20)
            length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length")]
            await self.reader.readexactly(length[0] if length else 0)
            return int(head.split()[1])
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            if self.writer is not None:
                self.writer.close()
            self.writer = None
            await asyncio.sleep(0.02)
            return 0


async def client(path, number, address, count, told, done):
    connection = Connection(path)
    ttl, acked = 1000, 0
    while acked < count or not told.is_set():
        ttl += 1
        say("sent", number, ttl)
        status = await connection.put(f"/drain/{address}?ttl={ttl}s")
        if status == 200:
            say("acked", number, ttl)
            acked += 1
        elif status != 0:
            say("refused", number, ttl, status)
            await asyncio.sleep(0.02)
    done.append(number)


async def writer_of_dcs(path, clients, done):
    connection = Connection(path)
    n = 0
    while len(done) < clients:
        n = n % 40 + 1
        await connection.put("/dcs", b'[{"name":"%s","replicas":%d}]' % (b"d" * n, n))
        await asyncio.sleep(0.01)


async def main():
    path, clients, count, addresses = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    done = []
    told = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, told.set)
    await asyncio.gather(*(client(path, i, addresses[i], count, told, done) for i in range(clients)),
                         writer_of_dcs(path, clients, done))


asyncio.run(main())
