"""A tiny Llama with its own tokenizer, made on the spot and converted by the builder whose folders the engine reads."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from playground.catalog.spec import ModelSpec
from playground.engines.contract import EngineOptions
from playground.engines.pool import EnginePool

TEMPLATE = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TEXTS = [
    "Xin chào! Bạn khoẻ không? Mình tên là Pip, mình ở trong máy này.",
    "Hello! How are you today? The quick brown fox jumps over the lazy dog.",
    "Việt Nam có nhiều cảnh đẹp; người ta thường uống cà phê vào buổi sáng.",
]


def make_tokenizer() -> tokenizers.Tokenizer:
    """Byte-level BPE with ChatML's control tokens."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    return tokenizer


def make_spec(engine: str, path: Path | None = None, name: str = "tiny") -> ModelSpec:
    """A row of the catalogue."""
    return ModelSpec(
        id=name,
        name=name.capitalize(),
        family="test",
        engine=engine,
        context_length=0,
        description={},
        licence="",
        languages=(),
        path=path,
    )


def save_llama(folder: Path, core: tokenizers.Tokenizer, template: str) -> None:
    """A random Llama as transformers saves it. Its wide initialisation leaves no ties between tokens."""
    import torch  # noqa: PLC0415
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast  # noqa: PLC0415

    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=core.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<|endoftext|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    fast.chat_template = template
    fast.save_pretrained(folder)


@pytest.fixture(scope="session")
def hf_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference: a random Llama."""
    folder = tmp_path_factory.mktemp("hf")
    save_llama(folder, make_tokenizer(), TEMPLATE)
    return folder


@pytest.fixture(scope="session")
def convert(hf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Converts the reference to a precision, once per session."""
    made: dict[str, Path] = {}

    def converted(precision: str) -> Path:
        if precision not in made:
            from onnxruntime_genai.models.builder import create_model, parse_extra_options  # noqa: PLC0415

            folder = tmp_path_factory.mktemp(precision)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                arguments = ("", str(hf_folder), str(folder), precision, "cpu", str(folder / "cache"))
                create_model(*arguments, **parse_extra_options(*arguments, []))
            made[precision] = folder
        return made[precision]

    return converted


@pytest.fixture(scope="session")
def fp32_folder(convert: Callable[[str], Path]) -> Path:
    """The reference in ONNX with the same weights."""
    return convert("fp32")


@pytest.fixture
def new_pool() -> Iterator[Callable[..., EnginePool]]:
    """Makes pools and closes them."""
    pools: list[EnginePool] = []

    def make(**changes: Any) -> EnginePool:
        settings = {"max_models": 2, "idle_seconds": 0, "start_seconds": 60, "stall_seconds": 30} | changes
        pools.append(EnginePool(settings.pop("options", EngineOptions(threads=1, max_batch=4)), **settings))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


class Reference:
    """What transformers computes with the same weights."""

    def __init__(self, folder: Path) -> None:
        import torch  # noqa: PLC0415
        from transformers import LlamaForCausalLM  # noqa: PLC0415

        torch.set_num_threads(1)
        self._torch = torch
        self._known: dict[tuple[tuple[int, ...], int], list[int]] = {}
        self._model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The answer's tokens, up to and including an end-of-answer token."""
        key = (tuple(prompt), count)
        if key not in self._known:
            self._known[key] = self._generate(prompt, count)
        return self._known[key]

    def _generate(self, prompt: list[int], count: int) -> list[int]:
        ids = self._torch.tensor([prompt])
        answer = self._model.generate(
            ids,
            attention_mask=self._torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=count,
            eos_token_id=2,
            pad_token_id=0,
        )
        return [int(index) for index in answer[0, len(prompt) :]]

    def logprobs(self, tokens: list[int]) -> Any:
        """Log-probabilities [tokens, vocabulary] after each token, as a NumPy array."""
        return self._torch.log_softmax(self.logits(tokens).double(), -1).numpy()

    def logits(self, tokens: list[int]) -> Any:
        """Logits [tokens, vocabulary] after each token."""
        with self._torch.no_grad():
            return self._model(self._torch.tensor([tokens])).logits[0]


@pytest.fixture(scope="session")
def reference(hf_folder: Path) -> Reference:
    """The model in transformers."""
    return Reference(hf_folder)
