"""Mistakes that real suppliers make, one of which can be switched on. Without one the consumer is right.

Each table holds changes of one thing on its way out: claims, the finished token, headers, the query, the booking, its
bytes, the cancelled appointment. `JOURNEY` names mistakes of order and judgement, which are asked for with on() where
they would be made.
"""

import base64
import datetime
import json
import re

from consumer_messages import instant, new_id, now, part

ACTIVE = None


def on(name):
    """True if this mistake is to be made. An unknown name is a slip in these files."""
    assert name in JOURNEY, name
    return ACTIVE == name


def choose(name):
    global ACTIVE
    if name not in names():
        raise SystemExit(f"consumer.py: there is no fault {name}; there are:\n  " + "\n  ".join(names()))
    ACTIVE = name


def names():
    tables = (CLAIMS, TOKENS, HEADERS, QUERY, BODY, BYTES, CANCEL)
    return sorted(JOURNEY | {n for t in tables for n in t})


def apply(table, thing, *more):
    """Changes a thing in place."""
    if ACTIVE in table:
        table[ACTIVE](thing, *more)


def changed(table, thing, *more):
    """The thing, or what the mistake makes of it."""
    return table[ACTIVE](thing, *more) if ACTIVE in table else thing


def put(key, value):
    return lambda thing, *_: thing.__setitem__(key, value)


def drop(key):
    return lambda thing, *_: thing.pop(key, None)


def only(operations, change):
    """A change of headers for some operations."""
    return lambda headers, operation: change(headers) if operation in operations else None


# --- Token

CLAIMS = {
    "token-long-life": lambda c: c.update(exp=c["iat"] + 3600),
    "token-expired": lambda c: c.update(iat=c["iat"] - 900, exp=c["exp"] - 900),
    "token-times-in-ms": lambda c: c.update(iat=c["iat"] * 1000, exp=c["exp"] * 1000),
    "token-iat-ahead": lambda c: c.update(iat=c["iat"] + 1800, exp=c["exp"] + 1800),
    "token-iat-text": lambda c: c.update(iat=str(c["iat"])),
    "aud-with-path": lambda c: c.update(aud=c["aud"] + "/Slot"),
    "aud-of-another": put("aud", "https://authorize.fhir.nhs.net/token"),
    "iss-missing": drop("iss"),
    "sub-missing": drop("sub"),
    "sub-not-practitioner": put("sub", "somebody-else"),
    "reason-missing": drop("reason_for_request"),
    "reason-wrong": put("reason_for_request", "migration"),
    "scope-missing": drop("requested_scope"),
    "scope-always-read": lambda c: c.update(requested_scope="organization/slot.read"),
    "scope-always-write": lambda c: c.update(requested_scope="patient/appointment.write"),
    "device-missing": drop("requesting_device"),
    "device-without-model": lambda c: c["requesting_device"].pop("model"),
    "organization-missing": drop("requesting_organization"),
    "organization-without-ods": lambda c: c["requesting_organization"].pop("identifier"),
    "practitioner-without-sds-user": lambda c: c["requesting_practitioner"]["identifier"].pop(0),
    "practitioner-without-role": lambda c: c["requesting_practitioner"]["identifier"].pop(1),
    "practitioner-without-local-id": lambda c: c["requesting_practitioner"]["identifier"].pop(2),
    "practitioner-without-name": lambda c: c["requesting_practitioner"].pop("name"),
}


def signed(_, claims):
    parts = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=")
             for p in ({"alg": "HS256", "typ": "JWT"}, claims)]
    return ".".join(parts) + ".c2lnbmF0dXJl"


def padded(token, _):
    head, claims, _ = token.split(".")
    text = base64.urlsafe_b64decode(claims + "==").decode().replace('"version":"3"', '"version":"30"')
    while len(text.encode()) % 3 == 0:
        text += " "
    return f"{head}.{base64.urlsafe_b64encode(text.encode()).decode()}."


TOKENS = {
    "token-without-last-dot": lambda t, _: t.rstrip("."),
    "token-signed": signed,
    "token-padded": padded,
}

# --- Headers


def swap(h):
    h["Ssp-From"], h["Ssp-To"] = h["Ssp-To"], h["Ssp-From"]


