"""The one HTTP port, its health routes, the clock and the worker pools."""
