"""Interactive figures: widgets beside a kernel, self-contained HTML on a page."""

from d2l_lite.figures.beam_search import beam_search
from d2l_lite.figures.cross_attention import cross_attention
from d2l_lite.figures.heads import heads
from d2l_lite.figures.masked_softmax import masked_softmax
from d2l_lite.figures.queries import queries
from d2l_lite.figures.receptive_field import receptive_field
from d2l_lite.figures.training import training

__all__ = [
    "beam_search",
    "cross_attention",
    "heads",
    "masked_softmax",
    "queries",
    "receptive_field",
    "training",
]
