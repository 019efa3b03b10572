"""Cries for help: who writes of harassment, self-harm, violence, wrongdoing or an emergency is answered in private."""
