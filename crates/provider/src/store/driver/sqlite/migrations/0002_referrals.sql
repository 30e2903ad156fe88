-- Referral documents. A row whose tenant is null could not be assigned to anybody; it is always in quarantine.
CREATE TABLE referral (
  key INTEGER PRIMARY KEY,
  tenant INTEGER REFERENCES tenant (key),
  id BLOB NOT NULL CHECK (length(id) = 16),
  received_at INTEGER NOT NULL,
  -- 0 filed, 1 filed and superseded by another document, 2 in quarantine, 3 in quarantine and dealt with
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
  wire INTEGER NOT NULL CHECK (wire BETWEEN 0 AND 3),
  tracking TEXT,
  service TEXT,
  sender TEXT,
  document TEXT,
  document_hash BLOB CHECK (length(document_hash) = 32),
  set_id TEXT,
  version INTEGER,
  replaces TEXT,
  author TEXT,
  nhs_number TEXT,
  appointment_url TEXT,
  -- The document id that the bookings of this case carry; another than `document` when matched by URL.
  case_id TEXT,
  matched_at INTEGER,
  -- 0 document id, 1 URL of the appointment
  matched_by INTEGER CHECK (matched_by BETWEEN 0 AND 1),
  code TEXT,
  reason TEXT,
  note TEXT,
  closed_at INTEGER,
  closed_by TEXT,
  closed_because TEXT,
  message_hash BLOB NOT NULL CHECK (length(message_hash) = 32),
  bytes INTEGER NOT NULL,
  CHECK (state >= 2 OR (tenant IS NOT NULL AND document IS NOT NULL AND document_hash IS NOT NULL)),
  CHECK (state < 2 OR reason IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX referral_id ON referral (id);
-- Whatever the code above this file does: a document is filed once, a tracking id is used once.
CREATE UNIQUE INDEX referral_document ON referral (tenant, document) WHERE state < 2;
CREATE UNIQUE INDEX referral_tracking ON referral (tenant, tracking) WHERE state < 2 AND tracking IS NOT NULL;
CREATE INDEX referral_set ON referral (tenant, set_id) WHERE state < 2 AND set_id IS NOT NULL;
CREATE INDEX referral_replaces ON referral (tenant, replaces) WHERE state < 2 AND replaces IS NOT NULL;
CREATE INDEX referral_case ON referral (tenant, case_id) WHERE case_id IS NOT NULL;
CREATE INDEX referral_received ON referral (tenant, received_at);
CREATE INDEX referral_aside ON referral (message_hash) WHERE state >= 2;
CREATE TRIGGER referral_kept BEFORE DELETE ON referral
BEGIN SELECT RAISE(ABORT, 'referrals are never deleted'); END;

-- The message as it was received, apart from its row so that listings do not pass over it.
CREATE TABLE referral_message (
  referral INTEGER PRIMARY KEY REFERENCES referral (key),
  body BLOB NOT NULL CHECK (length(body) BETWEEN 1 AND 33554432)
) STRICT;
CREATE TRIGGER referral_message_kept BEFORE DELETE ON referral_message
BEGIN SELECT RAISE(ABORT, 'received messages are never deleted'); END;
CREATE TRIGGER referral_message_fixed BEFORE UPDATE ON referral_message
BEGIN SELECT RAISE(ABORT, 'received messages are never changed'); END;
