"""The sentence encoder that the settings name, and what the embedded model knows about itself."""

from collections.abc import Sequence

from bot.domain.errors import ModelError
from bot.domain.fallback import WITHOUT_ENCODER
from bot.domain.release import ModelName
from bot.embedded import Encoder, EncoderUnavailable, FetchedEncoder, LocalModel, Vectors
from bot.ports import Clock, Store
from bot.providers.breaker import Breaker
from bot.providers.embedding import Embeddings
from bot.providers.providers import Providers
from bot.providers.tokens import OfflineEstimator


def encoder_of(
    named: ModelName | str, providers: Providers, store: Store, clock: Clock, breaker: Breaker | None = None
) -> Encoder | str:
    """Return the encoder: a service, or the name of a package or of none, which the embedded model loads itself.

    Args:
        named: The setting BOT_ENCODER.
        providers: The SDK clients; the service may be another provider's than the model that answers.
        store: Keeps the vectors.
        clock: The time.
        breaker: Stops requests to a service that is down; None makes one.
    """
    if isinstance(named, str):
        return named
    service, name = (
        Embeddings(named, providers, store, clock, estimator=OfflineEstimator(), breaker=breaker),
        str(named),
    )

    async def fetch(texts: Sequence[str]) -> Vectors:
        try:
            return await service.vectors(texts)
        except ModelError as error:
            raise EncoderUnavailable(str(error), name, error.trouble.value) from None

    return FetchedEncoder(name, fetch)


class EmbeddedModel:
    """`ports.Embedded` for the model in this process."""

    def __init__(self, local: LocalModel) -> None:
        self._local = local

    def revision(self, model: ModelName) -> str | None:
        return self._local.revision(model.model) if model.provider == WITHOUT_ENCODER.provider else None

    def reads_here(self, model: ModelName) -> bool:
        return model.provider == WITHOUT_ENCODER.provider and self._local.reads_here(model.model)

    async def other_encoder(self, model: ModelName) -> str | None:
        return await self._local.other_encoder(model.model) if model.provider == WITHOUT_ENCODER.provider else None

    async def read_ahead(self, model: ModelName, questions: Sequence[str], examples: Sequence[str]) -> None:
        if model.provider == WITHOUT_ENCODER.provider:
            await self._local.read_ahead(model.model, questions, examples)
