#!/usr/bin/env python3
"""A provider of the Booking Standard that misbehaves as it is told, written on the standard library alone.

It is right until rules say otherwise. `POST /control` with a list of rules replaces them and forgets nothing else; `POST
/control/reset` forgets everything. `GET /control/state` tells what stands: the live bookings, all appointments, the
requests. `GET /control/held` waits until a request is held by a rule, `POST /control/release` lets it go on.

A rule is {"on": INTERACTION, ...}: it is used for the next request of that interaction, or for "times" of them
(0: all). What it may say:
  "status": N             answer with this status
  "store": false          do not do what was asked
  "alter": [CHANGE, ...]  change the Appointment of the answer (see `alter`)
  "body": TEXT            answer with this body; "type" is its Content-Type
  "outcome": [CODE, TEXT] answer with an OperationOutcome
  "headers": {NAME: TEXT} further headers; null takes one away; "{other}" is the other patient's appointment
  "hold": "before"        wait before doing it (or "after"), until released
  "cut": true             do it, and close the connection without an answer; "half" cuts the body
  "clock": SECONDS        the clock is ahead by so much, as `Date` says
  "instead": "other"      answer with the other patient's appointment
Interactions: create, read, update, search, slots, refer (a document, which is not taken).
Prints its address, then serves until its standard input is closed.
"""

import copy
import datetime
import gzip
import http.server
import json
import socket
import sys
import threading
import time
import urllib.parse
import uuid

ROOT = "/STU3/1/FX101"
NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
UUID = "https://tools.ietf.org/html/rfc4122"
UTC = datetime.timezone.utc
# Free slots: so many, from so many hours ahead, a quarter of an hour each.
SLOTS, AHEAD, LENGTH = 40, 3, datetime.timedelta(minutes=15)
# Nothing is held longer than this, so that a test that fails does not hang for ever.
PATIENCE = 120
OTHER_PATIENT = "9990000018"


def now():
    return datetime.datetime.now(UTC)


def stamp(moment):
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def contained(body, kind):
    return next((c for c in body.get("contained", []) if c.get("resourceType") == kind), {})


def number_of(body):
    for identifier in contained(body, "Patient").get("identifier", []):
        if identifier.get("system") == NUMBER:
            return identifier["value"]
    return None


