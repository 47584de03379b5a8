"""The proofs that are quick enough, and that each of them can fail."""

import pytest
from checker import Mutation, Property, prove, refute
from properties import PROPERTIES

# Of parts that a proof cuts, some are never elaborated.
pytestmark = pytest.mark.filterwarnings("ignore::amaranth.hdl.UnusedElaboratable")

_QUICK = [shown for shown in PROPERTIES if not shown.slow]
_MUTANTS = [(shown, mutation) for shown in _QUICK for mutation in shown.mutations]


def test_every_property_has_a_name_and_a_mutation() -> None:
    assert len({shown.name for shown in PROPERTIES}) == len(PROPERTIES) >= 20
    assert all(shown.mutations for shown in PROPERTIES)


@pytest.mark.parametrize("shown", _QUICK, ids=lambda shown: shown.name)
def test_holds(shown: Property) -> None:
    outcome = prove(shown)
    assert outcome.holds, outcome


@pytest.mark.parametrize(
    ("shown", "mutation"), _MUTANTS, ids=[f"{shown.name}: {mutation.what}" for shown, mutation in _MUTANTS]
)
def test_a_mutation_breaks_it(shown: Property, mutation: Mutation) -> None:
    with mutation.applied():
        outcome = refute(shown)
    assert outcome.holds is False, outcome


def test_a_mutation_is_of_text_that_is_there_once() -> None:
    shown, mutation = _MUTANTS[0]
    gone = Mutation(mutation.component, "of nothing", "no such text", "")
    with pytest.raises(ValueError, match="0 times"), gone.applied():
        refute(shown)
