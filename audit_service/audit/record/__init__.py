"""Writing the record: what of an entry is sealed, the chain it joins, the month it is kept in."""
