"""What a fine-tuning job makes: layers of trained weights over what the prompt says, in one safe file."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.encoders import Encoder, load
from bot.embedded.features import Floats, Vocabulary
from bot.embedded.linear import Linear, softmax

_HUMILITY = 1.5  # a temperature
TRUST = 5
"""So many rows of a category weigh as much as what was known of it before."""


@dataclass(frozen=True)
class Layer:
    """The weights that one job learned, and how many rows of each label it learned from."""

    linear: Linear
    rows: tuple[int, ...]


@dataclass(frozen=True)
class Trained:
    """The layers of a model, the oldest first. No layers and temperature 1 is the base model."""

    layers: tuple[Layer, ...] = ()
    temperature: float = 1.0
    encoder: Encoder | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that any layer was trained on."""
        return tuple(dict.fromkeys(label for layer in self.layers for label in layer.linear.labels))

    def rows_of(self, labels: Sequence[str]) -> Floats:
        """Return how many rows of each label the layers have seen in all."""
        seen = np.zeros(len(labels), dtype=np.float32)
        for layer in self.layers:
            rows = dict(zip(layer.linear.labels, layer.rows, strict=True))
            seen += [rows.get(label, 0) for label in labels]
        return seen

    def mixed(self, prior: Floats, labels: Sequence[str], text: str) -> Floats:
        """Return the probabilities before the temperature: each layer mixed, per label, with what was known before it.

        Args:
            prior: What the prompt alone says, a probability a label.
            labels: The labels to choose from; those a layer does not know keep what was known before.
            text: The question.
        """
        known = humbled(prior) if self.layers else prior
        seen = np.full(len(labels), TRUST, dtype=np.float32)
        for layer in self.layers:
            rows = np.zeros(len(labels), dtype=np.float32)
            said = np.zeros(len(labels), dtype=np.float32)
            at = [(labels.index(label), own) for own, label in enumerate(layer.linear.labels) if label in labels]
            if not at:
                continue
            here, own = (np.array(side) for side in zip(*at, strict=True))
            said[here] = softmax(layer.linear.logits(text)[own])
            rows[here] = np.array(layer.rows)[own]
            known = blended(known, said, seen, rows)
            seen = seen + rows
        return known

    def probabilities(self, prior: Floats, labels: Sequence[str], text: str) -> Floats:
        """Return the calibrated probability of each label; see `mixed`."""
        return tempered(self.mixed(prior, labels, text), self.temperature)


def humbled(prior: Floats) -> Floats:
    """Flatten what the prompt says before rows are mixed in, lest a label without rows win by filler words."""
    return tempered(prior, _HUMILITY)


def blended(known: Floats, said: Floats, seen: Floats, rows: Floats) -> Floats:
    """Mix two opinions per label by the rows behind each; also for a matrix with a row a question."""
    share = seen / (seen + rows)
    mix = share * known + (1 - share) * said
    mixed: Floats = mix / mix.sum(axis=-1, keepdims=True)
    return mixed


def tempered(probabilities: Floats, temperature: float) -> Floats:
    """Sharpen (below 1) or flatten (above 1) probabilities without changing their order."""
    return softmax((np.log(np.maximum(probabilities, 1e-12)) / temperature).astype(np.float32))


def to_bytes(model: Trained, encoder: str = "") -> bytes:
    """Write a model as a compressed npz without pickled parts; the same model gives the same bytes."""
    arrays: dict[str, np.ndarray] = {}
    layers = []
    for at, layer in enumerate(model.layers):
        linear = layer.linear
        arrays[f"weights{at}"] = linear.weights.astype(np.float16)
        arrays[f"bias{at}"] = linear.bias
        arrays[f"rarity{at}"] = linear.vocabulary.rarity
        layers.append({"labels": linear.labels, "rows": layer.rows, "grams": list(linear.vocabulary.columns)})
    about = {"temperature": model.temperature, "encoder": encoder, "layers": layers}
    arrays["about"] = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def from_bytes(data: bytes, encoder: str = "") -> Trained:
    """Read what `to_bytes` wrote; never runs code from the file.

    Raises:
        ValueError: The model was trained with another encoder than the one that is set here.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].tobytes().decode())
        if about["encoder"] != encoder:
            raise ValueError(
                f"The model was trained with the encoder {about['encoder']!r}, but {encoder!r} is set here."
            )
        layers = []
        for at, one in enumerate(about["layers"]):
            columns = {gram: column for column, gram in enumerate(one["grams"])}
            vocabulary = Vocabulary(columns, arrays[f"rarity{at}"], load(encoder))
            weights = arrays[f"weights{at}"].astype(np.float32)
            linear = Linear(tuple(one["labels"]), vocabulary, weights, arrays[f"bias{at}"])
            layers.append(Layer(linear, tuple(one["rows"])))
    return Trained(tuple(layers), about["temperature"], load(encoder))
