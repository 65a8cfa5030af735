"""Writes preprocessing.json: what Keras' preprocessing and augmentation layers make of small images.

Needs Keras 3. Augmentation has ranges of one value, so that nothing is random.

KERAS_BACKEND=jax python tests/golden/make_preprocessing.py
"""

import json
from pathlib import Path

import keras
import numpy as np

IMAGES = np.random.default_rng(7).uniform(0.0, 255.0, (2, 6, 8, 3)).round(1).astype("float32")

CASES = [
    ("Rescaling", {"scale": 1 / 127.5, "offset": -1.0}),
    ("Rescaling", {"scale": [0.5, 1.0, 2.0], "offset": [0.0, 1.0, -1.0]}),
    ("Normalization", {"axis": -1}),
    ("Normalization", {"axis": 1}),
    ("Normalization", {"axis": [2, 3]}),
    ("Normalization", {"axis": None}),
    ("Normalization", {"axis": -1, "invert": True}),
    ("Normalization", {"axis": -1, "mean": [100.0, 120.0, 140.0], "variance": [4.0, 9.0, 0.0]}),
    ("Normalization", {"axis": None, "mean": 3.0, "variance": 2.0, "invert": True}),
    ("CenterCrop", {"height": 3, "width": 4}),
    ("CenterCrop", {"height": 8, "width": 8}),
    ("Resizing", {"height": 4, "width": 5}),
    ("Resizing", {"height": 12, "width": 11}),
    ("Resizing", {"height": 9, "width": 4, "interpolation": "nearest"}),
    ("Resizing", {"height": 4, "width": 4, "crop_to_aspect_ratio": True}),
    ("Resizing", {"height": 4, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 9.0}),
    ("RandomRotation", {"factor": [0.1, 0.1], "fill_mode": "constant", "fill_value": 5.0}),
    ("RandomRotation", {"factor": [-0.05, -0.05], "fill_mode": "wrap", "interpolation": "nearest"}),
    ("RandomTranslation", {"height_factor": [0.2, 0.2], "width_factor": [-0.3, -0.3], "fill_mode": "nearest"}),
    ("RandomTranslation", {"height_factor": [-0.4, -0.4], "width_factor": [0.1, 0.1]}),
    ("RandomZoom", {"height_factor": [0.3, 0.3], "width_factor": [-0.2, -0.2]}),
    ("RandomZoom", {"height_factor": [0.3, 0.3], "fill_mode": "constant"}),
    ("RandomBrightness", {"factor": [0.2, 0.2]}),
    ("RandomColorDegeneration", {"factor": [0.4, 0.4]}),
    ("RandomContrast", {"factor": [0.0, 0.0]}),
]


def result(name, config):
    """Return what Keras' layer makes of the images."""
    layer = getattr(keras.layers, name)(**config)
    if name == "Normalization" and "mean" not in config:
        layer.adapt(IMAGES)
    options = {"training": True} if name.startswith("Random") else {}
    return np.asarray(layer(IMAGES, **options), "float64").round(4)


cases = [{"layer": name, "config": config, "y": result(name, config).tolist()} for name, config in CASES]
path = Path(__file__).with_name("preprocessing.json")
x = IMAGES.astype("float64").round(1).tolist()
path.write_text(json.dumps({"keras": keras.__version__, "x": x, "cases": cases}) + "\n", encoding="utf-8")
