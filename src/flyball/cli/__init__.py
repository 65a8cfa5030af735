"""The command line, ``python -m flyball``: train on the bundled digits or on a table of one's own, and predict."""
