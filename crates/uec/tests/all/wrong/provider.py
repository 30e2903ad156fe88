#!/usr/bin/env python3
"""A small provider of the Booking Standard: slot search, booking, read, cancel, a patient's appointments.

Written for the tests, on the standard library alone, from the Standard and from no code of the product. State is in
memory. It is right unless --fault names one of the mistakes of provider_faults.py. Prints its service root, then serves
until its standard input is closed.
"""

import argparse
import copy
import re
import sys
import time
import urllib.parse
import uuid
from email.utils import format_datetime

import provider_faults
from provider_diary import FULL, NHS_NUMBER, PROFILE, Book, Diary, Version, now, stamp
from provider_faults import on
from provider_fhir import Unreadable, from_json, from_xml, shape, to_json, to_xml
from provider_rules import (Criteria, Refusal, check_booking, check_headers, check_token, comparable, contained,
                            differences, instant, pairs, valid_number)
from provider_wire import IDLE, Answer, Server, serve, unzipped

ROOT = "/STU3/1/tansy/urgent"
JSON, XML = "application/fhir+json", "application/fhir+xml"
# Scope that each interaction needs, and the interactions that suit it.
METADATA = ("organization/slot.read", ["read:metadata"])
SLOTS = ("organization/slot.read", ["search:slot", "read:slot"])
READ = ("patient/appointment.read", ["read:appointment"])
SEARCH = ("patient/appointment.read", ["search:appointment"])
BOOK = ("patient/appointment.write", ["create:appointment"])
CANCEL = ("patient/appointment.write", ["update:appointment"])
# Slots of a page, where a search is answered in pages.
PAGE = 5
SUPPORTED = ["Slot", "HealthcareService", "Schedule", "Appointment", "Patient", "DocumentReference", "Practitioner",
             "PractitionerRole", "Organization", "Location"]


class Replay(Exception):
    """An answer that a fault gives from the middle of the checks."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer


class Exchange:
    """A request on its way through the checks, and what its answer will carry."""

    def __init__(self, request):
        self.request, self.headers = request, request.headers
        self.path, _, self.query = request.target.partition("?")
        self.format = JSON

    def settle_format(self):
        """`_format`, else Accept, else the request's own Content-Type, else JSON (PROV-GEN-08)."""
        asked = dict(urllib.parse.parse_qsl(self.query.replace("+", "%2B"), errors="replace")).get("_format")
        if on("short-format-unknown") and asked in ("json", "xml") and self.path.endswith("/Slot"):
            raise Refusal("media", "The format asked for is not available")
        if on("accept-demanded") and asked is None and "accept" not in self.headers:
            raise Refusal("media", "There is no Accept")
        accept, sent = self.headers.get("accept"), format_of(self.headers.get("content-type", ""))
        if asked is not None and not on("format-parameter-ignored"):
            self.format = format_of(asked, loose=True)
        elif accept is not None and not on("accept-ignored"):
            self.format = preferred(accept)
        else:
            self.format = sent or JSON
        if self.format is None:
            self.format = JSON
            if not on("unknown-format-taken"):
                raise Refusal("media", "The format asked for is not available")


def format_of(media, loose=False):
    media = media.partition(";")[0].strip().lower().replace(" ", "+")
    if loose:
        media = {"json": JSON, "xml": XML, "application/json": JSON, "application/xml": XML,
                 "text/xml": XML}.get(media, media)
    media = {"application/json+fhir": JSON, "application/xml+fhir": XML}.get(media, media)
    return media if media in (JSON, XML) else None


def preferred(accept):
    """The best of an Accept header, by weight and then by order."""
    best, weight = None, 0.0
    for part in accept.split(","):
        media, *parameters = part.split(";")
        found = JSON if media.strip() in ("*/*", "application/*") else format_of(media)
        quality = next((p.strip()[2:] for p in parameters if p.strip().startswith("q=")), "1")
        if found and float(quality) > weight:
            best, weight = found, float(quality)
    return best


