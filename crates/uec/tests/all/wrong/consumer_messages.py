"""The Appointment that books a slot, for an invented patient."""

import datetime
import uuid

PROFILE = "https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{}-1"
NHS_NUMBER = "https://fhir.nhs.uk/Id/nhs-number"
VERIFIED = "https://fhir.hl7.org.uk/STU3/{}/{}CareConnect-NHSNumberVerificationStatus-1"
CHANNELS = ("https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-DeliveryChannel-1",
            "https://fhir.nhs.uk/STU3/StructureDefinition/Extension-GPConnect-DeliveryChannel-2")
FAMILIES = ("Testwell", "Samplewood", "Mockridge", "Trialby", "Proofson")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def instant(moment):
    return moment.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def nhs_number(case):
    """The case-th number of the 999 range, which is never issued, that has a check digit."""
    first = 999300000
    while True:
        digits = [int(d) for d in str(first)]
        check = 11 - sum(d * (10 - i) for i, d in enumerate(digits)) % 11
        if check != 10:
            if case == 0:
                return f"{first}{0 if check == 11 else check}"
            case -= 1
        first += 1


def meta(kind):
    return {"profile": [PROFILE.format(kind)]}


class Patient:
    def __init__(self, case):
        self.number = nhs_number(case)
        self.family = FAMILIES[case % len(FAMILIES)]
        self.phone = f"01632 9601{case % 100:02}"

    def resource(self):
        verified = {"system": VERIFIED.format("CodeSystem", ""), "code": "01", "display": "Number present and verified"}
        extension = {"url": VERIFIED.format("StructureDefinition", "Extension-"),
                     "valueCodeableConcept": {"coding": [verified]}}
        return {
            "resourceType": "Patient", "id": "patient", "meta": meta("Patient"),
            "identifier": [{"extension": [extension], "use": "official", "system": NHS_NUMBER, "value": self.number}],
            "name": [{"use": "official", "family": self.family, "given": ["Robin"], "prefix": ["Mx"]}],
            "telecom": [{"system": "phone", "value": self.phone, "use": "home", "rank": 1},
                        {"system": "email", "value": "robin@patient.example", "rank": 2}],
            "gender": "other", "birthDate": "1979-02-03",
            "address": [{"use": "home", "line": ["7 Synthetic Row"], "city": "Exampleton", "postalCode": "LS99 9AB"}],
        }

    def display(self):
        return f"Mx Robin {self.family}"


def appointment(slot, patient, document):
    """The body of the POST. `slot` is the resource of the search, `document` the UUID of the referral document."""
    moment = instant(now())
    claim = {k: slot[k] for k in ("resourceType", "id", "extension", "identifier", "schedule", "start", "end")
             if k in slot}
    claim.update({"meta": meta("Slot"), "status": "busy"})
    reference = {
        "resourceType": "DocumentReference", "id": "document", "meta": meta("DocumentReference"),
        "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": document}], "status": "current",
        "type": {"coding": [{"system": "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17", "code": "POCD_MT200001GB02",
                             "display": "Integrated Urgent Care Report"}]},
        "indexed": moment,
        "content": [{"attachment": {"contentType": "application/hl7-v3+xml", "language": "en"}}],
    }
    actor = {"reference": "#patient", "display": patient.display(),
             "identifier": {"use": "official", "system": NHS_NUMBER, "value": patient.number}}
    body = {
        "resourceType": "Appointment", "meta": meta("Appointment"), "language": "en-GB",
        "contained": [claim, patient.resource(), reference],
        "status": "booked", "description": "Earache since yesterday, assessed by 111",
        "supportingInformation": [{"reference": "#document"}],
        "start": slot["start"], "end": slot["end"], "slot": [{"reference": "#" + slot["id"]}], "created": moment,
        "participant": [{"actor": actor, "status": "accepted"}],
    }
    channel = [e for e in slot.get("extension", []) if e.get("url") in CHANNELS]
    if channel:
        body["extension"] = channel[:1]
    return body


def part(body, kind):
    """The contained resource of a kind."""
    return next(c for c in body["contained"] if c["resourceType"] == kind)


def document_of(body):
    """The UUID of the referral document that an appointment names, or nothing."""
    for contained in body.get("contained", []):
        if contained.get("resourceType") == "DocumentReference":
            for identifier in contained.get("identifier", []):
                return identifier.get("value", "").lower()
    return None


def new_id():
    return str(uuid.uuid4())
