import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosDatabase;
import com.azure.cosmos.models.ChangeFeedPolicy;
import com.azure.cosmos.models.CosmosContainerProperties;
import com.azure.cosmos.models.CosmosQueryRequestOptions;
import com.azure.cosmos.models.ThroughputProperties;
import java.time.Duration;
import java.util.List;

/** Databases and containers. */
final class Account {
    static final String DATABASE = "java";
    static final String THINGS = "things";
    static final String LEASES = "leases";

    private Account() {}

    static void run(CosmosClient client) {
        Check.equal("a new database", 201, client.createDatabaseIfNotExists(DATABASE).getStatusCode());
        Check.equal("the same again", 200, client.createDatabaseIfNotExists(DATABASE).getStatusCode());
        CosmosDatabase database = client.getDatabase(DATABASE);
        Check.equal("its id", DATABASE, database.read().getProperties().getId());

        CosmosContainerProperties things = new CosmosContainerProperties(THINGS, "/group");
        things.setChangeFeedPolicy(ChangeFeedPolicy.createAllVersionsAndDeletesPolicy(Duration.ofMinutes(10)));
        ThroughputProperties throughput = ThroughputProperties.createManualThroughput(10_000);
        Check.equal("a new container", 201,
            database.createContainerIfNotExists(things, throughput).getStatusCode());
        Check.equal("the same again", 200,
            database.createContainerIfNotExists(things, throughput).getStatusCode());
        Check.equal("another container", 201,
            database.createContainerIfNotExists(LEASES, "/id").getStatusCode());
        CosmosContainer container = database.getContainer(THINGS);
        CosmosContainerProperties read = container.read().getProperties();
        Check.equal("its id", THINGS, read.getId());
        Check.equal("its key", List.of("/group"), read.getPartitionKeyDefinition().getPaths());
        Check.equal("its throughput", 10_000,
            container.readThroughput().getProperties().getManualThroughput());
        container.replaceThroughput(ThroughputProperties.createManualThroughput(20_000));
        Check.equal("its throughput then", 20_000,
            container.readThroughput().getProperties().getManualThroughput());
        read.setDefaultTimeToLiveInSeconds(-1);
        container.replace(read);
        Check.equal("its time to live", -1,
            container.read().getProperties().getDefaultTimeToLiveInSeconds());
        Check.equal("all containers", 2L, database.readAllContainers().stream().count());
        Check.equal("a query of containers", 1L, database.queryContainers(
            "SELECT * FROM c WHERE c.id = 'leases'", new CosmosQueryRequestOptions()).stream().count());
        Check.equal("a query of databases", 1L, client.queryDatabases(
            "SELECT * FROM c WHERE c.id = 'java'", new CosmosQueryRequestOptions()).stream().count());
        Check.that("the ranges of a container", !container.getFeedRanges().isEmpty());
        Check.equal("a container that does not exist", 404,
            Items.status(() -> database.getContainer("nothing").read()));
    }

    static void end(CosmosClient client) {
        CosmosDatabase database = client.getDatabase(DATABASE);
        database.getContainer(LEASES).delete();
        Check.equal("a deleted container", 404,
            Items.status(() -> database.getContainer(LEASES).read()));
        database.delete();
        Check.equal("a deleted database", 404, Items.status(database::read));
    }
}
