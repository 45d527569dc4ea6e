import com.azure.cosmos.ChangeFeedProcessor;
import com.azure.cosmos.ChangeFeedProcessorBuilder;
import com.azure.cosmos.CosmosAsyncContainer;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.models.ChangeFeedProcessorItem;
import com.azure.cosmos.models.ChangeFeedProcessorOptions;
import com.azure.cosmos.models.CosmosItemRequestOptions;
import com.azure.cosmos.models.CosmosPatchOperations;
import com.azure.cosmos.models.PartitionKey;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/** The three forms of the change feed processor, each with leases of its own, and its lag. */
final class Processors {
    /** Documents of each round of writes. */
    private static final int COUNT = 60;
    /** The sum of their numbers in the first. */
    private static final int SUM = COUNT * (COUNT - 1) / 2;

    private final CosmosContainer container;
    private final CosmosAsyncContainer feed;
    private final CosmosAsyncContainer leases;

    Processors(CosmosContainer container, CosmosAsyncContainer feed, CosmosAsyncContainer leases) {
        this.container = container;
        this.feed = feed;
        this.leases = leases;
    }

    /** {@code handleChanges}: documents, with leases by partition. */
    void documents() throws Exception {
        Numbers numbers = new Numbers();
        latest("documents", builder -> builder.handleChanges(
            changes -> changes.forEach(numbers::add)), numbers, true);
    }

    /** {@code handleLatestVersionChanges}: items, with leases by range. */
    void latestVersions() throws Exception {
        Numbers numbers = new Numbers();
        latest("latest", builder -> builder.handleLatestVersionChanges(
            changes -> changes.forEach(change -> numbers.add(change.getCurrent()))), numbers, false);
    }

    private void latest(String prefix, Consumer<ChangeFeedProcessorBuilder> handler, Numbers numbers,
            boolean hasEstimatedLag) throws Exception {
        write(prefix, 0);
        ChangeFeedProcessor processor = processor(prefix, true, handler);
        processor.start().block(Check.PATIENCE);
        Check.comesTo(prefix + ": documents from before the start", COUNT, () -> numbers.count(prefix));
        Check.comesTo(prefix + ": the lag when all is read", 0, () -> lag(processor));

        // What its handler has not finished is its lag.
        numbers.gate.close();
        write(prefix, 1_000);
        Check.comesTo(prefix + ": the lag behind a slow handler", COUNT, () -> lag(processor));
        if (hasEstimatedLag) {
            Map<String, Integer> lags = processor.getEstimatedLag().block(Check.PATIENCE);
            Check.equal(prefix + ": its estimated lag", COUNT,
                lags.values().stream().mapToInt(Integer::intValue).sum());
        }
        // cosmos-tail agrees, and takes nothing from an instance that runs.
        JsonNode running = Leases.list(prefix);
        Check.equal(prefix + ": the listed lag", COUNT, running.get("transactions").asInt());
        Check.that(prefix + ": it is exact", !running.get("at_most").asBoolean());
        Check.equal(prefix + ": the states", List.of("held"), Leases.states(running));
        Check.equal(prefix + ": the owners", "host", running.get("leases").get(0).get("owner").asText());
        Check.equal(prefix + ": the format", hasEstimatedLag ? "java-partitions" : "java",
            running.get("format").asText());
        Leases.run(1, null, "reset", "--group", prefix, "--to", "now");
        Leases.run(0, null, "check", "--group", prefix);
        numbers.gate.open();
        Check.comesTo(prefix + ": the sum of all numbers", COUNT * 1_000 + SUM, () -> numbers.sum(prefix));
        Check.comesTo(prefix + ": the lag when that is read", 0, () -> lag(processor));
        processor.stop().block(Check.PATIENCE);

        // What is written while no processor runs is read by the next.
        int before = numbers.calls;
        write(prefix, 2_000);
        ChangeFeedProcessor next = processor(prefix, true, handler);
        next.start().block(Check.PATIENCE);
        Check.comesTo(prefix + ": the sum of all numbers after a restart", COUNT * 2_000 + SUM,
            () -> numbers.sum(prefix));
        Check.that(prefix + ": each document came", numbers.calls - before >= COUNT);
        next.stop().block(Check.PATIENCE);
        afterReset(prefix, handler, numbers);
        if (!hasEstimatedLag) {
            afterImport(prefix, handler, numbers);
            afterAdopt(prefix, handler, numbers);
        }
    }

