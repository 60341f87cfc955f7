"""Jobs that have ended, and how long they are remembered."""

import shutil

from server.files import Files, named_in
from server.jobs.printed import printed_by
from server.jobs.store import Jobs


def forget(jobs: Jobs, files: Files, id: str) -> None:
    """Remove a job with its cells, what came out of them, and what they left in their folders.

    What was uploaded for them may be used elsewhere, and stays. Raises KeyError, and WrongState for one that has not ended.
    """
    whole = [jobs.get(id), *jobs.cells(id)]
    inputs = [one.request.get("inputs") for one in whole]
    given = set(named_in(inputs, files.folder))
    made = [digest for digest in files.of_job([one.id for one in whole]) if digest not in given]
    jobs.remove(id)
    files.drop(made)
    for one in whole:
        shutil.rmtree(files.runs / one.id, ignore_errors=True)
        printed_by(files, one.id).unlink(missing_ok=True)


def tidy(jobs: Jobs, files: Files, most: int) -> None:
    """Forget the oldest jobs beyond a number, and then files that no job names beyond the bound of their bytes."""
    for id in jobs.oldest_beyond(most):
        forget(jobs, files, id)
    files.tidy()
