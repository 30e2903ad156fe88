"""What this provider accepts: error table, token, headers, queries, bookings, cancellations."""

import base64
import copy
import datetime
import json
import re
import time
import urllib.parse
import uuid

from provider_diary import NHS_NUMBER, PROFILE, UUID, london, now, stamp
from provider_faults import on

SPINE = "https://fhir.nhs.uk/STU3/CodeSystem/Spine-ErrorOrWarningCode-1"
INTERACTION = "urn:nhs:names:services:careconnect:fhir:rest:"
# Clocks of two machines differ by so much, and a token lives no longer than five minutes.
TOLERANCE, LIFE = 60, 300

# name: (row of the table, status, issue code, Spine code)
TABLE = {
    "parameter": ("ERR-01", 400, "invalid", "INVALID_PARAMETER"),
    "header": ("ERR-02", 400, "invalid", "MISSING_OR_INVALID_HEADER"),
    "request-id": ("ERR-03", 400, "required", "MISSING_OR_INVALID_HEADER"),
    "body": ("ERR-04", 400, "invalid", "INVALID_PARAMETER"),
    "rank": ("ERR-05", 400, "invalid", "INVALID_PARAMETER"),
    "token": ("ERR-06", 403, "forbidden", "ACCESS DENIED"),
    "service": ("ERR-08", 404, "not-found", "NO_RECORD_FOUND"),
    "unknown": ("ERR-09", 404, "not-found", "NO_RECORD_FOUND"),
    "method": ("ERR-10", 405, "not-supported", "BAD_REQUEST"),
    "repeat": ("ERR-11", 409, "duplicate", "DUPLICATE_REJECTED"),
    "version": ("ERR-12", 409, "conflict", "CONFLICTING_VALUES"),
    "no-version": ("ERR-13", 412, "required", "MISSING_OR_INVALID_HEADER"),
    "media": ("ERR-14", 415, "not-supported", "UNSUPPORTED_MEDIA_TYPE"),
    "taken": ("ERR-15", 422, "processing", "processing"),
    "reference": ("ERR-16", 422, "invalid", "REFERENCE_NOT_FOUND"),
    "profile": ("ERR-17", 422, "invalid", "INVALID_PARAMETER"),
    "number": ("ERR-18", 422, "value", "INVALID_NHS_NUMBER"),
    "differs": ("ERR-19", 422, "invalid", "REFERENCE_NOT_FOUND"),
    "state": ("ERR-20", 422, "business-rule", "INVALID_REQUEST_STATE"),
    "broken": ("ERR-22", 500, "processing", "INTERNAL_SERVER_ERROR"),
    "size": ("", 413, "too-long", "BAD_REQUEST"),
}


class Refusal(Exception):
    """A request that is answered with a row of the error table."""

    def __init__(self, row, *said, **headers):
        super().__init__(row)
        self.row, self.said, self.headers = row, said or ("",), headers

    @property
    def status(self):
        if self.row == "token" and on("token-401"):
            return 401
        if self.row == "taken" and on("taken-409"):
            return 409
        if self.row == "version" and on("stale-version-412"):
            return 412
        if self.row == "rank" and on("ranks-422"):
            return 422
        return TABLE[self.row][1]

    def outcome(self):
        _, _, code, spine = TABLE[self.row]
        coding = {"system": SPINE, "code": spine, "display": spine.replace("_", " ").capitalize()}
        said = self.said
        if self.row == "taken":
            words = "The slot has gone" if on("taken-other-words") else "Slot no longer available"
            coding, said = {"system": "http://hl7.org/fhir/issue-type", "code": "processing",
                            "display": "Processing Failure"}, (words,)
        made = {"resourceType": "OperationOutcome", "id": uuid.uuid4().hex,
                "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/OperationOutcome"]},
                "issue": [{"severity": "error", "code": code, "details": {"coding": [coding]}, "diagnostics": text}
                          for text in said]}
        if on("outcome-without-id"):
            del made["id"]
        return made


