"""Answers as the Jolokia 2.1 agent of a Cassandra node gives them: the same bytes, other values.

A request that clients repeat is parsed once (a Plan). The answer to a plan without volatile
attributes is kept, ready to send, for each node until the node's view or state changes; only the
timestamps are put in at sending.
"""
import ipaddress
import json
import time
import urllib.parse

import fleet_model

FLAVOURS = {'3.11': '3.11.19', '4.0': '4.0.18', '4.1': '4.1.9', '5.0': '5.0.4'}
FD = 'org.apache.cassandra.net:type=FailureDetector'
SS = 'org.apache.cassandra.db:type=StorageService'
SP = 'org.apache.cassandra.db:type=StorageProxy'
SNITCH = 'org.apache.cassandra.db:type=EndpointSnitchInfo'
SNITCH_CLASS = 'org.apache.cassandra.locator.GossipingPropertyFileSnitch'
VOLATILE = ('AllEndpointStates', 'PhiValues', 'ToHostId', 'HostIdMap')
SCHEMA = 'd03783d7-b468-3c1a-82f1-8e30b2edde8b'
CHUNK = 4096
STAMP = b'\0'  # stands for a timestamp while an answer is made; JSON never has it bare
VERSION_VALUE = {'agent': '2.1.2', 'protocol': '8.0',
                 'details': {'agent_version': '2.1.2', 'secured': False},
                 'config': {'maxDepth': '15', 'agentContext': '/jolokia'},
                 'info': {'proxy': {}, 'jmx': {}}}


def dump(value):
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False).encode()


def hash_order(keys):
    """The order in which a Java HashMap with these keys is iterated."""
    size = 16
    while len(keys) > size * 3 // 4:
        size *= 2

    def bucket(key):
        hashed = 0
        for char in key:
            hashed = (31 * hashed + ord(char)) & 0xffffffff
        return (hashed ^ hashed >> 16) & (size - 1)
    return sorted(range(len(keys)), key=lambda i: bucket(keys[i]))


def chunked(data):
    view, pieces = memoryview(data), []
    for i in range(0, len(data), CHUNK):
        chunk = view[i:i + CHUNK]
        pieces += (b'%x\r\n' % len(chunk), chunk, b'\r\n')
    return b''.join(pieces)


class Plan:
    """A parsed request."""

    def __init__(self, request, known):
        path, _, query = request.path.partition('?')
        self.options = dict(urllib.parse.parse_qsl(query))
        self.failure = None
        self.single = True
        self.reads = []
        self.kept = {}  # node index -> (version, parts)
        try:
            wanted = json.loads(request.body) if request.method == 'POST' else self.from_path(path)
            self.single = isinstance(wanted, dict)
            for one in [wanted] if self.single else wanted:
                self.reads.append(self.parse(one, known))
        except (ValueError, TypeError, AttributeError) as error:
            name = 'java.lang.IllegalArgumentException'
            self.failure = dump({'error_type': name, 'error': f'{name} : {error}', 'status': 400})
        self.volatile = any(word in name for _, _, names, _ in self.reads
                            for name in names for word in VOLATILE)

    @staticmethod
    def from_path(path):
        parts = [urllib.parse.unquote(part) for part in path.split('/')[2:]]
        if parts[0] in ('', 'version'):
            return {'type': 'version'}
        names = parts[2].split(',') if len(parts) > 2 else None
        return {'type': parts[0], 'mbean': parts[1] if len(parts) > 1 else None,
                'attribute': names[0] if names and len(names) == 1 else names}

    def option(self, one, name, default):
        value = (one.get('config') or {}).get(name, self.options.get(name, default))
        return str(value).lower() == 'true'

    def parse(self, one, known):
        """(start of the answer, MBean, attributes, how they are read: 'one', 'all', 'tolerant')"""
        if not isinstance(one, dict):
            raise ValueError(f'Not a request within the list. Expected map, but found: {one}')
        kind, mbean, attribute = one.get('type'), one.get('mbean'), one.get('attribute')
        echoed = self.option(one, 'includeRequest', 'true')
        if kind == 'version':
            return b'{"request":{"type":"version"},' if echoed else b'{', None, [], None
        if kind != 'read' or not mbean:
            raise ValueError(f"No type with name '{kind}' exists" if mbean
                             else 'Object name can not be null')
        names = [attribute] if isinstance(attribute, str) else attribute
        names = names or list(known.get(mbean, ()))
        echo = {'mbean': mbean, 'attribute': names[0] if len(names) == 1 else names, 'type': 'read'}
        if not attribute:
            del echo['attribute']
        start = b'{"request":%b,' % dump(echo) if echoed else b'{'
        how = 'tolerant' if self.option(one, 'ignoreErrors', 'false') else 'all'
        return start, mbean, names, 'one' if isinstance(attribute, str) else how


