-- The key before the present one, by which messages are signed too until then, and the request that changed it.
ALTER TABLE webhooks ADD COLUMN previous_secret text;
ALTER TABLE webhooks ADD COLUMN previous_until timestamptz;
ALTER TABLE webhooks ADD COLUMN rotated_by uuid;

-- The request that made it, as long as the same request again is the same one: it was its id.
ALTER TABLE webhooks ADD COLUMN request uuid UNIQUE;
UPDATE webhooks SET request = id;
