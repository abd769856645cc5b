"""Tests of `expectations/checking`."""
