import com.azure.cosmos.ChangeFeedProcessor;
import com.azure.cosmos.ChangeFeedProcessorBuilder;
import com.azure.cosmos.CosmosAsyncClient;
import com.azure.cosmos.models.ChangeFeedProcessorItem;
import com.azure.cosmos.models.ChangeFeedProcessorOptions;
import com.fasterxml.jackson.databind.JsonNode;
import java.time.Duration;
import java.util.List;

/** A change feed processor in a process of its own, which prints the documents of its ranges until it is killed. */
public final class Peer {
    private Peer() {}

    public static void main(String[] arguments) throws Exception {
        CosmosAsyncClient client = Client.builder().buildAsyncClient();
        var feed = client.getDatabase(Shared.DATABASE).getContainer(Shared.ORDERS);
        var leases = client.getDatabase(Account.DATABASE).getContainer(Account.LEASES);
        ChangeFeedProcessorOptions options = new ChangeFeedProcessorOptions()
            .setLeasePrefix(Shared.GROUP)
            .setFeedPollDelay(Duration.ofMillis(100))
            .setLeaseAcquireInterval(Duration.ofSeconds(1))
            .setLeaseRenewInterval(Duration.ofSeconds(1))
            .setLeaseExpirationInterval(Duration.ofSeconds(Shared.EXPIRATION));
        ChangeFeedProcessor processor = new ChangeFeedProcessorBuilder()
            .hostName(arguments[0])
            .feedContainer(feed)
            .leaseContainer(leases)
            .options(options)
            .handleLatestVersionChanges((List<ChangeFeedProcessorItem> changes) -> {
                StringBuilder lines = new StringBuilder();
                for (ChangeFeedProcessorItem change : changes) {
                    JsonNode document = change.getCurrent();
                    lines.append(document).append('\n');
                }
                System.out.print(lines);
                System.out.flush();
            })
            .buildChangeFeedProcessor();
        processor.start().block(Check.PATIENCE);
        // At the end of its input it lets its leases go.
        while (System.in.read() >= 0) {
            continue;
        }
        processor.stop().block(Check.PATIENCE);
        System.exit(0);
    }
}
