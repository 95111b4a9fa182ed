-- What caused a command that recorded no event, so that the same command again is known by its request's body. Of
-- others the events say it.
ALTER TABLE command_log ADD COLUMN cause text;
