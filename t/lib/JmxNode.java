import java.net.InetAddress;
import java.net.ServerSocket;
import java.rmi.registry.LocateRegistry;
import java.rmi.registry.Registry;
import java.rmi.server.RMIClientSocketFactory;
import java.rmi.server.RMIServerSocketFactory;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import javax.management.MBeanServer;
import javax.management.MBeanServerFactory;
import javax.management.ObjectName;
import javax.management.StandardMBean;
import javax.management.openmbean.CompositeDataSupport;
import javax.management.openmbean.CompositeType;
import javax.management.openmbean.OpenType;
import javax.management.openmbean.SimpleType;
import javax.management.openmbean.TabularData;
import javax.management.openmbean.TabularDataSupport;
import javax.management.openmbean.TabularType;
import javax.management.remote.JMXServiceURL;
import javax.management.remote.rmi.RMIConnectorServer;
import javax.management.remote.rmi.RMIJRMPServerImpl;
import javax.net.ssl.SSLServerSocketFactory;
import javax.rmi.ssl.SslRMIClientSocketFactory;

/**
 * JMX servers with the MBeans of Cassandra nodes but without Cassandra, any number in one JVM, each
 * on its own loopback address. For releases that do not run here (3.11), for many nodes, and for
 * what a JMX server can be configured to.
 *
 * <pre>
 * java JmxNode.java [OPTION]...
 *   --base=127.0.A. --count=N      nodes on 127.0.A.1 to 127.0.A.N (127.0.0., 1)
 *   --port=P --rmi-port=P          of the registry, of the server (7199, 0 = any)
 *   --release=R                    3.11.19 has no attributes with ports (5.0.4)
 *   --idle-ms=MS                   after which a connection object is forgotten (120000)
 *   --password-file=F --access-file=F   as those of the JVM's own agent
 *   --ssl --registry-ssl           with the key store of -Djavax.net.ssl.keyStore
 *   --host=ADDRESS --hosts=A,B,C   this host's node of a cluster of hosts instead: its JMX is on 127.0.0.1 as
 *                                  installed, it listens on its storage and native ports, and sees as UP whose
 *                                  storage port is open; ends by signals alone
 *   --start-ms=MS                  it is STARTING that long, without native transport (0)
 * </pre>
 *
 * It says "ready" when all nodes serve. The MBean prober:type=Control of each node has the operations
 * connections(), gc(), exit() and down(ADDRESS), up(ADDRESS).
 */
public class JmxNode {
    static final Map<String, String> options = new HashMap<>();
    static final Set<String> downNodes = ConcurrentHashMap.newKeySet();
    static final List<String> addresses = new ArrayList<>();
    static volatile boolean starting;

    public interface OldFailureDetector {
        Map<String, String> getSimpleStates();
        String getAllEndpointStates();
        TabularData getPhiValues() throws Exception;
    }

    public interface NewFailureDetector extends OldFailureDetector {
        Map<String, String> getSimpleStatesWithPort();
        String getAllEndpointStatesWithPort();
        TabularData getPhiValuesWithPort() throws Exception;
    }

    public interface StorageServiceBean {
        String getOperationMode();
        boolean isNativeTransportRunning();
        boolean isGossipRunning();
        String getLocalHostId();
        String getClusterName();
        String getReleaseVersion();
    }

    public interface StorageProxyBean {
        int getMaxHintWindow();
    }

    public interface GossiperBean {
        long getEndpointDowntime(String address);
        List<String> reloadSeeds();
    }

    public interface ControlBean {
        int connections();
        int gc();
        int exit();
        int down(String address);
        int up(String address);
    }

    static String hostId(String address) {
        return "00000000-0000-0000-0000-" + String.format("%012d", addresses.indexOf(address) + 1);
    }

