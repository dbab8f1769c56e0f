"""What every table of config.toml is made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Market = Literal["us", "jp", "synthetic"]
Block = Literal["fan", "san", "selection", "temporal", "attention", "gat", "bypass"]
"""Switchable parts of the network. Off = identity (or, for `temporal`, the last session alone)."""
Horizon = Annotated[int, Field(ge=1, le=60)]


class ConfigTable(BaseModel):
    """One table of config.toml. Unknown keys are refused; values never change after loading."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
