"""Named connections: `connections.yaml` beside the declarations, and what a name stands for.

    vendor:
      region: eu-central-1
      endpoint_url: https://storage.vendor.example
      role_arn: arn:aws:iam::123456789012:role/reader
    partner:
      access_key_id_env: PARTNER_KEY_ID
      secret_access_key_env: PARTNER_SECRET

The name `default` needs no entry: it is the standard AWS chain (environment, profile, container
or instance role). Secrets are never in the file; it names the environment variables that hold them.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import ValidationError, field_validator, model_validator

from ingest_assets.declaration.declared import Declared, UniqueKeyLoader, sentences
from ingest_assets.errors import ConnectionsFileError

CONNECTIONS_FILE = "connections.yaml"


class Connection(Declared):
    """How one object store is reached; every field left out comes from the standard AWS chain."""

    region: str | None = None
    endpoint_url: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    access_key_id_env: str | None = None
    secret_access_key_env: str | None = None
    session_token_env: str | None = None

    @model_validator(mode="after")
    def _both_halves_of_a_key(self) -> "Connection":
        if (self.access_key_id_env is None) != (self.secret_access_key_env is None):
            raise ValueError("access_key_id_env and secret_access_key_env go together")
        if self.external_id is not None and self.role_arn is None:
            raise ValueError("external_id goes with role_arn")
        return self

    @field_validator("endpoint_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.match(r"https?://[^/\s]", value):
            raise ValueError(
                f"{value!r} should begin with http:// or https://, as in http://127.0.0.1:9000"
            )
        return value

    def static_keys(self, env: Mapping[str, str] = os.environ) -> dict[str, str] | None:
        """The keys from the named environment variables; None when none are named.

        Raises:
            ConnectionsFileError: a variable is named and not set.
        """
        names = {
            "aws_access_key_id": self.access_key_id_env,
            "aws_secret_access_key": self.secret_access_key_env,
            "aws_session_token": self.session_token_env,
        }
        wanted = {field: name for field, name in names.items() if name is not None}
        missing = sorted(name for name in wanted.values() if not env.get(name))
        if missing:
            raise ConnectionsFileError(
                f"{CONNECTIONS_FILE} takes keys from {' and '.join(missing)}, and "
                f"{'it is' if len(missing) == 1 else 'they are'} not set in the environment. "
                "Set it for every process of the deployment."
            )
        return {field: env[name] for field, name in wanted.items()} or None


def load_connections(defs: Path) -> dict[str, Connection]:
    """Every named connection of the folder `defs`, `default` among them.

    Raises:
        ConnectionsFileError: the file does not hold; every problem with its field is named.
    """
    path = defs / CONNECTIONS_FILE
    if not path.exists():
        return {"default": Connection()}
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        shown = " ".join(str(error).split())
        raise ConnectionsFileError(f"{path}: is not YAML: {shown}") from error
    if not isinstance(content, dict):
        raise ConnectionsFileError(f"{path}: should be a mapping from names to connections")
    connections, problems = {"default": Connection()}, []
    for name, fields in content.items():
        try:
            connections[str(name)] = Connection.model_validate({} if fields is None else fields)
        except ValidationError as error:
            # without the values: one that is misplaced may be a secret
            said = sentences(error, Connection, str(name), shows_values=False)
            problems += [f"{path}: {sentence}" for sentence in said]
    if problems:
        raise ConnectionsFileError("\n".join(problems))
    return connections
