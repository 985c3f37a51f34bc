package apus;

/**
 * Runs a handler: takes events from the Runtime API, leaves responses there.
 *
 * What starts faster is preferred throughout: no lambdas, no libraries, no HTTP client but our own.
 */
public final class Bootstrap {
    private Bootstrap() {}

    public static void main(String[] arguments) throws Exception {
        Api api = new Api(System.getenv("AWS_LAMBDA_RUNTIME_API"));
        Log.install();
        Entry entry;
        try {
            entry = Entry.load(System.getenv("_HANDLER"));
        } catch (Throwable error) {
            tell(api, "init/error", Fault.unwrapped(error));
            System.exit(1);
            return;
        }
        while (true) {
            Api.Invocation invocation = api.next();
            String path = "invocation/" + invocation.requestId() + "/";
            Log.requestId = invocation.requestId();
            String trace = invocation.header("lambda-runtime-trace-id");
            if (trace != null) {
                System.setProperty("com.amazonaws.xray.traceHeader", trace);
            }
            byte[] response;
            try {
                response = entry.handle(invocation);
            } catch (Throwable error) {
                Throwable known = Fault.unwrapped(error);
                tell(api, path + "error", known);
                if (known instanceof VirtualMachineError) {
                    // Of its memory, nobody knows what is left.
                    System.exit(1);
                }
                continue;
            }
            System.out.flush();
            System.err.flush();
            api.post(path + "response", response, null);
        }
    }

    private static void tell(Api api, String path, Throwable error) throws Exception {
        Log.error(error);
        System.out.flush();
        System.err.flush();
        api.post(path, Json.write(Fault.report(error)), error.getClass().getName());
    }
}
