"""Makes `readings` and other shared builders in this folder importable from the tests."""
