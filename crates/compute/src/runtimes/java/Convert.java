package apus;

import java.lang.reflect.Array;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Between JSON's values and the types that handlers declare: beans by their setters and getters. */
final class Convert {
    private Convert() {}

    /** A value of JSON as a type that a handler takes. */
    static Object to(Object value, Type type) throws Exception {
        if (type instanceof WildcardType) {
            return to(value, ((WildcardType) type).getUpperBounds()[0]);
        }
        if (type instanceof TypeVariable) {
            return to(value, ((TypeVariable<?>) type).getBounds()[0]);
        }
        if (type instanceof GenericArrayType) {
            return array(value, ((GenericArrayType) type).getGenericComponentType());
        }
        Type[] arguments = new Type[0];
        if (type instanceof ParameterizedType) {
            arguments = ((ParameterizedType) type).getActualTypeArguments();
            type = ((ParameterizedType) type).getRawType();
        }
        Class<?> wanted = (Class<?>) type;
        if (value == null) {
            if (wanted.isPrimitive()) {
                return Array.get(Array.newInstance(wanted, 1), 0);
            }
            return null;
        }
        if (wanted == Object.class) {
            return value;
        }
        if (wanted == String.class || wanted == CharSequence.class) {
            if (value instanceof Map || value instanceof List) {
                throw mismatch(value, wanted);
            }
            return value.toString();
        }
        if (wanted == boolean.class || wanted == Boolean.class) {
            if (value instanceof Boolean) {
                return value;
            }
            throw mismatch(value, wanted);
        }
        if (wanted == char.class || wanted == Character.class) {
            if (value instanceof String && ((String) value).length() == 1) {
                return ((String) value).charAt(0);
            }
            throw mismatch(value, wanted);
        }
        if (wanted.isPrimitive() || Number.class.isAssignableFrom(wanted)) {
            return number(value, wanted);
        }
        if (wanted.isEnum()) {
            for (Object constant : wanted.getEnumConstants()) {
                if (((Enum<?>) constant).name().equals(value)) {
                    return constant;
                }
            }
            throw mismatch(value, wanted);
        }
        if (wanted.isArray()) {
            return array(value, wanted.getComponentType());
        }
        if (Map.class.isAssignableFrom(wanted)) {
            return map(value, wanted, arguments);
        }
        if (Collection.class.isAssignableFrom(wanted) || wanted == Iterable.class) {
            return collection(value, wanted, arguments);
        }
        return bean(value, wanted);
    }

    private static Object number(Object value, Class<?> wanted) {
        BigDecimal number;
        try {
            number = value instanceof Double ? BigDecimal.valueOf((Double) value) : new BigDecimal(value.toString().trim());
        } catch (NumberFormatException error) {
            throw mismatch(value, wanted);
        }
        if (wanted == Number.class) {
            return value instanceof Number ? value : number;
        }
        if (wanted == int.class || wanted == Integer.class) {
            return number.intValue();
        }
        if (wanted == long.class || wanted == Long.class) {
            return number.longValue();
        }
        if (wanted == double.class || wanted == Double.class) {
            return number.doubleValue();
        }
        if (wanted == float.class || wanted == Float.class) {
            return number.floatValue();
        }
        if (wanted == short.class || wanted == Short.class) {
            return number.shortValue();
        }
        if (wanted == byte.class || wanted == Byte.class) {
            return number.byteValue();
        }
        if (wanted == BigInteger.class) {
            return number.toBigInteger();
        }
        if (wanted == BigDecimal.class) {
            return number;
        }
        throw mismatch(value, wanted);
    }

    private static Object array(Object value, Type of) throws Exception {
        if (!(value instanceof List)) {
            throw mismatch(value, List.class);
        }
        List<?> list = (List<?>) value;
        Class<?> raw = of instanceof Class ? (Class<?>) of : (Class<?>) ((ParameterizedType) of).getRawType();
        Object array = Array.newInstance(raw, list.size());
        for (int index = 0; index < list.size(); index++) {
            Array.set(array, index, to(list.get(index), of));
        }
        return array;
    }

