CREATE UNIQUE INDEX CONCURRENTLY schedule_track ON schedule (tenant, diary, track) WHERE diary IS NOT NULL;
