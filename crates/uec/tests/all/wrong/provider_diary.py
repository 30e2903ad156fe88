"""What this provider holds: services, diaries, appointments. Everything that changes them happens under one lock."""

import datetime
import hashlib
import threading
import uuid

from provider_faults import on

# Seconds that a racy fault waits for another request; a test waits longer for its answer.
MEETING = 20

PROFILE = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{}-1"
UUID = "https://tools.ietf.org/html/rfc4122"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
CHANNEL = "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DeliveryChannel-1"
UTC = datetime.timezone.utc

# Directory ids of the three services: one with everything, one whose diary is empty, one with slots and schedules only.
FULL, EMPTY, SLOTS_ONLY = "2000009911", "2000009912", "2000009913"
# Clinics are open on so many days from today on, at these local hours, six slots an hour.
DAYS, HOURS = 15, (10, 12)
SLOT = datetime.timedelta(minutes=10)


def now():
    return datetime.datetime.now(UTC)


def stamp(moment):
    """An instant as this provider writes it."""
    text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}"
    return text if on("times-without-offset") else text + "Z"


def london(local):
    """A naive London time as a moment: summer time runs between the last Sundays of March and October, 01:00 UTC."""
    def change(month):
        last = datetime.datetime(local.year, month, 31)
        return last - datetime.timedelta(days=(last.weekday() + 1) % 7) + datetime.timedelta(hours=1)

    utc = local - datetime.timedelta(hours=1)
    summer = change(3) <= utc < change(10)
    return (utc if summer else local).replace(tzinfo=UTC)


def london_day(moment):
    """The London date of a moment."""
    naive = moment.astimezone(UTC).replace(tzinfo=None)
    later = naive + datetime.timedelta(hours=1)
    return (later if london(later) == moment else naive).date()


def resource(kind, ident, **members):
    # Practitioner and its role are not judged by TKW, but a profile stands on every resource all the same.
    meta = {} if on("profile-missing") and kind == "Slot" else {"meta": {"profile": [PROFILE.format(kind)]}}
    return {"resourceType": kind, "id": ident, **meta, **members}


class Slot:
    def __init__(self, schedule, start):
        self.id, self.uuid = f"{schedule}-{start:%Y%m%d%H%M}", str(uuid.uuid4())
        self.schedule, self.start, self.end, self.status = schedule, start, start + SLOT, "free"

    def resource(self):
        start, end = stamp(self.start), stamp(self.end)
        return resource("Slot", self.id, extension=[{"url": CHANNEL, "valueCode": "In-person"}],
                        identifier=[{"system": UUID, "value": self.uuid}],
                        schedule={"reference": reference(f"Schedule/{self.schedule}")},
                        status=self.status, start=start, end=end)


def reference(relative):
    return f"https://tansy.example.nhs.uk/{relative}" if on("absolute-references") else relative


