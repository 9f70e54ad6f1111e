"""`print_report`: what became of the pictures that `stance build` and `add` were given, for people or as JSON."""

from __future__ import annotations

import json
from pathlib import Path

from index import PostureIndex
from index.building.pictures import printable
from index.building.report import BuildReport
from stream.commands.text_table import print_table

__all__ = ["print_report"]


def print_report(path: Path, index: PostureIndex, report: BuildReport, as_json: bool) -> None:
    """Print it: a table, the pictures that somebody should look at, and a line of sums; or all of it as JSON.

    Args:
        path: prefix of the database.
        index: the database after the build.
        report: what became of the pictures.
        as_json: print JSON and nothing else.
    """
    if as_json:
        classes = [
            {
                "label": entry.label,
                "pictures": entry.pictures,
                "people": entry.people,
                "skipped": {str(why): [printable(name) for name in names] for why, names in entry.skipped.items()},
            }
            for entry in report.classes
        ]
        fields = {
            "index": str(path),
            "rows": report.rows,
            "added": report.people,
            "classes": classes,
            "outside": [printable(name) for name in report.outside],
            "left_out": [printable(name) for name in report.left_out],
            "warnings": report.warnings,
            "seconds": round(report.seconds, 3),
        }
        print(json.dumps(fields, indent=2))
        return
    rows = [
        [
            printable(entry.label),
            str(entry.pictures),
            str(entry.people),
            ", ".join(f"{len(names)} {why}" for why, names in entry.skipped.items()) or "0",
        ]
        for entry in report.classes
    ]
    rows.append(["all", str(report.pictures), str(report.people), str(report.skipped())])
    print_table(["class", "pictures", "people", "skipped and why"], rows)
    for entry in report.classes:
        for why, names in entry.skipped.items():
            if why.needs_a_look:
                for name in names:
                    print(f"skipped: {printable(name)}: {why}")
    if report.outside:
        print(f"{len(report.outside)} picture(s) lie outside the class folders: {printable(report.outside[0])} …")
    print(f"{path}: {index.rows} rows, {len(index.classes)} classes, {report.seconds:.1f} s")
