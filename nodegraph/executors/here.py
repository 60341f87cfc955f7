"""The place that is always there: this process, one share after the other."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from nodegraph.executors.share import Share
from nodegraph.groups import Told, run_group
from nodegraph.runtime.cancel import CancelToken
from nodegraph.session import Session
from nodegraph.sweep import Outcome, written


@dataclass
class Here:
    """Runs in a session of this process. A cell runs when it is asked for."""

    session: Session
    _token: CancelToken = field(default_factory=CancelToken)

    def run(self, shares: Iterable[Share]) -> Generator[Told]:
        """See `Executor`. Raises NoDevice too."""
        self._token = CancelToken()
        for share in shares:
            for cell, event in run_group(self.session, share.opened, share.cells, self._token):
                if isinstance(event, Outcome) and share.write:
                    yield from ((cell, told) for told in written(self.session, event))
                else:
                    yield cell, event

    def cancel(self) -> None:
        """See `Executor`."""
        self._token.cancel()

    def close(self) -> None:
        """See `Executor`. The session keeps what it has loaded."""
        self._token.cancel()
