"""The Program: a network lowered to a flat list of instructions, and the ways to run it.

``nodes`` is what layers lower to, ``fusion`` merges neighbours, ``lowering`` writes instructions, ``instructions``
defines them, ``memory`` owns parameters and state, ``runners`` executes a Program on a backend.
"""
