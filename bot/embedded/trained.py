"""Fine-tuned models: layers of trained weights on top of the prompt, stored in one safe file."""

import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bot.embedded.centres import summary_of
from bot.embedded.doubted import Doubted
from bot.embedded.encoders import Encoder
from bot.embedded.features import (
    GRAM_HASH,
    Floats,
    HashedColumns,
    TextSpace,
    Vocabulary,
    casefolded,
    gram_hash,
    hashes_of,
)
from bot.embedded.linear import LinearModel, softmax

LEARNER = 8
"""Revision of the learner. Raise it with each change after which the same training or question gives other answers."""

_PRIOR_TEMPERATURE = 1.5
PRIOR_ROWS = 5
"""Number of rows of a category that weigh as much as the prior knowledge about the category."""
NOVELTY_STRENGTH = 2.0
"""Measured: how much a text that is less like all known texts than usual flattens the probabilities."""


@dataclass(frozen=True)
class Layer:
    """The weights that one job learned, and the number of training rows of each label.

    Attributes:
        linear: The weights.
        rows: The number of training rows of each label of `linear`.
        trust: The layer's share where rows alone would decide, 0..1; less than 1 if the layer lost to what it was
            trained on top of.
    """

    linear: LinearModel
    rows: tuple[int, ...]
    trust: float = 1.0


@dataclass(frozen=True)
class KnownTexts:
    """A model's memory of the texts that it was trained on.

    Attributes:
        vectors: The centred meanings of the prompt's texts, and centres of several rows each. Models of learner 4 and
            before had the meaning of each row, until `with_centres`.
        typical: How like its nearest known text a question usually is: a cosine similarity.
        digests: The first 8 bytes of the hash of each trained question.
    """

    vectors: Floats = field(default_factory=lambda: np.zeros((0, 0), dtype=np.float32))
    typical: float = 0.0
    digests: frozenset[bytes] = frozenset()

    def sharpness(self, meanings: Floats) -> Floats:
        """Return for each text how much sharper (above 1) or flatter its probabilities should be than usual."""
        if not self.vectors.size or not meanings.size:
            return np.ones(len(meanings), dtype=np.float32)
        return sharpness(np.asarray((meanings @ self.vectors.T).max(axis=1)), self.typical)

    def holds(self, text: str) -> bool:
        """Return whether the model was trained on this question."""
        return digest(text) in self.digests


def sharpness(nearest: Floats, typical: float) -> Floats:
    """Return the sharpness of answers, from the likeness of each text to the nearest known one."""
    found: Floats = np.exp(NOVELTY_STRENGTH * (nearest - np.float32(typical))).astype(np.float32)
    return found


def digest(text: str) -> bytes:
    """Return 8 bytes that stand for a question, whatever its case, width and white space."""
    return hashlib.sha256(" ".join(casefolded(text).split()).encode()).digest()[:8]


@dataclass(frozen=True)
class TrainedModel:
    """The layers of a model, the oldest first; the base model has no layers and temperature 1.

    `known` and `doubted` are of the last training. They flatten the answers to questions that are new to the model.
    """

    layers: tuple[Layer, ...] = ()
    temperature: float = 1.0
    encoder: Encoder | None = None
    known: KnownTexts = field(default_factory=KnownTexts)
    doubted: Doubted = field(default_factory=Doubted)

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

    def raw_probabilities(self, prior: Floats, labels: Sequence[str], texts: Sequence[str]) -> Floats:
        """Return the probabilities before calibration, one row per text.

        Each layer is blended, label by label, with the result of the layers before it.

        Args:
            prior: Probability of each label according to the prompt alone, one row per text.
            labels: The labels to choose from; a layer has no say on labels that it was not trained on.
            texts: The questions.
        """
        known, seen = flatten_prior(prior) if self.layers else prior, np.full(len(labels), PRIOR_ROWS, dtype=np.float32)
        for layer in self.layers:
            at = [(labels.index(label), own) for own, label in enumerate(layer.linear.labels) if label in labels]
            if not at:
                continue
            here, own = (np.array(side) for side in zip(*at, strict=True))
            predicted = np.zeros((len(texts), len(labels)), dtype=np.float32)
            predicted[:, here] = softmax(layer.linear.all_logits(texts)[:, own])
            rows = np.zeros(len(labels), dtype=np.float32)
            rows[here] = np.array(layer.rows)[own]
            known = blend(known, predicted, seen, rows, layer.trust)
            seen = seen + rows
        return known

    def probabilities(self, prior: Floats, labels: Sequence[str], texts: Sequence[str]) -> Floats:
        """Return the calibrated probability of each label; see `raw_probabilities` for arguments and result."""
        found = self.raw_probabilities(prior, labels, texts)
        if not self.layers:
            return apply_temperature(found, self.temperature)
        meanings = self.layers[-1].linear.space.meanings(texts)
        sharp = self.known.sharpness(meanings) * self.doubted.sharpness(meanings)
        return apply_temperature(found, np.float32(self.temperature) / sharp[:, None])


