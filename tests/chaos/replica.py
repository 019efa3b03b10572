"""A launcher of replicas with short timeouts: `python -m tests.chaos.replica`.

A replica is `python -m bot run` with all waits divided by SPEEDUP. In use, a killed worker's lease blocks its question
for a minute and a half. A test that kills a worker every few seconds cannot wait that long. The other waits must fit
into the lease, so they are shortened with it.

Loading the bot takes seconds of processor time, so this process loads it once and then forks. Each line on standard
input starts one replica, which is configured by the environment alone. Standard output reports `born <pid>` and
`gone <exit code>`.
"""

import os
import sys

from bot import cli
from bot.app import lifecycle, replicas
from bot.embedded import LocalModel
from bot.finetunes import status
from bot.forgetting import reaching
from bot.providers.breaker import Breaker
from bot.providers.model import OpenAIModel
from bot.questions import arrivals, catching_up, classifying, delivering, rechecking
from handlers import catch_up
from handlers.slack import connection

SPEEDUP = 10


def shorten_waits() -> None:
    """Divide the bot's leases, timeouts and retry delays by SPEEDUP."""
    arrivals.ANSWER_LEASE /= SPEEDUP
    arrivals.FIRST_ANSWER_WAIT /= SPEEDUP
    arrivals.LONGEST_ANSWER_WAIT /= SPEEDUP
    delivering.DELIVERY_LEASE /= SPEEDUP
    delivering.FIRST_DELIVERY_WAIT /= SPEEDUP
    delivering.LONGEST_DELIVERY_WAIT /= SPEEDUP
    reaching.REACH_LEASE /= SPEEDUP
    reaching.FIRST_REACH_WAIT /= SPEEDUP
    reaching.LONGEST_REACH_WAIT /= SPEEDUP
    reaching.COPIES_WAIT /= SPEEDUP
    classifying.RECHECK_AFTER /= SPEEDUP
    rechecking.RECHECK_LEASE /= SPEEDUP
    rechecking.FIRST_RECHECK_WAIT /= SPEEDUP
    rechecking.LONGEST_RECHECK_WAIT /= SPEEDUP
    catching_up.EVENT_GRACE /= SPEEDUP
    catching_up.REREAD /= SPEEDUP
    # These constants are imported by name, so the copy in each importing module is replaced.
    catch_up.SETTLED = catching_up.EVENT_GRACE  # type: ignore[attr-defined]
    lifecycle.BEAT = lifecycle.BEAT / SPEEDUP  # type: ignore[attr-defined]
    replicas.REPLICA_SILENT_AFTER = status.REPLICA_SILENT_AFTER = replicas.REPLICA_SILENT_AFTER / SPEEDUP  # type: ignore[attr-defined]
    catch_up.READ_INTERVAL /= SPEEDUP
    lifecycle.CATCH_UP_SECONDS /= SPEEDUP
    replicas.REPLICA_LEASE /= SPEEDUP
    connection.SLACK_SECONDS /= SPEEDUP  # type: ignore[assignment]  # the bot has whole seconds
    trainer_defaults = LocalModel.__init__.__kwdefaults__ or {}
    trainer_defaults["lease"] /= SPEEDUP
    model_defaults = OpenAIModel.__init__.__kwdefaults__ or {}
    model_defaults["timeout_s"] /= SPEEDUP
    model_defaults["budget_s"] /= SPEEDUP
    breaker_defaults = Breaker.__init__.__kwdefaults__ or {}
    breaker_defaults["rest_s"] /= SPEEDUP


def main() -> None:
    """Start one replica after the other until standard input ends."""
    shorten_waits()
    for _ in sys.stdin:
        pid = os.fork()
        if not pid:
            sys.exit(cli.main(["run", "--log-level", "INFO"]))
        sys.stdout.write(f"born {pid}\n")
        sys.stdout.flush()
        _, wait_status = os.waitpid(pid, 0)
        sys.stdout.write(f"gone {os.waitstatus_to_exitcode(wait_status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
