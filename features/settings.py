"""Settings that training and service share: where things lie, and which encoder and store.

Built in `__main__` or `create_app` from environment variables with the prefix ``CREATORFIT_``, and
passed on. Importing this reads nothing.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class HomeSettings(BaseSettings):
    """Where the product keeps what it writes, and the model registry."""

    model_config = SettingsConfigDict(env_prefix="CREATORFIT_", frozen=True)

    home: Path = Field(Path("var"), description="Folder for all that the product writes")
    tracking_uri: str = Field("", description="MLflow store or server; empty: mlflow.db in HOME")

    database_url: str = Field(
        "", description="Database of what was served and came of it; empty: service.db in HOME"
    )

    shared_bundles: str = Field(
        "",
        description="Folder of versions fetched for serving, which several services may share; "
        "empty: bundles in HOME",
    )

    @property
    def registry_uri(self) -> str:
        return self.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"

    @property
    def store_url(self) -> str:
        return self.database_url or f"sqlite:///{self.home / 'service.db'}"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    @property
    def bundles(self) -> Path:
        return Path(self.shared_bundles) if self.shared_bundles else self.home / "bundles"
