# SPDX-License-Identifier: Apache-2.0
"""The tokenizer of the tiny models: byte-level BPE with 320 entries (3 special, 256 bytes, 61 merges)."""

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

VOCAB_SIZE = 320
SPECIAL = ["<|pad|>", "<|bos|>", "<|eos|>"]
PAD, BOS, EOS = 0, 1, 2

TEXT = """The cache keeps what the next token will need, and the method says what that is.
One token after the other is read, scored and kept, or it is dropped and never seen again.
A long prompt is read once; the tokens that matter are in the cache when the answer begins.
for (int i = 0; i < n; i++) { sum += x[i] * y[i]; } return sum;
There is the thing that the others then think through, and the rest is in the reading.
"""


def make(add_bos):
    """A tokenizers.Tokenizer, the same on every run; add_bos: a post-processor puts <|bos|> first."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    tok.train_from_iterator([TEXT], trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE, min_frequency=1, show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=[AddedToken(s, special=True, normalized=False) for s in SPECIAL]))
    if add_bos:
        tok.post_processor = processors.TemplateProcessing(
            single="<|bos|> $A", pair="<|bos|> $A <|bos|> $B", special_tokens=[("<|bos|>", BOS)])
    assert tok.get_vocab_size() == VOCAB_SIZE
    return tok
