"""`python -m bot replay`: a labelled file goes through the whole loop, and what was learned is measured."""
