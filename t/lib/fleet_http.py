"""A small HTTP/1.1 server for very many addresses in one thread: raw sockets under one epoll.

An owner is given to each listener. It has `answer(request)`, which returns the answer's pieces, or
None to leave the request without one; `bytes_per_s` slows the sending when it is not 0.
"""
import select
import socket

MAX_REQUEST = 1 << 20
READ, READ_WRITE = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT
TICK = 0.05  # seconds between two portions of a slowed answer


class BadRequest(Exception):
    pass


class Request:
    __slots__ = ('method', 'path', 'headers', 'body', 'memo')

    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.memo = None  # for the owner: a repeated request on a connection is the same object

    @property
    def closes(self):
        return self.headers.get('connection', '').lower() == 'close'


def parse(data):
    """The first request in `data` and its length; (None, 0) while it is not complete."""
    end = data.find(b'\r\n\r\n')
    if end < 0:
        if len(data) > MAX_REQUEST:
            raise BadRequest
        return None, 0
    first, *lines = data[:end].decode('latin-1').split('\r\n')
    try:
        method, path, version = first.split(' ')
        headers = {}
        for line in lines:
            name, value = line.split(':', 1)
            headers[name.lower()] = value.strip()
        total = end + 4 + int(headers.get('content-length', 0))
    except ValueError:
        raise BadRequest from None
    if version != 'HTTP/1.1' or 'transfer-encoding' in headers:
        raise BadRequest
    if not end + 4 <= total <= MAX_REQUEST:
        raise BadRequest
    if len(data) < total:
        return None, 0
    return Request(method, path, headers, bytes(data[end + 4:total])), total


class Listener:
    def __init__(self, server, sock, owner):
        self.server, self.sock, self.owner = server, sock, owner
        self.connections = set()
        server.watch(sock, READ, self.on_event)

    def on_event(self, events):
        for _ in range(64):
            try:
                sock, _ = self.sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            self.connections.add(Connection(self, sock))

    def close(self):
        """Ends the connections too, as a killed process would."""
        self.server.unwatch(self.sock)
        self.sock.close()
        for connection in list(self.connections):
            connection.close()


class Connection:
    def __init__(self, listener, sock):
        self.listener, self.sock, self.owner = listener, sock, listener.owner
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b''
        self.last = (b'', None)    # the last request as bytes and parsed
        self.sending = None        # memoryview of what the socket did not take yet
        self.unanswered = None     # a request the owner left without an answer
        self.pausing = False       # between two portions
        listener.server.watch(sock, READ, self.on_event)

    def close(self):
        if self.sock.fileno() >= 0:
            self.listener.server.unwatch(self.sock)
            self.sock.close()
            self.listener.connections.discard(self)

    def on_event(self, events):
        try:
            if events & ~select.EPOLLOUT:
                self.receive()
            if events & select.EPOLLOUT and self.sending is not None and not self.pausing:
                self.send()
        except (OSError, BadRequest):
            self.close()

    def receive(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return  # the event was for a closed socket with the same number
        if not data:
            self.close()
            return
        self.received = self.received + data if self.received else data
        self.next_request()

    def next_request(self):
        while self.received and self.sending is None and self.unanswered is None:
            if self.received == self.last[0]:
                request, used = self.last[1], len(self.received)
            else:
                request, used = parse(self.received)
                if request is None:
                    return
                self.last = (self.received[:used], request)
            self.received = self.received[used:]
            self.unanswered = request
            self.answer()

    def answer(self):
        """Answers what is unanswered, if the owner does."""
        request = self.unanswered
        if request is None:
            return
        pieces = self.owner.answer(request)
        if pieces is None:
            return
        self.unanswered = None
        if self.owner.bytes_per_s:
            self.sending = memoryview(b''.join(pieces))
            self.send()
            return
        try:
            sent = self.sock.sendmsg(pieces)
        except BlockingIOError:
            sent = 0
        if sent == sum(map(len, pieces)):
            self.sent(request)
        else:
            self.sending = memoryview(b''.join(pieces))[sent:]
            self.listener.server.change(self.sock, READ_WRITE)

    def send(self):
        rate = self.owner.bytes_per_s
        try:
            sent = self.sock.send(self.sending[:max(1, int(rate * TICK))] if rate else self.sending)
        except BlockingIOError:
            return
        self.sending = self.sending[sent:]
        if not self.sending:
            self.sending = None
            self.listener.server.change(self.sock, READ)
            self.sent(self.last[1])
        elif rate:
            self.pausing = True
            self.listener.server.change(self.sock, READ)
            self.listener.server.timers.after(max(TICK, 1 / rate), self.resume)

    def resume(self):
        self.pausing = False
        if self.sock.fileno() >= 0:
            self.listener.server.change(self.sock, READ_WRITE)

    def sent(self, request):
        if request.closes:
            self.close()
        elif self.received:
            self.next_request()


class Server:
    def __init__(self, timers):
        self.timers = timers
        self.epoll = select.epoll()
        self.handlers = {}

    def watch(self, sock, events, handler):
        self.handlers[sock.fileno()] = handler
        self.epoll.register(sock.fileno(), events)

    def change(self, sock, events):
        self.epoll.modify(sock.fileno(), events)

    def unwatch(self, sock):
        del self.handlers[sock.fileno()]
        self.epoll.unregister(sock.fileno())

    def listen(self, address, port, owner):
        """Raises OSError. `address` is an IPv4 address, or a path with port None."""
        if port is None:
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(address)
        else:
            sock = socket.socket()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((address, port))
        sock.listen(128)
        sock.setblocking(False)
        return Listener(self, sock, owner)

    def run(self):
        while True:
            wait = self.timers.run_due()
            for fd, events in self.epoll.poll(-1 if wait is None else wait, 1024):
                handler = self.handlers.get(fd)
                if handler:  # else closed by an event before it in this batch
                    handler(events)