# -- token and headers


def check_headers(headers, interactions):
    """The headers of the Spine proxy (section 3)."""
    patterns = {"ssp-traceid": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", "ssp-from": r"\d{12}",
                "ssp-to": r"\d{12}"}
    for name, pattern in patterns.items():
        if not on("ssp-headers-unchecked") and not re.fullmatch(pattern, headers.get(name, "")):
            raise Refusal("header", f"The header {name} is missing or malformed")
    allowed = [INTERACTION + i for i in interactions]
    if on("read-slot-refused") and len(allowed) > 1:
        allowed.pop()
    if headers.get("ssp-interactionid") not in allowed and not on("interaction-unchecked"):
        raise Refusal("header", "The header Ssp-InteractionID does not suit this request")


def check_token(headers, roots, scope):
    """The claims that prove who asks (national services, section 4); every fault is 403."""
    def refuse(why):
        raise Refusal("token", why, **{"WWW-Authenticate": f'Bearer error="invalid_token", error_description="{why}"'})

    found = re.fullmatch(r"Bearer ([\w-]+)\.([\w-]+)\.([\w-]*)", headers.get("authorization", ""), re.IGNORECASE)
    if not found:
        refuse("Authorization is missing or malformed")
    if found[3] and not on("signature-ignored"):
        refuse("the third part is not empty")
    try:
        head, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in found.groups()[:2])
    except (ValueError, RecursionError):
        refuse("the token cannot be read")
    if not isinstance(head, dict) or not isinstance(claims, dict):
        refuse("the token cannot be read")
    if head.get("alg") != "none" and not on("signature-ignored"):
        refuse("alg is not none")
    for name in ("iss", "sub"):
        if not isinstance(claims.get(name), str) or not claims[name]:
            refuse(f"{name} is missing")
    aud = claims.get("aud")
    if not on("audience-unchecked") and (not isinstance(aud, str) or aud.rstrip("/") not in roots):
        refuse("aud is not this service root")
    check_times(claims, refuse)
    if claims.get("reason_for_request") != "directcare" and not on("reason-unchecked"):
        refuse("reason_for_request is not directcare")
    asked = claims.get("requested_scope")
    asked = asked.split() if isinstance(asked, str) else []
    if on("one-appointment-scope") and scope.startswith("patient/"):
        asked += [scope] if any(a.startswith("patient/") for a in asked) else []
    if scope not in asked and not on("scope-unchecked"):
        refuse("requested_scope does not hold " + scope)
    check_parties(claims, refuse)


def check_times(claims, refuse):
    iat, exp, moment = claims.get("iat"), claims.get("exp"), time.time()
    if not all(type(value) is int and 10**9 <= value < 10**10 for value in (iat, exp)):
        refuse("iat and exp are not whole seconds of ten digits")
    if iat > moment + TOLERANCE and not on("future-token-taken"):
        refuse("iat lies in the future")
    if exp < moment - TOLERANCE and not on("expired-token-taken"):
        refuse("the token has expired")
    if exp <= iat or exp - iat > LIFE + TOLERANCE:
        refuse("the life of the token is not five minutes")


def check_parties(claims, refuse):
    def identifiers(party):
        found = party.get("identifier")
        found = found if isinstance(found, list) else []
        return [i for i in found if isinstance(i, dict) and i.get("system") and i.get("value")] if found else []

    device, organization = claims.get("requesting_device"), claims.get("requesting_organization")
    if not isinstance(device, dict) or not identifiers(device) or not device.get("model") or not device.get("version"):
        refuse("requesting_device is missing or incomplete")
    ods = "https://fhir.nhs.uk/Id/ods-organization-code"
    if not isinstance(organization, dict) or not organization.get("name") or not any(
            i["system"] == ods for i in identifiers(organization)):
        refuse("requesting_organization is missing or incomplete")
    person = claims.get("requesting_practitioner")
    if person is None:
        if on("practitioner-demanded"):
            refuse("requesting_practitioner is missing")
        return
    names = person.get("name") if isinstance(person, dict) else None
    named = isinstance(names, list) and names and all(isinstance(n, dict) and n.get("family") and n.get("given")
                                                      for n in names)
    if not named or not person.get("id"):
        refuse("requesting_practitioner is incomplete")
    if person["id"] != claims["sub"] and not on("subject-unchecked"):
        refuse("sub is not the practitioner")


