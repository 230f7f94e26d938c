#!/usr/bin/env python3
"""A check: names of tables are in snake case."""

import json
import re
import subprocess
import sys

QUERY = """
SELECT n.nspname || '.' || c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema)'
ORDER BY 1
"""


def say(message):
    print(json.dumps(message), flush=True)


def main():
    say({"type": "hello", "protocol": 1})
    assert json.loads(sys.stdin.readline())["type"] == "hello"
    assert json.loads(sys.stdin.readline())["type"] == "check"
    # The service file of the request has the password; no argument does.
    command = ["psql", "--no-psqlrc", "--no-password", "--tuples-only", "--no-align", "--dbname", "service=source"]
    names = subprocess.run(command + ["--command", QUERY], check=True, capture_output=True, text=True).stdout
    for name in names.splitlines():
        if not re.fullmatch(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*", name):
            say(
                {
                    "type": "finding",
                    "severity": "warning",
                    "kind": "not-snake-case",
                    "object": f"table {name}",
                    "message": f"{name} is not in snake case",
                    "facts": {"name": name},
                }
            )
    say({"type": "done"})


if __name__ == "__main__":
    main()
