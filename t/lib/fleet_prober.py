"""GET /view as the prober on a node's host gives it: another collector polls that instead of the agent.

The bytes are kept for each node, with their ETag, until the node's view or state changes.
"""
import json

import fleet_jolokia
import fleet_model

AGE_MS = 50  # of every view: as if its own collector had polled a moment ago
WORDS = {fleet_model.UP: '"UP"', fleet_model.DOWN: '"DOWN"'}


class Prober:
    def __init__(self, cluster, flavour, cluster_name):
        self.cluster, self.cluster_name = cluster, cluster_name
        self.release = fleet_jolokia.FLAVOURS[flavour]
        self.kept = {}  # node index -> (version, ETag, body)

    def answer(self, node, request):
        version, etag, body = self.kept.get(node.index, (None, None, None))
        if version != node.version:
            body = self.document(node)
            etag = f'"{node.index:x}-{node.version:x}-{node.generation:x}"'
            self.kept[node.index] = node.version, etag, body
        same = request.headers.get('if-none-match') == etag
        head = (f'HTTP/1.1 {"304 Not Modified" if same else "200 OK"}\r\nServer: nginx\r\n'
                f'Cache-Control: no-cache\r\nETag: {etag}\r\nX-Prober-Age-Ms: {AGE_MS}\r\n')
        if same:
            return [head.encode() + b'\r\n']
        return [head.encode() + b'Content-Type: application/json\r\nContent-Length: %d\r\n\r\n'
                % len(body), body]

    def document(self, node):
        head = {'format': 1, 'address': node.endpoint, 'cluster': self.cluster_name,
                'host_id': node.host_id, 'process': 'up' if node.service else 'starting'}
        if node.service:
            head |= {'mode': node.mode, 'native_transport': node.native, 'gossip': node.gossip,
                     'release': self.release, 'settled': True,
                     'state': {'generation': node.generation,
                               'status': node.status.partition(',')[0] or None, 'dc': node.dc,
                               'rack': node.rack, 'rpc_ready': node.rpc_ready,
                               'native': node.endpoint}}
        text = json.dumps(head, separators=(',', ':'))
        if node.service:
            row = self.cluster.row(node)
            view = ','.join(f'"/{n.endpoint}":{WORDS[row[n.index]]}'
                            for n in self.cluster.nodes if row[n.index] in WORDS)
            text = f'{text[:-1]},"view":{{{view}}}}}'
        return text.encode() + b'\n'