    /** What {@code leases reset} moves back is read again. */
    private void afterReset(String prefix, Consumer<ChangeFeedProcessorBuilder> handler, Numbers numbers)
            throws Exception {
        Leases.awaitFree(prefix);
        Check.equal(prefix + ": the listed lag when all is read", 0,
            Leases.list(prefix).get("transactions").asInt());
        Leases.run(0, null, "reset", "--group", prefix, "--to", "beginning");
        int before = numbers.calls;
        ChangeFeedProcessor again = processor(prefix, true, handler);
        again.start().block(Check.PATIENCE);
        Check.comesTo(prefix + ": each document comes again", true, () -> numbers.calls - before >= COUNT);
        Check.comesTo(prefix + ": the lag after a reset", 0, () -> lag(again));
        again.stop().block(Check.PATIENCE);

        // Forward, over what was written meanwhile.
        write(prefix, 3_000);
        Leases.awaitFree(prefix);
        Leases.run(0, null, "reset", "--group", prefix, "--to", "now");
        int skipped = numbers.calls;
        ChangeFeedProcessor forward = processor(prefix, true, handler);
        forward.start().block(Check.PATIENCE);
        write(prefix, 4_000);
        Check.comesTo(prefix + ": the sum after what was skipped", COUNT * 4_000 + SUM, () -> numbers.sum(prefix));
        Check.equal(prefix + ": only what is new", COUNT, numbers.calls - skipped);
        forward.stop().block(Check.PATIENCE);
    }

    /** A processor goes on with leases that {@code leases import} has created. */
    private void afterImport(String prefix, Consumer<ChangeFeedProcessorBuilder> handler, Numbers numbers)
            throws Exception {
        String copy = prefix + "-copy";
        Leases.awaitFree(prefix);
        Leases.copy(prefix, copy);
        int before = numbers.calls;
        write(prefix, 5_000);
        ChangeFeedProcessor other = processor(copy, true, handler);
        other.start().block(Check.PATIENCE);
        Check.comesTo(copy + ": the sum of all numbers", COUNT * 5_000 + SUM, () -> numbers.sum(prefix));
        Check.equal(copy + ": only what is new", COUNT, numbers.calls - before);
        Check.comesTo(copy + ": the lag when all is read", 0, () -> lag(other));
        other.stop().block(Check.PATIENCE);
        Leases.run(0, null, "check", "--group", copy);
    }

    /** A processor goes on with leases that were those of .NET in between, and with those of a state. */
    private void afterAdopt(String prefix, Consumer<ChangeFeedProcessorBuilder> handler, Numbers numbers)
            throws Exception {
        String copy = prefix + "-copy";
        Leases.awaitFree(copy);
        Leases.run(0, null, "adopt", "--lease-format", "dotnet", "--group", copy);
        Check.equal(copy + ": the format", "dotnet", Leases.list(copy).get("format").asText());
        Leases.run(0, null, "adopt", "--lease-format", "java", "--group", copy);
        handlesWhatIsNew(prefix, copy, 6_000, handler, numbers);
        Leases.awaitFree(copy);
        String handed = prefix + "-handed-over";
        Leases.handOver(copy, handed);
        handlesWhatIsNew(prefix, handed, 7_000, handler, numbers);
    }

    /** A processor of this group handles what is written now, and nothing else. */
    private void handlesWhatIsNew(String prefix, String group, int least, Consumer<ChangeFeedProcessorBuilder> handler,
            Numbers numbers) throws Exception {
        int before = numbers.calls;
        write(prefix, least);
        ChangeFeedProcessor processor = processor(group, true, handler);
        processor.start().block(Check.PATIENCE);
        Check.comesTo(group + ": the sum of all numbers", COUNT * least + SUM, () -> numbers.sum(prefix));
        Check.equal(group + ": only what is new", COUNT, numbers.calls - before);
        processor.stop().block(Check.PATIENCE);
        Leases.run(0, null, "check", "--group", group);
    }

    private void write(String prefix, int least) {
        for (int number = 0; number < COUNT; number++) {
            container.upsertItem(Items.item(prefix + number, group(number), least + number));
        }
    }

