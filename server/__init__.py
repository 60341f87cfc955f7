"""The web server and the editor."""
