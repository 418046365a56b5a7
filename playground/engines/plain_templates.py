"""Plain chat templates for base models, which were trained on no form of conversation and so bring none.

A catalogue row names one: `engine_options = { template = "dialogue" }`. They use no control tokens besides the model's
own. What people type is joined to them as to every other template: a control token in a message is
taken apart (see `tokenizer`), and a line that looks like a speaker's name is only words to the model.
"""

from __future__ import annotations

_START = "{{ bos_token if bos_token is defined and bos_token else '' }}"

PLAIN_TEMPLATES: dict[str, str] = {
    # Goes on writing where the text ends: what a base model was made for.
    "continue": _START + "{% for m in messages %}{{ m['content'] }}{% endfor %}",
    # A transcript of two speakers; the rows that use it stop at "\nUser:".
    "dialogue": _START
    + "{% for m in messages %}"
    + "{% if m['role'] == 'system' %}{{ m['content'] + '\n\n' }}"
    + "{% else %}{{ ('User: ' if m['role'] == 'user' else 'Assistant: ') + m['content'] + '\n' }}{% endif %}"
    + "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}",
    # OpenAssistant's own form, whose repositories hold no template.
    "openassistant": "{% for m in messages %}"
    "{{ ('<|prompter|>' if m['role'] == 'user' else '<|assistant|>' if m['role'] == 'assistant' else '<|system|>')"
    " + m['content'] + eos_token }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}",
    # Instruction and response, as in Alpaca: many older fine-tunes without a template were trained on it.
    "instruction": _START
    + "{% for m in messages %}"
    + "{% if m['role'] == 'system' %}{{ m['content'] + '\n\n' }}"
    + "{% elif m['role'] == 'user' %}{{ '### Instruction:\n' + m['content'] + '\n\n' }}"
    + "{% else %}{{ '### Response:\n' + m['content'] + '\n\n' }}{% endif %}"
    + "{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}",
}