HEADERS = {
    "ssp-from-missing": drop("Ssp-From"),
    "ssp-from-with-prefix": lambda h, _: h.update({"Ssp-From": "ASID:" + h["Ssp-From"]}),
    "ssp-to-missing": drop("Ssp-To"),
    "ssp-to-fixed": put("Ssp-To", "918999999999"),
    "asids-swapped": lambda h, _: swap(h),
    "trace-missing": drop("Ssp-TraceID"),
    "trace-upper-case": lambda h, _: h.update({"Ssp-TraceID": h["Ssp-TraceID"].upper()}),
    "trace-not-uuid": put("Ssp-TraceID", "09a01679-2564-0fb4-5129-aecc81ea270"),
    "trace-always-same": put("Ssp-TraceID", "629ea9ba-a077-4d99-b289-7a9b19fd4e03"),
    "interaction-missing": drop("Ssp-InteractionID"),
    "interaction-of-gpconnect": only(("search",), put("Ssp-InteractionID",
                                     "urn:nhs:names:services:gpconnect:fhir:rest:search:slot")),
    "interaction-always-search": put("Ssp-InteractionID", "urn:nhs:names:services:careconnect:fhir:rest:search:slot"),
    "interaction-create-for-cancel": only(("cancel",), put("Ssp-InteractionID",
                                          "urn:nhs:names:services:careconnect:fhir:rest:create:appointment")),
    "authorization-missing": drop("Authorization"),
    "authorization-without-bearer": lambda h, _: h.update(Authorization=h["Authorization"][7:]),
    "accept-missing": drop("Accept"),
    "accept-listed": put("Accept", "application/fhir+json, application/fhir+xml;q=0.5"),
    "accept-charset-in-capitals": put("Accept", "application/fhir+json; charset=UTF-8"),
    "content-type-charset-in-capitals": only(("book", "cancel"), put("Content-Type",
                                             "application/fhir+json; charset=UTF-8")),
    "interaction-read-slot": only(("search",), put("Ssp-InteractionID",
                                  "urn:nhs:names:services:careconnect:fhir:rest:read:slot")),
    "accept-plain-json": put("Accept", "application/json"),
    "content-type-plain-json": only(("book", "cancel"), put("Content-Type", "application/json")),
    "content-type-xml": only(("book",), put("Content-Type", "application/fhir+xml;charset=utf-8")),
    "request-id-missing": only(("book", "cancel"), drop("X-Request-ID")),
    "request-id-not-uuid": put("X-Request-ID", "booking-1"),
    "request-id-always-same": only(("book", "cancel"), put("X-Request-ID", "3f1f1d1c-7c1c-4f5a-9a54-a2f2f7f7d001")),
    "if-match-missing": drop("If-Match"),
    "if-match-strong": only(("cancel",), lambda h: h.update({"If-Match": h["If-Match"].replace("W/", "")})),
    "if-match-unquoted": only(("cancel",), lambda h: h.update({"If-Match": h["If-Match"].replace('"', "")})),
    "if-match-any": only(("cancel",), put("If-Match", "*")),
    "if-match-stale": only(("cancel",), put("If-Match", 'W/"0"')),
}

# --- Query of the slot search


def replaced(pattern, by):
    return lambda query: re.sub(pattern, by, query)


QUERY = {
    "colon-of-name-unencoded": replaced("schedule.actor%3A", "schedule.actor:"),
    "colons-of-time-unencoded": replaced("(start=[^&]*)", lambda m: m[1].replace("%3A", ":")),
    "plus-unencoded": replaced(r"%2B", "+"),
    "plus-as-space": replaced(r"%2B", "%20"),
    "time-without-offset": replaced(r"%2B00%3A00", ""),
    "dates-only": replaced(r"T[^&]*", ""),
    "no-latest-start": replaced("&start=le[^&]*", ""),
    "no-start-at-all": replaced("&start=[^&]*", ""),
    "two-latest-starts": replaced("start=ge", "start=le"),
    "start-without-prefix": replaced("start=(ge|le)", "start="),
    "start-lt-and-gt": replaced("start=(g|l)e", r"start=\1t"),
    "escapes-in-lower-case": replaced("(start=[^&]*)", lambda m: m[1].replace("%3A", "%3a").replace("%2B", "%2b")),
    "time-without-seconds": replaced("(T..%3A..)%3A..", r"\1"),
    "status-missing": replaced("&status=free", ""),
    "status-first": lambda query: "status=free&" + query.replace("&status=free", ""),
    "service-in-capitals": replaced("actor%3Ahealthcareservice", "actor%3AHealthcareService"),
    "service-by-short-name": replaced("schedule.actor%3Ahealthcareservice", "service"),
    "service-missing": replaced("schedule.actor%3Ahealthcareservice=[^&]*&", ""),
    "service-by-other-id": replaced("(healthcareservice=)[^&]*", r"\g<1>FX101"),
    "status-unknown": replaced("status=free", "status=available"),
    "unsafe-characters": lambda query: query + "&_tag=a|b",
}

