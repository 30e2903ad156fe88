-- Whether the request for a booking may have left this machine: 0 until its body is handed over, 1 from then on. NULL in
-- rows of earlier releases, of which nobody knows (D-53).

ALTER TABLE booking ADD COLUMN may_have_left INTEGER;
