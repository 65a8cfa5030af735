"""Stand-ins for the modules that Keras' test files import, made of flyball: nothing of Keras itself is imported.

Keras' wheel ships its tests beside its sources. They are read as text and run with ``keras.src.losses``,
``keras.src.optimizers`` and so on being what this package says they are: flyball's own objects where these have Keras'
interface, and adapters over them where Keras' tests drive an object by itself that a flyball model drives.
"""
