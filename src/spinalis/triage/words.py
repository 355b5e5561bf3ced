"""Words in a header's free text that say something of a series, as flags.

Texts are written by hand at every site: each flag gathers the spellings of several vendors and languages. What a flag
is worth is learned from examples, see `header`; here stands only which words belong together.

Source:
    Words of English, German, French, Spanish, Italian, Portuguese and Dutch protocols, and the names that Siemens,
    Philips, GE, Canon and United Imaging give their sequences; from memory.
"""

import re

_BEFORE, _AFTER = r"(?<![a-z])", r"(?![a-z])"


def _words(*words: str) -> str:
    """Any of these, with no letter on either side; digits may touch."""
    return f"{_BEFORE}(?:{'|'.join(words)}){_AFTER}"


def _stems(*stems: str) -> str:
    """Any word that begins so."""
    return f"{_BEFORE}(?:{'|'.join(stems)})"


_SPELLINGS: dict[str, str] = {
    "spine": "|".join(
        (
            r"spine|columna|wirbel|colonne|rachis",
            _stems("spinal", "vertebr", "coluna", "myel", "miel", "medull", "wervel"),
            _words("ws", "col", "c-?sp", "t-?sp", "l-?sp", "[clt]s", "[clt]_?spine"),
        )
    ),
    "cervical": "|".join(
        (_stems("cerv", "zervi", "nek", "neck", "hals"), _words("hws", "c-?sp", r"c[- ]?spine", "cs"))
    ),
    "thoracic": "|".join(
        (
            _stems("thorac", "thorak", "dorsal", "torac", "dors"),
            _words("bws", "t-?sp", r"t[- ]?spine", "d-?spine", "ts"),
        )
    ),
    "lumbar": "|".join(
        (_stems("lumb", "lomb", "sacr", "sakr", "iliosa"), _words("lws", "lwk", "l-?sp", r"l[- ]?spine", "ls", "lss"))
    ),
    "whole": _stems("whole", "ganz", "gesamt", "entier", "total", "full", "complet", "comple"),
    "brain": "|".join(
        (
            r"brain|cereb|crani|skull|schaedel|schädel|gehirn|enceph|encef",
            _stems(
                "head", "kopf", "tete", "tête", "cabeza", "testa", "hirn", "crane", "orbit", "pituit", "iac", "hypoph"
            ),
        )
    ),
    "limb": "|".join(
        (
            r"knee|shoulder|ankle|wrist|elbow|schulter|knie|sprunggelenk|handgelenk|genou|epaule|cheville|rodilla|hombro",
            _words(
                "hip", "hips", "foot", "hand", "finger", "thigh", "calf", "femur", "tibia", "hüfte", "fuss", "hanche"
            ),
        )
    ),
    "trunk": "|".join(
        (
            r"liver|kidney|abdom|pelvi|prostat|cardi|breast|mamma|mrcp|rectum|uterus|bauch|becken|leber|niere|foie",
            _words("heart", "herz", "chest", "lung", "lungs", "bassin", "rein", "sein", "coeur", "corazon", "mama"),
        )
    ),
    "phantom": r"phantom|fantom",
    "sagittal": _stems("sag"),
    "axial": "|".join((_stems("axial", "assial", "trans"), _words("ax", "tra", "tr", "axi", "ax[0-9]"))),
    "coronal": "|".join((_stems("coron", "koron", "front"), _words("cor", "kor"))),
    "t1": r"(?<![a-z0-9])t1(?![0-9])",
    "t2": r"(?<![a-z0-9])t2(?![0-9])",
    "t2_star": r"t2 ?\*|t2 ?star|" + _words("t2s"),
    "proton_density": r"proton|" + _words("pd", "pdw", "dp", "pd[a-z]{1,2}"),
    "stir": r"stir|" + _words("tirm", "short ?ti"),
    "inversion": _words("ir", "tir", "irfse", "irtse"),
    "flair": r"flair|dark[- ]?fl",
    "spin_echo": _words("tse", "fse", "frfse", "se", "fast ?spin ?echo", "frse"),
    "gradient_echo": "|".join(
        (
            r"gradient|fspgr|spgr|mprage|bravo|vibe|fiesta|ciss|dess",
            _words(
                "gre", "ge", "ffe", "mffe", "me2d", "me3d", "medic", "merge", "fe", "fl2d", "fl3d", "tfe", "tfl", "tof"
            ),
            _words("swi", "swan", "bffe", "trufi", "flash", "cosmic", "adage"),
        )
    ),
    "diffusion": r"diff|(?<![a-z])dwi|(?<![a-z])dti|trace|ep2d|" + _words("b ?[0-9]{2,4}", "epi", "resolve"),
    "adc": r"adc|apparent diff",
    "volume": r"isotrop|(?<![a-z])3d|space|vista|cube|mvox|matrix3d|" + _words("spc", "iso"),
    "dixon": r"dixon|ideal|flex|wfop|lava",
    "water": r"water|(?<![a-z0-9])w(?![a-z0-9])|" + _words("wasser", "eau"),
    "fat": r"(?<![a-z0-9])f(?![a-z0-9])|" + _words("fat", "fett", "graisse", "grasa"),
    "in_phase": r"in[- ]?phase|" + _words("in", "ip"),
    "opposed": r"op[p]?osed|out ?phase|out[- ]of|" + _words("opp", "op", "out"),
    "fat_saturated": r"fat ?sat|spair|spir|chess|" + _words("fs", "fatsat", "sg"),
    "contrast_agent": r"contrast|gadol|(?<![a-z])post|\+ ?c(?![a-z])|" + _words("km", "gd", "gado", "ce", "kontrast"),
    "myelography": r"myelo|mielo|" + _words("ssh", "haste", "ssfse", "sshtse"),
    "localizer": r"localiz|localis|lokal|survey|scout|locator|reper|repér|topogr|3[- ]?pl|" + _words("loc", "3 ?plane"),
    "reformat": r"reformat|recon|" + _words("mpr", "mip", "minip", "cpr"),
    "subtraction": r"subtra|" + _words("sub"),
    "map": r"phase ?map|field ?map|" + _words("phase", "map", "fa", "t2map", "t1map"),
}

FLAGS: tuple[str, ...] = tuple(_SPELLINGS)
_PATTERNS = tuple(re.compile(pattern) for pattern in _SPELLINGS.values())


def flags_of(text: str | None) -> tuple[bool, ...]:
    """Which of `FLAGS` a text raises, in their order; no flag where there is no text. An underscore is no letter."""
    if not text:
        return (False,) * len(FLAGS)
    plain = text.replace("_", " ").casefold()
    return tuple(bool(pattern.search(plain)) for pattern in _PATTERNS)
