"""The types on the wires: what each means, its shape and range, and how it is read, kept and shown. One file a subject."""
