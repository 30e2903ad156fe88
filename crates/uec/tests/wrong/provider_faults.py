"""Mistakes that real suppliers make, each switchable by its name. Where one would be made, the code asks on(name)."""

# name: (requirement that it breaks, what is wrong)
FAULTS = {
    # tokens
    "audience-unchecked": ("NAT-JWT-04", "a token made for another provider is taken"),
    "scope-unchecked": ("NAT-JWT-08", "a token of any scope is taken"),
    "one-appointment-scope": ("NAT-JWT-08", "any appointment scope reads and writes"),
    "expired-token-taken": ("NAT-JWT-06", "an expired token is taken"),
    "future-token-taken": ("NAT-JWT-05", "a token issued in the future is taken"),
    "signature-ignored": ("NAT-JWT-01", "a third part of the token, or another algorithm, is not looked at"),
    "subject-unchecked": ("NAT-JWT-03", "sub and the practitioner's id are not compared"),
    "reason-unchecked": ("NAT-JWT-07", "any reason for the request is taken"),
    "practitioner-demanded": ("NAT-JWT-11", "a token without practitioner is refused"),
    "token-401": ("ERR-06", "a token that is refused is answered with 401"),
    "metadata-open": ("PROV-META-03", "the CapabilityStatement is given to anyone"),
    # headers of requests
    "ssp-headers-unchecked": ("PROV-HDR-03", "ASIDs and trace id are not looked at"),
    "interaction-unchecked": ("PROV-HDR-04", "the interaction id is not looked at"),
    "read-slot-refused": ("PROV-INT-02", "a search as read:slot is refused"),
    "request-id-optional": ("PROV-HDR-05", "a booking without X-Request-ID is taken"),
    "routed-by-header": ("PROV-GEN-05", "data are chosen by Ssp-To"),
    # headers of answers
    "correlation-missing": ("PROV-HDR-11", "X-Correlation-ID is never sent"),
    "correlation-in-lower-case": ("PROV-HDR-11", "X-Correlation-ID comes back in lower case"),
    "request-id-echoed": ("PROV-HDR-10", "X-Request-ID of the answer is that of the request"),
    "cacheable": ("PROV-HDR-12", "answers may be stored"),
    "hsts-missing": ("PROV-HDR-17", "no Strict-Transport-Security over TLS"),
    "charset-missing": ("PROV-GEN-12", "the Content-Type does not say UTF-8"),
    "etag-missing": ("PROV-HDR-13", "no ETag"),
    "etag-strong": ("PROV-HDR-13", "the ETag is strong"),
    "last-modified-missing": ("PROV-HDR-14", "no Last-Modified"),
    "location-missing": ("PROV-HDR-15", "no Location"),
    "location-relative": ("PROV-HDR-15", "Location is relative"),
    "location-unversioned": ("PROV-HDR-15", "Location names no version"),
    # formats
    "format-parameter-ignored": ("PROV-GEN-08", "_format is ignored"),
    "accept-ignored": ("PROV-GEN-08", "Accept is ignored"),
    "unknown-format-taken": ("PROV-GEN-11", "a format that is not available is answered in JSON"),
    "plain-xml-taken": ("PROV-GEN-11", "a booking sent as application/xml is taken"),
    "gzip-ignored": ("PROV-GEN-13", "answers are never gzipped"),
    "gzip-only-said": ("PROV-GEN-13", "answers say gzip and are plain"),
    "gzip-unasked": ("PROV-GEN-13", "answers are gzipped for callers that did not ask"),
    "gzip-body-refused": ("PROV-GEN-13", "a gzipped booking is refused"),
    "chunked-refused": ("PROV-GEN-06", "a booking in chunks is refused"),
    "closes-always": ("PROV-GEN-06", "the connection is closed after each answer, unannounced"),
    "xml-order-ignored": ("PROV-GEN-14", "XML whose elements are out of order is taken"),
    "doctype-taken": ("P35", "XML with a document type is read"),
    "unknown-elements-refused": ("PROV-GEN-14", "a booking with an unknown element is refused"),
    # errors
    "error-empty": ("PROV-GEN-17", "errors have no body"),
    "error-page": ("PROV-GEN-17", "errors are web pages"),
    "error-200": ("PROV-READ-02", "errors are answered with 200"),
    "error-trace": ("PROV-ERR-04", "errors show a stack trace"),
    "error-tells-patient": ("PROV-ERR-04", "errors repeat the patient's data"),
    "outcome-without-id": ("PROV-ERR-01", "OperationOutcomes have no id"),
    "wrong-method-404": ("PROV-INT-09", "a method that a path does not have is answered with 404"),
    # capability
    "fhir-version-4": ("RES-CAP-01", "the CapabilityStatement names another FHIR version"),
    "profiles-too-few": ("RES-CAP-02", "the CapabilityStatement names nine profiles"),
    "search-parameter-type": ("RES-CAP-05", "the search parameter start is said to be a string"),
    "search-parameter-undocumented": ("RES-CAP-05", "the search parameter service has no documentation"),
    "include-name-other": ("RES-CAP-05", "an include has another name"),
    "search-parameter-more": ("RES-CAP-05", "the CapabilityStatement names a search parameter too many"),
    # slot searches
    "busy-among-free": ("PROV-SLOT-07", "a search for free slots finds busy ones"),
    "window-ignored": ("PROV-SLOT-05", "slots outside the window are found"),
    "upper-bound-left-out": ("PROV-SLOT-03", "le is understood as lt"),
    "past-window-taken": ("PROV-SLOT-06", "a window that lies in the past is searched"),
    "includes-ignored": ("PROV-SLOT-08", "nothing is included"),
    "included-unasked": ("PROV-SLOT-15", "schedules and services are included unasked"),
    "included-twice": ("PROV-SLOT-15", "an included resource stands twice in the Bundle"),
    "total-of-entries": ("PROV-SLOT-13", "total counts the entries"),
    "full-url-missing": ("PROV-SLOT-12", "entries have no fullUrl"),
    "service-actor-missing": ("PROV-SLOT-17", "schedules have no HealthcareService actor"),
    "schedule-identifier-missing": ("RES-SCH-01", "schedules have no identifier"),
    "service-identifier-missing": ("RES-HCS-02", "services have no identifier"),
    "service-two-locations": ("RES-HCS-04", "a service has two locations"),
    "schedule-four-actors": ("RES-SCH-02", "a schedule has four actors"),
    "schedule-two-practitioners": ("RES-SCH-02", "a schedule has two practitioners"),
    "page-repeats": ("PROV-SLOT-20", "the link to the next page leads to the same page"),
    "page-lost": ("PROV-SLOT-13", "total counts slots that stand on no page"),
    "page-elsewhere": ("PROV-SLOT-20", "the link to the next page leads to another server"),
    "short-format-unknown": ("PROV-GEN-09", "the short forms of _format are not understood in a search"),
    "role-id-of-its-own": ("PROV-SLOT-17", "the id of a PractitionerRole is not the SDS role profile id"),
    "absolute-references": ("PROV-SLOT-16", "references in the Bundle are absolute"),
    "times-without-offset": ("RES-GEN-02", "times have no offset"),
    "profile-missing": ("RES-GEN-01", "slots do not state their profile"),
    "unknown-service-empty": ("PROV-SLOT-02", "an unknown service is answered with an empty Bundle"),
    "service-optional": ("PROV-SLOT-02", "a search without service finds slots of all"),
    "service-one-spelling": ("PROV-SLOT-01", "only one spelling of the service parameter is understood"),
    "misspelt-ignored": ("PROV-SLOT-11", "a misspelt criterion is ignored"),
    "unknown-parameter-refused": ("PROV-SLOT-11", "an unknown parameter is refused"),
    "self-link-as-sent": ("PROV-SLOT-11", "the self link repeats parameters that were not understood"),
    "no-slots-404": ("PROV-SLOT-14", "a search without result is answered with 404"),
    # bookings
    "created-200": ("P26", "a booking is answered with 200"),
    "double-booking": ("PROV-BOOK-03", "a slot can be booked twice"),
    "race-lost": ("PROV-BOOK-03", "a slot can be booked twice at the same time"),
    "taken-409": ("P29", "a slot that is taken is answered with 409"),
    "taken-other-words": ("ERR-15", "a slot that is taken is told in other words"),
    "repeat-books-again": ("PROV-BOOK-11", "a used X-Request-ID books again"),
    "repeat-answers-201": ("PROV-BOOK-11", "a used X-Request-ID is answered with the first booking and 201"),
    "repeat-after-slot": ("D-03", "a repeated booking is answered with 422, as its slot is taken"),
    "repeat-race-lost": ("PROV-BOOK-11", "an X-Request-ID books twice at the same time"),
    "one-document-once": ("PROV-BOOK-07", "a document identifier can be used once only"),
    "ranks-unchecked": ("RES-RANK-02", "two contact points of rank 1 are taken"),
    "ranks-422": ("D-05", "wrong ranks are answered with 422"),
    "third-party-not-counted": ("PROV-BOOK-06", "contact details of third parties are not counted"),
    "number-demanded": ("PROV-BOOK-05", "a patient without NHS number is refused"),
    "number-replaced": ("D-17", "a patient without NHS number is given a local identifier"),
    "number-unchecked": ("RES-PAT-03", "the check digit of NHS numbers is not looked at"),
    "profile-unchecked": ("RES-DOC-02", "required elements may be missing"),
    "faults-400": ("ERR-17", "a booking that does not keep to the profile is answered with 400"),
    "id-on-create-taken": ("PROV-BOOK-10", "a booking that brings its own id is taken"),
    "slot-times-uncompared": ("PROV-BOOK-02", "times and schedule of the slot are not compared with the diary"),
    "offsets-uncompared": ("RES-GEN-03", "times are compared as texts"),
    "slot-copied-free": ("PROV-BOOK-08", "the contained slot of a booking is free"),
    "third-party-dropped": ("PROV-BOOK-09", "the third party is not stored"),
    "created-kept": ("D-16", "the consumer's time of creation is kept"),
    "id-of-the-slot": ("PROV-GEN-15", "a slot that is booked again makes an appointment of the same id"),
    # reads and cancellations
    "unknown-id-200": ("PROV-READ-02", "an unknown id is answered with an empty Bundle"),
    "ids-in-any-case": ("PROV-GEN-01", "ids are found whatever their case"),
    "versions-forgotten": ("PROV-CAN-06", "every version is answered with the current one"),
    "cancelled-unreadable": ("PROV-READ-01", "a cancelled appointment cannot be read"),
    "read-parameters-ignored": ("PROV-READ-03", "parameters of a read are ignored"),
    "any-difference-taken": ("PROV-CAN-02", "a cancellation may change anything"),
    "provider-data-demanded": ("PROV-CAN-02", "a cancellation has to repeat what the provider added"),
    "stale-version-taken": ("PROV-CAN-03", "If-Match is not compared"),
    "stale-version-412": ("ERR-12", "another version is answered with 412"),
    "if-match-optional": ("PROV-CAN-03", "a cancellation without If-Match is taken"),
    "differences-before-version": ("PROV-CAN-04", "differences are looked at before the version"),
    "cancel-not-done": ("PROV-CAN-05", "a cancellation is answered with 200 and the booking as it was"),
    "cancel-only-said": ("PROV-CAN-05", "a cancellation is answered with the cancelled booking, and nothing is changed"),
    "slot-never-free": ("PROV-CAN-05", "the slot of a cancelled booking stays busy"),
    "slot-hidden-after-cancel": ("PROV-CAN-05", "the slot of a cancelled booking is not found any more"),
    "version-kept": ("PROV-CAN-05", "a cancellation keeps the version id"),
    "cancelled-twice": ("PROV-CAN-07", "an appointment can be cancelled twice"),
    "any-status-taken": ("PROV-CAN-01", "an update to any status is taken"),
    "put-creates": ("PROV-CAN-03", "a PUT under an unknown id makes an appointment"),
    "cancel-repeat-unchecked": ("PROV-CAN-09", "a used X-Request-ID is not noticed on a cancellation"),
    "patient-search-tells-all": ("PROV-SRCH-03", "the search by patient gives whole appointments"),
    # broken servers
    "create-hangs": ("PROV-INT-03", "a booking is never answered"),
    "hangs": ("P8", "nothing is ever answered"),
    "drips": ("P8", "answers come a byte at a time"),
    "length-too-long": ("P8", "Content-Length is more than is sent"),
    "length-too-short": ("PROV-GEN-16", "Content-Length is less than is sent"),
    "closes-mid-body": ("P8", "the connection is closed in the middle of the body"),
    "endless-body": ("P8", "the body has 100 MB"),
    "endless-head": ("P8", "the head has 100 MB"),
    "gzip-bomb": ("P8", "a small body swells to 100 MB"),
    "answer-too-deep": ("PROV-GEN-16", "the body nests without end"),
}

# What the published test kit lets pass. name: what is odd
ODDITIES = {
    "search-mode-missing": "entries of a Bundle name no search mode",
    "accept-demanded": "a request with neither Accept nor _format is refused",
    "booking-forbidden": "this consumer may search and not book",
    "paged": "a search is answered in pages of five slots",
}

_ACTIVE = set()


def on(name):
    """True if this mistake is to be made. An unknown name is a slip in these files."""
    assert name in FAULTS or name in ODDITIES, name
    return name in _ACTIVE


def switch_on(names):
    _ACTIVE.update(names)


def listed():
    return "\n".join(f"{name}\t{requirement}\t{what}" for name, (requirement, what) in FAULTS.items())
