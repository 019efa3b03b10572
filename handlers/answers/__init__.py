"""Stories around an answer: feedback, reactions, reasons, keeping, consent, and one person's settlements."""
