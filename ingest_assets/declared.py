"""What every part of the declaration has in common."""

from typing import Any

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict


class UniqueKeyLoader(yaml.SafeLoader):
    """Reads plain YAML, and refuses a key that is written twice in one place."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node.

        Raises:
            yaml.YAMLError: a key is in it twice; of such two, YAML itself would keep the last.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"{key.value!r} is written twice", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class Declared(BaseModel):
    """Frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def not_yet(default: object) -> AfterValidator:
    """Accept the default of a field whose work is not built yet, and refuse any other value."""

    def only_default(value: Any) -> Any:
        if value != default:
            shown = default.model_dump() if isinstance(default, BaseModel) else default
            raise ValueError(f"not available yet; leave it out or write {shown!r}")
        return value

    return AfterValidator(only_default)