    static class Node implements NewFailureDetector, StorageServiceBean, StorageProxyBean,
                                 GossiperBean, ControlBean {
        final String address;
        RMIConnectorServer server;

        Node(String address) {
            this.address = address;
        }

        Map<String, String> states(String port) {
            Map<String, String> states = new HashMap<>();
            for (String each : addresses)
                states.put("/" + each + port, downNodes.contains(each) ? "DOWN" : "UP");
            return states;
        }

        String endpoints(String port) {
            StringBuilder text = new StringBuilder();
            for (String each : addresses) {
                text.append("/" + each + port + "\n  generation:1700000000\n  heartbeat:77\n");
                text.append("  STATUS:18:NORMAL,-1\n  DC:6:dc1\n  RACK:8:r" + each.hashCode() % 3);
                text.append("\n  RELEASE_VERSION:4:" + getReleaseVersion() + "\n  RPC_ADDRESS:3:");
                text.append(each + "\n  HOST_ID:2:" + hostId(each) + "\n  RPC_READY:28:true\n");
                text.append("  TOKENS:17:<hidden>\n");
            }
            return text.toString();
        }

        TabularData phi(String port) throws Exception {
            String[] names = {"Endpoint", "PHI"};
            OpenType<?>[] types = {SimpleType.STRING, SimpleType.DOUBLE};
            CompositeType row = new CompositeType("Node", "Node", names, names, types);
            TabularData table =
                    new TabularDataSupport(new TabularType("PhiList", "PhiList", row, names));
            for (String each : addresses)
                if (!each.equals(address))
                    table.put(new CompositeDataSupport(row, names,
                                                       new Object[] {"/" + each + port, 0.25}));
            return table;
        }

        public Map<String, String> getSimpleStates() {
            return states("");
        }

        public String getAllEndpointStates() {
            return endpoints("");
        }

        public TabularData getPhiValues() throws Exception {
            return phi("");
        }

        public Map<String, String> getSimpleStatesWithPort() {
            return states(":7000");
        }

        public String getAllEndpointStatesWithPort() {
            return endpoints(":7000");
        }

        public TabularData getPhiValuesWithPort() throws Exception {
            return phi(":7000");
        }

        public String getOperationMode() {
            return starting ? "STARTING" : "NORMAL";
        }

        public boolean isNativeTransportRunning() {
            return !starting;
        }

        public boolean isGossipRunning() {
            return true;
        }

        public String getLocalHostId() {
            return hostId(address);
        }

        public String getClusterName() {
            return "prober";
        }

        public String getReleaseVersion() {
            return options.getOrDefault("release", "5.0.4");
        }

        public int getMaxHintWindow() {
            return 10800000;
        }

        public long getEndpointDowntime(String of) {
            return downNodes.contains(of) ? 4200 : 0;
        }

        public List<String> reloadSeeds() {
            return new ArrayList<>(addresses.subList(0, Math.min(2, addresses.size())));
        }

        public int connections() {
            return server.getConnectionIds().length;
        }

        public int gc() {
            System.gc();
            System.runFinalization();
            return 1;
        }

        public int exit() {
            new Thread(() -> Runtime.getRuntime().halt(0)).start();
            return 1;
        }

        public int down(String which) {
            return downNodes.add(which) ? 1 : 0;
        }

        public int up(String which) {
            return downNodes.remove(which) ? 1 : 0;
        }

        <T> void register(MBeanServer beans, Class<T> as, String name) throws Exception {
            beans.registerMBean(new StandardMBean(as.cast(this), as), new ObjectName(name));
        }

        void start() throws Exception {
            MBeanServer beans = MBeanServerFactory.newMBeanServer();
            boolean old = getReleaseVersion().startsWith("3.");
            String db = "org.apache.cassandra.db:type=", net = "org.apache.cassandra.net:type=";
            if (old)
                register(beans, OldFailureDetector.class, net + "FailureDetector");
            else
                register(beans, NewFailureDetector.class, net + "FailureDetector");
            register(beans, StorageServiceBean.class, db + "StorageService");
            register(beans, StorageProxyBean.class, db + "StorageProxy");
            register(beans, GossiperBean.class, net + "Gossiper");
            register(beans, ControlBean.class, "prober:type=Control");
            serve(beans);
        }

        void serve(MBeanServer beans) throws Exception {
            int port = Integer.parseInt(options.getOrDefault("port", "7199"));
            int rmiPort = Integer.parseInt(options.getOrDefault("rmi-port", "0"));
            boolean ssl = options.containsKey("ssl");
            InetAddress bind =
                    InetAddress.getByName(options.containsKey("host") ? "127.0.0.1" : address);
            RMIServerSocketFactory plain = number -> new ServerSocket(number, 200, bind);
            RMIServerSocketFactory secure =
                    number -> SSLServerSocketFactory.getDefault().createServerSocket(number, 200, bind);
            RMIClientSocketFactory client = ssl ? new SslRMIClientSocketFactory() : null;
            boolean registrySsl = options.containsKey("registry-ssl");
            Registry registry = LocateRegistry.createRegistry(
                    port, registrySsl ? new SslRMIClientSocketFactory() : null,
                    registrySsl ? secure : plain);
            Map<String, Object> environment = new HashMap<>();
            if (options.containsKey("idle-ms"))
                environment.put("jmx.remote.x.server.connection.timeout",
                                Long.valueOf(options.get("idle-ms")));
            if (options.containsKey("password-file"))
                environment.put("jmx.remote.x.password.file", options.get("password-file"));
            if (options.containsKey("access-file"))
                environment.put("jmx.remote.x.access.file", options.get("access-file"));
            RMIJRMPServerImpl rmi =
                    new RMIJRMPServerImpl(rmiPort, client, ssl ? secure : plain, environment);
            server = new RMIConnectorServer(new JMXServiceURL("rmi", null, rmiPort), environment,
                                            rmi, beans);
            server.start();
            registry.rebind("jmxrmi", rmi.toStub());
        }
    }

