#!/usr/bin/env python3
"""A small consumer of the Booking Standard: finds a service, searches, books, reads and cancels, and recovers.

Written for the tests, on the standard library alone, from the Standard and from no code of the product. It is right
unless --fault names one of the mistakes of consumer_faults.py. Exit code 0: it did what it was asked or handled what
came; 1: something came that it could not make sense of.
"""

import argparse
import datetime
import sys
import threading
import urllib.parse
import uuid

import consumer_faults
import consumer_referral
from consumer_faults import on
from consumer_messages import Patient, appointment, document_of, instant, new_id, now
from consumer_national import Dos, Obstacle, Sds, Service, asid_of, route_of
from consumer_wire import MAX_TRIES, NO_ANSWER, Wire

# Searches of one walk: the first, and again after a slot was taken by another.
MAX_SEARCHES = 3
# Pages of a search; a provider that pages for ever is not followed for ever.
MAX_PAGES = 20
# Cancels of one appointment: again after a conflict, with a fresh read.
MAX_CANCELS = 3
# Seconds that DoS and SDS may take; --patience is for providers.
DIRECTORY_PATIENCE = 30
# Seconds after which a second booking starts beside the first, by fault.
OVERLAP = 0.02
# The timeframe of the patient's need.
TIMEFRAME = datetime.timedelta(hours=72)
INCLUDES = ("Slot:schedule", "Schedule:actor:Practitioner", "Schedule:actor:PractitionerRole",
            "Schedule:actor:HealthcareService", "HealthcareService:providedBy", "HealthcareService:location")


def say(text):
    print("  " + text, flush=True)


def encoded(value):
    return urllib.parse.quote(value, safe="-._~")


class Booking:
    """An appointment as this consumer knows it."""

    def __init__(self, ident, slot, patient, document, tag=None, body=None):
        self.ident, self.slot, self.patient, self.document = ident, slot, patient, document
        self.tag, self.body, self.tag_used = tag, body, False


