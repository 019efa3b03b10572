"""Slack listeners, what people see in Slack, and the HTTP server."""
