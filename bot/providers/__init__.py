"""Model providers: the only code that uses the openai SDK."""
