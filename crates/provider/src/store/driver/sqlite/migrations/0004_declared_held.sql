-- Whether a slot was held back from the start. For slots made before this column, `published_at` tells it until they are
-- released.
ALTER TABLE slot ADD COLUMN held_first INTEGER NOT NULL DEFAULT 0;