# --- The booking


def patient(change):
    return lambda body: change(part(body, "Patient"))


def document(change):
    return lambda body: change(part(body, "DocumentReference"))


def slot(change):
    return lambda body: change(part(body, "Slot"))


def without(kind):
    return lambda body: body.update(contained=[c for c in body["contained"] if c["resourceType"] != kind])


def second(body):
    other = json.loads(json.dumps(part(body, "Slot")))
    other["id"] += "-2"
    body["contained"].append(other)
    body["slot"].append({"reference": "#" + other["id"]})


def other_slot_time(body):
    for thing in (body, part(body, "Slot")):
        for key in ("start", "end"):
            moment = datetime.datetime.fromisoformat(thing[key].replace("Z", "+00:00"))
            thing[key] = instant(moment + datetime.timedelta(minutes=1))


def twice(kind):
    """Another resource of the kind, which nothing points to."""
    return lambda body: body["contained"].append(dict(part(body, kind), id="another"))


def patient_id_with_slash(body):
    part(body, "Patient")["id"] = "Patient/1"
    body["participant"][0]["actor"]["reference"] = "#Patient/1"


def local_number(body):
    """The NHS number is unknown, and a number of our own stands in its place."""
    part(body, "Patient")["identifier"] = [{"use": "usual", "system": "https://supplier.example/patient", "value": "47"}]
    body["participant"][0]["actor"].pop("identifier")


def rename_patient(body):
    part(body, "Patient")["id"] = "pat-2"


def placeholder(body):
    for identifier in (part(body, "Patient")["identifier"][0], body["participant"][0]["actor"]["identifier"]):
        identifier["value"] = "0000000000"


def bad_check_digit(body):
    number = part(body, "Patient")["identifier"][0]
    number["value"] = number["value"][:9] + str((int(number["value"][9]) + 1) % 10)
    body["participant"][0]["actor"]["identifier"]["value"] = number["value"]


def phone(change):
    return patient(lambda p: change(p["telecom"][0]))


