"""Draw the book's diagrams: `python book/figures/draw.py` writes the SVG files beside this one
and the picture that opens the book.

Every drawing reads from top to bottom, as a page does: source words, encoder, attention, decoder,
target words. What numbers and weights they show is computed here.
"""

from pathlib import Path

import of_attention
import of_convolutions
import of_models
import of_transformer

DRAWINGS = (
    of_attention.hello_world,
    of_attention.attention_layer,
    of_models.encoder,
    of_models.decoder_start,
    of_models.decoder_every_step,
    of_models.decoder_attention,
    of_attention.context_from_states,
    of_attention.dot_product_score,
    of_models.attention_seq2seq,
    of_models.second_step,
    of_models.layers,
    of_convolutions.conv_encoder,
    of_convolutions.conv_block,
    of_convolutions.conv_decoder,
    of_transformer.transformer,
    of_transformer.transformer_block,
)


def drawings() -> dict[Path, str]:
    """Where each drawing lies in the folder book/, and its text."""
    return {Path(f"figures/{draw.__name__}.svg"): draw().svg() for draw in DRAWINGS}


if __name__ == "__main__":
    for path, text in drawings().items():
        (Path(__file__).parents[1] / path).write_text(text, encoding="utf-8")
