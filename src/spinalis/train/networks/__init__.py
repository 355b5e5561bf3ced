"""The networks, one file per task."""
