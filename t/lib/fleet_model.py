"""The simulated cluster: nodes, what happens to them, and who sees whom how.

Nothing here knows HTTP or JSON. Time is what the caller's Timers say. A node sees another through
its row of the view matrix; rows change by reviews, which are due some time after the reachability
between two nodes has changed: soon when it came back or was announced, after the failure detector's
delay when it went without a word.
"""
import heapq
import itertools
import random
import time
import uuid

UNKNOWN, UP, DOWN = 0, 1, 2
REVIEW_PARTS = 4          # observers notice one event in this many batches, not all at once
MAX_HEARTBEAT = 2**31 - 1  # what others note of a node that announced its shutdown

# When a starting node reaches each step, as a share of the whole start (a real one takes 19.5 s).
LISTENS, HAS_MBEANS, GOSSIPS, ECHOED, JOINS = 0.06, 0.22, 0.47, 0.09, 0.56


class Timers:
    """Callbacks at times of time.monotonic()."""

    def __init__(self):
        self.heap = []
        self.order = itertools.count()

    def after(self, delay, callback, *args):
        heapq.heappush(self.heap, (time.monotonic() + delay, next(self.order), callback, args))

    def run_due(self):
        """Runs what is due; returns the seconds until the next one (None: none)."""
        while self.heap:
            wait = self.heap[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, callback, args = heapq.heappop(self.heap)
            callback(*args)
        return None


class Refused(Exception):
    """A command that makes no sense in the node's present state."""


class Node:
    any_states_version = 0  # grows with every node's

    def __init__(self, index, address, endpoint, dc, rack, tokens):
        self.index = index
        self.address = address    # where it is reached
        self.endpoint = endpoint  # what it is called in gossip
        self.dc, self.rack = dc, rack
        self.name = f'cass{index + 1}.{dc}'
        self.host_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f'{endpoint} {index}'))
        self.tokens = tokens
        self.seed = False
        # the process
        self.life = 0             # grows with every start and crash: voids timers of an earlier one
        self.process = False      # runs
        self.listens = False
        self.mbeans = False       # Cassandra's are registered
        self.service = False      # … StorageService too, which 5.0 registers after the bootstrap
        self.joined = False       # has been a member before: starts without bootstrap
        self.mode = ''
        self.native = False
        # gossip, as its peers have it
        self.gossip = False       # takes part
        self.gossiped = False     # the cluster knows of it
        self.silent = False       # announced its shutdown
        self.generation = 0
        self.status, self.status_version = '', 0
        self.rpc_ready, self.rpc_version = False, 0
        self.beat_base = self.beat_began = 0
        self.beat_stopped = None
        # the network
        self.epoch = 0            # grows when its reachability changes: voids earlier reviews
        self.isolated = False
        self.cut = set()          # nodes it has no connection with
        # what it answers
        self.version = 0          # grows with every change of its view or own state
        self.states_version = 0   # … of its gossip state
        self.lie = None
        self.hung = False
        self.bytes_per_s = 0

    def heartbeat(self):
        until = time.monotonic() if self.beat_stopped is None else self.beat_stopped
        return self.beat_base + int(until - self.beat_began)

    def states_changed(self):
        self.states_version += 1
        self.version += 1
        Node.any_states_version += 1

    def next_version(self):
        self.beat_base += 1
        self.states_changed()
        return self.heartbeat()

    def set_status(self, status):
        self.status, self.status_version = status, self.next_version()

    def set_native(self, running):
        self.native = running
        self.rpc_ready, self.rpc_version = running, self.next_version()

    def begin_gossip(self, generation, status):
        self.generation = max(self.generation + 1, generation)
        self.beat_began, self.beat_stopped = time.monotonic(), None
        self.gossip = self.gossiped = True
        self.silent = False
        self.set_status(status)

    def end_gossip(self):
        self.gossip = False
        self.beat_base, self.beat_stopped = self.heartbeat(), time.monotonic()
        self.beat_began = self.beat_stopped
        self.states_changed()

    def normal_status(self):
        return f'NORMAL,{self.tokens[0]}'


