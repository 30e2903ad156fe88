"""FHIR STU3 as this provider needs it: element tables, JSON and XML in both directions, the shape of what comes in."""

import json
import re
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

from provider_faults import on

# Deeper than any booking; what nests further is not read.
MAX_DEPTH = 60
NAMESPACE = "http://hl7.org/fhir"

# One type a line: its elements in FHIR's order; `*` repeats, `:Type` is no string, `.x` is a part of the type itself.
TABLE = """
Meta: versionId lastUpdated profile* security*:Coding tag*:Coding
Identifier: use type:CodeableConcept system value period:Period assigner:Reference
CodeableConcept: coding*:Coding text
Coding: system version code display userSelected:bool
Reference: reference identifier:Identifier display
HumanName: use text family given* prefix* suffix* period:Period
ContactPoint: system value use rank:int period:Period
Address: use type text line* city district state postalCode country period:Period
Period: start end
Attachment: contentType language data url size:int hash title creation
Extension: valueCode valueString valueBoolean:bool valueCodeableConcept:CodeableConcept valueReference:Reference
Appointment: identifier*:Identifier status serviceCategory:CodeableConcept serviceType*:CodeableConcept \
 specialty*:CodeableConcept appointmentType:CodeableConcept reason*:CodeableConcept indication*:Reference priority:int \
 description supportingInformation*:Reference start end minutesDuration:int slot*:Reference created comment \
 incomingReferral*:Reference participant*:.participant requestedPeriod*:Period
Appointment.participant: type*:CodeableConcept actor:Reference required status
Slot: identifier*:Identifier serviceCategory:CodeableConcept serviceType*:CodeableConcept specialty*:CodeableConcept \
 appointmentType:CodeableConcept schedule:Reference status start end overbooked:bool comment
Schedule: identifier*:Identifier active:bool actor*:Reference planningHorizon:Period comment
Patient: identifier*:Identifier active:bool name*:HumanName telecom*:ContactPoint gender birthDate address*:Address \
 maritalStatus:CodeableConcept contact*:.contact generalPractitioner*:Reference managingOrganization:Reference
Patient.contact: relationship*:CodeableConcept name:HumanName telecom*:ContactPoint address:Address gender \
 organization:Reference period:Period
DocumentReference: masterIdentifier:Identifier identifier*:Identifier status docStatus type:CodeableConcept \
 class:CodeableConcept subject:Reference created indexed author*:Reference authenticator:Reference \
 custodian:Reference description securityLabel*:CodeableConcept content*:.content
DocumentReference.content: attachment:Attachment format:Coding
HealthcareService: identifier*:Identifier active:bool providedBy:Reference category:CodeableConcept \
 type*:CodeableConcept specialty*:CodeableConcept location*:Reference name comment
Location: identifier*:Identifier status name description telecom*:ContactPoint address:Address \
 managingOrganization:Reference
Organization: identifier*:Identifier active:bool type*:CodeableConcept name telecom*:ContactPoint address*:Address
Practitioner: identifier*:Identifier active:bool name*:HumanName telecom*:ContactPoint address*:Address gender
PractitionerRole: identifier*:Identifier active:bool practitioner:Reference organization:Reference \
 code*:CodeableConcept
Bundle: identifier:Identifier type total:int link*:.link entry*:.entry
Bundle.link: relation url
Bundle.entry: link*:Bundle.link fullUrl resource:Resource search:.search
Bundle.entry.search: mode
OperationOutcome: issue*:.issue
OperationOutcome.issue: severity code details:CodeableConcept diagnostics location* expression*
CapabilityStatement: url version name title status date publisher description kind software:.software fhirVersion \
 acceptUnknown format* profile*:Reference rest*:.rest
CapabilityStatement.software: name version
CapabilityStatement.rest: mode documentation resource*:.resource
CapabilityStatement.rest.resource: type documentation interaction*:.interaction versioning updateCreate:bool \
 searchInclude* searchParam*:.searchParam
CapabilityStatement.rest.resource.interaction: code documentation
CapabilityStatement.rest.resource.searchParam: name type documentation
"""


def _tables():
    types = {}
    for line in TABLE.replace("\\\n", "").strip().splitlines():
        name, elements = line.split(":", 1)
        own = {}
        if name[0].isupper() and "." not in name and name not in DATA_TYPES:
            own = {"id": ("string", False), "meta": ("Meta", False), "implicitRules": ("string", False),
                   "language": ("string", False)}
            if name != "Bundle":
                own |= {"contained": ("Resource", True)}
        if name != "Bundle":
            own |= {"extension": ("Extension", True)}
        for element in elements.split():
            element, _, kind = element.partition(":")
            kind = name + kind if kind.startswith(".") else kind or "string"
            own[element.rstrip("*")] = (kind, element.endswith("*"))
        types[name] = own
    return types


DATA_TYPES = {"Meta", "Identifier", "CodeableConcept", "Coding", "Reference", "HumanName", "ContactPoint", "Address",
              "Period", "Attachment", "Extension"}
TYPES = _tables()
PRIMITIVES = {"string": str, "int": int, "bool": bool}


class Unreadable(Exception):
    """What came is no FHIR; the text says where, without values."""


# -- JSON


