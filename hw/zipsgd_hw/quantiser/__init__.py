"""The quantiser: raw words of a sensor in, planes and labels out. ``sample_quantiser.py`` shows how the parts fit together."""
