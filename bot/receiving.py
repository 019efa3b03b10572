"""Takes over what people changed at the tracker."""
