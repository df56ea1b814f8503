"""The files and the command line of one node: small, quick to start, on its own 127.0.A.N."""

import cassandra_fetch

STORAGE, NATIVE, JMX, JOLOKIA = 7000, 9042, 7199, 8778

YAML = """cluster_name: '{name}'
num_tokens: {tokens}
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
endpoint_snitch: GossipingPropertyFileSnitch
dynamic_snitch: false
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: '{seeds}'}}]
listen_address: {address}
rpc_address: {address}
storage_port: {storage}
native_transport_port: {native}
start_native_transport: true
auto_bootstrap: {bootstrap}
authenticator: {authenticator}
auto_snapshot: false
phi_convict_threshold: {phi}
hinted_handoff_enabled: true
commitlog_sync: periodic
commitlog_sync_period_in_ms: 10000
commitlog_segment_size_in_mb: 4
commitlog_total_space_in_mb: 64
memtable_heap_space_in_mb: 32
memtable_offheap_space_in_mb: 32
file_cache_size_in_mb: 32
key_cache_size_in_mb: 1
counter_cache_size_in_mb: 0
concurrent_reads: 4
concurrent_writes: 4
concurrent_counter_writes: 2
concurrent_compactors: 1
native_transport_max_threads: 8
"""

LOGBACK = """<configuration>
  <appender name="F" class="ch.qos.logback.core.FileAppender">
    <file>{log}</file>
    <encoder><pattern>%-5level [%thread] %date{{ISO8601}} %F:%L - %msg%n</pattern></encoder>
  </appender>
  <root level="INFO"><appender-ref ref="F"/></root>
</configuration>
"""

EXPORTS = """java.base/jdk.internal.misc java.base/jdk.internal.ref java.base/sun.nio.ch
java.management.rmi/com.sun.jmx.remote.internal.rmi java.rmi/sun.rmi.registry
java.rmi/sun.rmi.server java.rmi/sun.rmi.transport.tcp java.sql/java.sql""".split()
OPENS = """java.base/java.io java.base/java.lang java.base/java.lang.module
java.base/java.lang.reflect java.base/java.math java.base/java.net java.base/java.nio
java.base/java.util java.base/java.util.concurrent java.base/java.util.concurrent.atomic
java.base/jdk.internal.loader java.base/jdk.internal.math java.base/jdk.internal.module
java.base/jdk.internal.ref java.base/jdk.internal.reflect java.base/jdk.internal.util.jar
java.base/sun.nio.ch jdk.management/com.sun.management.internal""".split()


def write(cluster, node, home):
    """Everything a node reads. Called once, when the node is added to its cluster."""
    home.mkdir(parents=True)
    (home / "tmp").mkdir()
    seeds = ",".join(n["address"] for n in cluster["nodes"] if n["seed"])
    auth = "PasswordAuthenticator" if cluster["cql_auth"] else "AllowAllAuthenticator"
    (home / "cassandra.yaml").write_text(YAML.format(
        name=cluster["name"], tokens=cluster["tokens"], seeds=seeds, address=node["address"],
        bootstrap=str(node["bootstrap"]).lower(), authenticator=auth, phi=cluster["phi"],
        storage=STORAGE, native=NATIVE), encoding="utf-8")
    (home / "rackdc.properties").write_text(f"dc={node['dc']}\nrack={node['rack']}\n",
                                            encoding="utf-8")
    (home / "logback.xml").write_text(LOGBACK.format(log=home / "system.log"), encoding="utf-8")


def command(cluster, node, home):
    lib = cassandra_fetch.lib(cluster["version"])
    address = node["address"]
    user = cluster["jolokia_user"]
    # With the one thread it has by default, a decommission would keep every read waiting.
    agent = f"host={address},port={JOLOKIA},discoveryEnabled=false,executor=cached"
    if user:
        agent += f",user={user},password={cluster['jolokia_password']}"
    return [
        *cassandra_fetch.java(cluster["version"]),
        f"-Xms{cluster['heap']}", f"-Xmx{cluster['heap']}", "-Xss512k", "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData",
        "-Djdk.attach.allowAttachSelf=true", f"-Djava.io.tmpdir={home / 'tmp'}",
        *(f"--add-exports={name}=ALL-UNNAMED" for name in EXPORTS),
        *(f"--add-opens={name}=ALL-UNNAMED" for name in OPENS),
        f"-javaagent:{cassandra_fetch.AGENT}={agent}",
        *_jmx(cluster, node),
        f"-Dcassandra.config={(home / 'cassandra.yaml').as_uri()}",
        f"-Dcassandra-rackdc.properties={(home / 'rackdc.properties').as_uri()}",
        f"-Dlogback.configurationFile={home / 'logback.xml'}",
        f"-Dcassandra.storagedir={home}", f"-Dcassandra.logdir={home}",
        "-Dcassandra-foreground=yes",
        "-Dcassandra.ring_delay_ms=5000", "-Dcassandra.skip_wait_for_gossip_to_settle=0",
        "-Dcassandra.consistent.rangemovement=false",
        "-cp", f"{lib}/*", "org.apache.cassandra.service.CassandraDaemon",
    ]


def _jmx(cluster, node):
    """Cassandra's own server binds every address, or 127.0.0.1 alone, as it is installed
    (LOCAL_JMX); so by default the JVM's serves, which speaks the same protocol on the node's
    address and the usual port."""
    port = jmx_port(cluster, node)
    if cluster["jmx"] == "local":
        return [f"-Dcassandra.jmx.local.port={port}"]
    same = [f"-Dcom.sun.management.jmxremote.rmi.port={port}",
            "-Dcom.sun.management.jmxremote.authenticate=false",
            "-Dcom.sun.management.jmxremote.ssl=false",
            f"-Djava.rmi.server.hostname={node['address']}"]
    if cluster["jmx"] == "cassandra":
        return [f"-Dcassandra.jmx.remote.port={port}", *same]
    return [f"-Dcom.sun.management.jmxremote.port={port}",
            f"-Dcom.sun.management.jmxremote.host={node['address']}", *same]


def jmx_port(cluster, node):
    """A node that is not on a loopback address has a network namespace, and 127.0.0.1, to itself."""
    if cluster["jmx"] == "jvm" or not node["address"].startswith("127."):
        return JMX
    return 20000 + 32 * int(node["address"].split(".")[2]) + node["number"]
