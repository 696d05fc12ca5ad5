"""One file a format: how it is read and how it is written, beside each other."""
