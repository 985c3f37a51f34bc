package apus;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** The Runtime API over one connection, which the platform keeps open. */
final class Api {
    private static final String PATH = "/2018-06-01/runtime/";
    private static final int LINE_BYTES_MAX = 1 << 20;

    /** What is to be handled, and what is said of it. */
    static final class Invocation {
        final Map<String, String> headers;
        final byte[] event;

        Invocation(Map<String, String> headers, byte[] event) {
            this.headers = headers;
            this.event = event;
        }

        String header(String name) {
            return headers.get(name);
        }

        String requestId() {
            return header("lambda-runtime-aws-request-id");
        }
    }

    private final String host;
    private final InputStream in;
    private final OutputStream out;

    Api(String address) throws IOException {
        int colon = address.lastIndexOf(':');
        host = address;
        Socket socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        in = new BufferedInputStream(socket.getInputStream(), 1 << 16);
        out = socket.getOutputStream();
    }

    Invocation next() throws IOException {
        send("GET", "invocation/next", "", new byte[0]);
        return read();
    }

    void post(String path, byte[] body, String errorType) throws IOException {
        String headers = "Content-Type: application/json\r\nContent-Length: " + body.length + "\r\n";
        if (errorType != null) {
            headers += "Lambda-Runtime-Function-Error-Type: " + errorType + "\r\n";
        }
        send("POST", path, headers, body);
        read();
    }

    private void send(String method, String path, String headers, byte[] body) throws IOException {
        String head = method + " " + PATH + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n";
        byte[] begin = head.getBytes(StandardCharsets.UTF_8);
        byte[] whole = new byte[begin.length + body.length];
        System.arraycopy(begin, 0, whole, 0, begin.length);
        System.arraycopy(body, 0, whole, begin.length, body.length);
        out.write(whole);
    }

    private Invocation read() throws IOException {
        String status = line();
        Map<String, String> headers = new HashMap<>();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.put(line.substring(0, colon).toLowerCase(Locale.ROOT), line.substring(colon + 1).trim());
        }
        String length = headers.get("content-length");
        byte[] body = length == null ? new byte[0] : in.readNBytes(Integer.parseInt(length));
        int code = Integer.parseInt(status.split(" ")[1]);
        // A response that is too large is refused, and the platform tells who waits.
        if (code >= 400 && code != 413) {
            throw new IOException("the platform answers " + status);
        }
        return new Invocation(headers, body);
    }

    private String line() throws IOException {
        StringBuilder line = new StringBuilder();
        for (int one = in.read(); one != '\n'; one = in.read()) {
            if (one < 0 || line.length() > LINE_BYTES_MAX) {
                throw new EOFException("the platform closed the connection");
            }
            if (one != '\r') {
                line.append((char) one);
            }
        }
        return line.toString();
    }
}
