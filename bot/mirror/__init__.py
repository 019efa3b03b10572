"""The copy at LangSmith: what goes out, what comes back, how far it is."""
