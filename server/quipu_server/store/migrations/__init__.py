"""The schema, as numbered migrations."""
