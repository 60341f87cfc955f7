"""The text of graphs: read, checked, compiled to a program, edited and formatted. Runs nothing."""
