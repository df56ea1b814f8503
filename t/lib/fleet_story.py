"""An endless story for demonstrations: now and then something happens to a node, and passes."""
from fleet_model import Cluster, Refused

BETWEEN = 4.0  # seconds of peace between two troubles
TROUBLE = 12.0  # seconds a trouble lasts


def begin(cluster, say):
    """Needs nothing but the cluster's timers to go on."""
    teller = tell(cluster, say)

    def go_on():
        cluster.timers.after(next(teller), go_on)
    go_on()


def tell(cluster, say):
    """Does the next thing and yields the seconds until the one after it."""
    def all_of(dc, rack):
        return [node for node in cluster.nodes if (node.dc, node.rack) == (dc, rack)]

    yield BETWEEN
    while True:
        node = cluster.rng.choice(cluster.nodes)
        trouble = cluster.rng.choice(sorted(TROUBLES))
        victims = all_of(node.dc, node.rack) if trouble == 'rack' else [node]
        begun, ended, begin_it, end_it = TROUBLES[trouble]
        names = ' '.join(victim.endpoint for victim in victims)
        for attempt, words in (begin_it, begun), (end_it, ended):
            say(f'{names} {words}')
            for victim in victims:
                try:
                    attempt(cluster, victim)
                except Refused as reason:  # somebody else is at the control
                    say(f'{victim.endpoint}: not so, {reason}')
            yield TROUBLE if words is begun else cluster.boot + BETWEEN


def restart(cluster, node):
    cluster.crash(node)
    cluster.start(node)


TROUBLES = {  # what is said, then what is done, at its beginning and its end
    'crash': ('crashes', 'starts again', Cluster.crash, Cluster.start),
    'rack': ('crash: the whole rack', 'start again', Cluster.crash, Cluster.start),
    'drain': ('is drained for maintenance', 'is restarted', Cluster.drain, restart),
    'native': ('stops its native transport', 'starts its native transport',
               Cluster.stop_native, Cluster.start_native),
    'gossip': ('stops gossip', 'starts gossip', Cluster.stop_gossip, Cluster.start_gossip),
    'isolated': ('loses its network', 'has its network back', Cluster.isolate, Cluster.heal),
    'hang': ('hangs: accepts, never answers', 'answers again', Cluster.hang, Cluster.heal),
}
