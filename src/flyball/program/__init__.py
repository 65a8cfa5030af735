"""The Program: a network lowered to a flat list of instructions, and the ways to run it."""
