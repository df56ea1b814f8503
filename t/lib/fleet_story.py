"""An endless story for demonstrations: now and then something happens to a node or two, and passes."""
import fleet_model

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
        trouble = cluster.rng.choice(['crash', 'drain', 'native', 'gossip', 'isolated', 'hang', 'rack'])
        victims = all_of(node.dc, node.rack) if trouble == 'rack' else [node]
        begun, ended, begin_it, end_it = TROUBLES[trouble]
        names = ' '.join(victim.endpoint for victim in victims)
        for attempt, words in (begin_it, begun), (end_it, ended):
            say(f'{names} {words}')
            for victim in victims:
                try:
                    attempt(cluster, victim)
                except fleet_model.Refused as reason:  # somebody else is at the control
                    say(f'{victim.endpoint}: not so, {reason}')
            yield TROUBLE if words is begun else cluster.boot + BETWEEN


def restart(cluster, node):
    cluster.crash(node)
    cluster.start(node)


TROUBLES = {
    'crash': ('crashes', 'starts again', fleet_model.Cluster.crash, fleet_model.Cluster.start),
    'rack': ('crash: the whole rack', 'start again', fleet_model.Cluster.crash, fleet_model.Cluster.start),
    'drain': ('is drained for maintenance', 'is restarted', fleet_model.Cluster.drain, restart),
    'native': ('stops its native transport', 'starts its native transport',
               fleet_model.Cluster.stop_native, fleet_model.Cluster.start_native),
    'gossip': ('stops gossip', 'starts gossip', fleet_model.Cluster.stop_gossip, fleet_model.Cluster.start_gossip),
    'isolated': ('loses its network', 'has its network back', fleet_model.Cluster.isolate, fleet_model.Cluster.heal),
    'hang': ('hangs: accepts, never answers', 'answers again', fleet_model.Cluster.hang, fleet_model.Cluster.heal),
}