# -- queries


def pairs(query):
    """Names and values; what is no percent-encoded UTF-8 is refused."""
    found = []
    for piece in filter(None, query.split("&")):
        if re.search(r"%(?![0-9A-Fa-f]{2})", piece):
            raise Refusal("parameter", "The query is not percent-encoded")
        try:
            name, _, value = (urllib.parse.unquote_plus(part, errors="strict") for part in piece.partition("="))
        except UnicodeDecodeError:
            raise Refusal("parameter", "The query is no UTF-8") from None
        if "\0" in value:
            raise Refusal("parameter", "The query holds a zero byte")
        found.append((name, value))
    return found


def moment_of(text):
    """First and last moment that a date or time names; without offset it is London's."""
    text = re.sub(r" (\d\d:\d\d)$", r"+\1", text)
    found = re.fullmatch(r"(\d{4})-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?", text)
    if not found:
        raise ValueError
    year, month, day, hour, minute, second = (int(g) if g else None for g in found.groups()[:6])
    first = datetime.datetime(year, month, day or 1, hour or 0, minute or 0, second or 0)
    if day is None:
        after = datetime.datetime(year + month // 12, month % 12 + 1, 1)
    else:
        after = first + (datetime.timedelta(days=1) if hour is None else
                         datetime.timedelta(minutes=1) if second is None else datetime.timedelta(seconds=1))
    if found[8] is None:
        return london(first), london(after)
    text = first.isoformat() + found[8].replace("Z", "+00:00")
    moment = datetime.datetime.fromisoformat(text)
    return moment, moment + (after - first)


class Criteria:
    """A slot search as understood."""

    SERVICE = ("schedule.actor:healthcareservice", "schedule.actor:healthcareservice.identifier", "service")
    STATUSES = ("free", "busy", "busy-unavailable", "busy-tentative", "entered-in-error")

    def __init__(self, query):
        self.service, self.bounds, self.statuses, self.includes, self.kept = None, [], set(), set(), []
        for name, value in pairs(query):
            if self._take(name, value):
                self.kept.append((name, value))
        if not self.service and not on("service-optional"):
            raise Refusal("parameter", "The parameter service is missing")
        self._check_past()

    def _take(self, name, value):
        lower = name.lower()
        known = self.SERVICE[:1] if on("service-one-spelling") else self.SERVICE
        if name in known or (lower in known and not on("service-one-spelling")):
            self.service = value.rpartition("|")[2].rpartition("HealthcareService/")[2]
        elif name == "start":
            self.bounds.append(self._bound(value))
        elif name == "status":
            self._status(value)
        elif lower in ("_include", "_include:iterate", "_include:recurse"):
            self._include(value.lower().replace(".", ":"))
        elif re.fullmatch(r"(start|status)[\w-]+", name) and not on("misspelt-ignored"):
            raise Refusal("parameter", f"There is no parameter {name}")
        elif lower not in ("_format", "_revinclude"):
            if on("unknown-parameter-refused"):
                raise Refusal("parameter", f"There is no parameter {name}")
            return on("self-link-as-sent")
        return True

    def _bound(self, value):
        prefix, text = (value[:2], value[2:]) if value[:2].isalpha() else ("eq", value)
        try:
            if prefix not in ("eq", "ge", "gt", "le", "lt"):
                raise ValueError
            first, after = moment_of(text)
        except ValueError:
            raise Refusal("parameter", "A value of start is no time with a known prefix") from None
        if on("upper-bound-left-out") and prefix == "le":
            prefix = "lt"
        return prefix, first, after

    def _status(self, value):
        for status in value.split(","):
            if status not in self.STATUSES:
                raise Refusal("parameter", "A value of status is unknown")
            self.statuses.add(status)

    def _include(self, value):
        last = value.rpartition(":")[2]
        known = {"slot:schedule": "Schedule", "schedule:actor:practitioner": "Practitioner",
                 "schedule:actor:practitionerrole": "PractitionerRole",
                 "schedule:actor:healthcareservice": "HealthcareService"}
        if value in known:
            self.includes.add(known[value])
        elif value.startswith("healthcareservice:"):
            self.includes |= {"location": {"Location"}, "providedby": {"Organization"},
                              "organization": {"Organization"}}.get(last, set())

    def _check_past(self):
        ends = [first if prefix in ("ge", "gt") else after for prefix, first, after in self.bounds]
        if ends and all(end <= now() for end in ends) and not on("past-window-taken"):
            raise Refusal("parameter", "All bounds of start lie in the past")

    def fits(self, slot):
        if self.statuses and slot.status not in self.statuses and not on("busy-among-free"):
            return False
        if not self.bounds:
            return slot.start >= now()
        if on("window-ignored"):
            return True
        holds = {"ge": lambda a, b: slot.start >= a, "gt": lambda a, b: slot.start >= b or slot.start > a and b - a <=
                 datetime.timedelta(seconds=1), "le": lambda a, b: slot.start < b, "lt": lambda a, b: slot.start < a,
                 "eq": lambda a, b: a <= slot.start < b}
        return all(holds[prefix](first, after) for prefix, first, after in self.bounds)


# -- bookings


def contained(body, kind):
    return next((r for r in body.get("contained", []) if r["resourceType"] == kind), {})


def valid_number(number):
    if not re.fullmatch(r"\d{10}", number):
        return False
    check = 11 - sum(int(d) * (10 - i) for i, d in enumerate(number[:9])) % 11
    return (0 if check == 11 else check) == int(number[9])


def check_ranks(patient):
    """Exactly one contact point comes first (RES-RANK)."""
    points = list(patient.get("telecom", []))
    if not on("third-party-not-counted"):
        points += [p for c in patient.get("contact", []) for p in c.get("telecom", [])]
    ranks = [p.get("rank") for p in points]
    if not on("ranks-unchecked") and (None in ranks or ranks.count(1) != 1 or min(ranks) < 1):
        raise Refusal("rank", "Appointment.contained.telecom.rank: exactly one contact point has rank 1, and each has one")


def instant(text):
    try:
        if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)", text or ""):
            return None
        text = re.sub(r"\.(\d+)", lambda f: "." + f[1][:6].ljust(6, "0"), text)
        return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None


