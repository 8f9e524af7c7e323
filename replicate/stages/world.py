"""What a study's stages find running: Flickr and the crowd, real or of the sandbox, and scorers.

In a study with a `[sandbox]` table a stage finds a local Flickr and a crowd server with
simulated workers: those that already run (named by the environment), or its own, which are
started when first needed and end with the process, even a killed one.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from replicate.base.errors import MissingError
from replicate.crowd.endpoints import is_sandbox_server
from replicate.pipeline.model import SandboxConfig
from replicate.sandbox.flickr import SANDBOX_KEY, SANDBOX_SECRET
from replicate.sandbox.servers import (
    CrowdProcess,
    CrowdServerProcess,
    FlickrProcess,
    ServerProcess,
)
from replicate.stages.common import Progress, no_progress
from replicate.stages.crowds import (
    annotate_database,
    checked_endpoint,
    crowd_kind,
    workers_simulated,
)
from replicate.study import Study

if TYPE_CHECKING:
    from replicate.zoo.processes import Crew
    from replicate.zoo.work import Job, Outcome, Unit

FLICKR_URL = "REPLICATE_FLICKR_URL"
CROWD_KEY_ID = "REPLICATE_CROWD_ACCESS_KEY_ID"
CROWD_SECRET = "REPLICATE_CROWD_SECRET_ACCESS_KEY"


@dataclass(frozen=True)
class CrowdAccess:
    """How to reach the crowd: the MTurk-protocol endpoint and a requester's keys."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    simulated: bool


class World:
    """The outside of one study. Use it as a context manager: it stops what it started.

    Args:
        study: The study.
        progress: Where to show what is being started.
        listen: Host and port of the study's own crowd server for annotators.
    """

    def __init__(
        self,
        study: Study,
        progress: Progress = no_progress,
        listen: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        self.study = study
        self._listen = listen
        self._annotate: CrowdServerProcess | None = None
        self._progress = progress
        self._processes: list[ServerProcess] = []
        self._flickr: FlickrProcess | None = None
        self._crowd: CrowdProcess | None = None
        self._scorers: Crew[Job, Unit, Outcome] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.end()
        for process in reversed(self._processes):
            process.stop()
        if self._scorers is not None:
            self._scorers.close()

    @property
    def simulated(self) -> bool:
        """Whether the workers are simulated."""
        return workers_simulated(self.study)

    def launch(self, stages: Sequence[str]) -> None:
        """Launch now what a new sandbox's stages will need later, so that nobody waits for it.

        Does nothing where there is no sandbox, or where it has been used: then it is not known
        whether anything is left to do.
        """
        sandbox = self.study.pipeline.sandbox
        if sandbox is None or self.study.sandbox_dir.exists():
            return
        if "gather" in stages and not os.environ.get(FLICKR_URL):
            self._flickr_process(sandbox).launch()
        if "publish" in stages and self.simulated:
            self._crowd_process().launch()
        if "score" in stages:
            from replicate.zoo.names import expand, small
            from replicate.zoo.work import scoring_processes

            trained, _ = small(self.study.pipeline.score.models)
            self.scorers().launch(scoring_processes(len(expand(trained))))

    def scorers(self) -> "Crew[Job, Unit, Outcome]":
        """The processes that train and score models; those launched, or none yet."""
        if self._scorers is None:
            from replicate.zoo.work import scoring_crew

            self._scorers = scoring_crew()
        return self._scorers

    def flickr_endpoint(self) -> str:
        """The address of the Flickr API; starts the local Flickr if the study is a sandbox."""
        given = os.environ.get(FLICKR_URL)
        sandbox = self.study.pipeline.sandbox
        if given or sandbox is None:
            return given or self.study.pipeline.gather.endpoint
        process = self._flickr_process(sandbox)
        if not process.ready:
            self._progress("starting the local Flickr")
            process.start()
            os.environ.setdefault("REPLICATE_FLICKR_KEY", SANDBOX_KEY)
            os.environ.setdefault("REPLICATE_FLICKR_SECRET", SANDBOX_SECRET)
        return process.start()

    def _flickr_process(self, sandbox: SandboxConfig) -> FlickrProcess:
        if self._flickr is None:
            self._flickr = FlickrProcess(
                self.study.sandbox_dir,
                self.study.seed,
                sandbox.photos,
                self.study.pipeline.original.limit_per_class,
            )
            self._processes.append(self._flickr)
        return self._flickr

    def crowd(self) -> CrowdAccess:
        """The crowd's endpoint and keys; starts our own server where that is meant.

        Raises:
            MissingError: No endpoint or no keys are known.
            UsageError: The endpoint is one of Amazon's, which closed.
        """
        if self.simulated:
            return self._own_crowd(self._crowd_process())
        if crowd_kind(self.study) == "annotate":
            return self._own_crowd(self._annotate_process())
        endpoint = checked_endpoint(self.study)
        key, secret = os.environ.get(CROWD_KEY_ID), os.environ.get(CROWD_SECRET)
        if not key or not secret:
            raise MissingError(
                f"The keys for the crowd at {endpoint} are missing.",
                "Make some: replicate crowd keys add --db crowd.db, then export "
                f"{CROWD_KEY_ID} and {CROWD_SECRET}",
            )
        return CrowdAccess(endpoint, key, secret, simulated=is_sandbox_server(endpoint))

    def simulate_work(self) -> int:
        """Let the simulated workers do what is to be done; how many pages they sent.

        Does nothing in a study whose workers are people.
        """
        return self._crowd_process().work(self._progress) if self.simulated else 0

    def _own_crowd(self, process: CrowdServerProcess) -> CrowdAccess:
        if not process.ready:
            self._progress("starting the crowd server")
        endpoint = process.start()
        key, secret = process.keys()
        return CrowdAccess(endpoint, key, secret, simulated=self.simulated)

    def _annotate_process(self) -> CrowdServerProcess:
        if self._annotate is None:
            host, port = self._listen
            folder = annotate_database(self.study).parent
            self._annotate = CrowdServerProcess(
                folder, self.study.displays.location, ["--host", host], port
            )
            self._processes.append(self._annotate)
        return self._annotate

    def _crowd_process(self) -> CrowdProcess:
        if self._crowd is None:
            sandbox = self.study.pipeline.sandbox or SandboxConfig()
            self._crowd = CrowdProcess(
                self.study.sandbox_dir,
                self.study.seed,
                self.study.displays.location,
                sandbox.workers,
            )
            self._processes.append(self._crowd)
        return self._crowd
