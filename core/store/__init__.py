"""The workspace: an append-only journal of edits and its projections."""
