"""`python -m bot replay`: a labelled file goes through the whole loop, and the learning is measured."""
