package apus;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.util.HashMap;
import java.util.Map;

/** A handler, found by its name: `package.Class::method`, or a class with `handleRequest`. */
final class Entry {
    private static final String CONTEXT = "com.amazonaws.services.lambda.runtime.Context";
    private static final String METHOD = "handleRequest";

    private final Method method;
    private final Object instance;
    private final Type[] parameters;

    private Entry(Method method, Object instance, Type[] parameters) {
        this.method = method;
        this.instance = instance;
        this.parameters = parameters;
    }

    static Entry load(String handler) throws Throwable {
        int colons = handler.indexOf("::");
        String className = colons < 0 ? handler : handler.substring(0, colons);
        String methodName = colons < 0 ? METHOD : handler.substring(colons + 2);
        ClassLoader loader = ClassLoader.getSystemClassLoader();
        Thread.currentThread().setContextClassLoader(loader);
        Class<?> type;
        try {
            type = Class.forName(className, true, loader);
        } catch (ClassNotFoundException error) {
            throw new ClassNotFoundException("Class not found: " + className);
        }
        Method method = null;
        for (Method candidate : type.getMethods()) {
            if (candidate.getName().equals(methodName) && !candidate.isBridge() && fits(candidate)
                && (method == null || better(candidate, method))) {
                method = candidate;
            }
        }
        if (method == null) {
            throw new NoSuchMethodException("No public method named " + methodName
                + " with appropriate method signature found on class " + className);
        }
        Object instance = null;
        if (!Modifier.isStatic(method.getModifiers())) {
            Constructor<?> constructor;
            try {
                constructor = type.getConstructor();
            } catch (NoSuchMethodException error) {
                throw new NoSuchMethodException("Class " + className + " has no public zero-argument constructor");
            }
            instance = constructor.newInstance();
        }
        // Its class may be hidden where the method is not.
        method.setAccessible(true);
        Map<TypeVariable<?>, Type> known = new HashMap<>();
        learn(type, known);
        Type[] parameters = method.getGenericParameterTypes();
        for (int index = 0; index < parameters.length; index++) {
            while (parameters[index] instanceof TypeVariable && known.containsKey(parameters[index])) {
                parameters[index] = known.get(parameters[index]);
            }
        }
        return new Entry(method, instance, parameters);
    }

    /** An event, a context, both, or none; or two streams, and a context. */
    private static boolean fits(Method method) {
        Class<?>[] parameters = method.getParameterTypes();
        boolean context = parameters.length > 0 && isContext(parameters[parameters.length - 1]);
        int others = parameters.length - (context ? 1 : 0);
        return others <= 1 || others == 2 && parameters[0] == InputStream.class && parameters[1] == OutputStream.class;
    }

    /** As AWS has it: of several, the one that takes most; of such, the one with a context. */
    private static boolean better(Method one, Method other) {
        if (one.getParameterCount() != other.getParameterCount()) {
            return one.getParameterCount() > other.getParameterCount();
        }
        Class<?>[] parameters = one.getParameterTypes();
        return parameters.length > 0 && isContext(parameters[parameters.length - 1]);
    }

    private static boolean isContext(Class<?> type) {
        return type.getName().equals(CONTEXT);
    }

    /** What the type parameters of classes and interfaces above are. */
    private static void learn(Class<?> type, Map<TypeVariable<?>, Type> known) {
        for (Type above : type.getGenericInterfaces()) {
            learnOne(above, known);
        }
        if (type.getGenericSuperclass() != null) {
            learnOne(type.getGenericSuperclass(), known);
        }
    }

    private static void learnOne(Type above, Map<TypeVariable<?>, Type> known) {
        if (above instanceof ParameterizedType) {
            ParameterizedType named = (ParameterizedType) above;
            Class<?> raw = (Class<?>) named.getRawType();
            for (int index = 0; index < raw.getTypeParameters().length; index++) {
                known.put(raw.getTypeParameters()[index], named.getActualTypeArguments()[index]);
            }
            learn(raw, known);
        } else {
            learn((Class<?>) above, known);
        }
    }

    byte[] handle(Api.Invocation invocation) throws Throwable {
        Object[] values = new Object[parameters.length];
        ByteArrayOutputStream written = null;
        for (int index = 0; index < values.length; index++) {
            Type type = parameters[index];
            if (type instanceof Class && isContext((Class<?>) type)) {
                values[index] = InvocationContext.of((Class<?>) type, invocation);
            } else if (type == InputStream.class) {
                values[index] = new ByteArrayInputStream(invocation.event);
            } else if (type == OutputStream.class) {
                values[index] = written = new ByteArrayOutputStream();
            } else {
                try {
                    values[index] = Convert.to(Json.read(invocation.event), type);
                } catch (Exception error) {
                    RuntimeException told = new RuntimeException("An error occurred during JSON parsing", error);
                    told.setStackTrace(new StackTraceElement[0]);
                    throw told;
                }
            }
        }
        Object returned = method.invoke(instance, values);
        if (written != null) {
            return written.toByteArray();
        }
        return Json.write(Convert.plain(returned));
    }
}
