"""Who may do what: tenants, keys, and the callers they let in."""