def faults_of(body):
    """Every place where a booking is not as the Standard has it."""
    patient, document, slot = (contained(body, kind) for kind in ("Patient", "DocumentReference", "Slot"))
    participant = (body.get("participant") or [{}])[0]
    actor = participant.get("actor", {})
    kinds = sorted(r["resourceType"] for r in body.get("contained", []))
    birth = patient.get("birthDate", "")
    rules = {
        "Appointment.id": "id" not in body or on("id-on-create-taken"),
        "Appointment.contained": kinds == ["DocumentReference", "Patient", "Slot"],
        "Appointment.status": body.get("status") == "booked",
        "Appointment.meta.profile": PROFILE.format("Appointment") in body.get("meta", {}).get("profile", []),
        "Appointment.language": body.get("language", "en-GB") in ("en", "en-GB"),
        "Appointment.start": instant(body.get("start")), "Appointment.end": instant(body.get("end")),
        "Appointment.created": instant(body.get("created")), "Appointment.description": body.get("description"),
        "Appointment.slot": body.get("slot") == [{"reference": "#" + slot.get("id", "")}],
        "Appointment.supportingInformation": [s.get("reference") for s in body.get("supportingInformation", [])]
        == ["#" + document.get("id", "")],
        "Appointment.participant": len(body.get("participant", [])) == 1 and actor.get("display")
        and participant.get("status", "accepted") == "accepted",
        "Appointment.participant.actor.reference": actor.get("reference") == "#" + patient.get("id", ""),
        **{f"Slot.{name}": slot.get(name) for name in ("identifier", "schedule", "status")},
        "Slot.start": instant(slot.get("start")), "Slot.end": instant(slot.get("end")),
        "Patient.name": len(patient.get("name", [])) == 1 and all(
            n.get("use") == "official" and n.get("family") and n.get("given") for n in patient["name"]),
        "Patient.gender": patient.get("gender") in ("male", "female", "other", "unknown"),
        "Patient.birthDate": re.fullmatch(r"(19|20)\d\d-\d\d-\d\d", birth) and birth <= stamp(now())[:10],
        "Patient.address": any(a.get("postalCode") for a in patient.get("address", [])),
        "Patient.telecom": all(p.get("system") and p.get("value") for p in patient.get("telecom", [])),
        "Patient.identifier": all(verified(i) for i in patient.get("identifier", [])),
        "DocumentReference.identifier": [i.get("system") for i in document.get("identifier", [])] == [UUID],
        "DocumentReference.status": document.get("status") == "current",
        "DocumentReference.type": any(c.get("code") == "POCD_MT200001GB02"
                                      for c in document.get("type", {}).get("coding", [])),
        "DocumentReference.indexed": instant(document.get("indexed")),
        "DocumentReference.content": [c.get("attachment", {}).get("contentType") for c in document.get("content", [])]
        == ["application/hl7-v3+xml"],
    }
    return [place for place, holds in rules.items() if not holds]