    /** {@code handleAllVersionsAndDeletesChanges}: each operation. */
    void allVersionsAndDeletes() throws Exception {
        List<ChangeFeedProcessorItem> changes = new ArrayList<>();
        ChangeFeedProcessor processor = processor("all", false, builder ->
            builder.handleAllVersionsAndDeletesChanges((List<ChangeFeedProcessorItem> page) -> {
                synchronized (changes) {
                    changes.addAll(page);
                }
            }));
        processor.start().block(Check.PATIENCE);
        // It starts from now, which is when it has read each range for the first time. Until it has, a
        // document is not seen.
        Check.comesTo("a range that is read", true, () -> {
            container.upsertItem(Items.item("first", "all", 0));
            synchronized (changes) {
                return !changes.isEmpty();
            }
        });
        CosmosItemRequestOptions options = new CosmosItemRequestOptions();
        PartitionKey key = new PartitionKey("all");
        for (int number = 0; number < COUNT; number++) {
            String id = "all" + number;
            container.createItem(Items.item(id, "all", number));
            container.replaceItem(Items.item(id, "all", number + 1), id, key, options);
            container.patchItem(id, key, CosmosPatchOperations.create().set("/number", number + 2), JsonNode.class);
            if (number % 3 == 0) {
                container.deleteItem(id, key, options);
            }
        }
        int deletes = COUNT / 3;
        Check.comesTo("all operations", COUNT * 3 + deletes, () -> operations(changes, null).size());
        Check.equal("creates", COUNT, operations(changes, "CREATE").size());
        Check.equal("replaces", COUNT * 2, operations(changes, "REPLACE").size());
        Check.equal("deletes", deletes, operations(changes, "DELETE").size());
        // All are of one partition key, so they come in the order of the writes.
        Map<String, List<String>> histories = new TreeMap<>();
        long lsn = 0;
        for (ChangeFeedProcessorItem change : operations(changes, null)) {
            histories.computeIfAbsent(id(change), id -> new ArrayList<>()).add(type(change));
            long next = change.getChangeFeedMetaData().getLogSequenceNumber();
            Check.that("LSNs rise: " + lsn + ", " + next, next > lsn);
            lsn = next;
            Check.that("a time", change.getChangeFeedMetaData().getConflictResolutionTimestamp() != null);
        }
        Check.equal("a history with a delete", List.of("CREATE", "REPLACE", "REPLACE", "DELETE"),
            histories.get("all0"));
        Check.equal("a history without one", List.of("CREATE", "REPLACE", "REPLACE"), histories.get("all1"));
        Check.comesTo("the lag when all is read", 0, () -> lag(processor));
        JsonNode listed = Leases.list("all");
        Check.equal("the mode", "all", listed.get("mode").asText());
        Check.equal("the listed lag", 0, listed.get("transactions").asInt());
        Leases.run(2, null, "reset", "--group", "all", "--to", "beginning", "--force");
        processor.stop().block(Check.PATIENCE);
    }

    private static List<ChangeFeedProcessorItem> operations(List<ChangeFeedProcessorItem> changes, String type) {
        synchronized (changes) {
            return changes.stream()
                .filter(change -> !"first".equals(id(change)))
                .filter(change -> type == null || type.equals(type(change)))
                .toList();
        }
    }

    private static String type(ChangeFeedProcessorItem change) {
        return change.getChangeFeedMetaData().getOperationType().name();
    }

    /** A delete has no document, and its id in the metadata. */
    private static String id(ChangeFeedProcessorItem change) {
        JsonNode whole = change.toJsonNode();
        JsonNode current = whole.path("current");
        return current.has("id") ? current.get("id").asText() : whole.path("metadata").path("id").asText();
    }

    private ChangeFeedProcessor processor(String prefix, boolean isFromBeginning,
            Consumer<ChangeFeedProcessorBuilder> handler) {
        ChangeFeedProcessorOptions options = new ChangeFeedProcessorOptions()
            .setLeasePrefix(prefix)
            .setFeedPollDelay(Duration.ofMillis(100))
            .setMaxItemCount(25);
        if (isFromBeginning) {
            options.setStartFromBeginning(true);
        }
        ChangeFeedProcessorBuilder builder = new ChangeFeedProcessorBuilder()
            .hostName("host")
            .feedContainer(feed)
            .leaseContainer(leases)
            .options(options);
        handler.accept(builder);
        return builder.buildChangeFeedProcessor();
    }

    private static int lag(ChangeFeedProcessor processor) {
        var states = processor.getCurrentState().block(Check.PATIENCE);
        Check.that("a processor has leases", !states.isEmpty());
        return states.stream().mapToInt(state -> state.getEstimatedLag()).sum();
    }

    private static String group(int number) {
        return "group-" + number % 12;
    }

    /** The number of each document, as of its last change. */
    private static final class Numbers {
        private final Map<String, Integer> numbers = new TreeMap<>();
        private final Gate gate = new Gate();
        private volatile int calls;

        void add(JsonNode document) {
            gate.pass();
            put(document);
        }

        private synchronized void put(JsonNode document) {
            numbers.put(document.get("id").asText(), document.get("number").asInt());
            calls++;
        }

        private synchronized List<Integer> of(String prefix) {
            return numbers.entrySet().stream()
                .filter(entry -> entry.getKey().startsWith(prefix))
                .map(Map.Entry::getValue)
                .toList();
        }

        int count(String prefix) {
            return of(prefix).size();
        }

        int sum(String prefix) {
            return of(prefix).stream().mapToInt(Integer::intValue).sum();
        }
    }

    /** Whoever passes it waits until it is open. */
    private static final class Gate {
        private boolean isOpen = true;

        synchronized void open() {
            isOpen = true;
            notifyAll();
        }

        synchronized void close() {
            isOpen = false;
        }

        synchronized void pass() {
            while (!isOpen) {
                try {
                    wait();
                } catch (InterruptedException stop) {
                    throw new IllegalStateException(stop);
                }
            }
        }
    }
}
