"""Icons, theme tokens, label schemas, the bundled model."""
