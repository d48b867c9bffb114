"""SOKRATES trains language models to prove: every step is checked by a sound symbolic solver."""

__version__ = "0.1.0"
