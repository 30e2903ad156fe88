"""The national services as a consumer sees them: DoS over SOAP, SDS over LDAP, and the decision between them."""

import re
import socket
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

from consumer_faults import on

DOS = "https://nww.pathwaysdos.nhs.uk/app/api/webservices"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
CARE_CONNECT = "urn:nhs:names:services:careconnect:fhir:rest:"
GP_CONNECT = "urn:nhs:names:services:gpconnect:fhir:"
READ_SLOT = CARE_CONNECT + "read:slot"
CREATE_APPOINTMENT = CARE_CONNECT + "create:appointment"
TREE = "ou=services,o=nhs"
# An answer of either service is a few kilobytes.
MAX_ANSWER = 4 * 1024 * 1024


class Obstacle(Exception):
    """Booking is not possible here; the workflow goes on without it. `halt`: the user sees an error (C7)."""

    def __init__(self, check, text, halt=False):
        super().__init__(f"{check}: {text}")
        self.check = check
        self.halt = halt


class Service:
    """What DoS says about one service."""

    def __init__(self, ident, ods, endpoints, attributes):
        self.ident = ident
        self.ods = ods
        self.endpoints = endpoints
        self.attributes = attributes

    def booking_only(self):
        wanted = [v for n, v in self.attributes if n.lower() == "requirebooking"]
        return any(v.strip().lower() in ("true", "y") for v in wanted)

    def scheduling(self):
        wanted = ("http", "fhir", "scheduling")
        return [e["address"] for e in self.endpoints
                if (e["transport"].lower(), e["format"].lower(), e["interaction"].lower()) == wanted]

    def itk(self):
        return [e["address"] for e in self.endpoints if e["transport"].lower() == "itk"]


class Dos:
    def __init__(self, url, user, password, patience):
        self.url = url if url.rstrip("/").endswith("webservices") else url.rstrip("/") + "/app/api/webservices"
        self.user, self.password, self.patience = user, password, patience

    def services(self, case):
        """The services that suit a case, in the order of DoS."""
        fields = "".join(f"<w:{n}>{v}</w:{n}>" for n, v in case)
        root = self._ask("CheckCapacitySummary", f"<w:c>{fields}</w:c>")
        return [self._service(s) for s in root.iter() if local(s) == "serviceCareSummaryDestination"]

    def details(self, ident):
        root = self._ask("ServiceDetailsById", f"<w:serviceId>{ident}</w:serviceId>")
        found = [self._service(s) for s in root.iter() if local(s) == "service"]
        if len(found) != 1:
            raise Obstacle("DoS", f"{len(found)} services with id {ident}")
        return found[0]

    def _ask(self, operation, inner):
        envelope = (
            f'<s:Envelope xmlns:s="{SOAP}" xmlns:w="{DOS}"><s:Header><w:serviceVersion>1.5</w:serviceVersion></s:Header>'
            f"<s:Body><w:{operation}><w:userInfo><w:username>{self.user}</w:username><w:password>{self.password}"
            f"</w:password></w:userInfo>{inner}</w:{operation}></s:Body></s:Envelope>")
        request = urllib.request.Request(self.url, envelope.encode(), {
            "Content-Type": f'application/soap+xml;charset=utf-8;action="{DOS}/{operation}"'})
        try:
            with urllib.request.urlopen(request, timeout=self.patience) as answer:
                return ET.fromstring(answer.read(MAX_ANSWER))
        except urllib.error.HTTPError as error:
            raise Obstacle("DoS", f"{error.code}: {error.read(2000).decode(errors='replace')}") from error
        except (OSError, ET.ParseError) as error:
            raise Obstacle("DoS", str(error)) from error

    def _service(self, node):
        endpoints = []
        for e in node.iter():
            if local(e).lower() == "endpoint":
                parts = {local(c): (c.text or "").strip() for c in e}
                endpoints.append({k: parts.get(k, "") for k in ("transport", "format", "interaction", "address")})
        attributes = []
        for a in node.iter():
            if local(a) == "attribute":
                parts = {local(c): c.text or "" for c in a}
                attributes.append((parts.get("name", ""), parts.get("value", "")))
        texts = {local(c): (c.text or "").strip() for c in node}
        return Service(texts.get("id", ""), texts.get("odsCode", ""), endpoints, attributes)


def local(node):
    return node.tag.rsplit("}", 1)[-1]


# --- LDAP: just enough BER for an anonymous bind and a search with (&(a=b)...)

def tlv(tag, content):
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def text(value, tag=0x04):
    return tlv(tag, value.encode())


def number(value, tag=0x02):
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def children(data):
    at, found = 0, []
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[at:at + count], "big")
            at += count
        found.append((tag, data[at:at + size]))
        at += size
    return found


