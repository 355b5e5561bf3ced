"""Stage 2: where are the levels?"""

from spinalis.localize.levels import Localization, find_levels, locate

__all__ = ["Localization", "find_levels", "locate"]