def flatten_prior(prior: Floats) -> Floats:
    """Flatten the prompt's probabilities, so that filler words do not let a label without rows win."""
    return apply_temperature(prior, _PRIOR_TEMPERATURE)


def blend(known: Floats, predicted: Floats, seen: Floats, rows: Floats, trust: float = 1.0) -> Floats:
    """Return the average of two probability vectors, weighted per label by the number of rows behind each.

    Both may also be matrices with one row per question. `trust` scales the share of `predicted`.
    """
    share = trust * rows / (seen + rows)
    mix = (1 - share) * known + share * predicted
    blended: Floats = mix / mix.sum(axis=-1, keepdims=True)
    return blended


def apply_temperature(probabilities: Floats, temperature: Floats | float) -> Floats:
    """Sharpen (below 1) or flatten (above 1) probabilities without changing their order."""
    return softmax((np.log(np.maximum(probabilities, 1e-12)) / temperature).astype(np.float32))


def to_bytes(model: TrainedModel) -> bytes:
    """Serialize a model as a compressed npz file without pickled parts; equal models give equal bytes."""
    arrays: dict[str, np.ndarray] = {}
    layers = []
    for at, layer in enumerate(model.layers):
        linear, space = layer.linear, layer.linear.space
        arrays[f"weights{at}"] = linear.character_weights.astype(np.float16)
        arrays[f"meanings{at}"] = linear.meaning_weights.astype(np.float32)
        arrays[f"bias{at}"] = linear.bias
        arrays[f"rarity{at}"] = space.vocabulary.rarity
        arrays[f"grams{at}"] = np.frombuffer(b"".join(hashes_of(space.vocabulary.columns)), dtype=np.uint8)
        if space.centre is not None:
            arrays[f"centre{at}"] = space.centre
        layers.append(
            {
                "labels": linear.labels,
                "rows": layer.rows,
                "trust": layer.trust,
                "encoder": space.encoder.name if space.encoder else "",
            }
        )
    arrays["known"] = model.known.vectors.astype(np.float16)
    arrays["doubted"] = model.doubted.directions
    arrays["digests"] = np.frombuffer(b"".join(sorted(model.known.digests)), dtype=np.uint8)
    about = {
        "temperature": model.temperature,
        "encoder": model.encoder.name if model.encoder else "",
        "typical": model.known.typical,
        "usual": model.doubted.usual,
        "layers": layers,
    }
    arrays["about"] = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


class TrainedElsewhere(ValueError):  # noqa: N818 - reads as what happened
    """A model that needs another encoder than the one that is set.

    Args:
        needed: The name of the encoder that the model was trained with.
        name: The name of the encoder that is set; empty for none.
    """

    def __init__(self, needed: str, name: str) -> None:
        set_here = f"but {name or 'none'!r} is set here. Set that encoder again, or train a new model from 'base'."
        super().__init__(f"The model was trained with the encoder {needed!r}, {set_here}")
        self.needed = needed


