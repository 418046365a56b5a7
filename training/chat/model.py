"""A lean Llama for training on a CPU: the same mathematics and weight names as ``LlamaForCausalLM``.

With ``normed_heads`` it is a ``Qwen3ForCausalLM``: queries and keys are normed head by head.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

MASKED = -1e9


@dataclass(frozen=True)
class Shape:
    """The sizes of the model, and whether its queries and keys are normed (Qwen 3) or not (Llama)."""

    vocabulary: int = 4096
    width: int = 192
    layers: int = 5
    heads: int = 3
    kv_heads: int = 1
    head_width: int = 64
    hidden: int = 576
    context: int = 512
    rope_theta: float = 10000.0
    normed_heads: bool = False
    epsilon: float = 1e-6


class Norm(nn.Module):
    """Root mean square norm."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, states: Tensor) -> Tensor:
        return functional.rms_norm(states, (states.shape[-1],), self.weight, self.epsilon)


def rotate(states: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding, halves layout."""
    first, second = states.chunk(2, -1)
    return torch.cat((first * cosine - second * sine, second * cosine + first * sine), -1)


class Attention(nn.Module):
    """Grouped-query attention."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        query, key = shape.heads * shape.head_width, shape.kv_heads * shape.head_width
        self.q_proj = nn.Linear(shape.width, query, bias=False)
        self.k_proj = nn.Linear(shape.width, key, bias=False)
        self.v_proj = nn.Linear(shape.width, key, bias=False)
        self.o_proj = nn.Linear(query, shape.width, bias=False)
        if shape.normed_heads:
            self.q_norm, self.k_norm = (Norm(shape.head_width, shape.epsilon) for _ in range(2))

    def forward(self, states: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        batch, length, _ = states.shape
        shape = self.shape
        query = self.q_proj(states).view(batch, length, shape.heads, shape.head_width).transpose(1, 2)
        key = self.k_proj(states).view(batch, length, shape.kv_heads, shape.head_width).transpose(1, 2)
        value = self.v_proj(states).view(batch, length, shape.kv_heads, shape.head_width).transpose(1, 2)
        if shape.normed_heads:
            query, key = self.q_norm(query), self.k_norm(key)
        query, key = rotate(query, cosine, sine), rotate(key, cosine, sine)
        repeats = shape.heads // shape.kv_heads
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        scores = torch.matmul(query, key.transpose(-1, -2)) * shape.head_width**-0.5 + mask
        mixed = torch.matmul(torch.softmax(scores, -1), value)
        mixed = mixed.transpose(1, 2).reshape(batch, length, shape.heads * shape.head_width)
        out: Tensor = self.o_proj(mixed)
        return out


class Feedforward(nn.Module):
    """Gated linear unit with SiLU."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down_proj = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, states: Tensor) -> Tensor:
        out: Tensor = self.down_proj(functional.silu(self.gate_proj(states)) * self.up_proj(states))
        return out


class Block(nn.Module):
    """One transformer layer."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.self_attn = Attention(shape)
        self.mlp = Feedforward(shape)
        self.input_layernorm = Norm(shape.width, shape.epsilon)
        self.post_attention_layernorm = Norm(shape.width, shape.epsilon)

    def forward(self, states: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
        states = states + self.self_attn(self.input_layernorm(states), cosine, sine, mask)
        out: Tensor = states + self.mlp(self.post_attention_layernorm(states))
        return out


class LeanLlama(nn.Module):
    """The whole network, with tied embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = Norm(shape.width, shape.epsilon)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (math.sqrt(2 * shape.layers) if deep else 1))
        steps = torch.arange(0, shape.head_width, 2) / shape.head_width
        angles = torch.outer(torch.arange(shape.context).float(), 1 / shape.rope_theta**steps)
        self.register_buffer("cosine", angles.cos(), persistent=False)
        self.register_buffer("sine", angles.sin(), persistent=False)

    def states(self, ids: Tensor, segments: Tensor) -> Tensor:
        """The last states at every place; a token sees only its own segment."""
        length = ids.shape[1]
        cosine, sine = self.get_buffer("cosine")[:length], self.get_buffer("sine")[:length]
        causal = torch.ones(length, length, dtype=torch.bool).tril()
        visible = (segments[:, :, None] == segments[:, None, :]) & causal
        mask = torch.where(visible, 0.0, MASKED)[:, None]
        states = self.embed_tokens(ids)
        for layer in self.layers:
            states = layer(states, cosine, sine, mask)
        out: Tensor = self.norm(states)
        return out

    def forward(self, ids: Tensor, segments: Tensor) -> Tensor:
        """Scores of the next token at every place."""
        return functional.linear(self.states(ids, segments), self.embed_tokens.weight)


def weighted_loss(
    model: LeanLlama, ids: Tensor, segments: Tensor, *, places: Tensor, targets: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """The weighted loss of the targets at some places of the batch, and the loss of answers alone."""
    states = model.states(ids, segments).flatten(0, 1)[places]
    losses = functional.cross_entropy(functional.linear(states, model.embed_tokens.weight), targets, reduction="none")
    answers = (weights == 1).float()
    return (losses * weights).sum() / weights.sum(), (losses * answers).sum().detach() / answers.sum()