    @SuppressWarnings("unchecked")
    private static Object map(Object value, Class<?> wanted, Type[] arguments) throws Exception {
        if (!(value instanceof Map)) {
            throw mismatch(value, wanted);
        }
        Map<Object, Object> map = wanted.isAssignableFrom(LinkedHashMap.class) ? new LinkedHashMap<>()
            : wanted.isAssignableFrom(TreeMap.class) ? new TreeMap<>()
            : (Map<Object, Object>) wanted.getDeclaredConstructor().newInstance();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
            Object key = arguments.length == 2 ? to(entry.getKey(), arguments[0]) : entry.getKey();
            map.put(key, arguments.length == 2 ? to(entry.getValue(), arguments[1]) : entry.getValue());
        }
        return map;
    }

    @SuppressWarnings("unchecked")
    private static Object collection(Object value, Class<?> wanted, Type[] arguments) throws Exception {
        if (!(value instanceof List)) {
            throw mismatch(value, wanted);
        }
        Collection<Object> collection = wanted.isAssignableFrom(ArrayList.class) ? new ArrayList<>()
            : wanted.isAssignableFrom(LinkedHashSet.class) ? new LinkedHashSet<>()
            : (Collection<Object>) wanted.getDeclaredConstructor().newInstance();
        for (Object one : (List<?>) value) {
            collection.add(arguments.length == 1 ? to(one, arguments[0]) : one);
        }
        return collection;
    }

    private static Object bean(Object value, Class<?> wanted) throws Exception {
        if (!(value instanceof Map)) {
            throw mismatch(value, wanted);
        }
        Object bean = wanted.getDeclaredConstructor().newInstance();
        for (Method method : wanted.getMethods()) {
            String name = property(method.getName(), "set");
            if (name == null || method.getParameterCount() != 1 || Modifier.isStatic(method.getModifiers())) {
                continue;
            }
            Object found = member((Map<?, ?>) value, name);
            if (found != null) {
                method.invoke(bean, to(found, method.getGenericParameterTypes()[0]));
            }
        }
        for (Field field : wanted.getFields()) {
            int modifiers = field.getModifiers();
            Object found = member((Map<?, ?>) value, field.getName());
            if (found != null && !Modifier.isStatic(modifiers) && !Modifier.isFinal(modifiers)) {
                field.set(bean, to(found, field.getGenericType()));
            }
        }
        return bean;
    }

    /** AWS's own events spell some members with a capital. */
    private static Object member(Map<?, ?> map, String name) {
        Object found = map.get(name);
        return found != null ? found : map.get(Character.toUpperCase(name.charAt(0)) + name.substring(1));
    }

    /** The property of a method such as `getName`; as beans have it, `getURL` is `URL`. */
    private static String property(String method, String prefix) {
        if (!method.startsWith(prefix) || method.length() == prefix.length()) {
            return null;
        }
        String name = method.substring(prefix.length());
        if (!Character.isUpperCase(name.charAt(0))) {
            return null;
        }
        boolean acronym = name.length() > 1 && Character.isUpperCase(name.charAt(1));
        return acronym ? name : Character.toLowerCase(name.charAt(0)) + name.substring(1);
    }

    /** What a handler returned as what JSON has. */
    static Object plain(Object value) {
        if (value == null || value instanceof CharSequence || value instanceof Number || value instanceof Boolean
            || value instanceof Character || value instanceof Enum || value instanceof Map || value instanceof Iterable) {
            return value;
        }
        if (value.getClass().isArray()) {
            if (value instanceof Object[]) {
                return Arrays.asList((Object[]) value);
            }
            List<Object> list = new ArrayList<>();
            for (int index = 0; index < Array.getLength(value); index++) {
                list.add(Array.get(value, index));
            }
            return list;
        }
        return members(value);
    }

    private static Map<String, Object> members(Object bean) {
        Map<String, Object> members = new LinkedHashMap<>();
        try {
            // In the order of the fields, where getters are named after them.
            Map<String, Object> found = new HashMap<>();
            for (Method method : bean.getClass().getMethods()) {
                String name = property(method.getName(), "get");
                boolean isBoolean = method.getReturnType() == boolean.class;
                name = name == null && isBoolean ? property(method.getName(), "is") : name;
                if (name == null || method.getParameterCount() != 0 || method.getDeclaringClass() == Object.class
                    || Modifier.isStatic(method.getModifiers()) || method.getReturnType() == void.class) {
                    continue;
                }
                // The class itself may be hidden where its method is not.
                method.setAccessible(true);
                found.put(name, method.invoke(bean));
            }
            for (Field field : bean.getClass().getFields()) {
                if (!Modifier.isStatic(field.getModifiers())) {
                    found.put(field.getName(), field.get(bean));
                }
            }
            for (Class<?> owner = bean.getClass(); owner != null; owner = owner.getSuperclass()) {
                for (Field field : owner.getDeclaredFields()) {
                    if (found.containsKey(field.getName())) {
                        members.put(field.getName(), found.remove(field.getName()));
                    }
                }
            }
            members.putAll(new TreeMap<>(found));
        } catch (ReflectiveOperationException | RuntimeException error) {
            throw new IllegalArgumentException("An error occurred during JSON serialization of response", error);
        }
        return members;
    }

    private static IllegalArgumentException mismatch(Object value, Class<?> wanted) {
        String shown = value instanceof Map ? "an object" : value instanceof List ? "an array" : "the value " + value;
        return new IllegalArgumentException("Cannot make a " + wanted.getName() + " from " + shown);
    }
}
