"""One exchange with a provider: token, address, headers, and the retries that the Standard allows."""

import base64
import gzip
import http.client
import json
import socket
import time
import urllib.parse

import consumer_faults
from consumer_faults import on
from consumer_messages import instant, new_id, now

INTERACTION = "urn:nhs:names:services:careconnect:fhir:rest:"
OPERATIONS = {
    "metadata": ("read:metadata", "organization/slot.read"),
    "search": ("search:slot", "organization/slot.read"),
    "book": ("create:appointment", "patient/appointment.write"),
    "read": ("read:appointment", "patient/appointment.read"),
    "find": ("search:appointment", "patient/appointment.read"),
    "cancel": ("update:appointment", "patient/appointment.write"),
}
JSON = "application/fhir+json;charset=utf-8"
# Tries of one request in all, the first one included (CONS-BOOK-05).
MAX_TRIES = 3
# What says nothing about whether the provider did it, and may pass by itself.
TRANSIENT = (429, 502, 503, 504, 599)
# A token that is used again after so many seconds was not made for its request.
TOKEN_AGE = 7
# Ten thousand slots with room to spare.
MAX_ANSWER = 64 * 1024 * 1024


class Answer:
    def __init__(self, status, headers, raw, request_id, retried):
        self.status, self.headers, self.request_id, self.retried = status, headers, request_id, retried
        try:
            self.body = json.loads(raw) if raw else None
        except ValueError:
            self.body = None
        self.malformed = bool(raw) and not isinstance(self.body, dict)
        if self.malformed:
            self.body = None

    def is_a(self, kind):
        return self.body is not None and self.body.get("resourceType") == kind

    def header(self, name):
        return self.headers.get(name.lower(), "")

    def says(self):
        """Plain words of an OperationOutcome, for the log."""
        if not self.is_a("OperationOutcome"):
            return "no OperationOutcome"
        return "; ".join(i.get("diagnostics", i.get("code", "")) for i in self.body.get("issue", []))


NO_ANSWER = Answer(0, {}, b"", "", True)


class Wire:
    def __init__(self, own_asid, ods, ssp, patience, pause):
        self.own_asid, self.ods, self.ssp = own_asid, ods, ssp
        self.patience, self.pause = patience, pause
        self.tokens = {}

    def token(self, root, scope):
        moment = int(time.time())
        claims = {
            "iss": "https://consumer.fernhill111.example/", "sub": "adviser-7", "aud": root,
            "iat": moment, "exp": moment + 300, "reason_for_request": "directcare", "requested_scope": scope,
            "requesting_device": {"resourceType": "Device", "model": "Script", "version": "3",
                                  "identifier": [{"system": "https://consumer.fernhill111.example/Id/device",
                                                  "value": "SCRIPT-3"}]},
            "requesting_organization": {"resourceType": "Organization", "name": "Fernhill 111",
                                        "identifier": [{"system": "https://fhir.nhs.uk/Id/ods-organization-code",
                                                        "value": self.ods}]},
            "requesting_practitioner": {
                "resourceType": "Practitioner", "id": "adviser-7",
                "name": [{"family": "Adviser", "given": ["Sam"], "prefix": ["Mx"]}],
                "identifier": [{"system": "https://fhir.nhs.uk/Id/sds-user-id", "value": "UNK"},
                               {"system": "https://fhir.nhs.uk/Id/sds-role-profile-id", "value": "UNK"},
                               {"system": "https://consumer.fernhill111.example/Id/user", "value": "adviser-7"}]},
        }
        head = {"alg": "none", "typ": "JWT"}
        consumer_faults.apply(consumer_faults.CLAIMS, claims)
        parts = [base64.urlsafe_b64encode(json.dumps(p, separators=(",", ":")).encode()).decode().rstrip("=")
                 for p in (head, claims)]
        token = consumer_faults.changed(consumer_faults.TOKENS, ".".join(parts) + ".", claims)
        if on("token-reused"):
            if (root, scope) in self.tokens:
                # Made within one second, two right tokens are the same text.
                time.sleep(TOKEN_AGE)
            return self.tokens.setdefault((root, scope), token)
        return token

    def address(self, root, tail):
        """The whole address, through the SSP where there is one; exactly one slash at each join."""
        joined = root.rstrip("/") + ("//" if on("double-slash") else "/") + tail
        if self.ssp and not on("no-ssp-prefix"):
            return self.ssp.rstrip("/") + "/" + joined
        return joined

    def call(self, route, operation, method, tail, body=None, if_match=None, request_id=None, tries=MAX_TRIES):
        """Sends a request until it is answered, at most `tries` times; None stands for no answer at all."""
        asid, root = route
        ident = request_id or new_id()
        trace = new_id()
        answer = None
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if data is not None and operation == "book":
            data = consumer_faults.changed(consumer_faults.BYTES, data)
        if on("retry-without-end"):
            tries = 8
        for attempt in range(tries):
            if attempt and not on("retry-at-once"):
                time.sleep(self.pause * 2 ** (attempt - 1))
            if attempt and on("request-id-new-on-retry"):
                ident = new_id()
            if attempt and on("retry-changes-body") and operation == "book":
                data = json.dumps(dict(body, created=instant(now()), description="Second try")).encode()
            headers = self.headers(asid, root, operation, ident, trace, data, if_match)
            answer = self.send(method, self.address(root, tail), headers, data, ident, attempt > 0)
            print(f"    {operation}: {answer.status if answer else 'no answer'}"
                  f"{' (' + answer.says() + ')' if answer and answer.status >= 400 else ''}", flush=True)
            if answer and answer.status not in TRANSIENT and not retried_wrongly(answer.status, attempt):
                return answer
        return answer

    def headers(self, asid, root, operation, ident, trace, data, if_match):
        interaction, scope = OPERATIONS[operation]
        found = {
            "Accept": JSON, "Accept-Encoding": "gzip", "Authorization": "Bearer " + self.token(root, scope),
            "Ssp-TraceID": trace, "Ssp-From": self.own_asid, "Ssp-To": asid,
            "Ssp-InteractionID": INTERACTION + interaction, "X-Request-ID": ident,
        }
        if data is not None:
            found["Content-Type"] = JSON
        if if_match:
            found["If-Match"] = if_match
        consumer_faults.apply(consumer_faults.HEADERS, found, operation)
        return found

    def send(self, method, url, headers, data, ident, retried):
        parts = urllib.parse.urlsplit(url)
        # The target as it was built: nothing below re-encodes it.
        target = url.split("://", 1)[1]
        target = target[target.index("/"):] if "/" in target else "/"
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        line = kind(parts.hostname, parts.port, timeout=self.patience)
        try:
            line.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers.items():
                line.putheader(name, value)
            if data is not None:
                line.putheader("Content-Length", str(len(data)))
            line.endheaders(data)
            answer = line.getresponse()
            raw = answer.read(MAX_ANSWER)
            found = {n.lower(): v for n, v in answer.getheaders()}
            if found.get("content-encoding", "").lower() == "gzip":
                raw = gzip.decompress(raw)
            return Answer(answer.status, found, raw, ident, retried)
        except (OSError, http.client.HTTPException, socket.timeout, EOFError):
            return None
        finally:
            line.close()


def retried_wrongly(status, attempt):
    """A refusal that is sent again unchanged, by fault."""
    wrong = {"retry-422": 422, "retry-403": 403, "retry-400": 400}
    return attempt == 0 and any(on(name) and status == wrong[name] for name in wrong)
