"""Classification of one question by the prompt, the trained layers and the examples in the chat."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.embedded.courtesies import COURTESIES, sentence_weights
from bot.embedded.encoders import LONG_TEXT, parts_of, sentences_of
from bot.embedded.features import AnyColumns, Floats, TextSpace, casefolded, gram_counts
from bot.embedded.linear import documents_of, from_prompt, softmax
from bot.embedded.prompt import guess_labels
from bot.embedded.reasons import Span, candidate_words, deciding_words, like_example, quoted_reason, without_word
from bot.embedded.stories import STORY_SENTENCES
from bot.embedded.tickets import is_ticket, request_in
from bot.embedded.trained import PRIOR_ROWS, TrainedModel, digest
from bot.embedded.writing import usual_writing

Shot = tuple[str, str]
"""An example question from the chat, and its label."""

# Measured on questions of two languages: how often the nearest settled question has the right label, by its likeness.
_MEANING_MIDDLE, _CHARACTER_MIDDLE = 0.3, 0.25
_STEEPNESS = 12.0
_SHOT_WEIGHT = 0.5
"""Measured: several examples of one label are not independent, and neither are they of the prompt."""
_SAME_TEXT = 0.95
"""Likeness from which an example is the question itself, so that it counts even if the model was trained on it."""
_SAME_TEXT_SUPPORT = 9.0
"""Such an example adds this to the log-odds of its label, and so decides against all but the surest answers."""
_QUOTABLE_LIKENESS = 0.6


@dataclass(frozen=True)
class Prediction:
    """The probability of each label, and the reason for the likeliest label."""

    labels: tuple[str, ...]
    probabilities: Floats
    reason: str

    @property
    def label(self) -> str:
        return self.labels[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        return float(self.probabilities.max())


def classify(
    model: TrainedModel,
    prompt: str,
    labels: Sequence[str],
    question: str,
    shots: Sequence[Shot] = (),
    *,
    explain: bool = True,
) -> Prediction:
    """Choose one of the labels; equal arguments always give the same answer.

    A single label needs no choice. Its reason quotes the words that support it against the other labels of the model
    and the prompt. The first classification by a prompt takes longer: call it outside the event loop.

    Args:
        model: The trained model; a model without layers knows only the prompt.
        prompt: The system message.
        labels: The labels to choose from: at least one, without duplicates.
        question: The question to classify.
        shots: Example questions from the chat with their labels; examples closer to the question count more.
        explain: Whether to look for a reason, which costs some more encodings; else the reason is empty.
    """
    choices = tuple(labels)
    chooser = _Chooser(model, prompt, _choices(model, prompt, choices), shots)
    question = chooser.request(question)
    if len(choices) == 1:
        return Prediction(choices, np.ones(1, dtype=np.float32), chooser.reason(question, choices[0]))
    probabilities = chooser.probabilities(question)
    label = choices[int(probabilities.argmax())]
    return Prediction(choices, probabilities, chooser.reason(question, label) if explain else "")


def texts_to_encode(
    model: TrainedModel, prompt: str, labels: Sequence[str], question: str, shots: Sequence[Shot]
) -> list[str]:
    """Return the texts whose vectors `classify` needs, for an encoder that is elsewhere."""
    # What is read of a ticket depends on what the company knows, and is encoded later.
    parts = STORY_SENTENCES if is_ticket(question) else [question, *parts_of(question)]
    known = [text for text, _ in [*shots, *documents_of(prompt, _choices(model, prompt, tuple(labels)))]]
    return [*parts, *(COURTESIES if len(parts) > 1 else ()), *known]


def _choices(model: TrainedModel, prompt: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels to choose from; for a single one also those that it is explained against, itself first."""
    return labels if len(labels) > 1 else tuple(dict.fromkeys((*labels, *model.labels, *guess_labels(prompt))))


