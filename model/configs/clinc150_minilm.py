"""CLINC150 as in `model/configs/clinc150.py`, by a sentence encoder, MiniLM, and a trained head.

TODO
"""

import dataclasses

from model.configs import clinc150
from model.networks.sentence import DEFAULT_ENCODER

CONFIG = dataclasses.replace(clinc150.CONFIG, network="sentence", encoder=DEFAULT_ENCODER)