class Walk:
    """The journey of one patient to one service."""

    def __init__(self, wire, service, case, details):
        self.wire, self.service, self.patient, self.details = wire, service, Patient(case), details
        self.search_route = self.route = None

    # -- search

    def query(self):
        moment = now()
        parts = [("schedule.actor%3Ahealthcareservice", self.service), ("start", "ge" + instant(moment)),
                 ("start", "le" + instant(moment + TIMEFRAME)), ("status", "free")]
        parts += [("_include", i) for i in INCLUDES]
        query = "&".join(f"{name}={encoded(value)}" for name, value in parts)
        return consumer_faults.changed(consumer_faults.QUERY, query)

    def search(self):
        """The free slots that are offered, or None where the search failed."""
        tail, slots = "Slot?" + self.query(), []
        for _ in range(MAX_PAGES):
            answer = self.wire.call(self.search_route, "search", "GET", tail)
            if answer is None:
                say("the service does not answer: choose another service")
                return None
            if answer.status != 200 or not answer.is_a("Bundle"):
                self.explain("search", answer)
                return None
            found = [e["resource"] for e in answer.body.get("entry", []) if e.get("resource", {})]
            slots += [s for s in found if s.get("resourceType") == "Slot" and s.get("status") == "free"]
            following = [n["url"] for n in answer.body.get("link", []) if n.get("relation") == "next"]
            root = self.search_route[1].rstrip("/") + "/"
            if not following or root not in following[0]:
                break
            tail = following[0].split(root, 1)[1]
        slots.sort(key=lambda s: s["start"])
        say(f"{len(slots)} free slots" if slots else "no free slots: choose another service")
        return slots

    def explain(self, doing, answer):
        """The log gets the details, the user plain words (CONS-ERR-01, CONS-ERR-02)."""
        what = "an answer that makes no sense" if answer.malformed else f"status {answer.status}"
        say(f"{doing}: {what} ({answer.says()}); request {answer.request_id}: it did not work, choose another service")

    # -- book

    def book(self, slot):
        """Booking, or the answer that refused it, or None where nothing is known."""
        document = new_id()
        if on("document-always-same"):
            document = "0d9c5a52-8c0f-4f0e-9d3c-6a1f5c3b7e11"
        body = appointment(slot, self.patient, document)
        consumer_faults.apply(consumer_faults.BODY, body)
        # Two suppliers' mistakes begin with giving up at the first lost answer.
        tries = 1 if on("lost-answer-given-up") or on("lost-answer-other-slot") else MAX_TRIES
        answer = self.wire.call(self.route, "book", "POST", "Appointment", body, tries=tries)
        if answer and answer.status == 201 and answer.is_a("Appointment"):
            ident = answer.body.get("id") or ident_in(answer.header("location"))
            say(f"booked {slot['start']}")
            return Booking(ident, slot, self.patient, document, answer.header("etag"), answer.body)
        if answer and 400 <= answer.status < 500 and answer.status != 409 and answer.status != 429:
            self.explain("booking", answer)
            return answer
        if answer and answer.status == 500:
            self.explain("booking", answer)
            return answer
        if on("lost-answer-given-up"):
            say("booking did not work")
            return None
        if on("lost-answer-other-slot"):
            return NO_ANSWER
        return self.recover(slot, document, answer)

    def recover(self, slot, document, answer):
        """Whether the booking was made although no answer said so (CONS-BOOK-05, D-43)."""
        named = [ident_in(answer.header("location")), ident_in(answer.says())] if answer else []
        booking = self.proven(named, slot, document)
        if booking is None:
            found = self.wire.call(self.route, "find", "GET", "Appointment?patient.identifier="
                                   + encoded("https://fhir.nhs.uk/Id/nhs-number|" + self.patient.number), tries=1)
            if found and found.status == 200 and found.is_a("Bundle"):
                resources = [e.get("resource", {}) for e in found.body.get("entry", [])]
                booking = self.proven([r.get("id") for r in resources if r.get("resourceType") == "Appointment"
                                       and r.get("start", slot["start"]) == slot["start"]], slot, document)
        if booking is None:
            say("whether it is booked is not known: call the service")
        return booking

    def proven(self, idents, slot, document):
        """The appointment among these that names the document, which was made for this booking alone."""
        for ident in dict.fromkeys(i for i in idents if i):
            read = self.wire.call(self.route, "read", "GET", "Appointment/" + ident)
            if read and read.status == 200 and read.is_a("Appointment") and document_of(read.body) == document:
                say(f"the answer was lost, the booking {ident} was made")
                return Booking(ident, slot, self.patient, document, read.header("etag"), read.body)
        return None

    # -- cancel

    def cancel(self, booking):
        """True when the appointment is cancelled."""
        for _ in range(MAX_CANCELS):
            if not on("cancel-without-read") and not (on("conflict-without-read") and booking.tag_used):
                read = self.wire.call(self.route, "read", "GET", "Appointment/" + booking.ident)
                if not read or read.status != 200 or not read.is_a("Appointment"):
                    self.explain("reading the appointment", read or NO_ANSWER)
                    return False
                if document_of(read.body) != booking.document:
                    say("that is another booking now: nothing is cancelled")
                    return False
                if read.body.get("status") == "cancelled":
                    say("cancelled")
                    return True
                booking.body, booking.tag = read.body, read.header("etag")
            booking.tag_used = True
            answer = self.put(booking)
            if answer and answer.status == 200:
                say("cancelled")
                return True
            if answer is None or answer.status in (409, 412, 502, 503, 504):
                if answer is None or answer.status >= 500:
                    return self.cancelled_after_all(booking)
                continue
            self.explain("cancelling", answer)
            return False
        say("cancelling failed: call the service")
        return False

    def cancelled_after_all(self, booking):
        """After a lost answer only a read can tell."""
        read = self.wire.call(self.route, "read", "GET", "Appointment/" + booking.ident)
        done = bool(read and read.status == 200 and read.is_a("Appointment") and read.body.get("status") == "cancelled")
        say("cancelled" if done else "not cancelled: call the service")
        return done

    def put(self, booking):
        body = dict(booking.body, status="cancelled")
        consumer_faults.apply(consumer_faults.CANCEL, body)
        tail = "Appointment/" + booking.ident
        if on("cancel-by-delete"):
            return self.wire.call(self.route, "cancel", "DELETE", tail, if_match=booking.tag)
        if on("cancel-by-patch"):
            return self.wire.call(self.route, "cancel", "PATCH", tail, {"status": "cancelled"}, booking.tag)
        if on("cancel-with-post"):
            return self.wire.call(self.route, "cancel", "POST", tail, body, booking.tag)
        return self.wire.call(self.route, "cancel", "PUT", tail, body, booking.tag)

    # -- the journey

    def run(self, routes, wishes):
        """`routes` finds the way to the provider, and raises Obstacle where there is none."""
        if "refer" in wishes and self.refer(None):
            return
        self.search_route, self.route = routes()
        if on("books-without-search"):
            self.book(invented(now() + datetime.timedelta(hours=2)))
            return
        slots = self.search()
        if slots is None and on("error-books-on"):
            slots = [invented(now() + datetime.timedelta(hours=2))]
        if not slots:
            return
        if on("books-in-parallel"):
            threading.Timer(OVERLAP, self.book, (slots[1],)).start()
        first = self.choose_and_book(slots)
        if not isinstance(first, Booking):
            return
        if "refer" in wishes:
            self.refer(first)
        elif "rebook" in wishes:
            self.rebook(first)
        else:
            self.cancel(first)

    def rebook(self, first):
        """The new booking first, so that the patient is never without one (CONS-REB-02)."""
        again = self.search()
        second = self.choose_and_book(again) if again else None
        if isinstance(second, Booking) and self.cancel(first):
            self.cancel(second)

    def refer(self, booking):
        """True when the referral was sent, with the booking or alone."""
        if booking is None and self.details.booking_only() and not on("refers-without-booking"):
            say("this service takes patients with a booking only: the referral waits for it")
            return False
        addresses = self.details.itk()
        if not addresses:
            say("no address for referrals")
            return False
        ident, linked = new_id(), None
        if booking:
            ident = ident if on("referral-of-other-document") else booking.document
            url = self.route[1].rstrip("/") + "/Appointment/" + booking.ident
            if on("referral-url-with-version"):
                url += "/_history/1"
            if on("referral-url-with-ssp") and self.wire.ssp:
                url = self.wire.ssp.rstrip("/") + "/" + url
            start = datetime.datetime.fromisoformat(booking.slot["start"].replace("Z", "+00:00"))
            linked = (url, start)
        status = consumer_referral.send(addresses[0], ident, self.patient, self.wire.ods, self.details.ods, linked,
                                        self.wire.patience)
        say(f"referral {'with' if booking else 'without'} booking: {status or 'no answer'}")
        return status is not None and status < 300

    def choose_and_book(self, slots):
        for _ in range(MAX_SEARCHES):
            slot = slots[0]
            if on("books-unoffered-slot"):
                slot = invented(now() + datetime.timedelta(hours=5), slot)
            result = self.book(slot)
            if isinstance(result, Booking) or result is None:
                return result
            if on("lost-answer-other-slot") and result is NO_ANSWER and len(slots) > 1:
                slots = slots[1:]
                continue
            if result.status != 422 or not taken(result):
                return result
            if on("taken-slot-again"):
                continue
            if on("taken-without-new-search"):
                slots = slots[1:]
                continue
            slots = self.search()
            if not slots:
                return None
        return None


