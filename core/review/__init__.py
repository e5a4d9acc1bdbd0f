"""Reading states: what was read, by whom, with what result."""
