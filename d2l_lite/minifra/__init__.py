"""mini-fra: an English–French corpus written by a grammar of our own, with gold word alignments.

`generate` needs no file but the three tables beside it and no network. `grammar` builds phrases in
both languages at once and says how words are aligned; `sentences` chooses what to say.
"""

from d2l_lite.minifra.sentences import generate

__all__ = ["generate"]
