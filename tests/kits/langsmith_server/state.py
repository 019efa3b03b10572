"""The state of the stand-in."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.kits.langsmith_server.datasets import Datasets
from tests.kits.langsmith_server.traces import Traces

WORKSPACE = "11111111-1111-4111-8111-111111111111"


class State:
    """The datasets, the traces, and the answer of `/info`."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.fromtimestamp(time.time(), UTC)) -> None:
        self._clock = clock
        self.info: dict[str, Any] = {
            "version": "0.16.20",
            "instance_flags": {"dataset_examples_multipart_enabled": True, "zstd_compression_enabled": True},
            "batch_ingest_config": {
                "use_multipart_endpoint": True,
                "scale_up_qsize_trigger": 1_000,
                "scale_up_nthreads_limit": 16,
                "scale_down_nempty_trigger": 4,
                "size_limit": 100,
                "size_limit_bytes": 20_971_520,
            },
        }
        self.datasets = Datasets(self.now)
        self.traces = Traces(self.now, WORKSPACE)
        self._last = datetime.fromtimestamp(0, UTC)

    def now(self) -> datetime:
        """Return the time, always later than before, so that each change is a version of its own."""
        self._last = max(self._clock(), self._last + timedelta(microseconds=1))
        return self._last
