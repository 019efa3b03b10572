"""The HTTP server, health checks, the scheduler and worker pools."""
