"""Everything put together and kept running: wiring, start and stop, readiness, replay."""