BODY = {
    "id-on-post": put("id", "1"),
    "version-on-post": lambda b: b["meta"].update(versionId="1"),
    "profile-missing": lambda b: b["meta"].pop("profile"),
    "language-missing": drop("language"),
    "language-of-another": put("language", "en-US"),
    "status-pending": put("status", "pending"),
    "description-missing": drop("description"),
    "start-missing": drop("start"),
    "end-not-of-slot": lambda b: b.update(end=instant(now() + datetime.timedelta(days=40))),
    "two-slots": second,
    "slot-by-url": lambda b: b.update(slot=[{"reference": "Slot/" + part(b, "Slot")["id"]}]),
    "slot-not-contained": without("Slot"),
    "slot-without-profile": slot(drop("meta")),
    "slot-left-free": slot(put("status", "free")),
    "slot-without-identifier": slot(drop("identifier")),
    "slot-time-shifted": other_slot_time,
    "created-missing": drop("created"),
    "created-date-only": lambda b: b.update(created=b["created"][:10]),
    "created-without-offset": lambda b: b.update(created=b["created"][:19]),
    "created-ahead": lambda b: b.update(created=instant(now() + datetime.timedelta(hours=1))),
    "actor-missing": lambda b: b["participant"][0].pop("actor"),
    "actor-without-identifier": lambda b: b["participant"][0]["actor"].pop("identifier"),
    "actor-without-display": lambda b: b["participant"][0]["actor"].pop("display"),
    "actor-of-another": lambda b: b["participant"][0]["actor"]["identifier"].update(value="9990123454"),
    "two-participants": lambda b: b["participant"].append(b["participant"][0]),
    "supporting-information-missing": drop("supportingInformation"),
    "patient-not-contained": without("Patient"),
    "patient-twice": twice("Patient"),
    "patient-id-with-slash": patient_id_with_slash,
    "patient-reference-mismatch": rename_patient,
    "actor-reference-mismatch": lambda b: b["participant"][0]["actor"].update(reference="#pat-2"),
    "patient-without-profile": patient(drop("meta")),
    "nhs-number-unverified": patient(lambda p: p["identifier"][0].pop("extension")),
    "nhs-number-not-official": patient(lambda p: p["identifier"][0].pop("use")),
    "nhs-number-spaced": patient(lambda p: p["identifier"][0].update(
        value=re.sub(r"(...)(...)(....)", r"\1 \2 \3", p["identifier"][0]["value"]))),
    "nhs-number-check-digit": bad_check_digit,
    "nhs-number-placeholder": placeholder,
    "nhs-number-of-our-own": local_number,
    "name-missing": patient(drop("name")),
    "name-not-official": patient(lambda p: p["name"][0].update(use="usual")),
    "name-without-family": patient(lambda p: p["name"][0].pop("family")),
    "name-without-given": patient(lambda p: p["name"][0].pop("given")),
    "name-twice": patient(lambda p: p["name"].append(dict(p["name"][0], given=["Rob"]))),
    "rank-missing": phone(drop("rank")),
    "no-first-rank": phone(put("rank", 3)),
    "two-first-ranks": patient(lambda p: p["telecom"][1].update(rank=1)),
    "first-rank-email": patient(lambda p: (p["telecom"][0].update(rank=2), p["telecom"][1].update(rank=1))),
    "phone-international": phone(put("value", "+44 1632 960123")),
    "phone-missing": patient(drop("telecom")),
    "email-malformed": patient(lambda p: p["telecom"][1].update(value="robin at patient")),
    "gender-missing": patient(drop("gender")),
    "gender-letter": patient(put("gender", "M")),
    "birth-date-missing": patient(drop("birthDate")),
    "birth-date-british": patient(put("birthDate", "03/02/1979")),
    "birth-date-ahead": patient(put("birthDate", "2179-02-03")),
    "address-missing": patient(drop("address")),
    "address-not-home": patient(lambda p: p["address"][0].update(use="work")),
    "two-home-addresses": patient(lambda p: p["address"].append(dict(p["address"][0], line=["8 Synthetic Row"]))),
    "postcode-missing": patient(lambda p: p["address"][0].pop("postalCode")),
    "postcode-malformed": patient(lambda p: p["address"][0].update(postalCode="99 LS")),
    "document-not-contained": without("DocumentReference"),
    "document-twice": twice("DocumentReference"),
    "supporting-information-mismatch": lambda b: b["supportingInformation"][0].update(reference="#doc-2"),
    "document-reference-mismatch": document(put("id", "doc-2")),
    "document-without-identifier": document(drop("identifier")),
    "document-not-uuid": document(lambda d: d["identifier"][0].update(value="REFERRAL-2026-07-4711-0001-X")),
    "document-without-status": document(drop("status")),
    "document-without-type": document(drop("type")),
    "document-of-another-type": document(lambda d: d["type"]["coding"][0].update(code="POCD_MT000002UK01")),
    "document-indexed-long-ago": document(put("indexed", "2019-05-14T09:00:00+01:00")),
    "document-attachment-en-gb": document(lambda d: d["content"][0]["attachment"].update(language="en-GB")),
    "document-without-indexed": document(drop("indexed")),
    "document-attachment-type": document(lambda d: d["content"][0]["attachment"].update(contentType="text/xml")),
    "document-without-content": document(drop("content")),
}

BYTES = {
    "json-broken": lambda data: data[:-1] + b",}",
    "json-latin1": lambda data: data.replace(b"Earache", "Caf\u00e9 visit, earache".encode("latin-1")),
    "json-member-twice": lambda data: data.replace(b'"status": "booked"', b'"status": "booked", "status": "booked"'),
}

# --- The cancelled appointment

CANCEL = {
    "cancel-changes-name": lambda b: part(b, "Patient")["name"][0].update(family="Othername"),
    "cancel-changes-description": put("description", "Cancelled by 111"),
    "cancel-drops-contained": drop("contained"),
    "cancel-drops-identifier": lambda b: part(b, "Slot").pop("identifier"),
    "cancel-as-error": put("status", "entered-in-error"),
    "cancel-stays-booked": put("status", "booked"),
    "cancel-of-another-id": put("id", new_id()),
}

# --- Order and judgement, token store, addresses

JOURNEY = {
    "no-ssp-prefix", "double-slash", "token-reused", "first-asid", "asid-without-prefix", "sds-query-without-asid",
    "interactions-ignored", "gpconnect-ignored", "first-mhs", "sds-mhs-without-interaction", "endpoint-unchecked",
    "sds-skipped", "retry-422", "retry-403", "retry-400", "retry-without-end", "retry-at-once", "retry-changes-body",
    "request-id-new-on-retry", "books-without-search", "books-unoffered-slot", "books-in-parallel", "taken-slot-again",
    "taken-without-new-search", "lost-answer-other-slot", "lost-answer-given-up", "error-books-on",
    "cancel-without-read", "cancel-by-delete", "cancel-by-patch", "cancel-with-post",
    "conflict-without-read", "refers-without-booking", "referral-of-other-document", "referral-url-with-version",
    "referral-url-with-ssp", "document-always-same", "referral-without-link",
}
