"""Events that failed wait in lines, are retried in order, and are decided about by people."""
