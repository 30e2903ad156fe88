-- Which name of the consumer was only claimed when it booked: 1 its organisation, 2 its system, 0 neither. A cap counts what is
-- proven. Bookings made before this column count as proven.
ALTER TABLE appointment ADD COLUMN booked_claimed INTEGER NOT NULL DEFAULT 0;
