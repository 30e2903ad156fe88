-- What a later command needs to find out about a booking whose end nobody saw, and to go on with it (D-53).

ALTER TABLE booking ADD COLUMN slot_identifier TEXT;      -- value of Slot.identifier
ALTER TABLE booking ADD COLUMN claim TEXT;                -- the slot as it is sent, JSON; nothing of the patient
ALTER TABLE booking ADD COLUMN details_digest TEXT;       -- SHA-256 of document id and details: tells a repeat of the same wish
ALTER TABLE booking ADD COLUMN written_at INTEGER;        -- the time inside the message, which a repeat keeps
ALTER TABLE booking ADD COLUMN open_question TEXT;        -- what the service said that differs, in plain words
ALTER TABLE booking ADD COLUMN old_appointment TEXT;      -- the appointment that this one takes the place of
ALTER TABLE booking ADD COLUMN old_service TEXT;          -- and its service
ALTER TABLE booking ADD COLUMN rebook_open INTEGER NOT NULL DEFAULT 0; -- 1 until the old appointment was dealt with
ALTER TABLE booking ADD COLUMN service_name TEXT;         -- what the user was shown of the slot, for later lists
ALTER TABLE booking ADD COLUMN place TEXT;
ALTER TABLE booking ADD COLUMN clinician TEXT;
CREATE INDEX booking_unsettled ON booking (start) WHERE state IN ('requested', 'unknown');
CREATE INDEX booking_by_request_time ON booking (requested_at);
CREATE INDEX booking_rebook_open ON booking (start) WHERE rebook_open = 1;
