"""Fine-tuned models: layers of trained weights on top of the prompt, stored in one safe file."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.encoders import Encoder, load
from bot.embedded.features import Floats, Vocabulary
from bot.embedded.linear import LinearModel, softmax

_PRIOR_TEMPERATURE = 1.5
PRIOR_ROWS = 5
"""Number of rows of a category that weigh as much as the prior knowledge about the category."""


@dataclass(frozen=True)
class Layer:
    """The weights that one job learned, and the number of training rows of each label."""

    linear: LinearModel
    rows: tuple[int, ...]


@dataclass(frozen=True)
class TrainedModel:
    """The layers of a model, the oldest first; the base model has no layers and temperature 1."""

    layers: tuple[Layer, ...] = ()
    temperature: float = 1.0
    encoder: Encoder | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """All labels that any layer was trained on."""
        return tuple(dict.fromkeys(label for layer in self.layers for label in layer.linear.labels))

    def rows_of(self, labels: Sequence[str]) -> Floats:
        """Return the number of training rows of each label, summed over all layers."""
        seen = np.zeros(len(labels), dtype=np.float32)
        for layer in self.layers:
            rows = dict(zip(layer.linear.labels, layer.rows, strict=True))
            seen += [rows.get(label, 0) for label in labels]
        return seen

    def raw_probabilities(self, prior: Floats, labels: Sequence[str], text: str) -> Floats:
        """Return the probabilities before calibration.

        Each layer is blended, label by label, with the result of the layers before it.

        Args:
            prior: Probability of each label according to the prompt alone.
            labels: The labels to choose from; a layer has no say on labels that it was not trained on.
            text: The question.
        """
        known = flatten_prior(prior) if self.layers else prior
        seen = np.full(len(labels), PRIOR_ROWS, dtype=np.float32)
        for layer in self.layers:
            rows = np.zeros(len(labels), dtype=np.float32)
            predicted = np.zeros(len(labels), dtype=np.float32)
            at = [(labels.index(label), own) for own, label in enumerate(layer.linear.labels) if label in labels]
            if not at:
                continue
            here, own = (np.array(side) for side in zip(*at, strict=True))
            predicted[here] = softmax(layer.linear.logits(text)[own])
            rows[here] = np.array(layer.rows)[own]
            known = blend(known, predicted, seen, rows)
            seen = seen + rows
        return known

    def probabilities(self, prior: Floats, labels: Sequence[str], text: str) -> Floats:
        """Return the calibrated probability of each label; see `raw_probabilities` for the arguments."""
        return apply_temperature(self.raw_probabilities(prior, labels, text), self.temperature)


def flatten_prior(prior: Floats) -> Floats:
    """Flatten the prompt's probabilities, so that filler words do not let a label without rows win."""
    return apply_temperature(prior, _PRIOR_TEMPERATURE)


def blend(known: Floats, predicted: Floats, seen: Floats, rows: Floats) -> Floats:
    """Return the average of two probability vectors, weighted per label by the number of rows behind each.

    Both may also be matrices with one row per question.
    """
    share = seen / (seen + rows)
    mix = share * known + (1 - share) * predicted
    blended: Floats = mix / mix.sum(axis=-1, keepdims=True)
    return blended


def apply_temperature(probabilities: Floats, temperature: float) -> Floats:
    """Sharpen (below 1) or flatten (above 1) probabilities without changing their order."""
    return softmax((np.log(np.maximum(probabilities, 1e-12)) / temperature).astype(np.float32))


def to_bytes(model: TrainedModel, encoder: str = "") -> bytes:
    """Serialize a model as a compressed npz file without pickled parts; equal models give equal bytes."""
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


def from_bytes(data: bytes, encoder: str = "") -> TrainedModel:
    """Load a model that `to_bytes` wrote; no code from the file is run.

    Raises:
        ValueError: The model was trained with another encoder than `encoder`.
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
            linear = LinearModel(tuple(one["labels"]), vocabulary, weights, arrays[f"bias{at}"])
            layers.append(Layer(linear, tuple(one["rows"])))
    return TrainedModel(tuple(layers), about["temperature"], load(encoder))
