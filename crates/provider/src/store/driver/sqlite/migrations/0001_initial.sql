-- Times are milliseconds since 1970-01-01 UTC; days are days since then.

CREATE TABLE tenant (
  key INTEGER PRIMARY KEY,
  ods TEXT NOT NULL UNIQUE,
  asid TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  catalogue_version INTEGER NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE declared (
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  position INTEGER NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (tenant, kind, id)
) STRICT, WITHOUT ROWID;

-- Keys of schedules. A row stays when the schedule's declaration goes, since its slots and bookings stay.
CREATE TABLE schedule (
  key INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  id TEXT NOT NULL,
  UNIQUE (tenant, id)
) STRICT;

-- Names of templates, sessions and release rules, so that a slot holds a small number.
CREATE TABLE label (
  key INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  text TEXT NOT NULL,
  UNIQUE (tenant, text)
) STRICT;

-- AUTOINCREMENT: the key of a removed slot is not given out again, appointments refer to it for ever.
CREATE TABLE slot (
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  schedule INTEGER NOT NULL REFERENCES schedule (key),
  start INTEGER NOT NULL,
  finish INTEGER NOT NULL CHECK (finish > start),
  uuid BLOB NOT NULL CHECK (length(uuid) = 16),
  status INTEGER NOT NULL CHECK (status BETWEEN 0 AND 4),
  held INTEGER NOT NULL CHECK (held IN (0, 1)),
  channel INTEGER CHECK (channel BETWEEN 1 AND 3),
  template INTEGER REFERENCES label (key),
  release INTEGER REFERENCES label (key),
  -- When it first became available; null while it was only ever held back.
  published_at INTEGER
) STRICT;
CREATE UNIQUE INDEX slot_uuid ON slot (tenant, uuid);
CREATE UNIQUE INDEX slot_place ON slot (tenant, schedule, start, finish);

-- Slots that were taken out of the diary: what was once published stays countable.
CREATE TABLE slot_removed (
  key INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  schedule INTEGER NOT NULL REFERENCES schedule (key),
  start INTEGER NOT NULL,
  finish INTEGER NOT NULL,
  uuid BLOB NOT NULL,
  template INTEGER,
  published_at INTEGER,
  removed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX slot_removed_place ON slot_removed (tenant, schedule, start);

-- Every change of a slot changes the version of its schedule and UTC day.
CREATE TABLE slot_day (
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  schedule INTEGER NOT NULL REFERENCES schedule (key),
  day INTEGER NOT NULL,
  version INTEGER NOT NULL,
  PRIMARY KEY (tenant, schedule, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE appointment (
  key INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  status INTEGER NOT NULL,
  live INTEGER NOT NULL CHECK (live IN (0, 1)),
  slot INTEGER NOT NULL,
  schedule INTEGER NOT NULL REFERENCES schedule (key),
  start INTEGER NOT NULL,
  finish INTEGER NOT NULL,
  -- Europe/London day of the start, for caps and reports.
  day INTEGER NOT NULL,
  service TEXT NOT NULL,
  template INTEGER,
  release INTEGER,
  nhs_number TEXT,
  booked_at INTEGER NOT NULL,
  booked_asid TEXT NOT NULL,
  booked_ods TEXT NOT NULL,
  booked_kind TEXT,
  cancelled_at INTEGER,
  cancelled_asid TEXT,
  cancelled_ods TEXT
) STRICT;
CREATE UNIQUE INDEX appointment_id ON appointment (tenant, id);
-- One live booking per slot, whatever the code above this file does.
CREATE UNIQUE INDEX appointment_live ON appointment (slot) WHERE live = 1;
CREATE INDEX appointment_patient ON appointment (tenant, nhs_number, start) WHERE nhs_number IS NOT NULL;
CREATE INDEX appointment_day ON appointment (tenant, day, service) WHERE live = 1;
CREATE INDEX appointment_booked ON appointment (tenant, booked_at);

CREATE TABLE appointment_version (
  key INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  appointment INTEGER NOT NULL REFERENCES appointment (key),
  version INTEGER NOT NULL,
  status INTEGER NOT NULL,
  at INTEGER NOT NULL,
  asid TEXT NOT NULL,
  ods TEXT NOT NULL,
  -- X-Request-ID of the create or update that made this version.
  request_id TEXT,
  json BLOB NOT NULL,
  received BLOB
) STRICT;
CREATE UNIQUE INDEX appointment_version_number ON appointment_version (appointment, version);
CREATE UNIQUE INDEX appointment_version_request ON appointment_version (tenant, request_id)
  WHERE request_id IS NOT NULL;
CREATE TRIGGER appointment_version_kept BEFORE DELETE ON appointment_version
BEGIN SELECT RAISE(ABORT, 'versions of an appointment are never deleted'); END;
CREATE TRIGGER appointment_version_fixed BEFORE UPDATE ON appointment_version
BEGIN SELECT RAISE(ABORT, 'versions of an appointment are never changed'); END;

-- Which referral document belongs to which booking, from when to when.
CREATE TABLE document_link (
  key INTEGER PRIMARY KEY,
  tenant INTEGER NOT NULL REFERENCES tenant (key),
  document TEXT NOT NULL,
  appointment INTEGER NOT NULL REFERENCES appointment (key),
  linked_at INTEGER NOT NULL,
  ended_at INTEGER
) STRICT;
CREATE INDEX document_link_document ON document_link (tenant, document);
CREATE INDEX document_link_appointment ON document_link (appointment);

-- key = tenant * 2^40 + seq: each tenant's chain lies together and needs no second index.
CREATE TABLE audit (
  key INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  body TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never deleted'); END;
CREATE TRIGGER audit_fixed BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are never changed'); END;

-- The last row of each chain, written with it: a chain that was cut short does not match.
CREATE TABLE audit_head (
  tenant INTEGER PRIMARY KEY REFERENCES tenant (key),
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
