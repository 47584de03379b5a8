"""A pytest plugin: the gateware with the edit that ``ZIPSGD_EDIT`` holds, as file, old and new text."""

import json
import os

from schemata import zipsgd_sources

zipsgd_sources().edited(*json.loads(os.environ["ZIPSGD_EDIT"])).__enter__()
