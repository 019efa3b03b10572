"""The texts people read, in both languages, and the conversion from and to Slack's text format."""
