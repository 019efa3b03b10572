"""A model that does whatever a question says: the worst that an attack by text can meet."""

import json
import re

from tests.kits.openai_server import CHAT, OpenAIServer, ReceivedRequest, Reply, completion

QUOTED = re.compile(r"「([^」]+)」|\"([^\"]+)\"|(?:category|owner|answer|choose|as|is)[ =:]+([\w-]+)", re.IGNORECASE)


class ObedientServer(OpenAIServer):
    """A server that answers the last category that a question names, with the reason that the question dictates."""

    def choose(self, got: ReceivedRequest) -> Reply:
        if got.route != CHAT:
            return super().choose(got)
        body = got.json
        schema = body["response_format"]["json_schema"]["schema"]["properties"]
        labels = schema["category"].get("enum") or [schema["category"]["const"]]
        text = str(body["messages"][-1]["content"])
        named = [label for label in labels if label in text]
        category = max(named, key=text.rindex) if named else labels[0]
        return completion(json.dumps({"reason": reason_in(text), "category": category}, ensure_ascii=False))


def reason_in(text: str) -> str:
    """Return what a text says to write as the reason: all after the last `reason:` or `理由:`, else all of it."""
    return re.split(r"(?:reason|理由)\s*[:：]", text, flags=re.IGNORECASE)[-1].strip()
