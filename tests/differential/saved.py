"""A small GPT-2 with a tokenizer of its own, saved as a model of the hub is."""

from pathlib import Path

import torch

from course_lib.data import StoryWorld
from course_lib.runtime import generator
from tests.differential.peers import peer

N_TOKENS = 1200  # so that half of the story world's words are one token and half are more


def save_story_gpt2(folder: Path, *, n_layers: int = 3, d_model: int = 48) -> str:
    """Save a GPT-2 with random weights whose tokenizer has read stories; returns the folder."""
    transformers, tokenizers = peer("transformers"), peer("tokenizers")
    world, level = StoryWorld(), tokenizers.pre_tokenizers.ByteLevel
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = level(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=N_TOKENS, initial_alphabet=level.alphabet(), show_progress=False
    )
    stories = world.sample(400, generator(5)).tokens
    tokenizer.train_from_iterator(map(world.decode, stories), trainer)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(folder)
    config = transformers.GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_positions=256, n_embd=d_model, n_head=4,
        n_layer=n_layers, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    model, draw = transformers.GPT2LMHeadModel(config), generator(0)
    with torch.no_grad():  # large enough to matter
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(std=0.15, generator=draw)
    model.save_pretrained(folder)
    return str(folder)
