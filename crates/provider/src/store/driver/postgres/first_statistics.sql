-- Rows that no patient and no provider has, analysed and taken out again in one transaction: see statistics.rs.

ALTER TABLE appointment_version DISABLE TRIGGER USER;
ALTER TABLE audit DISABLE TRIGGER USER;
ALTER TABLE referral DISABLE TRIGGER USER;
ALTER TABLE referral_message DISABLE TRIGGER USER;

INSERT INTO tenant (key, ods, asid, name, catalogue_version, created_at) VALUES (1, 'X', '1', 'X', 1, 0);
INSERT INTO declared SELECT 1, 'kind' || n % 8, 'id' || n, n, '{}' FROM generate_series(1, 400) n;
INSERT INTO schedule (tenant, key, id) SELECT 1, n, 'id' || n FROM generate_series(1, 400) n;
INSERT INTO label (tenant, key, text) SELECT 1, n, 'text' || n FROM generate_series(1, 400) n;
INSERT INTO slot (tenant, key, schedule, start, finish, uuid, status, held, template)
  SELECT 1, n, 1 + n % 20, n * 600000, n * 600000 + 1, decode(md5(n::text), 'hex'), n % 2, 0, 1 FROM generate_series(1, 400) n;
INSERT INTO slot_removed (tenant, key, schedule, start, finish, uuid, template, removed_at)
  SELECT 1, n, 1 + n % 20, n * 600000, n * 600000 + 1, decode(md5(n::text), 'hex'), 1, n FROM generate_series(1, 400) n;
INSERT INTO slot_day SELECT 1, 1 + n % 20, n / 20, n FROM generate_series(1, 400) n;
INSERT INTO appointment (tenant, key, id, version, status, live, slot, schedule, start, finish, day, service, template,
    nhs_number, booked_at, booked_asid, booked_ods)
  SELECT 1, n, 'id' || n, 1, 0, CASE WHEN n % 10 = 0 THEN 0 ELSE 1 END, n, 1 + n % 20, n * 600000, n * 600000 + 1, n / 20,
    'service' || n % 5, 1, 'n' || n, n, 'asid' || n % 4, 'ods' || n % 4 FROM generate_series(1, 400) n;
INSERT INTO appointment_version (tenant, appointment, version, status, at, asid, ods, request_id, json)
  SELECT 1, n, 1, 0, n, 'asid' || n % 4, 'ods' || n % 4, 'id' || n, '{}' FROM generate_series(1, 400) n;
INSERT INTO document_link (tenant, key, document, appointment, linked_at, ended_at)
  SELECT 1, n, 'id' || n, n, n, CASE WHEN n % 10 = 0 THEN n END FROM generate_series(1, 400) n;
INSERT INTO audit SELECT 1, n, n, '{}', decode(md5(n::text) || md5(n::text), 'hex') FROM generate_series(1, 400) n;
INSERT INTO referral (tenant, key, id, received_at, state, wire, tracking, document, document_hash, set_id, version, replaces,
    nhs_number, case_id, reason, message_hash, bytes)
  SELECT 1, n, decode(md5(n::text), 'hex'), n, CASE WHEN n % 10 = 0 THEN 2 ELSE 0 END, 0, 'id' || n, 'id' || n,
    decode(md5(n::text) || md5(n::text), 'hex'), 'set' || n, 1, CASE WHEN n % 10 = 0 THEN 'id' || n END, 'n' || n, 'id' || n,
    CASE WHEN n % 10 = 0 THEN 'reason' END, decode(md5(n::text) || md5(n::text), 'hex'), 1 FROM generate_series(1, 400) n;
INSERT INTO referral_message SELECT 1, n, '\x00' FROM generate_series(1, 400) n;

ANALYZE {tables};
-- Also forgets how many rows there were, so that the planner looks at the size of the tables as they grow.
TRUNCATE {tables};

ALTER TABLE appointment_version ENABLE TRIGGER USER;
ALTER TABLE audit ENABLE TRIGGER USER;
ALTER TABLE referral ENABLE TRIGGER USER;
ALTER TABLE referral_message ENABLE TRIGGER USER;