def from_json(body):
    """A resource out of JSON bytes."""
    def once(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise Unreadable("a name stands twice in one object")
        return dict(pairs)

    def no_constant(_):
        raise Unreadable("NaN and Infinity are no JSON")

    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise Unreadable("the body is no JSON object")
    return value


def to_json(resource):
    return json.dumps(resource, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def shape(value, kind, path, depth=0):
    """Refuses what has another type than the table says; unknown names are let through (acceptUnknown `both`)."""
    if depth > MAX_DEPTH:
        raise Unreadable(f"{path} nests too deep")
    if kind in PRIMITIVES:
        if not isinstance(value, PRIMITIVES[kind]) or (kind == "int" and isinstance(value, bool)):
            raise Unreadable(f"{path} has another type than {kind}")
        return
    if not isinstance(value, dict):
        raise Unreadable(f"{path} is no object")
    if kind == "Resource":
        kind = value.get("resourceType")
        if kind not in TYPES or kind in DATA_TYPES or "." in kind:
            raise Unreadable(f"{path} is of no type that is known here")
    for name, child in value.items():
        if name not in TYPES[kind]:
            continue
        inner, many = TYPES[kind][name]
        if many != isinstance(child, list) or child == []:
            raise Unreadable(f"{path}.{name} is {'no list' if many else 'a list'}")
        for item in child if many else [child]:
            shape(item, inner, f"{path}.{name}", depth + 1)


# -- XML


class Node:
    def __init__(self, name, attributes):
        self.name, self.attributes, self.children = name, attributes, []


def parse_xml(body):
    """The tree of elements. Document types, and with them every entity but the five, are refused."""
    stack, roots = [], []

    def start(name, attributes):
        name = name.rpartition(" ")[2]
        node = Node(name, attributes)
        (stack[-1].children if stack else roots).append(node)
        stack.append(node)
        if len(stack) > MAX_DEPTH:
            raise Unreadable("the body nests too deep")

    def doctype(*_):
        if not on("doctype-taken"):
            raise Unreadable("a document type is not accepted")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: stack.pop()
    parser.StartDoctypeDeclHandler = doctype
    if on("doctype-taken"):
        parser.ExternalEntityRefHandler = lambda *_: 1
        parser.UseForeignDTD(True)
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise Unreadable(f"the body is no XML: line {error.lineno}, column {error.offset}") from None
    return roots[0]


def from_xml(body):
    """A resource out of XML bytes."""
    return _resource(parse_xml(body))


def _resource(node):
    if node.name not in TYPES or node.name in DATA_TYPES:
        raise Unreadable(f"{node.name} is no resource that is known here")
    return {"resourceType": node.name, **_members(node, node.name, node.name)}


def _members(node, kind, path):
    members, last, places = {}, -1, list(TYPES[kind])
    for name in ("id", "url"):
        if name in node.attributes and kind == ("Extension" if name == "url" else kind):
            members[name] = node.attributes[name]
    for child in node.children:
        if child.name not in TYPES[kind]:
            continue
        place = places.index(child.name)
        if place < last and not on("xml-order-ignored"):
            raise Unreadable(f"{path}.{child.name} is out of order")
        last = place
        inner, many = TYPES[kind][child.name]
        value = _value(child, inner, f"{path}.{child.name}")
        if many:
            members.setdefault(child.name, []).append(value)
        elif child.name in members:
            raise Unreadable(f"{path}.{child.name} stands twice")
        else:
            members[child.name] = value
    return members


def _value(node, kind, path):
    if kind == "Resource":
        if len(node.children) != 1:
            raise Unreadable(f"{path} holds not exactly one resource")
        return _resource(node.children[0])
    if kind not in PRIMITIVES:
        return _members(node, kind, path)
    text = node.attributes.get("value")
    if text is None:
        raise Unreadable(f"{path} has no value")
    if kind == "int":
        if not re.fullmatch(r"[+-]?\d{1,9}", text):
            raise Unreadable(f"{path} is no number")
        return int(text)
    if kind == "bool":
        if text not in ("true", "false"):
            raise Unreadable(f"{path} is neither true nor false")
        return text == "true"
    return text


def to_xml(resource):
    out = ['<?xml version="1.0" encoding="UTF-8"?>']
    _write_resource(out, resource, f' xmlns="{NAMESPACE}"')
    return "".join(out).encode("utf-8")


def _write_resource(out, resource, attributes=""):
    kind = resource["resourceType"]
    out.append(f"<{kind}{attributes}>")
    _write_members(out, resource, kind)
    out.append(f"</{kind}>")


def _write_members(out, value, kind):
    for name, (inner, many) in TYPES[kind].items():
        if name not in value:
            continue
        for item in value[name] if many else [value[name]]:
            _write(out, name, item, inner)


def _write(out, name, value, kind):
    if kind in PRIMITIVES:
        text = str(value).lower() if kind == "bool" else str(value)
        out.append(f"<{name} value={_quoted(text)}/>")
        return
    if kind == "Resource":
        out.append(f"<{name}>")
        _write_resource(out, value)
    else:
        own = {"Extension": "url"}.get(kind, "id")
        attribute = f" {own}={_quoted(value[own])}" if own in value else ""
        out.append(f"<{name}{attribute}>")
        _write_members(out, value, kind)
    out.append(f"</{name}>")


def _quoted(text):
    return quoteattr(text, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
