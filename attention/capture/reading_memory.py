"""Memory that making a reading takes beside the weights, from the run and its model's config: an upper bound.

Owns what a forward pass holds for the pass back. Weights are no part of the graph, so a projection holds nothing; norms
hold what they are given in float32, attention its queries, keys, values and output, an MLP the results of its two
projections and of their product. All of that grows with the tokens. With tokens x tokens grow the masks, biases and
choices of keys that a model itself makes, and the scores of one layer, up to a limit, where attention is written out.
"""

from __future__ import annotations

from typing import Any

from attention.families.towers import TowerShape
from attention.models.scores import CHUNK_BYTES
from attention.readings.cost import Cost
from attention.runs.layer_file import LayerFile
from attention.runs.run import Run

BATCH_BYTES = 1 << 30  # of what the members of a batch hold at a time
STATES = 16  # numbers that a layer holds of each token at a time, as multiples of its width: MLPs are as wide

IN_FLOAT32 = 4  # bytes in which norms compute, whatever the weights are
NORMS = 4  # of a layer, over its whole width: before and after attention and MLP
LINEAR, LINEAR_BLOCK = 32, 3 * 64  # tensors like its values of a layer of linear attention, and pairs of each token
FORMS = ("causal", "full", "segments")  # masks that need no tokens x tokens
CHUNKS = 6  # tensors of scores at a time, where attention is written out
MASKS, BIASES, CHOICE = 12, 3, 8  # bytes of a pair of a layer's mask; biases at a time; bytes of a pair and chooser
LOGITS = 20  # bytes of a logit: as the model has it, in float32, its logarithm, and gradients
EXPERTS = ("num_experts_per_tok", "moe_k", "moe_topk", "top_k_experts")
SHARED = ("n_shared_experts", "moe_num_shared_experts", "num_shared_experts")
STREAMS = ("hc_count", "hc_mult")  # of residuals beside each other
MOST_MERGED = 4  # patches along each side of what one image token is made of


def reading_memory(run: Run, cost: Cost, config: Any, towers: dict[str, TowerShape], item: int) -> int:
    """Bytes that making a reading holds beside the weights; `item` are those of a number of the model."""
    text = config.get_text_config(decoder=True)
    answered = len(run.info["tokens"]) - (run.info["prompt_tokens"] or 0) + 1
    n_bytes = answered * text.vocab_size * LOGITS
    # of one layer at a time what is not kept, and on the way back its gradients
    n_bytes += max(
        (2 if name in cost.through else 1)
        * _tokens(run, name, _config(config, name))
        * _largest(_config(config, name), towers[name], item)
        for name in towers
    )
    n_bytes += cost.memory_bytes
    n_bytes += sum(_graph(run, _config(config, name), name, towers[name], cost, item) for name in cost.through)
    members = members_at_once(run, text.vocab_size, text.hidden_size, item)
    of_batch = (min(cost.hidden, members) + 1) * member_bytes(run, text.vocab_size, text.hidden_size, item)
    return max(n_bytes, of_batch if cost.hidden else 0)


