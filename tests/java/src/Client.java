import com.azure.cosmos.ConsistencyLevel;
import com.azure.cosmos.CosmosAsyncClient;
import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosClientBuilder;

/** Runs the official Java client against the account of the environment. */
public final class Client {
    private Client() {}

    public static void main(String[] arguments) throws Exception {
        try (CosmosClient client = builder().buildClient();
                CosmosAsyncClient async = builder().buildAsyncClient()) {
            step("databases and containers", () -> Account.run(client));
            var database = client.getDatabase(Account.DATABASE);
            step("items and queries", () -> new Items(database.getContainer(Account.THINGS)).run());
            var feed = async.getDatabase(Account.DATABASE).getContainer(Account.THINGS);
            var leases = async.getDatabase(Account.DATABASE).getContainer(Account.LEASES);
            Processors processors = new Processors(database.getContainer(Account.THINGS), feed, leases);
            step("a processor of documents", processors::documents);
            step("a processor of latest versions", processors::latestVersions);
            step("a processor of all versions and deletes", processors::allVersionsAndDeletes);
            step("a group that it shares with cosmos-tail", () -> new Shared(
                client.getDatabase(Shared.DATABASE).getContainer(Shared.ORDERS)).run());
            step("the end", () -> Account.end(client));
        }
        // Threads of the client's would keep the process for a minute.
        System.exit(0);
    }

    interface Step {
        void run() throws Exception;
    }

    private static void step(String name, Step step) throws Exception {
        long start = System.nanoTime();
        try {
            step.run();
        } catch (Throwable failure) {
            System.err.println("failed: " + name);
            failure.printStackTrace();
            System.exit(1);
        }
        System.err.printf("%s: %.1f s%n", name, (System.nanoTime() - start) / 1e9);
    }

    static CosmosClientBuilder builder() {
        return new CosmosClientBuilder()
            .endpoint(System.getenv("AZURE_COSMOS_ENDPOINT"))
            .key(System.getenv("AZURE_COSMOS_KEY"))
            .consistencyLevel(ConsistencyLevel.SESSION)
            .contentResponseOnWriteEnabled(true)
            .gatewayMode();
    }
}
