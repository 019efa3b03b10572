"""The recipients of questions, as askers are told."""

from bot.domain.privacy import Privacy
from bot.domain.release import ModelName

LOCAL, HOSTED = ModelName(provider="local", model="base"), ModelName(provider="openai", model="gpt-6-luna")


def test_text_stays_with_the_embedded_model() -> None:
    assert Privacy().recipients([LOCAL]) == []


def test_every_other_recipient_is_named_once() -> None:
    encoder = ModelName(provider="acme", model="embed")
    privacy = Privacy(fallback=HOSTED, encoder=encoder, tracker=True)
    assert privacy.recipients([LOCAL, HOSTED]) == ["openai", "acme", "LangSmith"]


def test_server_elsewhere_named_local_is_a_recipient() -> None:
    assert Privacy(embedded=False).recipients([LOCAL]) == ["local"]