class Diary:
    """Slots by schedule, schedules by service, and what belongs to them."""

    def __init__(self):
        self.slots, self.others, self.services = {}, {}, {FULL: [], EMPTY: [], SLOTS_ONLY: []}
        places = [{"reference": "Location/tansy"}] * (2 if on("service-two-locations") else 1)
        self._service(FULL, "Tansy Lane minor injuries", location=places,
                      providedBy={"reference": "Organization/tansy"})
        self._service(EMPTY, "Tansy Lane evenings")
        self._service(SLOTS_ONLY, "Tansy Lane dental access")
        self._add(resource("Location", "tansy", name="Tansy Lane Centre",
                           address={"line": ["4 Synthetic Way"], "city": "Exampleton", "postalCode": "LS99 9ZX"}))
        self._add(resource("Organization", "tansy", name="Tansy Lane Partnership", identifier=[
            {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "FX303"}]))
        self._schedule("north", FULL, self._person("300000000017", "Ivo", "Brambling"), 0)
        self._schedule("south", FULL, self._person("300000000028", "Una", "Dotterel"), 5)
        self._schedule("dental", SLOTS_ONLY, [], 0)
        self._schedule("evening", EMPTY, [], None)

    def _add(self, made):
        self.others[f"{made['resourceType']}/{made['id']}"] = made

    def _service(self, ident, name, **members):
        identifier = {"identifier": [{"system": "https://fhir.nhs.uk/Id/dos-service-id", "value": ident}]}
        if on("service-identifier-missing"):
            identifier = {}
        self._add(resource("HealthcareService", ident, **identifier, name=name, **members))

    def _person(self, role, given, family):
        self._add(resource("Practitioner", f"p{role}", name=[{"family": family, "given": [given]}],
                           identifier=[{"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": role}]))
        ident = f"role-{role}" if on("role-id-of-its-own") else role
        self._add(resource("PractitionerRole", ident, practitioner={"reference": f"Practitioner/p{role}"}, code=[
            {"coding": [{"system": "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1",
                         "code": "R0260", "display": "General Medical Practitioner"}]}]))
        return [f"Practitioner/p{role}", f"PractitionerRole/{ident}"]

    def _schedule(self, ident, service, people, minute):
        self.services[service].append(ident)
        if people and on("schedule-four-actors"):
            people = people + ["Location/tansy"]
        if people and on("schedule-two-practitioners"):
            people = people[:1] + ["Practitioner/p300000000028" if "17" in people[0] else "Practitioner/p300000000017"]
        actors = people + ([] if on("service-actor-missing") else [f"HealthcareService/{service}"])
        identifier = {"identifier": [{"system": "https://tansy.example.nhs.uk/diary", "value": ident}]}
        if on("schedule-identifier-missing"):
            identifier = {}
        self._add(resource("Schedule", ident, **identifier,
                           actor=[{"reference": reference(a)} for a in actors]))
        if minute is None:
            return
        today = london_day(now())
        for day in range(DAYS):
            begin = datetime.datetime.combine(today + datetime.timedelta(days=day), datetime.time(HOURS[0], minute))
            for number in range((HOURS[1] - HOURS[0]) * 3):
                slot = Slot(ident, london(begin + 2 * number * SLOT))
                self.slots[slot.id] = slot

    def find(self, service):
        return [s for s in self.slots.values() if s.schedule in self.services[service]]


class Version:
    """One version of an appointment, and what was submitted for it."""

    def __init__(self, number, body, submitted):
        self.id, self.number, self.submitted = f"v{number}", number, submitted
        moment = now().replace(microsecond=0)
        self.modified = moment
        body["meta"] = {**body.get("meta", {}), "versionId": self.id, "lastUpdated": stamp(moment)}
        self.body = body


class Book:
    """The appointments: their versions, whose slots they hold, which request ids made them."""

    def __init__(self, diary):
        self.diary, self.lock = diary, threading.RLock()
        self.meeting, self.met = threading.Condition(), 0
        self.versions, self.used, self.documents = {}, {}, set()

    def new_id(self, slot):
        if on("id-of-the-slot"):
            return hashlib.sha1(slot.id.encode()).hexdigest()
        return uuid.uuid4().hex

    def meet(self):
        """Where a racy fault leaves the lock open, one waits there until another has come, if one comes at all."""
        with self.meeting:
            self.met += 1
            self.meeting.notify_all()
            if not self.meeting.wait_for(lambda: self.met > 1, MEETING):
                self.met -= 1

    def current(self, ident):
        versions = self.versions.get(ident)
        return versions[-1] if versions else None

    def of_patient(self, number):
        def named(body):
            who = [i for r in body["contained"] for i in r.get("identifier", []) if r["resourceType"] == "Patient"]
            return any(i.get("system") == NHS_NUMBER and i.get("value") == number for i in who)

        with self.lock:
            return [v[-1] for v in self.versions.values() if named(v[-1].body)]
