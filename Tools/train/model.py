"""A Llama-style transformer (RMSNorm, RoPE split-half, grouped queries, SwiGLU, tied head) with biases on q, k and v, as Qwen2 has them."""
import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from vocabulary import SIZE


@dataclass
class Shape:
    layers: int = 6
    width: int = 128
    heads: int = 8
    kv_heads: int = 4
    head_dim: int = 64
    hidden: int = 384
    theta: float = 10000.0


class Block(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.attention_norm, self.mlp_norm = nn.RMSNorm(s.width, eps=1e-5), nn.RMSNorm(s.width, eps=1e-5)
        self.q = nn.Linear(s.width, s.heads * s.head_dim)
        self.k = nn.Linear(s.width, s.kv_heads * s.head_dim)
        self.v = nn.Linear(s.width, s.kv_heads * s.head_dim)
        self.o = nn.Linear(s.heads * s.head_dim, s.width, bias=False)
        self.gate, self.up = nn.Linear(s.width, s.hidden, bias=False), nn.Linear(s.width, s.hidden, bias=False)
        self.down = nn.Linear(s.hidden, s.width, bias=False)

    def forward(self, x, cos, sin):
        batch, length, _ = x.shape
        y = self.attention_norm(x)

        def heads(rows, rotate):
            rows = rows.view(batch, length, -1, self.s.head_dim).transpose(1, 2)
            if not rotate:
                return rows
            a, b = rows.chunk(2, -1)
            return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)

        q, k, v = heads(self.q(y), True), heads(self.k(y), True), heads(self.v(y), False)
        group = self.s.heads // self.s.kv_heads
        out = F.scaled_dot_product_attention(q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), is_causal=True)
        x = x + self.o(out.transpose(1, 2).reshape(batch, length, -1))
        y = self.mlp_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Model(nn.Module):
    def __init__(self, shape: Shape):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(SIZE, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, eps=1e-5)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02 if p.shape[0] == SIZE else 1 / math.sqrt(p.shape[1]) / 2)
        for block in self.blocks:
            for linear in (block.q, block.k, block.v):
                nn.init.zeros_(linear.bias)
            block.o.weight.data /= math.sqrt(2 * shape.layers)
            block.down.weight.data /= math.sqrt(2 * shape.layers)
        self.look_back()

    def look_back(self):
        """Starts the first layer with heads that look one, two and three tokens back, which training alone finds only after a
        long plateau: a constant key, and a constant query turned by that distance, in the 12 fastest frequencies."""
        s, first = self.shape, self.blocks[0]
        half, fast, strength = s.head_dim // 2, 12, 5.0
        angles = s.theta ** (-torch.arange(half) / half)
        for head, distance in zip(range(s.heads), (1, 2, 1, 3, 1, 2, 0, 0)):
            q, k = first.q.bias.data[head * s.head_dim :], first.k.bias.data[head // (s.heads // s.kv_heads) * s.head_dim :]
            if distance:
                k[:fast], k[half : half + fast] = strength, 0
                q[:fast], q[half : half + fast] = strength * torch.cos(angles[:fast] * -distance), strength * torch.sin(angles[:fast] * -distance)

    def forward(self, tokens):
        half = self.shape.head_dim // 2
        frequencies = self.shape.theta ** (-torch.arange(half) / half)
        angles = torch.arange(tokens.shape[1])[:, None] * frequencies[None]
        x = self.embedding(tokens)
        for block in self.blocks:
            x = block(x, angles.cos().to(x), angles.sin().to(x))
        return self.norm(x) @ self.embedding.weight.T

    def config(self):
        return asdict(self.shape)
