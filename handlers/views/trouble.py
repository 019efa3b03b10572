"""The message about a provider's trouble: the cause, what to do, and what came of it."""

from bot.domain.errors import ModelError, Trouble
from bot.domain.release import ModelName
from bot.domain.trouble import TroubleReport
from handlers.texts.escape import escaped
from handlers.texts.words import Words
from handlers.views.message import Message, context, section

OF_ONE_MODEL = frozenset({Trouble.UNKNOWN_MODEL, Trouble.UNKNOWN_PROVIDER, Trouble.UNUSABLE})
"""Troubles that another model may not have."""


def trouble(report: TroubleReport, link: str | None, words: Words) -> Message:
    """Return the message for the people who run the bot; `link` is the permalink of the question that it is about."""
    question = words("outage.question", link=link) if link else words("outage.hidden_question")
    facts = {"question": question, "counted": report.counted, "billed": report.billed}
    facts["encoder"] = escaped(report.encoder or "")
    told = cause(report.asked, report.trouble, words, **facts)
    effects = [effect(report, words)]
    if report.others and report.trouble in OF_ONE_MODEL:
        effects.append(words("outage.switch"))
    said = " ".join(effects)
    return Message(f"{told} {said}", [section(f"⚠️ {told}"), context(said)])


def cause(model: ModelName, what: Trouble, words: Words, **facts: object) -> str:
    """Return what is wrong with a model's provider and what to do, as mrkdwn.

    FILTERED needs the fact `question`, CUT needs `counted` and `billed`, and OTHER_ENCODER needs `encoder`.
    """
    of_model = {
        "provider": escaped(model.provider),
        "model": escaped(str(model)),
        "name": escaped(model.model),
        "key": escaped(key_name(model)),
        "address": escaped(base_url_name(model)),
    }
    return words(f"trouble.{what.value}", **of_model, **facts)


def explained(error: ModelError, words: Words) -> str | None:
    """Return what is wrong, as mrkdwn, if only people can end it or a question was filtered; None for all else."""
    if error.model is None or not (error.trouble.lasting or error.trouble is Trouble.FILTERED):
        return None
    facts = {"question": words("outage.some_question"), "encoder": escaped(error.encoder or "")}
    return words("outage.unchanged", cause=cause(ModelName.parse(error.model), error.trouble, words, **facts))


def effect(report: TroubleReport, words: Words) -> str:
    """Return what becomes of the questions meanwhile."""
    name = escaped(report.fallback or "")
    if report.trouble is Trouble.CUT:
        return words("outage.cut")
    if report.trouble is Trouble.FILTERED:
        return words("outage.filtered_fallback", name=name) if name else words("outage.filtered")
    return words("outage.fallback", name=name) if name else words("outage.no_fallback")


def key_name(model: ModelName) -> str:
    """Return the name of the setting that holds the API key of this model's provider."""
    name = model.provider.upper()
    return "OPENAI_API_KEY" if name == "OPENAI" else f"BOT_PROVIDERS__{name}__API_KEY"


def base_url_name(model: ModelName) -> str:
    """Return the name of the setting that holds the address of this model's provider."""
    return f"BOT_PROVIDERS__{model.provider.upper()}__BASE_URL"
