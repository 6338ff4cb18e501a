import csv
import json

import pytest

from metric.evaluation.bucket_table import bucket_rows, write_bucket_tables

METRICS = ("l1/net", "l1/telea", "psnr/net", "psnr/telea")
SCORES = [
    ("a", 0.05, "free", 1.0, 4.0, 30.0, 20.0),
    ("b", 0.15, "free", 2.0, 5.0, 28.0, 18.0),
    ("c", 0.2, "inside", 4.0, 9.0, 24.0, 12.0),
    ("d", 0.7, "inside", 9.0, 9.0, 20.0, 10.0),
]
ROWS = [dict(zip(("name", "hole_ratio", "border", *METRICS), row, strict=True)) for row in SCORES]


def test_means_by_method_border_and_bucket():
    found = {(row["method"], row["border"], row["bucket"]): row for row in bucket_rows(ROWS)}
    assert found["net", "all", "all"] == {
        "method": "net",
        "border": "all",
        "bucket": "all",
        "pictures": 4,
        "l1": 4.0,
        "psnr": 25.5,
    }
    assert found["telea", "all", "0.1-0.2"]["l1"] == 7 and found["telea", "all", "0.1-0.2"]["pictures"] == 2
    assert found["net", "free", "0.1-0.2"]["psnr"] == 28 and found["net", "inside", "0.1-0.2"]["psnr"] == 24
    assert ("net", "free", "0.2-0.3") not in found and ("net", "inside", "0.01-0.1") not in found
    assert found["net", "inside", "all"]["pictures"] == 2  # the one beyond the last bucket too


def test_three_forms_say_the_same(tmp_path):
    text = write_bucket_tables(tmp_path, ROWS, {"l1": "mean error", "psnr": "dB"}, {"fid": "no weights"})
    assert text == (tmp_path / "buckets.md").read_text()
    report = json.loads((tmp_path / "buckets.json").read_text())
    assert report["table"] == bucket_rows(ROWS) and report["not_computed"] == {"fid": "no weights"}
    with open(tmp_path / "buckets.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(report["table"])
    for line, row in zip(lines, report["table"], strict=True):
        assert line["method"] == row["method"] and float(line["l1"]) == pytest.approx(row["l1"])
    assert "* l1: mean error" in text and "* fid not computed: no weights" in text
    free = text[text.index("### holes that may touch the edge") : text.index("### holes kept off")]
    assert "| metric | method | all | 0.01-0.1 | 0.1-0.2 |" in free and "| pictures |  | 2 | 1 | 1 |" in free
    assert "| psnr | telea | 19.0000 | 20.0000 | 18.0000 |" in free