def alter(body, change, host):
    """Changes an Appointment: `name` or `name=value`. What is wrong comes first, then what is only written otherwise."""
    name, _, value = change.partition("=")
    patient, slot = contained(body, "Patient"), contained(body, "Slot")
    document = contained(body, "DocumentReference")
    moments = [(body, "start"), (body, "end"), (slot, "start"), (slot, "end")]
    if name == "start":
        body["start"] = stamp(datetime.datetime.fromisoformat(body["start"]) + datetime.timedelta(minutes=int(value)))
    elif name == "end":
        body["end"] = stamp(datetime.datetime.fromisoformat(body["end"]) + datetime.timedelta(minutes=int(value)))
    elif name == "patient":
        for identifier in patient.get("identifier", []):
            identifier["value"] = value or OTHER_PATIENT
        for participant in body["participant"]:
            if "identifier" in participant["actor"]:
                participant["actor"]["identifier"]["value"] = value or OTHER_PATIENT
        if not patient.get("identifier"):
            patient["identifier"] = [{"system": NUMBER, "value": value or OTHER_PATIENT}]
    elif name == "participant":
        body["participant"][0]["actor"]["identifier"] = {"system": NUMBER, "value": value or OTHER_PATIENT}
    elif name == "slot":
        slot["id"], slot["identifier"] = "another-slot", [{"system": UUID, "value": str(uuid.uuid4())}]
        body["slot"] = [{"reference": "#another-slot"}]
    elif name == "slot-reference":
        body["slot"] = [{"reference": "Slot/another-slot"}]
    elif name == "document":
        document["identifier"] = [{"system": UUID, "value": str(uuid.uuid4())}]
    elif name == "id":
        body["id"] = value or str(uuid.uuid4())
    elif name == "status":
        body["status"] = value
    elif name == "modifier":
        body["modifierExtension"] = [{"url": "https://vendor.example/not", "valueBoolean": True}]
    elif name == "drop":
        body.pop(value, None)
    elif name == "drop-contained":
        body["contained"] = [c for c in body["contained"] if c["resourceType"] != value]
    # A form that FHIR does not have: `list=status`, and `list=start` of the contained Slot as `list=Slot.start`.
    elif name in ("list", "single", "object", "null", "number"):
        kind, _, key = value.rpartition(".")
        of = contained(body, kind) if kind else body
        while "/" in key:
            step, _, key = key.partition("/")
            of = of[step][0] if isinstance(of[step], list) else of[step]
        forms = {"list": lambda v: [v], "single": lambda v: v[0], "object": lambda v: {"value": v},
                 "null": lambda v: None, "number": lambda v: 7}
        of[key] = forms[name](of[key])
    # From here on the Appointment stays the same: it is only written in another legal way.
    elif name == "offset":
        zone = datetime.timezone(datetime.timedelta(hours=int(value)))
        for of, key in moments:
            if key in of:
                of[key] = datetime.datetime.fromisoformat(of[key]).astimezone(zone).isoformat()
    elif name == "fraction":
        for of, key in moments:
            if key in of:
                of[key] = datetime.datetime.fromisoformat(of[key]).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    elif name == "upper":
        document["identifier"][0]["value"] = document["identifier"][0]["value"].upper()
    elif name == "urn":
        document["identifier"][0] = {"system": "urn:ietf:rfc:3986",
                                     "value": "urn:uuid:" + document["identifier"][0]["value"]}
    elif name == "spaces":
        for of in [patient, *(p["actor"] for p in body["participant"])]:
            found = of.get("identifier", [])
            for identifier in found if isinstance(found, list) else [found]:
                v = identifier["value"]
                identifier["value"] = f"{v[:3]} {v[3:6]} {v[6:]}"
    elif name == "slot-absolute":
        body["slot"] = [{"reference": f"{host}{ROOT}/Slot/{slot['id']}/_history/1"}]
    elif name == "slot-local":
        slot["id"] = "s1"
        body["slot"] = [{"reference": "#s1"}]
    elif name == "only-contained-slot":
        body.pop("slot", None)
    elif name == "extra":
        body["extension"] = [{"url": "https://vendor.example/ext", "valueString": "?"}]
        body["contained"].append({"resourceType": "Basic", "id": "b"})
    else:
        raise ValueError(change)


class State:
    """Slots, appointments, rules and requests, under one lock."""

    def __init__(self):
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.reset()

    def reset(self):
        begin = (now() + datetime.timedelta(hours=AHEAD)).replace(minute=0, second=0, microsecond=0)
        self.slots = {}
        for number in range(SLOTS):
            start = begin + number * LENGTH
            ident = str(uuid.uuid4())
            self.slots[ident] = {
                "resourceType": "Slot", "id": ident, "identifier": [{"system": UUID, "value": str(uuid.uuid4())}],
                "schedule": {"reference": "Schedule/sch"}, "status": "free",
                "start": stamp(start), "end": stamp(start + LENGTH)}
        self.rules, self.seen, self.used = [], [], {}
        self.appointments, self.page_size = {}, 0
        self.held, self.released = 0, 0
        self.other = self.somebody_elses()

    def somebody_elses(self):
        """An appointment of another patient, at the time of the last slot."""
        slot = list(self.slots.values())[-1]
        slot["status"] = "busy"
        ident = str(uuid.uuid4())
        self.appointments[ident] = {
            "resourceType": "Appointment", "id": ident, "meta": {"versionId": "1"}, "status": "booked",
            "contained": [
                {"resourceType": "DocumentReference", "id": "doc",
                 "identifier": [{"system": UUID, "value": str(uuid.uuid4())}]},
                {"resourceType": "Patient", "id": "pat", "identifier": [{"system": NUMBER, "value": OTHER_PATIENT}],
                 "name": [{"family": "Otherwell", "given": ["Una"]}]},
                {**copy.deepcopy(slot)}],
            "description": "Something else", "start": slot["start"], "end": slot["end"],
            "slot": [{"reference": "#" + slot["id"]}],
            "participant": [{"actor": {"reference": "#pat", "display": "Una Otherwell",
                                       "identifier": {"system": NUMBER, "value": OTHER_PATIENT}},
                             "status": "accepted"}]}
        return ident

    def rule(self, interaction):
        """The next rule of an interaction; it is used up unless it holds for all."""
        for rule in self.rules:
            if rule["on"] == interaction and not rule.get("used_up"):
                left = rule.setdefault("left", rule.get("times", 1))
                if left != 0:
                    rule["left"] = left - 1
                    rule["used_up"] = rule["left"] == 0
                return rule
        return {}

    def hold(self):
        with self.changed:
            self.held += 1
            mine = self.held
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.released >= mine, PATIENCE)

    # -- what is asked

    def create(self, body, request_id):
        """Books; the status and the id of the appointment, or the status and the outcome."""
        if request_id in self.used:
            return 409, self.used[request_id], ["duplicate", "This X-Request-ID was used before"]
        claimed = contained(body, "Slot").get("id")
        slot = self.slots.get(claimed)
        if slot is None or slot["status"] != "free":
            return 422, None, ["processing", "Slot no longer available"]
        slot["status"] = "busy"
        ident = str(uuid.uuid4())
        self.appointments[ident] = {**body, "id": ident, "meta": {**body.get("meta", {}), "versionId": "1"}}
        self.used[request_id] = ident
        return 201, ident, None

    def update(self, ident, body, if_match):
        stored = self.appointments.get(ident)
        if stored is None:
            return 404, None, ["not-found", "There is none"]
        if if_match.removeprefix("W/").strip('"') != stored["meta"]["versionId"]:
            return 409, None, ["conflict", "Another version"]
        if stored["status"] == "cancelled":
            return 422, None, ["invalid", "It is cancelled already"]
        if body.get("status") == "cancelled":
            stored["status"] = "cancelled"
            stored["meta"]["versionId"] = str(int(stored["meta"]["versionId"]) + 1)
            slot = self.slots.get(contained(stored, "Slot").get("id"))
            if slot:
                slot["status"] = "free"
        return 200, ident, None


