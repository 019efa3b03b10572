"""Everything that talks to Slack: connection, deliveries, people, permissions, private messages and posts."""
