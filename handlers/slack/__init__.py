"""How Slack is spoken: connection, deliveries, people, roles, private messages, posts."""
