"""`litewf backup` and `litewf prune`, against an engine in another process."""

from pathlib import Path

import litewf
from tests.cli.live import Here


def test_a_backup_is_a_file_of_its_own(here: Here, shop: Path, tmp_path: Path) -> None:
    here("start", "greet", "ida", "--id", "b-1", "--wait", "--timeout", "30s", "--db", shop)
    copy = tmp_path / "copy.db"
    done = here("backup", copy, "--db", shop)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"{copy} (")
    assert here("result", "b-1", "--db", copy).out == '"hello ida"\n'
    again = here("backup", copy, "--db", shop)
    assert (again.status, again.err) == (4, f"litewf: {copy} exists already; a backup never overwrites\n")
    assert here("backup", tmp_path / "nowhere" / "x.db", "--db", shop).status == 5


def test_prune_counts_first_and_deletes_then(here: Here, shop: Path) -> None:
    here("start", "greet", "joe", "--id", "p-1", "--wait", "--timeout", "30s", "--db", shop)
    here("start", "nap", "3600", "--id", "p-2", "--db", shop)
    assert here("prune", "--older-than", "1d", "--db", shop).out == "0 deleted\n"
    counted = here("prune", "--older-than", "0", "--dry-run", "--json", "--db", shop).json["old_enough"]
    assert counted >= 1
    assert here("prune", "--older-than", "0", "--json", "--db", shop).json == {"deleted": counted}
    with litewf.Client(shop) as client:
        assert [one.workflow_id for one in client.list_workflows()] == ["p-2"]


def test_an_age_is_asked_for(here: Here, shop: Path) -> None:
    assert here("prune", "--db", shop).status == 2
    assert here("prune", "--older-than", "a while", "--db", shop).status == 2
