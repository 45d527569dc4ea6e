import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.CosmosBatch;
import com.azure.cosmos.models.CosmosBulkOperations;
import com.azure.cosmos.models.CosmosItemIdentity;
import com.azure.cosmos.models.CosmosItemOperation;
import com.azure.cosmos.models.CosmosItemRequestOptions;
import com.azure.cosmos.models.CosmosPatchOperations;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.PartitionKey;
import com.azure.cosmos.models.SqlParameter;
import com.azure.cosmos.models.SqlQuerySpec;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;

/** Writes, reads and queries of items. */
final class Items {
    private final CosmosContainer container;

    Items(CosmosContainer container) {
        this.container = container;
    }

    static ObjectNode item(String id, String group, int number) {
        ObjectNode item = JsonNodeFactory.instance.objectNode();
        return item.put("id", id).put("group", group).put("number", number);
    }

    void run() {
        each();
        batches();
        queries();
    }

    private void each() {
        PartitionKey key = new PartitionKey("single");
        CosmosItemRequestOptions options = new CosmosItemRequestOptions();
        Check.equal("create", 201, container.createItem(item("one", "single", 1)).getStatusCode());
        Check.equal("a second create", 409, status(() -> container.createItem(item("one", "single", 1))));
        Check.equal("an upsert of a new item", 201,
            container.upsertItem(item("two", "single", 2)).getStatusCode());
        Check.equal("an upsert of an item that exists", 200,
            container.upsertItem(item("two", "single", 3)).getStatusCode());
        String etag = container.replaceItem(item("one", "single", 4), "one", key, options).getETag();
        container.patchItem("one", key, CosmosPatchOperations.create().increment("/number", 1).add("/new", true),
            JsonNode.class);
        Check.equal("a replace of an item that has changed", 412, status(() -> container.replaceItem(
            item("one", "single", 9), "one", key, new CosmosItemRequestOptions().setIfMatchETag(etag))));
        JsonNode read = container.readItem("one", key, JsonNode.class).getItem();
        Check.equal("the patched number", 5, read.get("number").asInt());
        Check.equal("the added member", true, read.get("new").asBoolean());
        Check.equal("delete", 204, container.deleteItem("two", key, options).getStatusCode());
        Check.equal("a read of what is deleted", 404, status(() -> container.readItem("two", key, JsonNode.class)));
        for (String id : List.of("with space", "ключ 🦆", "a%b+c&d=e", "quote'\"")) {
            container.createItem(item(id, "odd ids", 1));
            JsonNode odd = container.readItem(id, new PartitionKey("odd ids"), JsonNode.class).getItem();
            Check.equal("an odd id", id, odd.get("id").asText());
            container.deleteItem(id, new PartitionKey("odd ids"), options);
        }
    }

    private void batches() {
        PartitionKey key = new PartitionKey("batch");
        CosmosBatch batch = CosmosBatch.createCosmosBatch(key);
        for (int number = 0; number < 10; number++) {
            batch.createItemOperation(item("batch-" + number, "batch", number));
        }
        batch.deleteItemOperation("batch-0");
        batch.replaceItemOperation("batch-1", item("batch-1", "batch", 100));
        batch.patchItemOperation("batch-2", CosmosPatchOperations.create().increment("/number", 40));
        Check.that("the batch succeeds", container.executeCosmosBatch(batch).isSuccessStatusCode());
        Check.equal("the number patched in a batch", 42,
            container.readItem("batch-2", key, JsonNode.class).getItem().get("number").asInt());
        CosmosBatch failing = CosmosBatch.createCosmosBatch(key);
        failing.createItemOperation(item("batch-new", "batch", 0));
        failing.createItemOperation(item("batch-1", "batch", 0));
        Check.equal("a batch with a conflict", 409, container.executeCosmosBatch(failing).getStatusCode());
        Check.equal("what it would have created", 404,
            status(() -> container.readItem("batch-new", key, JsonNode.class)));

        List<CosmosItemOperation> operations = new ArrayList<>();
        for (int number = 0; number < 200; number++) {
            String group = "bulk-" + number % 20;
            operations.add(CosmosBulkOperations.getUpsertItemOperation(
                item("bulk-" + number, group, number), new PartitionKey(group)));
        }
        long created = 0;
        for (var answer : container.executeBulkOperations(operations)) {
            Check.that("no exception: " + answer.getException(), answer.getException() == null);
            created += answer.getResponse().getStatusCode() == 201 ? 1 : 0;
        }
        Check.equal("items that the bulk has created", 200L, created);
    }