def taken(answer):
    return "no longer available" in answer.says().lower()


def ident_in(text):
    """The id in an address of an appointment."""
    if "/Appointment/" not in text:
        return None
    rest = text.split("/Appointment/", 1)[1]
    return "".join(c for c in rest.split("/", 1)[0].split("?", 1)[0] if c.isalnum() or c in "-.").rstrip(".") or None


def invented(start, like=None):
    """A slot that nobody offered."""
    ident = str(uuid.uuid4())
    slot = {"resourceType": "Slot", "id": ident, "schedule": {"reference": "Schedule/1"}, "status": "free",
            "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": ident}]}
    slot = dict(like or slot, id=ident, identifier=slot["identifier"])
    return dict(slot, start=instant(start), end=instant(start + datetime.timedelta(minutes=10)))


def find_service(options, service):
    """What DoS says of the chosen service: from the search, where attributes are, and from its details."""
    dos = Dos(options.dos, options.dos_user, options.dos_password, DIRECTORY_PATIENCE)
    case = (("caseRef", "C1"), ("caseId", "1"), ("postcode", options.postcode), ("surgery", "UNK"), ("age", "42"),
            ("ageFormat", "Years"), ("disposition", options.disposition), ("symptomGroup", options.symptom_group),
            ("symptomDiscriminatorList", f"<w:int>{options.discriminator}</w:int>"), ("forceSearchDistance", "false"),
            ("gender", "F"))
    listed = [s for s in dos.services(case) if s.ident == service]
    details = dos.details(service)
    if listed:
        details.attributes += listed[0].attributes
    return details


