"""The running bot: wiring, start and stop, readiness, telemetry, and the replay."""