def encoder_of_bytes(data: bytes) -> str:
    """Return the name of the encoder that a stored model needs; empty for none."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return str(json.loads(arrays["about"].tobytes().decode())["encoder"])


def from_bytes(data: bytes, encoder: Encoder | None = None) -> TrainedModel:
    """Load a model that `to_bytes` or an earlier revision of it wrote; no code from the file is run.

    Raises:
        TrainedElsewhere: The model needs another encoder than `encoder`.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].tobytes().decode())
        name = encoder.name if encoder else ""
        if about["encoder"] not in {"", name}:
            raise TrainedElsewhere(about["encoder"], name)
        layers = tuple(_layer(one, at, arrays, encoder) for at, one in enumerate(about["layers"]))
        known = KnownTexts()
        if "known" in arrays:
            digests = arrays["digests"].tobytes()
            known = KnownTexts(arrays["known"].astype(np.float32), about["typical"], frozenset(_pieces(digests)))
        doubted = Doubted(arrays["doubted"], about.get("usual", 0.0)) if "doubted" in arrays else Doubted()
    return TrainedModel(layers, about["temperature"], encoder, known, doubted)


def without_texts(data: bytes) -> bytes:
    """Return a stored model without what it remembers of single texts: vectors, digests, and the names of features.

    Its answers then no longer depend on how new a question is to it, nor on what it was unsure of.
    """
    arrays, about = _with_hashed_features(data)
    arrays["known"], arrays["digests"] = np.zeros((0, 0), dtype=np.float16), np.zeros(0, dtype=np.uint8)
    arrays["doubted"] = np.zeros((0, 0), dtype=np.float32)
    return _packed(arrays, about | {"typical": 0.0})


def with_centres(data: bytes) -> bytes:
    """Return a stored model of learner 4 or before with what later ones keep: centres of texts, and hashed features.

    Which of its vectors are the prompt's is not known, so all of them become centres.
    """
    arrays, about = _with_hashed_features(data)
    vectors = arrays.get("known", np.zeros((0, 0))).astype(np.float32)
    if not vectors.size:
        return _packed(arrays, about)
    centres, nearest = summary_of(vectors)
    arrays["known"] = centres.astype(np.float16)
    return _packed(arrays, about | {"typical": float(np.median(nearest))})


def _with_hashed_features(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    with np.load(io.BytesIO(data), allow_pickle=False) as stored:
        arrays = dict(stored)
    about = json.loads(arrays["about"].tobytes().decode())
    for at, one in enumerate(about["layers"]):
        if "grams" in one:
            arrays[f"grams{at}"] = np.frombuffer(b"".join(map(gram_hash, one.pop("grams"))), dtype=np.uint8)
    return arrays, about


def _packed(arrays: dict[str, np.ndarray], about: dict[str, Any]) -> bytes:
    arrays["about"] = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8)
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **arrays)
    return out.getvalue()


def _layer(one: dict[str, Any], at: int, arrays: np.lib.npyio.NpzFile, encoder: Encoder | None) -> Layer:
    if "grams" in one:  # written before features were hashed
        columns: Mapping[str, int] = {gram: column for column, gram in enumerate(one["grams"])}
    else:
        columns = HashedColumns(list(_pieces(arrays[f"grams{at}"].tobytes())))
    vocabulary = Vocabulary(columns, arrays[f"rarity{at}"])
    weights = arrays[f"weights{at}"].astype(np.float32)
    meanings = np.zeros((0, weights.shape[1]), dtype=np.float32)
    space = TextSpace(vocabulary)
    if one.get("encoder"):
        meanings = arrays[f"meanings{at}"]
        space = TextSpace(vocabulary, encoder, arrays[f"centre{at}"])
    linear = LinearModel(tuple(one["labels"]), space, weights, meanings, arrays[f"bias{at}"])
    return Layer(linear, tuple(one["rows"]), one.get("trust", 1.0))


def _pieces(hashes: bytes) -> Iterable[bytes]:
    return (hashes[start : start + GRAM_HASH] for start in range(0, len(hashes), GRAM_HASH))
