"""A process that has imported what most commands need, and forks for each command.

Starting Python and importing takes most of the time of a short command, and the examples in the
help are many. Each still runs in a process of its own, with its own arguments, folder,
environment, standard streams and exit code; what was imported is all that it finds done.
"""

import importlib
import json
import os
import runpy
import socket
import sys
import traceback

# What commands import, largest first; torch, with its threads, is not here.
PRELOADED = (
    "numpy", "scipy.stats", "scipy.optimize", "pandas", "sqlalchemy.orm", "alembic.command",
    "pydantic", "PIL.Image", "replicate.cli.main", "replicate.cli.study", "replicate.cli.stages",
    "replicate.cli.db", "replicate.cli.adjust", "replicate.cli.freq", "replicate.analysis.adjust",
    "replicate.study", "replicate.store.database", "replicate.pipeline",
)  # fmt: skip


def _run(request: dict) -> int:
    """Run one command in this forked process; its exit code."""
    for number, (path, flags) in enumerate(
        ((os.devnull, os.O_RDONLY), (request["out"], os.O_WRONLY), (request["err"], os.O_WRONLY))
    ):
        opened = os.open(path, flags)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.path.insert(0, request["cwd"])
    sys.argv = ["replicate", *request["arguments"]]
    code = 0
    try:
        runpy.run_module("replicate", run_name="__main__", alter_sys=True)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def serve(channel: socket.socket) -> None:
    """Fork for each request until the other side is gone."""
    for name in PRELOADED:
        importlib.import_module(name)
    with channel, channel.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    code = _run(json.loads(line))
                finally:
                    os._exit(code & 0xFF)
            status = os.waitpid(child, 0)[1]
            lines.write(f"{os.waitstatus_to_exitcode(status)}\n")
            lines.flush()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