def members_at_once(run: Run, vocabulary: int, width: int, item: int) -> int:
    """Members of a batch that have room at a time with their hidden edges, states and logits."""
    return max(1, BATCH_BYTES // member_bytes(run, vocabulary, width, item))


def member_bytes(run: Run, vocabulary: int, width: int, item: int) -> int:
    """Bytes of one member of a batch: of every pair of a query and a key as many as there are heads, and its states."""
    n = len(run.info["tokens"])
    edges = max(run.queries(tower) * run.keys(tower) for tower in run.towers() if tower != "vision")
    numbers = STATES * width * n + vocabulary * (n - run.info["prompt_tokens"] + 1)
    return edges * max(run.heads("language"), 1) + numbers * item


def _graph(run: Run, config: Any, tower: str, shape: TowerShape, cost: Cost, item: int) -> int:
    """Bytes of all layers of a tower that the graph has.

    It begins at the first output of attention: before that, layers of another kind are no part of it, but where the
    vision tower's outputs are.
    """
    tokens = run.queries(tower)
    begins = 0 if "vision" in cost.through else min(shape.layers)
    others = sum(layer > begins for layer in shape.others) if begins else len(shape.others)
    total = sum(tokens * (_softmax(config, shape, layer, item) + _mlp(config, item)) for layer in shape.layers)
    total += tokens * others * (_other(config, item) + _mlp(config, item))
    return total + _squares(run, tower, config, shape)


def _largest(config: Any, shape: TowerShape, item: int) -> int:
    """Bytes for each token of the layer that has most."""
    own = [_softmax(config, shape, layer, item) for layer in shape.layers]
    return max([*own, _other(config, item) if shape.others else 0]) + _mlp(config, item)


def _softmax(config: Any, shape: TowerShape, layer: int, item: int) -> int:
    """Bytes for each token of attention: queries, keys, values, output and its gate, and norms."""
    kv_heads, width = shape.sizes_of(layer)
    own, shared = shape.heads * width, kv_heads * width
    return item * (4 * own + 3 * shared) + IN_FLOAT32 * (own + shared + shape.heads + NORMS * _width(config))


def _other(config: Any, item: int) -> int:
    """Bytes for each token of a layer without softmax: of linear attention as PyTorch has it, or a convolution."""
    heads = getattr(config, "linear_num_value_heads", None) or 0
    widest = max(getattr(config, f"linear_{name}_head_dim", None) or 0 for name in ("key", "value"))
    linear = heads * (LINEAR * widest + LINEAR_BLOCK)
    return IN_FLOAT32 * (NORMS * _width(config) + linear) + item * 6 * _width(config)


def _mlp(config: Any, item: int) -> int:
    """Bytes for each token of an MLP, or of the experts that are chosen for it."""
    width = _width(config)
    ratio = getattr(config, "mlp_ratio", None) or 4
    dense = getattr(config, "intermediate_size", None) or int(width * ratio)
    dense = max(dense, getattr(config, "intermediate_size_mlp", None) or 0)
    chosen, shared = _first(config, EXPERTS), _first(config, SHARED)
    expert = getattr(config, "moe_intermediate_size", None) or dense
    expert = max(expert) if isinstance(expert, list | tuple) else expert
    own = getattr(config, "shared_expert_intermediate_size", None) or 0
    experts = (chosen + shared) * expert + own if chosen else 0
    return item * (3 * max(dense, experts) + 3 * chosen * width)


def _width(config: Any) -> int:
    widths = [getattr(config, name, None) for name in ("hidden_size", "embed_dim")]
    return max(width for width in widths if isinstance(width, int)) * max(1, _first(config, STREAMS))


def _first(config: Any, names: tuple[str, ...]) -> int:
    return next((number for name in names if (number := getattr(config, name, None))), 0)


def _squares(run: Run, tower: str, config: Any, shape: TowerShape) -> int:
    """Bytes of tokens x tokens: masks that layers share, scores of one layer, biases, and choices of keys."""
    pairs, masks, written, biases = run.queries(tower) * run.keys(tower), set[str](), 0, 0
    for layer in run.layers(tower):
        with LayerFile(run.layer_file(layer, tower)) as file:
            name = file.metadata["mask"]
            masks |= set() if name in FORMS else {name}
            is_written = bool(file.metadata.get("softcap")) or "sink_logits" in file
            biases += "position_bias" in file
        written = max(written, CHUNKS * min(IN_FLOAT32 * shape.heads * pairs, CHUNK_BYTES) if is_written else 0)
    of_masks = (len(masks) + MASKS) * pairs if masks else 0
    of_biases = (biases + BIASES) * IN_FLOAT32 * shape.heads * pairs if biases else 0
    choosers = getattr(config, "indexer_n_heads", None) or 0  # Qwen4-Exp scores all pairs to choose some of them
    return of_masks + written + of_biases + CHOICE * choosers * pairs * len(shape.layers)


def _config(config: Any, tower: str) -> Any:
    text = config.get_text_config(decoder=True)
    return (getattr(config, "vision_config", None) or text) if tower == "vision" else text


def _tokens(run: Run, tower: str, config: Any) -> int:
    """Queries of a tower; of a vision tower that the run did not keep as many as an image token has patches."""
    if tower in run.towers():
        return run.queries(tower)
    patches = (getattr(config, "spatial_merge_size", None) or MOST_MERGED) ** 2
    return patches * sum(token["role"] == "image" for token in run.info["tokens"]) if tower == "vision" else 0
