"""Settings of telemetry, apart from it so that reading settings loads no exporter."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

LogFormat = Literal["auto", "json", "console"]


class TelemetrySettings(BaseModel):
    """``prometheus`` opens the reader behind ``/metrics``; ``temporal_metrics`` is host:port."""

    model_config = ConfigDict(frozen=True)

    service_name: str = "tensorcost"
    log_level: str = "INFO"
    log_format: LogFormat = "auto"
    prometheus: bool = False
    temporal_metrics: str | None = None
