"""How often each grade is: the numbers of the RSNA 2024 set, once."""

PREVALENCE: dict[str, tuple[tuple[float, float, float], ...]] = {
    "canal": (
        (0.9549, 0.0341, 0.0110),
        (0.8956, 0.0770, 0.0274),
        (0.8216, 0.1166, 0.0618),
        (0.7510, 0.1202, 0.1288),
        (0.9645, 0.0259, 0.0096),
    ),
    "foraminal": (
        (0.9642, 0.0320, 0.0038),
        (0.9101, 0.0858, 0.0041),
        (0.7706, 0.2093, 0.0201),
        (0.6124, 0.3190, 0.0686),
        (0.6419, 0.2578, 0.1003),
    ),
    "subarticular": (
        (0.9295, 0.0561, 0.0144),
        (0.8276, 0.1314, 0.0410),
        (0.6709, 0.2304, 0.0987),
        (0.4501, 0.3162, 0.2337),
        (0.7136, 0.2049, 0.0815),
    ),
}
"""Share of normal/mild, moderate and severe per group of conditions and level, L1/L2 first; left and right pooled.

Source: RSNA 2024 Lumbar Spine Degenerative Classification, training labels (aggregate counts).
"""
