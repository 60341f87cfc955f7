"""Pictures as people have them: files of many formats, colour spaces and bit depths, turned into arrays of levels.

Only Pillow and numpy; what may be wrong with a picture is a ValueError, what is worth saying of it a note.
"""
