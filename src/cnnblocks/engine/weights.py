"""Which registered networks a weight file fits."""

from cnnblocks import weights
from cnnblocks.engine.registry import Context, method


@method("weights.identify")
def identify_file(context: Context, path: str, pattern: str = "*") -> dict:
    """The networks that fit, with the arguments that build them so."""
    from cnnblocks.networks.candidates import candidates

    with weights.open(path) as table:
        structure = weights.table_structure(table)
        found = weights.identify(table, candidates(structure, pattern))
    return {"parameters": structure.parameters, "matches": [one.to_json() for one in found]}