STATE = State()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Says nothing: what was asked is in the state."""

    def date_time_string(self, timestamp=None):
        """The `Date` of an answer, by a clock that may be wrong."""
        return super().date_time_string((timestamp or time.time()) + getattr(self, "clock", 0))

    def do_GET(self):
        self.handle_all()

    def do_POST(self):
        self.handle_all()

    def do_PUT(self):
        self.handle_all()

    def handle_all(self):
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        if self.path.startswith("/control"):
            return self.control(raw)
        path, _, query = self.path.partition("?")
        parts = path.removeprefix(ROOT).strip("/").split("/")
        body = json.loads(raw) if raw.startswith(b"{") else {}
        known = {("GET", "Slot"): "slots", ("POST", "Appointment"): "create", ("POST", "itk"): "refer"}
        interaction = known.get((self.command, "/".join(parts)))
        if parts[0] == "Appointment" and interaction is None:
            interaction = {"GET": "read" if len(parts) > 1 else "search", "PUT": "update"}.get(self.command)
        with STATE.lock:
            STATE.seen.append({"interaction": interaction, "path": path, "query": query,
                               "request_id": self.headers.get("x-request-id"), "body": body})
            rule = STATE.rule(interaction)
        if rule.get("hold") == "before":
            STATE.hold()
        with STATE.lock:
            answer = self.answered(interaction, parts, query, body, rule)
        if rule.get("hold") == "after":
            STATE.hold()
        self.send(answer, rule)

    # -- right answers, changed by a rule

    def answered(self, interaction, parts, query, body, rule):
        ident = parts[1] if len(parts) > 1 else None
        status, outcome, answer = 404, None, None
        if interaction == "slots":
            status, answer = 200, self.searchset([s for s in STATE.slots.values() if s["status"] == "free"])
        elif interaction == "create":
            if rule.get("store", True):
                status, ident, outcome = STATE.create(body, self.headers.get("x-request-id"))
            else:
                status, ident = 201, str(uuid.uuid4())
                answer = {**body, "id": ident, "meta": {"versionId": "1"}}
        elif interaction == "read":
            status = 200 if ident in STATE.appointments else 404
        elif interaction == "update":
            if rule.get("store", True):
                status, _, outcome = STATE.update(ident, body, self.headers.get("if-match", ""))
            else:
                status = 200
        elif interaction == "search":
            status, answer = 200, self.of_patient(query)
        if answer is None and ident in STATE.appointments and outcome is None:
            answer = copy.deepcopy(STATE.appointments[ident])
        if rule.get("instead") == "other":
            answer = copy.deepcopy(STATE.appointments[STATE.other])
            outcome = None
        headers = {}
        if status in (201, 409) and ident and interaction == "create":
            headers["Location"] = f"{self.host()}{ROOT}/Appointment/{ident}/_history/1"
        if answer and answer.get("resourceType") == "Appointment":
            headers["ETag"] = f'W/"{answer["meta"]["versionId"]}"'
            for change in rule.get("alter", []):
                alter(answer, change, self.host())
        return rule.get("status", status), headers, answer, rule.get("outcome", outcome)

    def host(self):
        return "https://" + self.headers["host"]

    def searchset(self, resources):
        return {"resourceType": "Bundle", "type": "searchset", "total": len(resources),
                "entry": [{"fullUrl": f"{self.host()}{ROOT}/{r['resourceType']}/{r['id']}", "resource": r}
                          for r in resources]}

    def of_patient(self, query):
        asked = urllib.parse.parse_qs(query)
        number = asked.get("patient.identifier", ["|"])[0].rpartition("|")[2]
        mine = [a for a in STATE.appointments.values() if number_of(a) == number]
        keep = ("resourceType", "id", "meta", "status", "start", "end", "participant")
        short = [{k: v for k, v in a.items() if k in keep} for a in mine]
        size = STATE.page_size or len(short) or 1
        page = int(asked.get("page", ["0"])[0])
        bundle = self.searchset(short[page * size:(page + 1) * size])
        bundle["total"] = len(short)
        if (page + 1) * size < len(short):
            token = urllib.parse.quote(f"{NUMBER}|{number}", safe="")
            bundle["link"] = [{"relation": "next", "url":
                               f"{self.host()}{ROOT}/Appointment?patient.identifier={token}&page={page + 1}"}]
        return bundle

    def send(self, answer, rule):
        status, headers, body, outcome = answer
        if outcome:
            code, text = outcome
            text = text.replace("{other}", f"{self.host()}{ROOT}/Appointment/{STATE.other}")
            body = {"resourceType": "OperationOutcome", "issue": [
                {"severity": "error", "code": code, "diagnostics": text}]}
        data = json.dumps(body).encode() if body is not None else b""
        if "body" in rule:
            data = rule["body"].encode()
        headers = {"Content-Type": rule.get("type", "application/fhir+json;charset=utf-8"),
                   "X-Request-ID": str(uuid.uuid4()), "X-Correlation-ID": self.headers.get("x-request-id"), **headers}
        for name, value in rule.get("headers", {}).items():
            headers[name] = value and value.replace(
                "{other}", f"{self.host()}{ROOT}/Appointment/{STATE.other}").replace("{host}", self.host())
        if rule.get("gzip"):
            data, headers["Content-Encoding"] = gzip.compress(data), "gzip"
        self.clock = rule.get("clock", 0)
        try:
            if rule.get("cut") is True:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.send_response(status)
            for name, value in headers.items():
                if value is not None:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if rule.get("cut") == "half":
                self.wfile.write(data[:len(data) // 2])
                self.close_connection = True
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(data)
        except OSError:
            # Whoever asked is gone.
            self.close_connection = True

    # -- control

    def control(self, raw):
        told = json.loads(raw) if raw else None
        answer = {}
        with STATE.changed:
            if self.path == "/control/reset":
                STATE.reset()
            elif self.path == "/control/held":
                answer["held"] = STATE.changed.wait_for(lambda: STATE.held > STATE.released, PATIENCE)
            elif self.path == "/control/release":
                STATE.released = STATE.held
                STATE.changed.notify_all()
            elif self.path == "/control/page":
                STATE.page_size = told
            elif self.path == "/control/copies":
                # More appointments of a patient: {"number": …, "count": …, "status": …, "start": …}.
                for _ in range(told["count"]):
                    made = copy.deepcopy(STATE.appointments[STATE.other])
                    made["id"] = str(uuid.uuid4())
                    for change in ("document", "patient=" + told["number"], "status=" + told.get("status", "booked")):
                        alter(made, change, "")
                    made["start"] = told.get("start", made["start"])
                    STATE.appointments[made["id"]] = made
            elif self.path == "/control/state":
                answer = {"appointments": STATE.appointments, "other": STATE.other, "seen": STATE.seen,
                          "live": [a["id"] for a in STATE.appointments.values()
                                   if a["status"] == "booked" and number_of(a) != OTHER_PATIENT],
                          "other_status": STATE.appointments[STATE.other]["status"]}
            else:
                STATE.rules = told
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A caller that goes away in the middle is no news."""


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
