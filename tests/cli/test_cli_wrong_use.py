"""Wrong use ends with status 2 and a sentence that says what would be right; nothing is written."""

from pathlib import Path

import pytest
from cli_cases import Run


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("refresh --years banana", "write one year"),
        ("refresh --years 2021-2019", "runs backwards"),
        ("refresh --datasets nope", "no dataset is called 'nope'"),
        ("refresh --as-of 2999-01-01", "still to come"),
        ("refresh --as-of yesterday", "as-of"),
        ("refresh --as-of 2020-01-01 --mirror http://127.0.0.1:9", "leave out --mirror"),
        ("refresh --mirror {root}/nowhere", "nowhere"),
        ("refresh --data ftp://host/root", "only a local folder or s3://"),
        ("refresh --accept nope", "no dataset is called 'nope'"),
        ("backfill", "--years"),
        ("verify", "no published version"),
        ("verify 2020-01-01", "no version"),
        ("diff 2020-01-01 2020-01-02", "no version"),
        ("prune --remove 2020-01-01", "2020-01-01"),
        ("explain us_state:26 4 2019", "no published version"),
        ("explain Michigan 4 2019", "SCHEME:CODE"),
        ("concordance naics2017 --to nace2", "SCHEME:CODE"),
        ("concordance sic:1 --to nace2", "there are some from"),
        ("partners us_state:26", "no published version"),
        ("nope", "No such command"),
    ],
)
def test_wrong_use_is_told(run: Run, tmp_path: Path, words: str, told: str) -> None:
    takes_root = words.split()[0] in ("refresh", "backfill", "verify", "diff", "prune", "explain", "partners")
    data = ["--data", tmp_path / "root"] if takes_root and "--data" not in words else []
    ended = run(*words.format(root=tmp_path).split(), *data)
    assert ended.status == 2, ended
    assert told in ended.err
    assert ended.out == "" and "Traceback" not in ended.err
    assert not list(tmp_path.rglob("*.parquet"))
