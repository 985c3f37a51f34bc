package apus;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Tells an exception as AWS does. */
final class Fault {
    /** A chain of causes that is longer is cut. */
    private static final int CAUSES_MAX = 20;

    private Fault() {}

    /** What the function threw, without what reflection put around it. */
    static Throwable unwrapped(Throwable error) {
        Throwable inner = error;
        while ((inner instanceof InvocationTargetException || inner instanceof ExceptionInInitializerError)
            && inner.getCause() != null) {
            inner = inner.getCause();
        }
        return inner;
    }

    static Map<String, Object> report(Throwable error) {
        return report(error, 0);
    }

    private static Map<String, Object> report(Throwable error, int depth) {
        Map<String, Object> report = new LinkedHashMap<>();
        report.put("errorMessage", error.getMessage());
        report.put("errorType", error.getClass().getName());
        List<Object> trace = new ArrayList<>();
        for (StackTraceElement element : own(error)) {
            trace.add(element.toString());
        }
        report.put("stackTrace", trace);
        if (error.getCause() != null && depth < CAUSES_MAX) {
            report.put("cause", report(error.getCause(), depth + 1));
        }
        return report;
    }

    /** Its trace, up to where we called it. */
    private static List<StackTraceElement> own(Throwable error) {
        List<StackTraceElement> frames = new ArrayList<>();
        for (StackTraceElement element : error.getStackTrace()) {
            if (element.getClassName().startsWith("apus.")) {
                break;
            }
            frames.add(element);
        }
        while (!frames.isEmpty() && reflects(frames.get(frames.size() - 1).getClassName())) {
            frames.remove(frames.size() - 1);
        }
        return frames;
    }

    private static boolean reflects(String name) {
        return name.startsWith("java.lang.reflect.") || name.startsWith("jdk.internal.reflect.")
            || name.equals("java.lang.Class");
    }

    static String logged(Throwable error) {
        StringWriter text = new StringWriter();
        error.setStackTrace(own(error).toArray(new StackTraceElement[0]));
        error.printStackTrace(new PrintWriter(text, true));
        return error.getMessage() + ": " + error.getClass().getName() + "\n" + text;
    }
}
