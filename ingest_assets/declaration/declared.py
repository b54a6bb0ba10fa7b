"""What everything that a person declares in YAML has in common."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
)

# libyaml's parser takes a fifth of the time; PyYAML is sometimes built without it.
_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class UniqueKeyLoader(_SafeLoader):  # type: ignore[valid-type,misc]
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
        mapping: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return mapping


class Declared(BaseModel):
    """Frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def refuse_doubles(terms: Sequence[object], texts: list[str]) -> None:
    """Nothing, unless a term is there twice; `texts` are the terms as they were written."""
    for index, term in enumerate(terms):
        if term in terms[:index]:
            raise ValueError(f"has {texts[index]!r} twice; leave one out")


def sentences(
    error: ValidationError, model: type[BaseModel], place: str, *, shows_values: bool = True
) -> list[str]:
    """Every problem of what was written for `model` at `place`, as `place.field: what is wrong`."""
    return [
        f"{'.'.join([place, *map(str, detail['loc'])])}: {_sentence(detail, model)}"
        for detail in error.errors(include_input=shows_values)
    ]


def _sentence(detail: Any, model: type[BaseModel]) -> str:
    match detail["type"]:
        case "missing":
            return "is required and missing"
        case "value_error":
            return str(detail["ctx"]["error"])
        case "extra_forbidden":
            *parents, name = detail["loc"]
            known = _fields_at(model, parents)
            meant = did_you_mean(name, known) or f"; the fields are {', '.join(known)}"
            return f"is not a field here{meant}"
    said: str = detail["msg"][0].lower() + detail["msg"][1:]
    if "input" in detail:
        said += f", not {detail['input']!r}"
    if detail["type"] == "literal_error":
        said += did_you_mean(detail.get("input"), re.findall("'(.*?)'", detail["ctx"]["expected"]))
    return said


def did_you_mean(written: object, known: Sequence[str]) -> str:
    """The end of a sentence that offers the nearest of what is known; empty if none is near."""
    nearest = get_close_matches(str(written).lower(), known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _fields_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The names, as people write them, of the fields of the model at that place."""
    for name in place:
        if isinstance(name, str):
            model = next(_models_in(_fields(model)[name]))
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation such as `Schedule | None` or `list[Column]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
