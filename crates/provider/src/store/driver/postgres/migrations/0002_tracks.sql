-- Slots of a diary that have the same start and end stand on tracks. The diary's own row is its track 0; each further
-- track is a row of its own that names its diary, and whose id no declaration can have. So the index that keeps slots
-- of one place apart stays as it is.
ALTER TABLE schedule ADD COLUMN diary BIGINT, ADD COLUMN track SMALLINT NOT NULL DEFAULT 0;
