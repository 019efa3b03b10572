"""The mirror: our copy at LangSmith, people's changes that come back, and the status of both."""
