"""Reading the record: the history of a subject, the catalogue at a point in time, exports."""
