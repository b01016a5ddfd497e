-- Rows that every post rewrites get room on their page: the new version needs no new index entries then. They are
-- vacuumed by their own measure, not by the share of a large table.
/*postgres ALTER TABLE topics
  SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE channels
  SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE memberships
  SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
ALTER TABLE commits SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000); */