    private void queries() {
        List<CosmosItemIdentity> identities = new ArrayList<>();
        for (int number = 0; number < 200; number += 7) {
            identities.add(new CosmosItemIdentity(new PartitionKey("bulk-" + number % 20), "bulk-" + number));
        }
        Check.equal("readMany", identities.size(),
            container.readMany(identities, JsonNode.class).getResults().size());
        Check.equal("all items of a key", 10L, container.readAllItems(
            new PartitionKey("bulk-3"), JsonNode.class).stream().count());
        Check.equal("a query of one key", 10L, query("SELECT * FROM c", "bulk-3"));
        Check.equal("a query of all keys", 200L,
            query("SELECT c.id FROM c WHERE STARTSWITH(c.id, 'bulk-')", null));
        SqlQuerySpec parameters = new SqlQuerySpec("SELECT * FROM c WHERE c.number >= @least AND c.number < 200",
            new SqlParameter("@least", 190));
        Check.equal("a query with a parameter", 10L, container.queryItems(
            parameters, new CosmosQueryRequestOptions(), JsonNode.class).stream().count());
        List<Integer> numbers = container.queryItems(
                "SELECT VALUE c.number FROM c WHERE STARTSWITH(c.id, 'bulk-') ORDER BY c.number DESC",
                new CosmosQueryRequestOptions(), Integer.class)
            .stream().toList();
        Check.equal("the count of an ordered query", 200, numbers.size());
        Check.equal("its first", 199, numbers.get(0));
        Check.equal("its last", 0, numbers.get(199));
        Check.equal("a count", 200.0, aggregate("COUNT(1)"));
        Check.equal("a sum", 199.0 * 200 / 2, aggregate("SUM(c.number)"));
        Check.equal("an average", 99.5, aggregate("AVG(c.number)"));
        long paged = 0;
        int pages = 0;
        for (var page : container.queryItems("SELECT * FROM c WHERE STARTSWITH(c.id, 'bulk-')",
                new CosmosQueryRequestOptions(), JsonNode.class).iterableByPage(15)) {
            Check.that("a page is no longer than asked for", page.getResults().size() <= 15);
            paged += page.getResults().size();
            pages++;
        }
        Check.equal("items of all pages", 200L, paged);
        Check.that("several pages: " + pages, pages > 10);
        // A query is continued by a token that another client may use.
        var first = container.queryItems("SELECT * FROM c WHERE STARTSWITH(c.id, 'bulk-')",
            new CosmosQueryRequestOptions(), JsonNode.class).iterableByPage(50).iterator().next();
        long rest = 0;
        for (var page : container.queryItems("SELECT * FROM c WHERE STARTSWITH(c.id, 'bulk-')",
                new CosmosQueryRequestOptions(), JsonNode.class)
            .iterableByPage(first.getContinuationToken(), 50)) {
            rest += page.getResults().size();
        }
        Check.equal("the rest of a continued query", 200L - first.getResults().size(), rest);
    }

    private double aggregate(String of) {
        String text = "SELECT VALUE " + of + " FROM c WHERE STARTSWITH(c.id, 'bulk-')";
        List<Double> values = container.queryItems(text, new CosmosQueryRequestOptions(), Double.class).stream().toList();
        Check.equal("one value of " + of, 1, values.size());
        return values.get(0);
    }

    private long query(String text, String group) {
        CosmosQueryRequestOptions options = new CosmosQueryRequestOptions();
        if (group != null) {
            options.setPartitionKey(new PartitionKey(group));
        }
        return container.queryItems(text, options, JsonNode.class).stream().count();
    }

    /** The status that a refused request has. */
    static int status(Runnable request) {
        try {
            request.run();
        } catch (CosmosException error) {
            return error.getStatusCode();
        }
        throw new AssertionError("it was not refused");
    }
}
