package apus;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The function's logger: lines of text, or AWS's JSON records, and nothing below the function's level. */
final class Log implements InvocationHandler {
    /** What a call without a level has; it is not left out here. */
    private static final String UNDEFINED = "UNDEFINED";
    private static final List<String> LEVELS = Arrays.asList("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL");
    private static final boolean JSON = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
    private static final int LEAST = LEVELS.indexOf(System.getenv("AWS_LAMBDA_LOG_LEVEL"));

    /** Of the invocation under way. */
    static volatile String requestId;

    private Log() {}

    /** A logger of the function's own interface, whatever version of it the function brings. */
    static Object logger(Class<?> type) {
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, new Log());
    }

    /** Gives ours to who asks the function's `LambdaRuntime` for a logger; in text, its own does the same. */
    static void install() {
        if (!JSON) {
            return;
        }
        try {
            Class<?> runtime = Class.forName("com.amazonaws.services.lambda.runtime.LambdaRuntime");
            Field field = runtime.getDeclaredField("logger");
            field.setAccessible(true);
            field.set(null, logger(field.getType()));
        } catch (ReflectiveOperationException | RuntimeException error) {
            // The function brings none, or one of another make.
            return;
        }
    }

    /** What nobody caught. */
    static void error(Throwable error) {
        write(Fault.logged(error), JSON ? "ERROR" : UNDEFINED);
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) {
        switch (method.getName()) {
            case "log":
                write(arguments[0], arguments.length > 1 ? String.valueOf(arguments[1]) : UNDEFINED);
                return null;
            case "toString":
                return "Logger";
            case "hashCode":
                return System.identityHashCode(proxy);
            case "equals":
                return proxy == arguments[0];
            default:
                return null;
        }
    }

    /** Each call is a line of the log. Bytes are left as they are. */
    private static void write(Object message, String level) {
        if (!level.equals(UNDEFINED) && LEVELS.indexOf(level) < LEAST) {
            return;
        }
        String text;
        if (message instanceof byte[]) {
            text = new String((byte[]) message, StandardCharsets.UTF_8);
        } else if (JSON) {
            text = record(message, level);
        } else {
            text = level.equals(UNDEFINED) ? String.valueOf(message) : "[" + level + "] " + message;
        }
        System.out.print(text.endsWith("\n") ? text : text + "\n");
        System.out.flush();
    }

    private static String record(Object message, String level) {
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("timestamp", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
        record.put("message", String.valueOf(message));
        record.put("level", level);
        if (requestId != null) {
            record.put("AWSRequestId", requestId);
        }
        return new String(Json.write(record), StandardCharsets.UTF_8);
    }
}
