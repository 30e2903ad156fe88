-- The Consumer's journal (reporting-and-audit.md, DAT-01..08, REP-C). Times are milliseconds since 1970, UTC.
-- Patient data: the NHS number and the start of a booking, nothing else of the patient. The booking itself is with
-- the Provider and is read from there.

CREATE TABLE encounter (
  id          TEXT PRIMARY KEY,
  opened_at   INTEGER NOT NULL,
  closed_at   INTEGER,
  case_ref    TEXT,              -- the caller's number of the case; X and trace ids lead back to it (AUD-05)
  user        TEXT NOT NULL,
  clinical    INTEGER NOT NULL,
  disposition TEXT,
  within_minutes INTEGER,        -- the disposition's timeframe
  due_at      INTEGER,           -- its end
  practice    TEXT               -- ODS code of the patient's registered practice, for grouping reports
) STRICT;

CREATE TABLE step (
  id        INTEGER PRIMARY KEY,
  encounter TEXT NOT NULL REFERENCES encounter (id),
  at        INTEGER NOT NULL,
  kind      TEXT NOT NULL,       -- services, choice, endpoint, slots, book, read, cancel, rebook, refer, warning, sms …
  service   TEXT,                -- DoS service id
  outcome   TEXT,                -- null while the step is under way, or when it never ended
  detail    TEXT,                -- JSON
  ended_at  INTEGER
) STRICT;
CREATE INDEX step_of_encounter ON step (encounter, id);
CREATE INDEX step_by_time ON step (at);
CREATE INDEX step_services ON step (id) WHERE kind = 'services';
CREATE INDEX step_of_document ON step (json_extract(detail, '$.document')) WHERE kind = 'refer';

CREATE TABLE exchange (
  id             INTEGER PRIMARY KEY,
  step           INTEGER NOT NULL REFERENCES step (id),
  at             INTEGER NOT NULL,
  interaction    TEXT NOT NULL,
  attempt        INTEGER NOT NULL,
  address        TEXT NOT NULL,  -- without query: that may name the patient
  asid_from      TEXT NOT NULL,
  asid_to        TEXT NOT NULL,
  trace_id       TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  response_id    TEXT,           -- X-Request-ID of the answer
  correlation_id TEXT,           -- X-Correlation-ID of the answer
  status         INTEGER,        -- null: no answer
  elapsed_ms     INTEGER NOT NULL,
  fault          TEXT
) STRICT;
CREATE INDEX exchange_of_step ON exchange (step);
CREATE INDEX exchange_by_request ON exchange (request_id);

CREATE TABLE slot_shown (
  step   INTEGER NOT NULL REFERENCES step (id),
  slot   TEXT NOT NULL,
  start  INTEGER NOT NULL,
  inside INTEGER,                -- within the timeframe; null without one
  PRIMARY KEY (step, slot, start)
) STRICT, WITHOUT ROWID;

CREATE TABLE booking (
  document        TEXT PRIMARY KEY, -- UUID of the clinical document, made before the booking
  encounter       TEXT NOT NULL REFERENCES encounter (id),
  service         TEXT NOT NULL,
  asid            TEXT NOT NULL,
  root            TEXT NOT NULL,
  request_id      TEXT NOT NULL,
  nhs_number      TEXT,
  slot            TEXT NOT NULL,
  start           INTEGER NOT NULL,
  end             INTEGER NOT NULL,
  state           TEXT NOT NULL CHECK (state IN ('requested', 'booked', 'failed', 'unknown', 'cancelled')),
  appointment     TEXT,
  url             TEXT,
  version         TEXT,
  etag            TEXT,
  requested_at    INTEGER NOT NULL,
  settled_at      INTEGER,
  cancelled_at    INTEGER,
  cancelled_by    TEXT,
  cancelled_in    TEXT,             -- encounter in which it was cancelled
  replaces        TEXT,
  outside_minutes INTEGER,          -- starts so long after the end of the timeframe (CONS-TF-05)
  approver        TEXT,
  patient_agreed  INTEGER,
  patient_told    INTEGER
) STRICT;
CREATE INDEX booking_of_patient ON booking (nhs_number, start) WHERE nhs_number IS NOT NULL;
CREATE INDEX booking_by_appointment ON booking (appointment) WHERE appointment IS NOT NULL;
CREATE INDEX booking_by_start ON booking (start);
CREATE INDEX booking_held ON booking (requested_at) WHERE state = 'booked';
CREATE INDEX booking_outside ON booking (requested_at) WHERE outside_minutes IS NOT NULL;