def discover(options, details):
    """Routes for searching and for booking."""
    if on("sds-skipped"):
        route = (asid_of(details), options.direct)
        return route, route
    asid, root, booking = route_of(details, Sds(options.sds, DIRECTORY_PATIENCE), options.secure)
    say(f"ASID {asid}, endpoint {root}")
    return (asid, root), (asid, booking)


def walk(options, wire, case, wish):
    service, *wishes = wish.split("+")
    print(f"Service {service}", flush=True)
    if options.dos:
        details = find_service(options, service)
        Walk(wire, service, case, details).run(lambda: discover(options, details), wishes)
    else:
        route = (options.to_asid, options.direct)
        Walk(wire, service, case, Service(service, "", [], [])).run(lambda: (route, route), wishes)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ssp", help="address of the SSP; without it requests go straight to the provider")
    parser.add_argument("--dos", help="address of DoS")
    parser.add_argument("--dos-user", default="fernhill-clinician")
    parser.add_argument("--dos-password", default="sandbox-clinician")
    parser.add_argument("--postcode", default="LS99 9AA", help="of the case that DoS is asked about")
    parser.add_argument("--disposition", default="1005")
    parser.add_argument("--symptom-group", default="1011")
    parser.add_argument("--discriminator", default="4052")
    parser.add_argument("--sds", help="ldap://host:port")
    parser.add_argument("--from-asid", required=True)
    parser.add_argument("--ods", default="FX900")
    parser.add_argument("--direct", metavar="ROOT", help="service root, instead of DoS and SDS; beside them only for sds-skipped")
    parser.add_argument("--to-asid", help="ASID of the provider, with --direct")
    parser.add_argument("--walk", help="DoS service ids, separated by commas; id+rebook moves the booking, "
                        "id+refer sends the referral, without a booking where that is allowed")
    parser.add_argument("--first-case", type=int, default=0, help="number of the first patient; one more for each service")
    parser.add_argument("--fault", help="one mistake to make")
    parser.add_argument("--faults", action="store_true", help="print the mistakes")
    parser.add_argument("--patience", type=float, default=10, help="seconds that an answer may take")
    parser.add_argument("--pause", type=float, default=0.5, help="seconds before the first retry, doubled each time")
    parser.add_argument("--secure", action="store_true", help="accept https endpoints only")
    options = parser.parse_args()
    national = options.dos and options.sds
    if not national and not (options.direct and options.to_asid):
        parser.error("either --direct with --to-asid, or --dos with --sds")
    return options


def main():
    if "--faults" in sys.argv[1:]:
        print("\n".join(consumer_faults.names()))
        return 0
    options = arguments()
    if options.fault:
        consumer_faults.choose(options.fault)
    wire = Wire(options.from_asid, options.ods, options.ssp, options.patience, options.pause)
    failed = False
    for case, wish in enumerate(options.walk.split(","), options.first_case):
        try:
            walk(options, wire, case, wish)
        except Obstacle as obstacle:
            say(f"{obstacle}: {'an error is shown' if obstacle.halt else 'on without booking'}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            say(f"the answer makes no sense: {error!r}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
