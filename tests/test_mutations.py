"""Of seeded mutations of good inputs each runs as the oracle does, or is refused by name: twenty here, 200 if asked.

`pytest -m full -n 0 tests/test_mutations.py` judges all and prints the table by kind; a single one is judged again by
its number: `pytest -m full tests/test_mutations.py -k "[137]"`. MUTATION_SEED chooses another two hundred.
"""

import os

import pytest
from mutations.good_inputs import GoodInputs
from mutations.judgement import SEED, judge, kind_of, table
from mutations.kinds import KINDS

from attention.models.kept import free

pytestmark = pytest.mark.slow

COUNT = 200
CHOSEN = int(os.environ.get("MUTATION_SEED", SEED))
verdicts = []


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    yield GoodInputs(tmp_path_factory.mktemp("good"))
    free()


@pytest.fixture(scope="module")
def printed_table(request):
    """The table by kind, where all of it is seen."""
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{table(verdicts)}")


def check(number, inputs, place, seed):
    verdict = judge(number, inputs, place / "mutation", seed)
    verdicts.append(verdict)
    assert verdict.is_good, f"{verdict.kind}: {verdict.outcome}. {verdict.words}"


def test_the_sample_has_every_kind():
    assert {kind_of(number) for number in range(len(KINDS))} == set(KINDS) and len(KINDS) == 20
    assert COUNT % len(KINDS) == 0, "kinds in equal shares"


@pytest.mark.sample(10)
@pytest.mark.parametrize("number", range(len(KINDS)))
def test_a_sample_runs_as_the_oracle_does_or_is_refused_by_name(number, inputs, tmp_path):
    check(number, inputs, tmp_path, SEED)


@pytest.mark.full
@pytest.mark.usefixtures("printed_table")
@pytest.mark.parametrize("number", range(COUNT))
def test_a_mutation_runs_as_the_oracle_does_or_is_refused_by_name(number, inputs, tmp_path):
    check(number, inputs, tmp_path, CHOSEN)
