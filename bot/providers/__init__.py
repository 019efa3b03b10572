"""The model side: the openai SDK is spoken only here."""
