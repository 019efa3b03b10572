"""A replica of the bot in which time is ten times dearer, born again and again: `python -m tests.chaos.replica`.

It is `python -m bot run` with nothing changed but how long it waits. A lease that outlives its worker holds a question
up for a minute and a half; a test that kills workers every few seconds cannot wait for that, and a shorter lease means
the same as long as all that must fit into it is shorter too.

Loading the bot takes seconds of a processor, so this process loads it once and forks: for each line on its standard
input a replica, told by its environment alone. `born <pid>` and `gone <exit code>` say what became of it.
"""

import os
import sys

from bot import cli
from bot.app import lifecycle as duty
from bot.app import replicas as sharing
from bot.embedded import LocalModel
from bot.finetunes import status as reporting
from bot.providers.breaker import Breaker
from bot.providers.model import OpenAIModel
from bot.questions import arrivals, catching_up, classifying, delivering, rechecking
from handlers import catch_up
from handlers.slack import connection

TIMES = 10


def hurry() -> None:
    """Divide what the bot waits for by `TIMES`: leases, patience with Slack and the model, pauses between tries."""
    arrivals.ANSWER_LEASE /= TIMES
    arrivals.FIRST_ANSWER_WAIT /= TIMES
    arrivals.LONGEST_ANSWER_WAIT /= TIMES
    delivering.DELIVERY_LEASE /= TIMES
    delivering.FIRST_DELIVERY_WAIT /= TIMES
    delivering.LONGEST_DELIVERY_WAIT /= TIMES
    classifying.RECHECK_AFTER /= TIMES
    rechecking.RECHECK_LEASE /= TIMES
    rechecking.FIRST_RECHECK_WAIT /= TIMES
    rechecking.LONGEST_RECHECK_WAIT /= TIMES
    catching_up.SETTLED /= TIMES
    catching_up.REREAD /= TIMES
    catch_up.SETTLED = catching_up.SETTLED  # type: ignore[attr-defined]  # it is imported there by its name
    catch_up.EVERY /= TIMES
    duty.CATCH_UP_SECONDS /= TIMES
    duty.BEAT = duty.BEAT / TIMES  # type: ignore[attr-defined]  # this one and the next two are imported by their names
    sharing.REPLICA_SILENT_AFTER = reporting.REPLICA_SILENT_AFTER = sharing.REPLICA_SILENT_AFTER / TIMES  # type: ignore[attr-defined]
    sharing.SHORTEST_LEASE /= TIMES
    trainer = LocalModel.__init__.__kwdefaults__ or {}
    trainer["lease"] /= TIMES
    connection.SLACK_SECONDS /= TIMES  # type: ignore[assignment]  # whole seconds, as the bot has them
    patience = OpenAIModel.__init__.__kwdefaults__ or {}
    patience["timeout_s"] /= TIMES
    patience["budget_s"] /= TIMES
    rest = Breaker.__init__.__kwdefaults__ or {}
    rest["rest_s"] /= TIMES


def main() -> None:
    """Bear replicas until the standard input ends."""
    hurry()
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            sys.exit(cli.main(["run", "--log-level", "INFO"]))
        sys.stdout.write(f"born {pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"gone {os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
