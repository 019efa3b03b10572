"""The store: database tables, and one class for each kind of stored thing."""