class Spelling:
    """How one kind of observer writes the endpoints: keys, and pieces of JSON by liveness."""

    def __init__(self, nodes, resolved, with_port):
        self.keys = [f'{node.name if resolved else ""}/{written(node, with_port)}'
                     for node in nodes]
        self.order = hash_order(self.keys)
        self.made = {}  # for Jolokia.fresh()
        self.states = [(b'', f',"{key}":"UP"'.encode(), f',"{key}":"DOWN"'.encode())
                       for key in (self.keys[i] for i in self.order)]


def java_address(endpoint):
    """InetAddress.getHostAddress(): IPv6 is not shortened."""
    ip = ipaddress.ip_address(endpoint)
    if ip.version == 4:
        return str(ip)
    return ':'.join(f'{int(part, 16):x}' for part in ip.exploded.split(':'))


def written(node, with_port, port=7000):
    address = java_address(node.endpoint)
    if not with_port:
        return address
    return f'[{address}]:{port}' if ':' in address else f'{address}:{port}'


class Jolokia:
    def __init__(self, cluster, flavour, cluster_name, hint_window_ms=10800000):
        self.cluster, self.flavour, self.cluster_name = cluster, flavour, cluster_name
        self.ports = flavour != '3.11'
        self.plans = {}
        self.spellings = {}
        self.tails = {}   # (node index, own entry?) -> (states_version, text after the heartbeat)
        self.head_second, self.head = None, b''
        self.values = {
            FD: {'SimpleStates': self.simple_states,
                 'AllEndpointStates': self.all_endpoint_states,
                 'PhiValues': self.phi_values},
            SS: {'OperationMode': lambda node: dump(node.mode),
                 'NativeTransportRunning': lambda node: dump(node.native),
                 'GossipRunning': lambda node: dump(node.gossip),
                 'LocalHostId': lambda node: dump(node.host_id if node.gossiped else None),
                 'ClusterName': lambda node: dump(cluster_name),
                 'ReleaseVersion': lambda node: dump(FLAVOURS[flavour]),
                 'EndpointToHostId': self.host_ids},
            SP: {'MaxHintWindow': lambda node: b'%d' % hint_window_ms},
            SNITCH: {'Rack': lambda node: dump(node.rack),
                     'Datacenter': lambda node: dump(node.dc),
                     'SnitchName': lambda node: dump(SNITCH_CLASS)},
        }
        if flavour == '3.11':
            self.values[SS]['RPCServerRunning'] = lambda node: b'false'
        if flavour != '5.0':
            self.values[SS]['HostIdMap'] = self.host_ids
        if self.ports:
            for name in list(self.values[FD]):
                make = self.values[FD][name]
                self.values[FD][name + 'WithPort'] = lambda node, make=make: make(node, True)
            self.values[SS]['EndpointWithPortToHostId'] = lambda node: self.host_ids(node, True)

    # -- requests ---------------------------------------------------------------------------------

    def answer(self, node, request):
        plan = request.memo or self.plan(request)
        request.memo = plan
        if plan is None:
            return [b'HTTP/1.1 404 Not Found\r\nContent-Length: 50\r\n'
                    b'Content-Type: text/html\r\n\r\n'
                    b'<h1>404 Not Found</h1>No context found for request']
        now = int(time.time())
        return [self.head_at(now), (b'%d' % now).join(self.parts(node, plan))]

    def plan(self, request):
        if not request.path.startswith('/jolokia/'):
            return None
        key = request.method, request.path, request.body
        if key not in self.plans:
            if len(self.plans) > 100:
                self.plans.clear()
            self.plans[key] = Plan(request, self.values)
        return self.plans[key]

    def head_at(self, now):
        if self.head_second != now:
            date, expired = (time.strftime('%a, %d %b %Y %H:%M:%S GMT', time.gmtime(t))
                             for t in (now, now - 3600))
            self.head = (f'HTTP/1.1 200 OK\r\nPragma: no-cache\r\nDate: {date}\r\n'
                         'Transfer-encoding: chunked\r\n'
                         f'Content-type: application/json; charset=utf-8\r\nExpires: {expired}\r\n'
                         'Cache-control: no-cache\r\n\r\n').encode()
            self.head_second = now
        return self.head

    def parts(self, node, plan):
        """The answer's body, chunked, cut where timestamps go."""
        version, parts = plan.kept.get(node.index, (None, None))
        if version == node.version:
            return parts
        bodies = self.make(node, plan).split(STAMP)
        parts = [chunked(body) for body in bodies]
        for i in range(len(parts) - 1):  # a timestamp is a chunk of its own
            parts[i] += b'a\r\n'
            parts[i + 1] = b'\r\n' + parts[i + 1]
        parts[-1] += b'0\r\n\r\n'
        if not plan.volatile:
            plan.kept[node.index] = node.version, parts
        return parts

    def make(self, node, plan):
        if plan.failure:
            return plan.failure
        answers = [self.read(node, *read) for read in plan.reads]
        return answers[0] if plan.single else b'[%b]' % b','.join(answers)

    def read(self, node, start, mbean, names, how):
        end = b',"status":200,"timestamp":%b}' % STAMP
        if mbean is None:
            return start + b'"value":' + dump(VERSION_VALUE) + end
        values = self.values.get(mbean)
        if not values or not (node.service if mbean == SS else node.mbeans):
            return start + self.error('InstanceNotFoundException', mbean)
        missing = next((name for name in names if name not in values), None)
        if missing is not None and how != 'tolerant':
            return start + self.error('AttributeNotFoundException', f'No such attribute: {missing}')
        if how == 'one':
            return start + b'"value":' + values[names[0]](node) + end
        pairs = (b'"%b":%b' % (name.encode(), values.get(name, self.no_attribute(name))(node))
                 for name in (names[i] for i in hash_order(names)))
        return start + b'"value":{' + b','.join(pairs) + b'}' + end

    @staticmethod
    def error(name, text):
        name = f'javax.management.{name}'
        return dump({'error_type': name, 'error': f'{name} : {text}', 'status': 404})[1:]

    @staticmethod
    def no_attribute(name):
        return lambda node: dump(f'ERROR: No such attribute: {name} '
                                 '(class javax.management.AttributeNotFoundException)')

    # -- values -----------------------------------------------------------------------------------

    def spelling(self, node, with_port):
        """Every third node has resolved its peers' names."""
        key = node.index % 3 == 2, with_port
        spelling = self.spellings.get(key)
        if not spelling or len(spelling.keys) != len(self.cluster.nodes):
            spelling = self.spellings[key] = Spelling(self.cluster.nodes, *key)
        return spelling

    def simple_states(self, node, with_port=False):
        spelling = self.spelling(node, with_port)
        row = self.cluster.row(node)
        pieces = [states[row[i]] for i, states in zip(spelling.order, spelling.states)]
        return b'{' + b''.join(pieces)[1:] + b'}'

    def phi_values(self, node, with_port=False):
        spelling = self.spelling(node, with_port)
        row, phis = self.cluster.row(node), self.fresh(spelling, 'phis', self.phi_pieces)
        pieces = [phis[i][row[i]] for i in spelling.order if i != node.index]
        return b'{' + b''.join(pieces)[1:] + b'}'

    def phi_pieces(self, node, spelling):
        """By liveness. The same for all observers, which real ones are not."""
        key = spelling.keys[node.index]
        silence = time.monotonic() - (node.beat_stopped or node.beat_began)
        return (b'', *(f',"{key}":{{"PHI":{phi!r},"Endpoint":"{key}"}}'.encode()
                       for phi in (silence % 1 + 0.01, silence * 0.434)))

    def host_ids(self, node, with_port=False):
        row = self.cluster.rows[node.index]
        members = [n for n in self.cluster.nodes if n.joined and row[n.index]]
        keys = [written(n, with_port) for n in members]
        return dump({keys[i]: members[i].host_id for i in hash_order(keys)})

    def all_endpoint_states(self, node, with_port=False):
        spelling = self.spelling(node, with_port)
        texts = self.fresh(spelling, 'entries', self.entry)
        row = self.cluster.rows[node.index]
        pieces = [text if state else b'' for text, state in zip(texts, row)]
        if row[node.index]:
            pieces[node.index] = self.entry(node, spelling, True)
        return b'"%b"' % b''.join(pieces)

    def fresh(self, spelling, kind, make):
        """make(node, spelling) for all; anew when a second passed or a node's state changed."""
        nodes = self.cluster.nodes
        stamp = int(time.monotonic()), fleet_model.Node.any_states_version
        made_at, pieces = spelling.made.get(kind, (None, None))
        if made_at != stamp:
            pieces = [make(node, spelling) for node in nodes]
            spelling.made[kind] = stamp, pieces
        return pieces

    def entry(self, node, spelling, own=False):
        """A node's gossip state within a JSON string, as it has it itself or the others have it."""
        version, tail = self.tails.get((node.index, own), (None, ''))
        if version != node.states_version:
            tail = self.tail(node, own)
            self.tails[node.index, own] = node.states_version, tail
        heartbeat = fleet_model.MAX_HEARTBEAT if node.silent and not own else node.heartbeat()
        return (f'{spelling.keys[node.index]}\\n  generation:{node.generation}\\n'
                f'  heartbeat:{heartbeat}\\n{tail}').encode()

    def tail(self, node, own):
        address, legacy = java_address(node.endpoint), own or not self.ports
        version = node.status_version
        rpc = node.rpc_version and f'{node.rpc_version}:{str(node.rpc_ready).lower()}'
        if node.silent and not own:  # what the others make of an announced shutdown
            rpc = f'{version + 2}:false'
        states = [
            ('STATUS', node.status and (legacy or node.silent) and f'{version + 1}:{node.status}'),
            ('LOAD', '40:117185.0'), ('SCHEMA', f'23:{SCHEMA}'),
            ('DC', f'12:{node.dc}'), ('RACK', f'14:{node.rack}'),
            ('RELEASE_VERSION', f'5:{FLAVOURS[self.flavour]}'),
            ('INTERNAL_IP', legacy and f'10:{address}'), ('RPC_ADDRESS', legacy and f'4:{address}'),
            ('NET_VERSION', '1:12' if self.ports else '1:11'), ('HOST_ID', f'2:{node.host_id}'),
            ('RPC_READY', rpc),
        ]
        if self.ports:
            states += [('INTERNAL_ADDRESS_AND_PORT', f'8:{written(node, True)}'),
                       ('NATIVE_ADDRESS_AND_PORT', f'3:{written(node, True, 9042)}'),
                       ('STATUS_WITH_PORT', node.status and f'{version}:{node.status}'),
                       ('SSTABLE_VERSIONS', '6:big-nb')]
        states.append(('TOKENS', f'{version}:<hidden>' if node.status else ' not present'))
        return ''.join(f'  {name}:{value}\\n' for name, value in states if value)
