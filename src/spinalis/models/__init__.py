"""Model packs and what they see. No training code."""

from spinalis.models.pack import Manifest, Pack, Score, load_pack, load_packs, select

__all__ = ["Manifest", "Pack", "Score", "load_pack", "load_packs", "select"]