class Cluster:
    """All nodes and all views. `process_changed(node)` is called when a node starts or stops
    listening, `healed(node)` when it is to answer what it was asked while it hung."""

    def __init__(self, timers, convict, boot, late_service, rng):
        self.timers, self.convict, self.boot, self.rng = timers, convict, boot, rng
        self.late_service = late_service
        self.nodes = []
        self.rows = []      # [observer][endpoint] = UNKNOWN, UP or DOWN
        self.churned = {}   # observer -> the endpoint whose entry churn changed last
        self.churn_fraction = 0.0
        self.churning = False
        self.process_changed = self.healed = lambda node: None

    # -- building ---------------------------------------------------------------------------------

    def add(self, address, endpoint, dc, rack):
        tokens = sorted(self.rng.randrange(-2**63, 2**63) for _ in range(4))
        node = Node(len(self.nodes), address, endpoint, dc, rack, tokens)
        node.seed = sum(n.seed for n in self.nodes if n.dc == dc) < 2
        self.nodes.append(node)
        for row in self.rows:
            row.append(UNKNOWN)
        self.rows.append(bytearray(len(self.nodes)))
        return node

    def settle(self):
        """Makes every node a normal member that sees all others UP, as after a long quiet time."""
        for node in self.nodes:
            node.process = node.listens = node.mbeans = node.service = True
            node.joined = True
            node.mode = 'NORMAL'
            node.beat_base = 3600
            node.begin_gossip(int(time.time()) - 3600, node.normal_status())
            node.set_native(True)
            self.rows[node.index][:] = bytes([UP]) * len(self.nodes)
            node.version += 1

    # -- views ------------------------------------------------------------------------------------

    def see(self, observer, endpoint, state):
        row = self.rows[observer.index]
        if row[endpoint.index] != state:
            row[endpoint.index] = state
            observer.version += 1

    def row(self, observer):
        """The view as the observer tells it."""
        row = self.rows[observer.index]
        if observer.lie is None:
            return row
        told = UP if observer.lie == 'all-up' else DOWN
        lie = bytearray(told if state else UNKNOWN for state in row)
        if observer.lie != 'all-down' or row[observer.index] == UP:
            lie[observer.index] = UP
        return lie

    def reachable(self, a, b):
        return (a is b or a.gossip and b.gossip and not a.isolated and not b.isolated
                and b.index not in a.cut)

    def reach_changed(self, node, state, delay):
        """Its peers find out about `node`, and it about them, after `delay`, by and by. Only what
        agrees with `state` is noted then: finding one node does not reveal that another went."""
        node.epoch += 1
        for part in range(REVIEW_PARTS):
            self.timers.after(delay * (1 + 0.02 * part), self.review, node, node.epoch, state, part)

    def review(self, node, epoch, state, part):
        if node.epoch != epoch:
            return
        for other in self.nodes[part::REVIEW_PARTS]:
            if other is node or not other.gossiped or self.reachable(node, other) != (state == UP):
                continue
            if other.gossip:
                self.see(other, node, state)
            if node.gossip:
                self.see(node, other, state)

    # -- a process's life -------------------------------------------------------------------------

    def step(self, node, delay, callback):
        """callback(node) after `delay`, unless the process ended meanwhile."""
        life = node.life
        self.timers.after(delay, lambda: node.life == life and callback(node))

    def start(self, node):
        require(not node.process, 'runs already')
        node.life += 1
        node.process = True
        self.step(node, LISTENS * self.boot, self.begin_listening)
        self.step(node, HAS_MBEANS * self.boot, self.register_mbeans)
        self.step(node, GOSSIPS * self.boot, self.enter_gossip)
        self.step(node, JOINS * self.boot, self.become_normal if node.joined else self.bootstrap)

    def begin_listening(self, node):
        node.listens = True
        self.process_changed(node)

    def register_mbeans(self, node):
        node.mbeans, node.service = True, not self.late_service
        self.rows[node.index][:] = bytes(len(self.nodes))
        self.set_mode(node, 'STARTING')

    def enter_gossip(self, node):
        node.beat_base = node.rpc_version = 0
        node.begin_gossip(int(time.time()), '')
        for other in self.nodes:
            if other.gossiped:
                self.see(node, other, UP if other is node else DOWN)
        self.reach_changed(node, UP, ECHOED * self.boot * 0.9)

    def bootstrap(self, node):
        self.set_mode(node, 'JOINING')
        node.set_status(f'BOOT,{node.tokens[0]}')
        self.step(node, self.boot, self.become_normal)

    def become_normal(self, node):
        node.joined = node.service = True
        self.set_mode(node, 'NORMAL')
        node.set_status(node.normal_status())
        self.step(node, (1 - JOINS) * self.boot,
                  lambda node: node.native or node.set_native(True))

    def crash(self, node):
        require(node.process, 'does not run')
        node.life += 1
        node.process = node.listens = node.mbeans = node.service = False
        node.native = node.hung = False
        self.set_mode(node, '')
        if node.gossip:
            node.end_gossip()
            self.reach_changed(node, DOWN, self.convict)
        self.process_changed(node)

    # -- what an operator does --------------------------------------------------------------------

    def set_mode(self, node, mode):
        node.mode = mode
        node.version += 1

    def stop_native(self, node):
        require(node.native, 'native transport does not run')
        node.native = False  # not gossiped: RPC_READY stays as it is
        node.version += 1

    def start_native(self, node):
        require(node.mbeans and not node.native, 'not running, or its transport runs already')
        node.set_native(True)

    def stop_gossip(self, node):
        """As nodetool disablegossip: announced, so nobody waits for the failure detector."""
        require(node.gossip, 'gossip does not run')
        node.silent = True
        node.set_status('shutdown,true')
        node.end_gossip()
        self.reach_changed(node, DOWN, 0.1)

    def start_gossip(self, node):
        require(node.mbeans and not node.gossip, 'not running, or its gossip runs already')
        node.begin_gossip(0, node.normal_status())
        self.reach_changed(node, UP, ECHOED * self.boot)

    def drain(self, node):
        require(node.mode == 'NORMAL', 'mode is not NORMAL')
        self.set_mode(node, 'DRAINING')
        node.set_native(False)
        if node.gossip:
            self.stop_gossip(node)
        self.step(node, 0.1 * self.boot, lambda node: self.set_mode(node, 'DRAINED'))

    def decommission(self, node):
        require(node.mode == 'NORMAL', 'mode is not NORMAL')
        self.set_mode(node, 'LEAVING')
        node.set_status(f'LEAVING,{node.tokens[0]}')
        self.step(node, self.boot, self.leave)

    def leave(self, node):
        expires_ms = int((time.time() + 3 * 86400) * 1000)
        node.set_status(f'LEFT,{node.tokens[0]},{expires_ms}')
        node.native = False
        self.set_mode(node, 'DECOMMISSIONED')
        node.joined = False
        node.end_gossip()
        self.reach_changed(node, DOWN, self.convict)

    def forget(self, node):
        """What happens to a departed node three days later."""
        require(not node.gossip, 'takes part in gossip')
        node.epoch += 1
        node.gossiped = False
        for observer in self.nodes:
            if observer is not node:
                self.see(observer, node, UNKNOWN)

    # -- what goes wrong --------------------------------------------------------------------------

    def hang(self, node):
        node.hung = True

    def slow(self, node, bytes_per_s):
        node.bytes_per_s = bytes_per_s

    def lie(self, node, lie):
        node.lie = lie
        node.version += 1

    def isolate(self, node):
        node.isolated = True
        self.reach_changed(node, DOWN, self.convict)

    def partition(self, node, others):
        for other in others:
            node.cut.add(other.index)
            other.cut.add(node.index)
        self.reach_changed(node, DOWN, self.convict)

    def heal(self, node):
        """Undoes hang, slow, lie, isolate and partition."""
        unreachable = node.isolated or node.cut
        for index in node.cut:
            self.nodes[index].cut.discard(node.index)
        node.cut = set()
        node.isolated = node.hung = False
        node.bytes_per_s = 0
        self.lie(node, None)
        if unreachable:
            self.reach_changed(node, UP, ECHOED * self.boot)
        self.healed(node)

    # -- churn ------------------------------------------------------------------------------------

    def churn(self, fraction):
        """Every second that share of the views changes one entry, the next time changes it back."""
        self.churn_fraction = fraction
        if not self.churning:
            self.churning = True
            self.churn_once()

    def churn_once(self):
        self.churning = self.churn_fraction > 0
        if not self.churning:
            for index in list(self.churned):
                self.churn_view(self.nodes[index])
            return
        observers = [n for n in self.nodes if n.mbeans and n.gossip]
        for observer in self.rng.sample(observers, round(len(observers) * self.churn_fraction)):
            self.churn_view(observer)
        self.timers.after(1.0, self.churn_once)

    def churn_view(self, observer):
        index = self.churned.pop(observer.index, None)
        if index is None:
            index = self.rng.randrange(len(self.nodes))
            if index == observer.index or not self.rows[observer.index][index]:
                return
            self.churned[observer.index] = index
        state = self.rows[observer.index][index]
        if state:
            self.see(observer, self.nodes[index], DOWN if state == UP else UP)


def require(condition, otherwise):
    if not condition:
        raise Refused(otherwise)