class Provider(Server):
    def __init__(self, port, tls):
        super().__init__(port, tls)
        where = f"127.0.0.1:{self.server_address[1]}{ROOT}"
        self.root = f"{'https' if tls else 'http'}://{where}"
        # What goes out is https in any case: a proxy may end TLS in front (D-20).
        self.public, self.roots, self.secure = f"https://{where}", {f"http://{where}", f"https://{where}"}, bool(tls)
        self.diary = Diary()
        self.book = Book(self.diary)

    # -- from request to answer

    def answer(self, request):
        exchange = Exchange(request)
        try:
            answer = self.routed(exchange)
        except Replay as replay:
            answer = replay.answer
        except Refusal as refusal:
            answer = self.refused(exchange, refusal)
        except Exception:  # noqa: BLE001 - whatever it was, the caller gets an answer (ERR-22)
            answer = self.refused(exchange, Refusal("broken", "An unexpected fault; it is in the log"))
        own = request.headers.get("x-request-id")
        answer.headers["X-Request-ID"] = own if on("request-id-echoed") else str(uuid.uuid4())
        if own and not on("correlation-missing"):
            answer.headers["X-Correlation-ID"] = own.lower() if on("correlation-in-lower-case") else own
        return self.finished(answer)

    def answer_bad(self, status):
        refusal = Refusal("size" if status == 413 else "parameter", "The request is no HTTP that is taken here")
        answer = self.resource(status, refusal.outcome(), JSON)
        answer.headers.update({"Connection": "close", "X-Request-ID": str(uuid.uuid4())})
        return self.finished(answer)

    def finished(self, answer):
        answer.headers["Cache-Control"] = "private" if on("cacheable") else "no-store"
        if self.secure and not on("hsts-missing"):
            answer.headers["Strict-Transport-Security"] = "max-age=31536000"
        return answer

    def resource(self, status, body, form, **headers):
        charset = "" if on("charset-missing") else ";charset=utf-8"
        data = to_xml(body) if form == XML else to_json(body)
        if on("answer-too-deep"):
            data = b'{"resourceType":"Bundle","entry":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
        return Answer(status, {"Content-Type": form + charset, **headers}, data)

    def refused(self, exchange, refusal):
        said = exchange.request.body.decode("utf-8", "replace")
        outcome, status = refusal.outcome(), refusal.status
        if on("error-empty"):
            return Answer(status)
        if on("error-page"):
            return Answer(status, {"Content-Type": "text/html"}, b"<html><h1>Sorry</h1></html>")
        if on("error-trace"):
            outcome["issue"][0]["diagnostics"] = 'Traceback (most recent call last):\n  File "book.py", line 17'
        if on("error-tells-patient"):
            outcome["issue"][0]["diagnostics"] += "; received: " + said
        if on("error-200"):
            status = 200
        return self.resource(status, outcome, exchange.format, **refusal.headers)

    def routed(self, exchange):
        """The order of checks of section 2."""
        parts = exchange.path.removeprefix(ROOT).split("/")[1:] if exchange.path.startswith(ROOT + "/") else []
        routes = {("metadata",): {"GET": (METADATA, self.metadata)},
                  ("Slot",): {"GET": (SLOTS, self.slots)},
                  ("Appointment",): {"GET": (SEARCH, self.of_patient), "POST": (BOOK, self.create)}}
        methods = routes.get(tuple(parts))
        if methods is None and parts[:1] == ["Appointment"] and parts[2:3] in ([], ["_history"]) and len(parts) in (2, 4):
            methods = {"GET": (READ, self.read)} | ({"PUT": (CANCEL, self.update)} if len(parts) == 2 else {})
        if methods is None:
            raise Refusal("unknown", "There is nothing at this path")
        if exchange.request.method not in methods:
            row = "unknown" if on("wrong-method-404") else "method"
            raise Refusal(row, "The path does not have this method", Allow=", ".join(methods))
        (scope, interactions), handle = methods[exchange.request.method]
        if not (on("metadata-open") and handle == self.metadata):
            check_headers(exchange.headers, interactions)
            check_token(exchange.headers, self.roots, scope)
        exchange.settle_format()
        if exchange.request.method in ("POST", "PUT"):
            self.check_body_head(exchange)
        if on("unavailable") and handle != self.metadata:
            return Answer(503, {"Content-Type": "text/plain"}, b"down for maintenance")
        return handle(exchange, *map(urllib.parse.unquote, parts[1::2]))

    def check_body_head(self, exchange):
        media, coding = exchange.headers.get("content-type", ""), exchange.headers.get("content-encoding")
        if format_of(media, loose=on("plain-xml-taken")) is None:
            raise Refusal("media", "The Content-Type is not supported")
        if coding not in (None, "identity", "gzip") or (coding == "gzip" and on("gzip-body-refused")):
            raise Refusal("media", "The Content-Encoding is not supported")
        if not exchange.headers.get("x-request-id") and not on("request-id-optional"):
            raise Refusal("request-id", "The header X-Request-ID is missing")
        if exchange.request.method == "POST" and not on("repeat-after-slot"):
            self.check_repeat(exchange)
        if exchange.request.method == "PUT" and not on("cancel-repeat-unchecked"):
            self.check_repeat(exchange)

    def check_repeat(self, exchange):
        ident = exchange.headers.get("x-request-id")
        with self.book.lock:
            used = self.book.used.get(ident)
        if used and not on("repeat-books-again"):
            if on("repeat-answers-201"):
                version = self.book.versions[used][0]
                raise Replay(self.stored(201, used, version, exchange))
            where = f"{self.public}/Appointment/{used}/_history/{self.book.versions[used][0].id}"
            raise Refusal("repeat", f"The X-Request-ID was used before, for {where}", Location=where)

    def body_of(self, exchange):
        data = exchange.request.body
        if exchange.headers.get("content-encoding") == "gzip":
            data = unzipped(data)
            if data is None:
                raise Refusal("body", "The gzip body is broken or swells")
        loose = on("plain-xml-taken")
        try:
            is_xml = format_of(exchange.headers["content-type"], loose) == XML
            body = from_xml(data) if is_xml else from_json(data)
            if body.get("resourceType") != "Appointment":
                raise Unreadable("the body is no Appointment")
            shape(body, "Resource", "Appointment")
            if not contained(body, "Slot").get("id") and contained(body, "Slot"):
                raise Unreadable("the contained Slot has no id")
        except Unreadable as why:
            raise Refusal("body", str(why)) from None
        return body

    # -- interactions

    def metadata(self, exchange):
        def parameters(*names):
            return [{"name": n, "type": "date" if n == "start" else "token", "documentation": f"The {n}"} for n in names]

        def slot_parameters(*more):
            found = parameters("service", "status", "start", *more)
            if on("search-parameter-type"):
                found[2]["type"] = "string"
            if on("search-parameter-undocumented"):
                del found[0]["documentation"]
            return found

        profiles = SUPPORTED[:-1] if on("profiles-too-few") else SUPPORTED
        more = ["schedule"] if on("search-parameter-more") else []
        body = {"resourceType": "CapabilityStatement", "version": "2.0.4", "name": "Tansy", "status": "active",
                "date": "2026-01-01", "publisher": "Tansy Test", "description": "FHIR NHS Booking API 2.0.4",
                "kind": "capability", "software": {"name": "Tansy", "version": "1"},
                "fhirVersion": "4.0.1" if on("fhir-version-4") else "3.0.1", "acceptUnknown": "both",
                "format": [JSON, XML], "profile": [{"reference": PROFILE.format(kind)} for kind in profiles],
                "rest": [{"mode": "server", "resource": [
                    {"type": "Appointment", "interaction": [{"code": c} for c in (
                        "read", "vread", "create", "update", "search-type")], "versioning": "versioned-update",
                     "updateCreate": False, "searchParam": parameters("identifier", "_id", "version")},
                    {"type": "Slot", "interaction": [{"code": "search-type"}],
                     "searchInclude": ["Slot.schedule", "Schedule:actor:Practitioner", "Schedule:actor:PractitionerRole",
                                       "Schedule:actor:HealthcareService", "HealthcareService.providedBy",
                                       "HealthcareService:place" if on("include-name-other") else
                                       "HealthcareService:location"],
                     "searchParam": slot_parameters(*more)}]}]}
        return self.resource(200, body, exchange.format)

    def slots(self, exchange):
        criteria = Criteria(exchange.query)
        if on("routed-by-header") and exchange.headers.get("ssp-to", "")[-1:] in "78":
            criteria.service = "2000009912"
        if criteria.service not in self.diary.services and (criteria.service or not on("service-optional")):
            if not on("unknown-service-empty"):
                raise Refusal("service", f"The service {criteria.service} is not known here")
        with self.book.lock:
            service = criteria.service or FULL
            found = [s for s in self.diary.find(service) if criteria.fits(s)] if service in self.diary.services else []
            found = [(f"Slot/{s.id}", "match", s.resource()) for s in sorted(found, key=lambda s: s.start)]
        if not found and on("no-slots-404"):
            raise Refusal("service", "No slots were found")
        link, total = f"Slot?{urllib.parse.urlencode(criteria.kept)}", len(found)
        found, following = self.page(exchange, found, link)
        entries = found + [(name, "include", self.diary.others[name]) for name in self.included(found, criteria)]
        if on("included-twice"):
            entries.append(entries[-1])
        return self.resource(200, self.bundle(entries, total, link, following), exchange.format)

    def page(self, exchange, found, link):
        """The slots of the page that is asked for, and where the next one is (PROV-SLOT-20)."""
        if not any(map(on, ("paged", "page-repeats", "page-lost", "page-elsewhere"))):
            return found, None
        number = int(dict(pairs(exchange.query)).get("_page", 1))
        first, after = (number - 1) * PAGE, number * PAGE
        if after >= len(found) or (on("page-lost") and number == 2):
            return found[first:after], None
        root = "https://elsewhere.example" if on("page-elsewhere") else self.public
        return found[first:after], f"{root}/{link}&_page={number if on('page-repeats') and number > 1 else number + 1}"

    def included(self, found, criteria):
        """Names of what was asked for and is used, each once, in the order it is met."""
        wanted = set() if on("includes-ignored") else set(criteria.includes)
        if on("included-unasked"):
            wanted |= {"Schedule", "HealthcareService"}
        names, met = [r["schedule"]["reference"].rpartition("nhs.uk/")[2] for _, _, r in found], []
        while names:
            name = names.pop(0)
            if name in met or name not in self.diary.others:
                continue
            met.append(name)
            held = self.diary.others[name]
            for place in ("actor", "location", "providedBy"):
                links = held.get(place, [])
                names += [r["reference"].rpartition("nhs.uk/")[2] for r in (links if isinstance(links, list) else [links])]
        return [name for name in met if name.split("/")[0] in wanted]

    def bundle(self, entries, total, link, following=None):
        total = len(entries) if on("total-of-entries") else total
        listed = [{"fullUrl": f"{self.public}/{name}", "resource": body, "search": {"mode": mode}}
                  for name, mode, body in entries]
        if on("search-mode-missing"):
            for entry in listed:
                del entry["search"]
        if on("full-url-missing"):
            listed = [{**entry, "fullUrl": ""} for entry in listed]
            for entry in listed:
                del entry["fullUrl"]
        return {"resourceType": "Bundle", "id": str(uuid.uuid4()), "meta": {"lastUpdated": stamp(now())},
                "type": "searchset", "total": total, "link": [{"relation": "self", "url": f"{self.public}/{link}"}] + (
                    [{"relation": "next", "url": following}] if following else []),
                **({"entry": listed} if listed else {})}

    def create(self, exchange):
        if on("create-hangs"):
            time.sleep(IDLE)
        if on("booking-forbidden"):
            raise Refusal("token", "This consumer has no right to book")
        body = self.body_of(exchange)
        check_booking(body)
        submitted, book = copy.deepcopy(body), self.book
        if on("race-lost"):
            self.check_slot(body)
            book.meet()
        if on("repeat-race-lost"):
            book.meet()
        with book.lock:
            slot = self.find_slot(body)
            gone = slot.status != "free" and not on("double-booking") and not on("race-lost")
            if gone and on("repeat-after-slot"):
                raise Refusal("taken")
            # Of the same request at the same time only one finds nothing here; the slot is gone for the others too.
            if not on("repeat-race-lost"):
                self.check_repeat(exchange)
            if gone:
                raise Refusal("taken")
            document = contained(body, "DocumentReference")["identifier"][0]["value"] if on("one-document-once") else None
            if document in book.documents:
                raise Refusal("profile", "DocumentReference.identifier was used before")
            book.documents.add(document if document else uuid.uuid4())
            ident = book.new_id(slot)
            version = Version(1, self.completed(body, ident), submitted)
            if on("booked-not-stored"):
                return self.stored(201, ident, version, exchange)
            slot.status = "busy"
            book.versions[ident] = [version]
            book.used[exchange.headers.get("x-request-id")] = ident
            version.slot = slot
        return self.stored(200 if on("created-200") else 201, ident, version, exchange)

    def check_slot(self, body):
        if self.find_slot(body).status != "free":
            raise Refusal("taken")

    def find_slot(self, body):
        """The slot that a booking names; its place in the diary has to be as it says (PROV-BOOK-02)."""
        sent = contained(body, "Slot")
        named = {i.get("value", "").lower() for i in sent.get("identifier", [])}
        held = self.diary.slots
        slot = next((s for s in held.values() if s.uuid in named), None) or held.get(sent.get("id"))
        if slot is None:
            raise Refusal("reference", "Slot: there is no such slot")
        if on("slot-times-uncompared"):
            return slot
        schedule = sent["schedule"].get("reference", "").rpartition("nhs.uk/")[2] == f"Schedule/{slot.schedule}"
        times = (instant(sent["start"]), instant(sent["end"])) == (slot.start, slot.end)
        if on("offsets-uncompared"):
            times = (sent["start"], sent["end"]) == (stamp(slot.start), stamp(slot.end))
        within = instant(body["start"]) == slot.start and slot.start < instant(body["end"]) <= slot.end
        if not (schedule and times and within):
            raise Refusal("reference", "Slot: schedule or times are not those of the diary")
        return slot

    def completed(self, body, ident):
        """A booking as it is stored: what the Standard lets a consumer leave out is filled in."""
        made = {"resourceType": "Appointment", "id": ident, "meta": dict(body.get("meta", {})), "language": "en-GB"}
        made |= {name: value for name, value in body.items() if name not in ("resourceType", "id", "meta", "language")}
        if not on("created-kept"):
            made["created"] = stamp(now())
        for part in made["contained"]:
            part["meta"] = {"profile": [PROFILE.format(part["resourceType"])]}
            if part["resourceType"] == "Slot":
                part["status"] = "free" if on("slot-copied-free") else "busy"
            if part["resourceType"] == "Patient" and not part.get("identifier") and on("number-replaced"):
                part["identifier"] = [{"use": "usual", "system": "https://tansy.example.nhs.uk/patient",
                                       "value": uuid.uuid4().hex}]
            if part["resourceType"] == "Patient" and on("third-party-dropped"):
                part.pop("contact", None)
            if part["resourceType"] == "Patient" and on("booked-other-patient"):
                part["name"] = [{"use": "official", "family": "Somebody", "given": ["Else"]}]
        if on("booked-as-proposed"):
            made["status"] = "proposed"
        for participant in made["participant"]:
            participant.setdefault("status", "accepted")
        return made

    def stored(self, status, ident, version, exchange):
        where = f"{self.public}/Appointment/{ident}/_history/{version.id}"
        tag = f'"{version.id}"' if on("etag-strong") else f'W/"{version.id}"'
        headers = {"ETag": None if on("etag-missing") else tag, "Content-Location": where,
                   "Last-Modified": None if on("last-modified-missing") else format_datetime(version.modified, True)}
        if exchange.request.method != "GET" and not on("location-missing"):
            headers["Location"] = (where.removeprefix(self.public) if on("location-relative") else
                                   where.partition("/_history")[0] if on("location-unversioned") else where)
        return self.resource(status, version.body, exchange.format, **headers)

    def read(self, exchange, ident, history=None):
        more = [name for name, _ in pairs(exchange.query) if name != "_format"]
        if more and not on("read-parameters-ignored"):
            raise Refusal("parameter", f"A read has no parameter {more[0]}")
        with self.book.lock:
            known = self.book.versions.get(ident if not on("ids-in-any-case") else ident.lower())
            if known is None and on("unknown-id-200"):
                return self.resource(200, {"resourceType": "Bundle", "type": "searchset", "total": 0}, exchange.format)
            version = known[-1] if known else None
            if known and on("cancelled-unreadable") and version.body["status"] == "cancelled":
                version = None
            if known and history and not on("versions-forgotten"):
                version = next((v for v in known if v.id == history), None)
        if version is None:
            raise Refusal("unknown", "There is no such appointment or version")
        return self.stored(200, ident, version, exchange)

    def update(self, exchange, ident):
        body = self.body_of(exchange)
        with self.book.lock:
            version = self.book.current(ident)
            if version is None:
                if on("put-creates"):
                    raise Replay(self.resource(201, body, exchange.format))
                raise Refusal("unknown", "There is no such appointment")
            if on("differences-before-version"):
                self.check_differences(body, version)
            self.check_version(exchange.headers.get("if-match"), version)
            if body.get("id", ident) != ident:
                raise Refusal("body", "Appointment.id is not the id of the address")
            if body.get("status") != "cancelled" and not on("any-status-taken"):
                raise Refusal("state", "Appointment.status: only cancelled is taken")
            if version.body["status"] == "cancelled" and not on("cancelled-twice"):
                raise Refusal("state", "The appointment is cancelled already")
            self.check_differences(body, version)
            return self.cancelled(exchange, ident, version, body["status"])

    def check_version(self, given, version):
        if not given and not on("if-match-optional"):
            raise Refusal("no-version", "The header If-Match is missing")
        if given and not on("stale-version-taken") and not re.fullmatch(f'(W/)?"{version.id}"', given):
            raise Refusal("version", f"If-Match is not the current version {version.id}")

    def check_differences(self, body, version):
        faults = [] if on("any-difference-taken") else differences(comparable(version.submitted), comparable(body))
        if body.get("created") and instant(body["created"]) not in (
                instant(version.body["created"]), instant(version.submitted["created"])):
            faults.append("Appointment.created")
        if on("provider-data-demanded") and body.get("meta") != version.body["meta"]:
            faults.append("Appointment.meta")
        if faults:
            raise Refusal("differs", *(f"{path} differs from what was booked" for path in faults))

    def cancelled(self, exchange, ident, version, status):
        if on("cancel-not-done"):
            return self.stored(200, ident, version, exchange)
        if on("cancel-only-said"):
            made = Version(version.number + 1, {**copy.deepcopy(version.body), "status": status}, version.submitted)
            return self.stored(200, ident, made, exchange)
        made = {**copy.deepcopy(version.body), "status": status}
        new = Version(version.number + (0 if on("version-kept") else 1), made, version.submitted)
        new.slot = version.slot
        self.book.versions[ident].append(new)
        if not on("cancel-repeat-unchecked"):
            self.book.used[exchange.headers.get("x-request-id")] = ident
        if not on("slot-never-free"):
            version.slot.status = "busy-unavailable" if on("slot-hidden-after-cancel") else "free"
        return self.stored(200, ident, new, exchange)

    def of_patient(self, exchange):
        names = ("appointment.participant.actor:patient.identifier", "appointment.participant.actor",
                 "participant.actor:patient.identifier", "patient.identifier", "patient:patient.identifier", "patient",
                 "identifier")
        values = [value for name, value in pairs(exchange.query) if name.lower() in names]
        number = values[0].rpartition("|")[2] if values else ""
        if not valid_number(number):
            raise Refusal("parameter", "No patient is named by a valid NHS number")
        entries = []
        for version in self.book.of_patient(number):
            body = version.body
            name = f"Appointment/{body['id']}/_history/{version.id}"
            kept = ("resourceType", "id", "meta", "status", "start", "end", "created")
            made = {n: body[n] for n in kept} | {"participant": [{
                "actor": {"identifier": {"system": NHS_NUMBER, "value": number}}, "status": "accepted"}],
                "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"{self.public}/{name}"}]}
            # D-51: the version stands in the identifier, and fullUrl has none.
            full = name if on("patient-search-versioned-urls") else name.partition("/_history")[0]
            entries.append((full, "match", body if on("patient-search-tells-all") else made))
        return self.resource(200, self.bundle(entries, len(entries), f"Appointment?patient={number}"), exchange.format)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--fault", action="append", default=[], metavar="NAME",
                        choices=sorted({**provider_faults.FAULTS, **provider_faults.ODDITIES}))
    parser.add_argument("--list", action="store_true", help="print the faults and serve nothing")
    parser.add_argument("--tls-cert")
    parser.add_argument("--tls-key")
    arguments = parser.parse_args()
    if arguments.list:
        print(provider_faults.listed())
        return
    provider_faults.switch_on(arguments.fault)
    sys.setswitchinterval(0.001)
    provider = Provider(arguments.port, arguments.tls_cert and (arguments.tls_cert, arguments.tls_key))
    print(provider.root, flush=True)
    serve(provider)
    sys.stdin.read()


if __name__ == "__main__":
    main()
