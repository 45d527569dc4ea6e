import com.azure.cosmos.CosmosContainer;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** Instances of cosmos-tail and processors of Java share a group, and take over from each other. */
final class Shared {
    static final String DATABASE = System.getenv("AZURE_COSMOS_DATABASE");
    static final String ORDERS = System.getenv("AZURE_COSMOS_CONTAINER");
    static final String GROUP = "shared";
    /** After so many seconds a lease that is not renewed is taken. */
    static final int EXPIRATION = 5;
    /** Documents of each round of writes. */
    private static final int COUNT = 60;

    private final CosmosContainer orders;
    private final Map<Integer, Integer> printed = new TreeMap<>();
    private final List<Member> members = new ArrayList<>();
    private int next;

    Shared(CosmosContainer orders) {
        this.orders = orders;
    }

    void run() throws Exception {
        try {
            share();
        } finally {
            members.forEach(Member::kill);
        }
    }

    private void share() throws Exception {
        Member ours = ours("ours-1");
        awaitOwners("ours alone", ours);
        write("ours alone");
        Member java = java("java-1");
        awaitOwners("ours and Java", ours, java);
        settle();
        int before = total();
        write("ours and Java");
        Check.equal("changes while nobody came or went", COUNT, total() - before);
        Check.that("both have printed some", ours.count > 0 && java.count > 0);

        ours.kill();
        write("Java after a kill of ours");
        awaitOwners("Java alone", java);

        Member second = ours("ours-2");
        awaitOwners("Java and another of ours", java, second);
        java.kill();
        write("ours after a kill of Java");
        awaitOwners("ours alone again", second);

        Member third = java("java-2");
        awaitOwners("both again", second, third);
        second.stop();
        awaitOwners("Java, after ours has let go", third);
        write("Java after a stop of ours");
        Member last = ours("ours-3");
        awaitOwners("both for the last time", third, last);
        third.stop();
        awaitOwners("ours, after Java has let go", last);
        write("ours after a stop of Java");
        last.stop();
        Leases.run(0, null, "check", "--group", GROUP);
    }

    /** Writes documents, and waits until each of them was printed. */
    private void write(String what) throws Exception {
        int first = next;
        next += COUNT;
        for (int number = first; number < next; number++) {
            orders.upsertItem(JsonNodeFactory.instance.objectNode()
                .put("id", "shared-" + number)
                .put("customerId", "c-" + number % 24)
                .put("number", number));
        }
        Check.comesTo(what + ": documents that were printed", COUNT, () -> printedSince(first));
    }

    private int printedSince(int first) {
        synchronized (printed) {
            return (int) printed.keySet().stream().filter(number -> number >= first).count();
        }
    }

    private int total() {
        synchronized (printed) {
            return printed.values().stream().mapToInt(Integer::intValue).sum();
        }
    }

    private void awaitOwners(String what, Member... expected) throws Exception {
        List<String> names = List.of(expected).stream().map(member -> member.name).sorted().toList();
        Check.comesTo(what, names, () -> {
            for (Member member : expected) {
                Check.that(member.name + " runs", member.process.isAlive());
            }
            return Leases.list(GROUP).get("leases").findValuesAsText("owner").stream()
                .distinct().sorted().toList();
        });
    }

    /** Waits until who lost a lease has noticed it: each lease is renewed by its owner, twice. */
    private static void settle() throws Exception {
        for (int time = 0; time < 2; time++) {
            List<Integer> ages = new ArrayList<>();
            Check.comesTo("leases that are renewed", true, () -> {
                int oldest = Leases.list(GROUP).get("leases").findValues("age_seconds").stream()
                    .mapToInt(JsonNode::asInt).max().orElse(0);
                ages.add(oldest);
                return ages.size() > 20 && oldest < EXPIRATION;
            });
        }
    }

    private Member ours(String name) throws Exception {
        Member member = new Member(name, List.of(System.getenv("COSMOS_TAIL"), "tail", "-v",
            "-d", DATABASE, "-c", ORDERS,
            "--group", GROUP, "--leases", Account.DATABASE + "/" + Account.LEASES, "--instance", name,
            "--lease-format", "java", "--acquire-interval", "1s", "--renew-interval", "1s",
            "--expiration-interval", EXPIRATION + "s", "--poll-interval", "100ms"));
        Check.comesTo(name + " runs", true, () -> {
            String said = Files.readString(member.log.toPath());
            return said.contains("\ntailing ") || said.contains("\nwaiting for ranges");
        });
        return member;
    }

    private Member java(String name) throws IOException {
        return new Member(name, List.of(System.getProperty("java.home") + "/bin/java",
            "-DCOSMOS.HTTP_CONNECTION_WITHOUT_TLS_ALLOWED=true", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp", System.getProperty("java.class.path"), "Peer", name));
    }

    /** A process that has leases of the group. */
    private final class Member {
        private final String name;
        private final Process process;
        private final File log;
        private volatile int count;

        private Member(String name, List<String> command) throws IOException {
            this.name = name;
            log = new File(System.getenv("WORK"), name + ".log");
            process = new ProcessBuilder(command).redirectError(log).start();
            members.add(this);
            Thread reader = new Thread(this::read);
            reader.setDaemon(true);
            reader.start();
        }

        private void read() {
            ObjectMapper json = new ObjectMapper();
            try (BufferedReader lines = new BufferedReader(new InputStreamReader(process.getInputStream()))) {
                for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                    int number = json.readTree(line).path("number").asInt(-1);
                    if (number >= 0) {
                        synchronized (printed) {
                            printed.merge(number, 1, Integer::sum);
                        }
                        count++;
                    }
                }
            } catch (IOException end) {
                // A line that a kill has cut off.
            }
        }

        private void kill() {
            process.destroyForcibly();
        }

        /** It lets its leases go. */
        private void stop() throws Exception {
            // Java at the end of its input, ours at SIGTERM.
            process.getOutputStream().close();
            if (name.startsWith("ours")) {
                process.destroy();
            }
            Check.that(name + " ends", process.waitFor(60, TimeUnit.SECONDS));
        }
    }
}