class Sds:
    def __init__(self, url, patience):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port, self.patience = parts.hostname, parts.port or 389, patience

    def search(self, terms, attributes):
        """Entries below the tree that fulfil all terms, as {name in lower case: [values]}."""
        try:
            with socket.create_connection((self.host, self.port), self.patience) as line:
                stream = line.makefile("rb")
                line.sendall(self._message(1, tlv(0x60, number(3) + text("") + text("", 0x80))))
                code = children(self._read(stream)[1])[0][1]
                if code != b"\x00":
                    raise Obstacle("SDS", "bind refused")
                line.sendall(self._message(2, self._query(terms, attributes)))
                return self._entries(stream)
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise Obstacle("SDS", f"unreachable: {error}") from error

    @staticmethod
    def _message(ident, operation):
        return tlv(0x30, number(ident) + operation)

    @staticmethod
    def _query(terms, attributes):
        filters = b"".join(tlv(0xA3, text(n) + text(v)) for n, v in terms)
        wanted = tlv(0x30, b"".join(text(a) for a in attributes))
        return tlv(0x63, text(TREE) + number(2, 0x0A) + number(0, 0x0A) + number(100) + number(5)
                   + tlv(0x01, b"\x00") + tlv(0xA0, filters) + wanted)

    @staticmethod
    def _read(stream):
        head = stream.read(2)
        size = head[1]
        if size & 0x80:
            size = int.from_bytes(stream.read(size & 0x7F), "big")
        if size > MAX_ANSWER:
            raise Obstacle("SDS", "answer too long")
        return children(stream.read(size))[1]

    def _entries(self, stream):
        found = []
        while True:
            tag, content = self._read(stream)
            if tag == 0x64:
                entry = {}
                for _, attribute in children(children(content)[1][1]):
                    name, values = children(attribute)
                    entry[name[1].decode().lower()] = [v.decode() for _, v in children(values[1])]
                found.append(entry)
            elif tag == 0x65:
                if children(content)[0][1] not in (b"\x00", b"\x20"):
                    raise Obstacle("SDS", "search refused")
                return found


# --- The decision

def asid_of(service):
    addresses = service.scheduling()
    if not addresses:
        raise Obstacle("C8", "no booking endpoint: on with the existing workflow")
    if len(addresses) > 1 and not on("first-asid"):
        raise Obstacle("C7", "several booking endpoints: booking stops here", halt=True)
    address = addresses[0]
    if on("asid-without-prefix") and re.fullmatch(r"[0-9]{12}", address):
        return address
    if not re.fullmatch(r"ASID:[0-9]{12}", address, re.I):
        raise Obstacle("C1", f"the booking address {address} is not ASID: and twelve digits", halt=True)
    return address[5:]


def system_of(sds, asid, ods):
    """The party key of the one system with this ASID that does what booking needs (C9-C12)."""
    if on("sds-query-without-asid"):
        terms = [("objectClass", "nhsAs"), ("nhsIDCode", ods), ("nhsAsSvcIA", READ_SLOT)]
    else:
        terms = [("objectClass", "nhsAs"), ("uniqueIdentifier", asid)]
    found = sds.search(terms, ["nhsMHSPartyKey", "nhsAsSvcIA", "nhsIDCode"])
    if len(found) != 1 and not (on("sds-query-without-asid") and found):
        raise Obstacle("C10", f"{len(found)} nhsAs entries for {asid}")
    interactions = [i.lower() for i in found[0].get("nhsassvcia", [])]
    if not on("interactions-ignored"):
        if READ_SLOT not in interactions or CREATE_APPOINTMENT not in interactions:
            raise Obstacle("C11", "read:slot and create:appointment are not both registered")
    if not on("gpconnect-ignored") and any(i.startswith(GP_CONNECT) for i in interactions):
        raise Obstacle("C12", "CareConnect and GP Connect interactions together")
    keys = found[0].get("nhsmhspartykey", [])
    if len(keys) != 1:
        raise Obstacle("C10", f"{len(keys)} party keys")
    return keys[0]


def endpoint_of(sds, key, interaction, secure):
    """The service root for an interaction (C13-C17)."""
    terms = [("objectClass", "nhsMhs"), ("nhsMHSPartyKey", key), ("nhsMhsSvcIA", interaction)]
    if on("sds-mhs-without-interaction"):
        terms.pop()
    found = sds.search(terms, ["nhsMHSEndPoint", "nhsMhsFQDN"])
    roots = [r for e in found for r in e.get("nhsmhsendpoint", [])]
    if len(found) != 1 and not (on("first-mhs") and roots) and not on("sds-mhs-without-interaction"):
        raise Obstacle("C14", f"{len(found)} nhsMhs entries")
    if not roots:
        raise Obstacle("C17", "no endpoint")
    root = roots[0]
    if not on("endpoint-unchecked"):
        parts = urllib.parse.urlsplit(root)
        lawful = parts.scheme == "https" or (parts.scheme == "http" and not secure and is_loopback(parts.hostname))
        if not lawful or not parts.hostname or parts.query or parts.fragment or re.search(r"\s", root):
            raise Obstacle("C17", f"the endpoint {root} is no https URL")
    return root.rstrip("/")


def is_loopback(host):
    return host in ("localhost", "127.0.0.1", "::1")


def route_of(service, sds, secure):
    """ASID and service root; raises Obstacle where booking is not possible."""
    asid = asid_of(service)
    key = system_of(sds, asid, service.ods)
    root = endpoint_of(sds, key, READ_SLOT, secure)
    if on("interactions-ignored"):
        return asid, root, root
    booking = endpoint_of(sds, key, CREATE_APPOINTMENT, secure)
    return asid, root, booking
