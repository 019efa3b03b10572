"""The words that people read, in both languages, and how text is made safe for Slack."""