class _Chooser:
    """The model, the prompt and the examples together, as one function from texts to probabilities."""

    def __init__(self, model: TrainedModel, prompt: str, labels: tuple[str, ...], shots: Sequence[Shot]) -> None:
        self._model = model
        self._labels = labels
        self._shots = [shot for shot in shots if shot[1] in labels]
        self._prompt = prompt
        self._prompt_model = from_prompt(prompt, labels, model.encoder)
        self._answers: dict[str, Floats] = {}
        self._of_ticket = False

    def request(self, text: str) -> str:
        """Return what a ticket asks, in the writing that the encoder knows best; a text that is known as it is."""
        if self._is_known(text):
            return text
        spaces = [self._prompt_model.space, *(layer.linear.space for layer in self._model.layers)]
        written = usual_writing(text, AnyColumns([space.vocabulary.columns for space in spaces]))
        if not self._model.encoder:
            return written
        found = request_in(written, self._space(), self._known, self._known_texts)
        self._of_ticket = found != written
        return found

    def probabilities(self, text: str) -> Floats:
        """Return the probability of each label.

        A text of several sentences is answered as the mean of itself and its sentences. Each counts the more, the
        surer its own answer is and the less it is a courtesy. A text that is known word for word is answered whole.
        """
        parts = parts_of(text) if self._model.encoder else []
        if not parts or self._is_known(text):
            alone: Floats = self._of_whole([text])[0]
            return alone
        answers = self._of_whole([text, *parts])
        shares = self._weights([text, *parts]) * answers.max(axis=1)
        found: Floats = shares @ answers / shares.sum()
        return found

    def _is_known(self, text: str) -> bool:
        return self._model.known.holds(text) or digest(text) in {digest(example) for example, _ in self._shots}

    def _weights(self, parts: Sequence[str]) -> Floats:
        return sentence_weights(self._space(), self._known, parts)

    @property
    def _known(self) -> Floats:
        """The meanings of what the company asks."""
        texts = self._known_texts
        return self._space().lasting_meanings(texts) if texts else self._model.known.vectors

    @functools.cached_property
    def _known_texts(self) -> tuple[str, ...]:
        """The prompt's texts, if the model remembers no questions."""
        if self._model.known.vectors.size:
            return ()
        return tuple(text for text, _ in documents_of(self._prompt, self._labels))

    def _of_whole(self, texts: Sequence[str]) -> Floats:
        """Return the probabilities of each text read as a whole, one row per text; a text is answered once."""
        if new := [text for text in dict.fromkeys(texts) if text not in self._answers]:
            self._answers.update(zip(new, self._answered(new), strict=True))
        return np.array([self._answers[text] for text in texts])

    def _answered(self, texts: Sequence[str]) -> Floats:
        found = self._without_shots(texts)
        if not self._shots:
            return found
        scores = np.log(np.maximum(found, 1e-9))
        for shot, likeness in zip(self._shots, self._likeness(texts).T, strict=True):
            counted = likeness >= _SAME_TEXT if shot in self._learned_shots else likeness > 0
            scores[:, self._labels.index(shot[1])] += np.where(counted, self._support(likeness), 0)
        return softmax(scores)

    def _without_shots(self, texts: Sequence[str]) -> Floats:
        prior = softmax(self._prompt_model.all_logits(texts))
        return self._model.probabilities(prior, self._labels, texts)

    @functools.cached_property
    def _learned_shots(self) -> frozenset[Shot]:
        """The examples that the model was trained on and answers as they say.

        Of the others, some were corrected since the training, and some are answered wrongly in spite of it.
        """
        known = [shot for shot in self._shots if self._model.known.holds(shot[0])]
        if not known:
            return frozenset()
        answers = self._without_shots([text for text, _ in known]).argmax(axis=1)
        return frozenset(shot for shot, at in zip(known, answers.tolist(), strict=True) if self._labels[at] == shot[1])

    def _likeness(self, texts: Sequence[str]) -> Floats:
        """Return the likeness of each text to each example."""
        examples = [text for text, _ in self._shots]
        space = self._space()
        if space.encoder is None:
            return np.array(
                [[_character_likeness(one, other) for other in examples] for one in texts], dtype=np.float32
            )
        found: Floats = space.meanings(texts) @ space.meanings(examples).T
        return found

    def _space(self) -> TextSpace:
        return (self._model.layers[-1].linear if self._model.layers else self._prompt_model).space

    def _support(self, likeness: Floats) -> Floats:
        """Return what an example of this likeness adds to the log-odds of its label."""
        middle = _CHARACTER_MIDDLE if self._space().encoder is None else _MEANING_MIDDLE
        right = np.clip(1 / (1 + np.exp(-_STEEPNESS * (likeness - middle))), 1e-3, 0.99)
        support = np.maximum(_SHOT_WEIGHT * np.log(right / (1 - right) * max(len(self._labels) - 1, 1)), 0)
        return np.where(likeness >= _SAME_TEXT, _SAME_TEXT_SUPPORT, support).astype(np.float32)

    def reason(self, question: str, label: str) -> str:
        """Return a reason of words without which the label would be less likely, or of the example most like it."""
        at = self._labels.index(label)
        if self._of_ticket or len(question) > LONG_TEXT:
            sentences = sentences_of(question) if len(question) > LONG_TEXT else parts_of(question) or [question]
            support = self._of_whole(sentences)[:, at]
            support = support * self._weights(sentences) if self._model.encoder else support
            question = sentences[int(support.argmax())]
        words = deciding_words(question, self._effects(question, label))
        if words:
            return quoted_reason(question, words)
        if self._shots and self._space().encoder:
            likeness = self._likeness([question])[0]
            nearest = int(likeness.argmax())
            text, shot_label = self._shots[nearest]
            if shot_label == label and likeness[nearest] >= _QUOTABLE_LIKENESS:
                return like_example(question, text)
        return ""

    def _effects(self, question: str, label: str) -> dict[Span, float]:
        """Return for each candidate word how far the label's log-odds fall without it.

        An encoder that is elsewhere is not asked again for each word: there, the evidence of characters stands in.
        """
        evidence = self._evidence(question, label)
        spans = candidate_words(question, evidence)
        if not spans or len(self._labels) == 1:
            return {}
        if self._model.encoder and not self._model.encoder.in_package:
            return {span: float(evidence[slice(*span)].sum()) for span in spans}
        chances = self._of_whole([question, *(without_word(question, span) for span in spans)])
        chosen = np.clip(chances[:, self._labels.index(label)], 1e-6, 1 - 1e-6)
        odds = np.log(chosen / (1 - chosen))
        return dict(zip(spans, (odds[0] - odds[1:]).tolist(), strict=True))

    def _evidence(self, question: str, label: str) -> Floats:
        """Combine the evidence of the prompt and of each layer, in the proportions that their probabilities have."""
        found, seen = self._prompt_model.evidence(question, label), float(PRIOR_ROWS)
        for layer in self._model.layers:
            if label in layer.linear.labels:
                rows = layer.rows[layer.linear.labels.index(label)]
                share = seen / (seen + rows)
                found = share * found + (1 - share) * layer.linear.evidence(question, label)
                seen += rows
        return found if len(found) else np.zeros(len(casefolded(question)), dtype=np.float32)


def _character_likeness(first: str, second: str) -> float:
    """Return the cosine similarity of two texts' features, from 0 to 1."""
    left, right = gram_counts(first), gram_counts(second)
    shared = sum(count * right.get(gram, 0) for gram, count in left.items())
    size = sum(count**2 for count in left.values()) * sum(count**2 for count in right.values())
    return float(shared / size**0.5) if size else 0.0
