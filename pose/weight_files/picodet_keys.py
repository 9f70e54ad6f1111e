"""Which operation of the start weights' listing, `picodet_s_320_layers.txt`, is which convolution of PicoDet."""

from typing import Final

from pose.weight_files.listing import KeyTable

__all__ = ["PICODET_KEYS"]

CONSTANTS: Final = (
    34, 71, 75, 90, 105, 114, 128, 137, 151, 164, 173, 200, 214, 227, 236, 263, 277, 290, 299, 326, 333, 347, 356,
    108, 131, 387, 400, 401, 408, 409, 431, 444, 445, 452, 453, 475, 488, 489, 496, 497, 519, 532, 533, 540, 541,
)  # fmt: skip
"""Factors of 1 and of the up-samplings, strides of the grids."""

PICODET_KEYS: Final = KeyTable(
    convolutions={
        "backbone.stem": (1,),
        "backbone.stages.0.0": (4, 7),
        "backbone.stages.1.0": (10, 13),
        "backbone.stages.1.1": (16, 19),
        "backbone.stages.2.0": (22, 25),
        "backbone.stages.2.1": (28, 31),
        "backbone.stages.3.0": (35, 38),
        "backbone.stages.3.1": (41, 44),
        "backbone.stages.3.2": (47, 50),
        "backbone.stages.3.3": (53, 56),
        "backbone.stages.3.4": (59, 62),
        "backbone.stages.3.5": (65, 68),
        "backbone.stages.4.0": (72, 77, 80, 84),
        "backbone.stages.4.1": (87, 92, 95, 99),
        "neck.laterals.0": (134,),
        "neck.laterals.1": (111,),
        "neck.laterals.2": (102,),
        "neck.mix_down_16": (116, 119, 122, 125),
        "neck.mix_down_8": (139, 142, 145, 148),
        "neck.shrink_8": (194, 197),
        "neck.mix_up_16": (202, 205, 208, 211),
        "neck.shrink_16": (257, 260),
        "neck.mix_up_32": (265, 268, 271, 274),
        "neck.shrink_lateral_32": (320, 323),
        "neck.shrink_32": (327, 330),
        # In each head: two separable convolutions, gate, mix, class, distributions, two convolutions of the quality.
        "heads.0": (152, 155, 158, 161, 166, 170, 174, 380, 177, 180),
        "heads.1": (215, 218, 221, 224, 229, 233, 237, 424, 240, 243),
        "heads.2": (278, 281, 284, 287, 292, 296, 300, 468, 303, 306),
        "heads.3": (335, 338, 341, 344, 349, 353, 357, 512, 360, 363),
    },
    constants=CONSTANTS,
    factors={
        # The listing's hard sigmoid has its slope of 1/6 rounded to half precision; ours has 1/6.
        "backbone.stages.4.0.squeeze.expand": 6 * 0.1666259765625,
        "backbone.stages.4.1.squeeze.expand": 6 * 0.1666259765625,
    },
)
