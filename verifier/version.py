"""The version of this package; packaging reads it here."""

__version__ = "0.1.0"