def verified(identifier):
    url = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1"
    return (identifier.get("system") == NHS_NUMBER and identifier.get("use") == "official"
            and any(e.get("url") == url for e in identifier.get("extension", [])))


def check_booking(body):
    """400 for ranks, 422 for the rest."""
    patient = contained(body, "Patient")
    check_ranks(patient)
    faults = [] if on("profile-unchecked") else faults_of(body)
    if faults:
        if on("faults-400"):
            raise Refusal("body", *faults)
        raise Refusal("profile", *(f"{place} is missing or not as the Standard has it" for place in faults))
    numbers = [i.get("value", "") for i in patient.get("identifier", [])]
    if not numbers and on("number-demanded"):
        raise Refusal("profile", "Patient.identifier is missing")
    if not all(map(valid_number, numbers)) and not on("number-unchecked"):
        raise Refusal("number", "Patient.identifier.value is no NHS number")
    if on("unknown-elements-refused"):
        unknown = set(body) - {"resourceType", "meta", "language", "contained", "status", "description", "start", "end",
                               "supportingInformation", "slot", "created", "participant"}
        if unknown:
            raise Refusal("profile", "There are unknown elements")


# -- cancellations


def comparable(body):
    """A submission without what the Standard leaves out of the comparison."""
    made = copy.deepcopy(body)
    for part in [made, *made.get("contained", [])]:
        for name in ("meta", "text", "language"):
            part.pop(name, None)
    for name in ("id", "status", "created", "identifier", "extension"):
        made.pop(name, None)
    made["contained"] = {r["resourceType"]: r for r in made.get("contained", [])}
    for party in made.get("participant", []):
        party.pop("status", None)
    patient = made["contained"].get("Patient", {})
    patient["identifier"] = [i for i in patient.get("identifier", []) if i.get("system") == NHS_NUMBER]
    return made


def differences(one, other, path="Appointment"):
    """Paths at which two submissions differ; times are compared as moments."""
    if isinstance(one, dict) and isinstance(other, dict):
        names = sorted(set(one) | set(other))
        return [d for n in names for d in differences(one.get(n), other.get(n), f"{path}.{n}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [d for a, b in zip(one, other) for d in differences(a, b, path)]
    same = one == other or (isinstance(one, str) and isinstance(other, str) and instant(one) is not None
                            and instant(one) == instant(other))
    return [] if same else [path]
