"""What every table of config.toml is made of."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

Market = Literal["us", "jp", "synthetic"]
Block = Literal["fan", "san", "selection", "temporal", "attention", "gat", "bypass"]
"""Switchable parts of the network. Off = identity (or, for `temporal`, the last session alone)."""
DERIVED = "derived"
"""Marks a key that no file holds: it is filled when a run begins, and kept with the run."""
Horizon = Annotated[int, Field(ge=1, le=60)]


class ConfigTable(BaseModel):
    """One table of config.toml. Unknown keys are refused; values never change after loading."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_is_true(cls, value: Any, info: ValidationInfo) -> Any:
        """``seed = true`` is no seed of 1, as Python has it."""
        field = cls.model_fields[info.field_name or ""]
        given = value if isinstance(value, list) else [value]
        if any(isinstance(item, bool) for item in given) and not _takes_truth(field.annotation):
            raise ValueError(f"Input should be no truth value (given: {value})")
        return value


def _takes_truth(kind: Any) -> bool:
    return kind is bool or any(map(_takes_truth, get_args(kind)))
