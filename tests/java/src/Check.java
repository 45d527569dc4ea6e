import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.Callable;

/** Assertions that name what differs. */
final class Check {
    /** Nothing here takes longer, on the slowest machine. */
    static final Duration PATIENCE = Duration.ofSeconds(90);

    private Check() {}

    static void equal(String what, Object expected, Object actual) {
        if (!Objects.equals(expected, actual)) {
            throw new AssertionError(what + ": expected " + expected + ", got " + actual);
        }
    }

    static void that(String what, boolean holds) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** Waits until {@code question} has the answer {@code expected}. */
    static void comesTo(String what, Object expected, Callable<?> question) throws Exception {
        long end = System.nanoTime() + PATIENCE.toNanos();
        Object last;
        do {
            last = question.call();
            if (Objects.equals(expected, last)) {
                return;
            }
            Thread.sleep(50);
        } while (System.nanoTime() < end);
        throw new AssertionError(what + ": expected " + expected + ", got " + last + " at last");
    }
}
