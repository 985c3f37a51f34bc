package apus;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The function's own `Context` interface, and those that it leads to, over what is known of an invocation. The interfaces
 * are the function's: whatever version of them it brings, a method is answered by its name.
 */
final class InvocationContext implements InvocationHandler {
    private final String title;
    private final Map<String, Object> answers;

    private InvocationContext(String title, Map<String, Object> answers) {
        this.title = title;
        this.answers = answers;
    }

    static Object of(Class<?> type, Api.Invocation invocation) {
        Map<String, Object> answers = new HashMap<>();
        answers.put("getAwsRequestId", invocation.requestId());
        answers.put("getInvokedFunctionArn", invocation.header("lambda-runtime-invoked-function-arn"));
        answers.put("getTenantId", invocation.header("lambda-runtime-aws-tenant-id"));
        answers.put("getXrayTraceId", invocation.header("lambda-runtime-trace-id"));
        answers.put("getFunctionName", System.getenv("AWS_LAMBDA_FUNCTION_NAME"));
        answers.put("getFunctionVersion", System.getenv("AWS_LAMBDA_FUNCTION_VERSION"));
        answers.put("getLogGroupName", System.getenv("AWS_LAMBDA_LOG_GROUP_NAME"));
        answers.put("getLogStreamName", System.getenv("AWS_LAMBDA_LOG_STREAM_NAME"));
        answers.put("getMemoryLimitInMB", Integer.valueOf(System.getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")));
        String deadline = invocation.header("lambda-runtime-deadline-ms");
        answers.put("deadline", deadline == null ? 0L : Long.parseLong(deadline));
        answers.put("client", read(invocation.header("lambda-runtime-client-context")));
        answers.put("identity", read(invocation.header("lambda-runtime-cognito-identity")));
        return proxy(type, "Context", answers);
    }

    private static Object proxy(Class<?> type, String title, Map<String, Object> answers) {
        return Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, new InvocationContext(title, answers));
    }

    private static Map<?, ?> read(String json) {
        if (json == null || json.isEmpty()) {
            return null;
        }
        Object value = Json.read(json.getBytes(StandardCharsets.UTF_8));
        return value instanceof Map ? (Map<?, ?>) value : null;
    }

    private static Object of(Map<?, ?> known, String name) {
        return known == null ? null : known.get(name);
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) {
        String name = method.getName();
        Class<?> returned = method.getReturnType();
        switch (name) {
            case "toString":
                return title + answers;
            case "hashCode":
                return System.identityHashCode(proxy);
            case "equals":
                return proxy == arguments[0];
            case "getRemainingTimeInMillis":
                return (int) Math.max((Long) answers.get("deadline") - System.currentTimeMillis(), 0);
            case "getLogger":
                return Log.logger(returned);
            case "getIdentity":
                return proxy(returned, "Identity", identity((Map<?, ?>) answers.get("identity")));
            case "getClientContext":
                Map<?, ?> client = (Map<?, ?>) answers.get("client");
                return client == null ? null : proxy(returned, "ClientContext", client(client));
            case "getClient":
                Map<?, ?> app = (Map<?, ?>) answers.get("app");
                return app == null ? null : proxy(returned, "Client", app(app));
            default:
                return answers.get(name);
        }
    }

    private static Map<String, Object> identity(Map<?, ?> known) {
        Map<String, Object> answers = new HashMap<>();
        answers.put("getIdentityId", of(known, "cognitoIdentityId"));
        answers.put("getIdentityPoolId", of(known, "cognitoIdentityPoolId"));
        return answers;
    }

    private static Map<String, Object> client(Map<?, ?> known) {
        Map<String, Object> answers = new HashMap<>();
        answers.put("getCustom", of(known, "custom"));
        answers.put("getEnvironment", of(known, "env"));
        answers.put("app", of(known, "client"));
        return answers;
    }

    private static Map<String, Object> app(Map<?, ?> known) {
        Map<String, Object> answers = new HashMap<>();
        answers.put("getInstallationId", of(known, "installation_id"));
        answers.put("getAppTitle", of(known, "app_title"));
        answers.put("getAppVersionName", of(known, "app_version_name"));
        answers.put("getAppVersionCode", of(known, "app_version_code"));
        answers.put("getAppPackageName", of(known, "app_package_name"));
        return answers;
    }
}
