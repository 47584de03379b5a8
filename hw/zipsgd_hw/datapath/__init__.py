"""The datapath: planes in, trained model out. ``datapath.py`` shows how the parts fit together."""
