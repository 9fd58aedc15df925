"""Interactive figures: widgets beside a kernel, self-contained HTML on a page."""

from d2l_lite.figures.masked_softmax import masked_softmax

__all__ = ["masked_softmax"]
