package apus;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, strings, numbers, booleans and null. */
final class Json {
    /** Deeper than this nobody means it, and the stack is not endless. */
    private static final int DEPTH_MAX = 1000;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static Object read(byte[] bytes) {
        Json json = new Json(new String(bytes, StandardCharsets.UTF_8));
        Object value = json.value(0);
        json.blank();
        if (json.at < json.text.length()) {
            throw json.unexpected();
        }
        return value;
    }

    static byte[] write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out, 0);
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    private Object value(int depth) {
        if (depth > DEPTH_MAX) {
            throw new IllegalArgumentException("nested deeper than " + DEPTH_MAX);
        }
        blank();
        switch (peek()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> map = new LinkedHashMap<>();
        at++;
        blank();
        if (peek() == '}') {
            at++;
            return map;
        }
        while (true) {
            blank();
            String name = string();
            blank();
            expect(':');
            map.put(name, value(depth + 1));
            blank();
            if (peek() == '}') {
                at++;
                return map;
            }
            expect(',');
        }
    }

    private List<Object> array(int depth) {
        List<Object> list = new ArrayList<>();
        at++;
        blank();
        if (peek() == ']') {
            at++;
            return list;
        }
        while (true) {
            list.add(value(depth + 1));
            blank();
            if (peek() == ']') {
                at++;
                return list;
            }
            expect(',');
        }
    }

    private String string() {
        expect('"');
        StringBuilder string = new StringBuilder();
        while (true) {
            char one = take();
            if (one == '"') {
                return string.toString();
            }
            if (one != '\\') {
                string.append(one);
                continue;
            }
            char escaped = take();
            switch (escaped) {
                case 'b':
                    string.append('\b');
                    break;
                case 'f':
                    string.append('\f');
                    break;
                case 'n':
                    string.append('\n');
                    break;
                case 'r':
                    string.append('\r');
                    break;
                case 't':
                    string.append('\t');
                    break;
                case 'u':
                    if (at + 4 > text.length()) {
                        throw unexpected();
                    }
                    string.append((char) Integer.parseInt(text.substring(at, at + 4), 16));
                    at += 4;
                    break;
                default:
                    string.append(escaped);
            }
        }
    }

    private Number number() {
        int from = at;
        boolean whole = true;
        while (at < text.length() && "+-0123456789.eE".indexOf(text.charAt(at)) >= 0) {
            whole &= ".eE".indexOf(text.charAt(at)) < 0;
            at++;
        }
        String digits = text.substring(from, at);
        if (digits.isEmpty()) {
            throw unexpected();
        }
        if (!whole) {
            return Double.valueOf(digits);
        }
        // As in AWS's runtime, a small number is an Integer where nothing else is asked for.
        if (digits.length() <= 18) {
            long value = Long.parseLong(digits);
            return value == (int) value ? (Number) Integer.valueOf((int) value) : (Number) Long.valueOf(value);
        }
        BigInteger value = new BigInteger(digits);
        return value.bitLength() < 64 ? (Number) Long.valueOf(value.longValue()) : (Number) value;
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw unexpected();
        }
        at += word.length();
        return value;
    }

    private void blank() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw unexpected();
        }
        return text.charAt(at);
    }

    private char take() {
        char one = peek();
        at++;
        return one;
    }

    private void expect(char wanted) {
        if (take() != wanted) {
            at--;
            throw unexpected();
        }
    }

    private IllegalArgumentException unexpected() {
        String found = at < text.length() ? "'" + text.charAt(at) + "'" : "the end";
        return new IllegalArgumentException("unexpected " + found + " at " + at);
    }

    private static void write(Object value, StringBuilder out, int depth) {
        if (depth > DEPTH_MAX) {
            throw new IllegalArgumentException("nested deeper than " + DEPTH_MAX + ", or in itself");
        }
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            boolean finite = !Double.isNaN(number) && !Double.isInfinite(number);
            out.append(finite ? value.toString() : "\"" + value + "\"");
        } else if (value instanceof Number) {
            out.append(value instanceof BigDecimal ? ((BigDecimal) value).toString() : value.toString());
        } else if (value instanceof Map) {
            out.append('{');
            String between = "";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(between);
                quote(String.valueOf(entry.getKey()), out);
                out.append(':');
                write(Convert.plain(entry.getValue()), out, depth + 1);
                between = ",";
            }
            out.append('}');
        } else if (value instanceof Iterable) {
            out.append('[');
            String between = "";
            for (Object one : (Iterable<?>) value) {
                out.append(between);
                write(Convert.plain(one), out, depth + 1);
                between = ",";
            }
            out.append(']');
        } else if (value instanceof CharSequence || value instanceof Character || value instanceof Enum) {
            quote(value instanceof Enum ? ((Enum<?>) value).name() : value.toString(), out);
        } else {
            write(Convert.plain(value), out, depth + 1);
        }
    }

    private static void quote(String string, StringBuilder out) {
        out.append('"');
        for (int index = 0; index < string.length(); index++) {
            char one = string.charAt(index);
            switch (one) {
                case '"':
                case '\\':
                    out.append('\\').append(one);
                    break;
                case '\n':
                    out.append("\\n");
                    break;
                case '\r':
                    out.append("\\r");
                    break;
                case '\t':
                    out.append("\\t");
                    break;
                default:
                    if (one < ' ') {
                        String digits = Integer.toHexString(one);
                        out.append("\\u").append("0000", 0, 4 - digits.length()).append(digits);
                    } else {
                        out.append(one);
                    }
            }
        }
        out.append('"');
    }
}