    static void accept(ServerSocket socket) {
        while (true) {
            try {
                socket.accept().close();
            } catch (java.io.IOException error) {
                /* the next one */
            }
        }
    }

    static void listen(String address, int port) throws Exception {
        ServerSocket socket = new ServerSocket(port, 50, InetAddress.getByName(address));
        Thread thread = new Thread(() -> accept(socket));
        thread.setDaemon(true);
        thread.start();
    }

    static boolean isOpen(String address, int port) {
        try (java.net.Socket socket = new java.net.Socket()) {
            socket.connect(new java.net.InetSocketAddress(address, port), 500);
            return true;
        } catch (java.io.IOException error) {
            return false;
        }
    }

    static void beHost(String own) throws Exception {
        int startMs = Integer.parseInt(options.getOrDefault("start-ms", "0"));
        long began = System.nanoTime();
        addresses.addAll(List.of(options.get("hosts").split(",")));
        downNodes.addAll(addresses);
        downNodes.remove(own);
        starting = true;
        new Node(own).start();
        listen(own, 7000);
        System.out.println("ready " + ProcessHandle.current().pid());
        while (true) {
            for (String each : addresses) {
                if (each.equals(own))
                    continue;
                if (isOpen(each, 7000))
                    downNodes.remove(each);
                else
                    downNodes.add(each);
            }
            if (starting && System.nanoTime() - began > startMs * 1000000L) {
                listen(own, 9042);
                starting = false;
            }
            Thread.sleep(200);
        }
    }

    public static void main(String[] words) throws Exception {
        for (String word : words) {
            String[] parts = word.replaceFirst("^--", "").split("=", 2);
            options.put(parts[0], parts.length > 1 ? parts[1] : "");
        }
        if (options.containsKey("host")) {
            beHost(options.get("host"));
            return;
        }
        for (int i = 1; i <= Integer.parseInt(options.getOrDefault("count", "1")); i++)
            addresses.add(options.getOrDefault("base", "127.0.0.") + i);
        for (String address : addresses)
            new Node(address).start();
        System.out.println("ready " + ProcessHandle.current().pid());
        System.in.read(); /* ends with the test that started it */
        System.exit(0);
    }
}
