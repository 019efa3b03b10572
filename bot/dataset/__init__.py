"""The dataset: labelled questions come in, training files go out."""
