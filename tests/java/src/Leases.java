import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The commands of cosmos-tail on the leases that the processors write. */
final class Leases {
    private Leases() {}

    /** A group as {@code leases list} prints it. */
    static JsonNode list(String group) throws Exception {
        String text = run(0, null, "list", "--group", group, "--format", "json");
        JsonNode groups = new ObjectMapper().readTree(text).get("groups");
        Check.equal("groups of this name", 1, groups.size());
        return groups.get(0);
    }

    /** The states of its leases, each once. */
    static List<String> states(JsonNode group) {
        return group.get("leases").findValuesAsText("state").stream().distinct().toList();
    }

    /** Waits until nobody has its leases: a processor that was stopped lets them go, or they expire. */
    static void awaitFree(String group) throws Exception {
        Check.comesTo(group + ": leases that an instance has", List.of(), () -> states(list(group)).stream()
            .filter(state -> state.equals("held") || state.equals("stuck"))
            .toList());
    }

    /** Runs a command that must end with {@code code}, and returns what it printed. */
    static String run(int code, Path input, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(System.getenv("COSMOS_TAIL"), "leases"));
        command.addAll(List.of(arguments));
        command.addAll(List.of("--leases", Account.DATABASE + "/" + Account.LEASES));
        Path errors = Files.createTempFile("leases", ".log");
        try {
            ProcessBuilder builder = new ProcessBuilder(command).redirectError(errors.toFile());
            if (input != null) {
                builder.redirectInput(input.toFile());
            }
            Process process = builder.start();
            String text = new String(process.getInputStream().readAllBytes());
            Check.equal(command + ": " + text + Files.readString(errors), code, process.waitFor());
            return text;
        } finally {
            Files.deleteIfExists(errors);
        }
    }

    /** Creates a group of Java with the positions of another one. */
    static void copy(String from, String to) throws Exception {
        Path file = Files.createTempFile("leases", ".json");
        try {
            Files.writeString(file, run(0, null, "export", "--group", from));
            run(0, file, "import", "-", "--group", to, "--lease-format", "java",
                "-d", Account.DATABASE, "-c", Account.THINGS);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        } finally {
            Files.deleteIfExists(file);
        }
    }

    /** Makes a state of a group of Java, and another group of that. */
    static void handOver(String from, String to) throws Exception {
        Path directory = Files.createTempDirectory("states");
        Path state = directory.resolve("tail.json");
        run(0, null, "adopt", "--group", from, "--to-state", state.toString());
        run(0, null, "adopt", "--group", to, "--from-state", state.toString(), "--lease-format", "java");
    }
}
