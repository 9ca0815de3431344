"""What all JSON of the wire has in common: the fields that are described, and no others."""

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A JSON object of the wire, taken from a value of the services by its fields' names."""

    model_config = ConfigDict(extra="forbid", from_attributes=True, json_schema_serialization_defaults_required=True)
