"""HTTP/1.1 on sockets: reads a request strictly, writes an answer, with keep-alive. One thread a connection."""

import gzip
import re
import socket
import socketserver
import ssl
import threading
import time
import zlib

from provider_faults import on

# A head as long as a proxy would let through, and a body far above any booking.
MAX_HEAD, MAX_BODY = 64 << 10, 2 << 20
# A connection on which nothing comes for so long is closed.
IDLE = 20
# What the faults of size send.
ENDLESS = 100 << 20
PIECE = b" " * (64 << 10)


class Bad(Exception):
    """A request that is no HTTP; the connection is closed after the answer."""

    def __init__(self, status=400):
        super().__init__(status)
        self.status = status


class Request:
    def __init__(self, method, target, headers, repeated):
        self.method, self.target, self.headers, self.repeated = method, target, headers, repeated
        self.body = b""


class Answer:
    def __init__(self, status, headers=None, body=b""):
        self.status, self.headers, self.body = status, dict(headers or {}), body


def read_request(stream):
    """The next request of a connection; none when it was closed."""
    lines, size = [], 0
    while True:
        line = stream.readline(MAX_HEAD + 1)
        size += len(line)
        if size > MAX_HEAD:
            raise Bad(431)
        if not line:
            return None
        line = line.rstrip(b"\r\n")
        if not line and lines:
            break
        if line:
            lines.append(line)
    found = re.fullmatch(rb"([A-Za-z]+) (\S+) HTTP/1\.1", lines[0])
    if not found or not lines[0].isascii():
        raise Bad()
    headers, repeated = {}, set()
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon or not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or re.search(rb"[\0\r\n]", value):
            raise Bad()
        name, value = name.decode().lower(), value.strip().decode("latin-1")
        if name in headers:
            repeated.add(name)
            value = headers[name] + ", " + value
        headers[name] = value
    request = Request(found[1].decode(), found[2].decode(), headers, repeated)
    request.body = read_body(stream, headers)
    return request


def read_body(stream, headers):
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None or coding.lower() != "chunked":
            raise Bad()
        if on("chunked-refused"):
            raise Bad(411)
        return read_chunks(stream)
    if length is None:
        return b""
    if not re.fullmatch(r"\d{1,12}", length):
        raise Bad()
    if int(length) > MAX_BODY:
        raise Bad(413)
    body = stream.read(int(length))
    if len(body) < int(length):
        raise Bad()
    return body


def read_chunks(stream):
    body = b""
    while True:
        line = stream.readline(1024).strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", line):
            raise Bad()
        size = int(line, 16)
        if len(body) + size > MAX_BODY:
            raise Bad(413)
        body += stream.read(size)
        stream.readline(1024)
        if size == 0:
            return body


def unzipped(body):
    """A gzip body, but never more than a booking may have; none when it is broken or swells."""
    reader = zlib.decompressobj(wbits=31)
    try:
        out = reader.decompress(body, MAX_BODY)
    except zlib.error:
        return None
    return out if reader.eof and not reader.unconsumed_tail else None


def coded(request, answer):
    """Compresses the body when the caller takes gzip."""
    asked = "gzip" in request.headers.get("accept-encoding", "").lower() and not on("gzip-ignored")
    if answer.body and (asked or on("gzip-unasked")):
        answer.headers["Content-Encoding"] = "gzip"
        if not on("gzip-only-said"):
            answer.body = gzip.compress(answer.body, 6)


def head(answer, length):
    lines = [f"HTTP/1.1 {answer.status} -", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def write(stream, answer):
    """Sends an answer; the faults of the wire are here. True when the connection may go on."""
    body, length = answer.body, len(answer.body)
    if on("hangs"):
        time.sleep(IDLE)
        return False
    if on("endless-head"):
        stream.write(b"HTTP/1.1 200 -\r\n")
        for number in range(ENDLESS >> 10):
            stream.write(b"X-Filler-%d: " % number + PIECE[:1000] + b"\r\n")
    if on("endless-body"):
        stream.write(head(answer, ENDLESS))
        for _ in range(ENDLESS // len(PIECE)):
            stream.write(PIECE)
        return False
    if on("gzip-bomb"):
        answer.headers["Content-Encoding"] = "gzip"
        body = gzip.compress(PIECE * 16) * (ENDLESS // len(PIECE) // 16)
        length = len(body)
    if on("length-too-long"):
        stream.write(head(answer, length + 100) + body)
        return False
    if on("length-too-short"):
        length = max(0, length - 100)
    if on("closes-mid-body"):
        stream.write(head(answer, length) + body[:length // 2])
        return False
    stream.write(head(answer, length))
    if on("drips"):
        for byte in body:
            stream.write(bytes([byte]))
            stream.flush()
            time.sleep(0.05)
    stream.write(body)
    return not on("length-too-short") and not on("closes-always")


class Connection(socketserver.StreamRequestHandler):
    """Requests of one connection, one after the other."""

    timeout = IDLE

    def handle(self):
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while self.one():
                self.wfile.flush()
        except (OSError, ValueError):
            return

    def one(self):
        try:
            request = read_request(self.rfile)
        except Bad as bad:
            write(self.wfile, self.server.answer_bad(bad.status))
            return False
        if request is None:
            return False
        answer = self.server.answer(request)
        coded(request, answer)
        going = write(self.wfile, answer)
        return going and request.headers.get("connection", "").lower() != "close"


class Server(socketserver.ThreadingTCPServer):
    """A listening socket whose requests go to `answer`."""

    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    def __init__(self, port, tls=None):
        super().__init__(("127.0.0.1", port), Connection)
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)

    def finish_request(self, request, client_address):
        # In the connection's own thread, so that a slow hand-shake holds up nobody else.
        if self.tls:
            request.settimeout(IDLE)
            request = self.tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request, client_address):
        """A caller that goes away in the middle is no news."""


def serve(server):
    threading.Thread(target=server.serve_forever, daemon=True).start()
