"""The ChatML form in which Pip reads a conversation."""

from collections.abc import Sequence

from tokenizers import Tokenizer

from training.chat.corpus import END, START, token_id
from training.chat.exchange import Turn

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def prompt_ids(tokenizer: Tokenizer, turns: Sequence[Turn]) -> list[int]:
    """Token ids of a conversation that waits for an answer. Marks inside people's words stay plain text."""
    start, end = token_id(tokenizer, START), token_id(tokenizer, END)
    line = tokenizer.encode("\n").ids
    ids: list[int] = []
    for role, text in turns:
        plain = text.replace(START, "").replace(END, "")
        ids += [start, *tokenizer.encode(f"{role}\n").ids, *tokenizer.encode(plain).ids, end, *line]
    return [*ids, start, *tokenizer.encode("assistant\n").ids]
