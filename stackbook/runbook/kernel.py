"""A papermill engine that tells the truth: honest status of each cell, whole private saves, no secrets, a sure end."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine

from stackbook.render.redact import Redactor
from stackbook.runbook.client import KernelFailed
from stackbook.runbook.files import write_private
from stackbook.runbook.process import Kernel
from stackbook.runbook.progress import Progress
from stackbook.runbook.stopping import Stop
from stackbook.runbook.transcript import Transcript

if TYPE_CHECKING:
    from nbformat import NotebookNode


class RunbookEngine(Engine):  # type: ignore[misc]
    """Executes a notebook in a kernel of this interpreter; papermill knows it as ``stackbook``."""

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str = "python3",  # noqa: ARG003 - every runbook is Python, in this very environment
        output_path: str | None = None,
        *,
        transcript: Transcript | None = None,
        stop: Stop | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> Any:
        """Execute `nb` and return it; a failing cell ends the run without an exception, as papermill expects.

        The runner passes its transcript and a Stop, watched by itself, whose kernel is started already. Raises KernelFailed.
        """
        watched = nullcontext() if stop else None
        stop = stop or Stop(Kernel())
        transcript = transcript or _plain(nb, output_path)
        try:
            with watched or stop.watching(timeout):
                transcript.begin()
                RunbookClient(transcript, stop).execute()
        finally:
            stop.kernel.stop()
            transcript.finish()
        return transcript.nb


class RunbookClient(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells one after the other and tells the transcript."""

    def __init__(self, transcript: Transcript, stop: Stop) -> None:
        super().__init__(transcript, km=stop.kernel, store_widget_state=False)
        self.stop = stop

    def execute(self, **_: Any) -> Any:
        """Execute until the end, the first failure, or the stop."""
        self.reset_execution_trackers()
        self.kc = self.km.client()
        self.kc.allow_stdin = False
        self.kc.start_channels()
        try:
            run_sync(self.kc.wait_for_ready)(self.startup_timeout)
            self.papermill_execute_cells()
        finally:
            self.kc.stop_channels()
        return self.nb

    def papermill_execute_cells(self) -> None:
        """Execute the code cells in order."""
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                continue
            if self.stop.reason or not self._completes(cell, index):
                return

    def _completes(self, cell: NotebookNode, index: int) -> bool:
        """Execute one cell; whether the next one may follow."""
        self.nb_man.cell_start(cell, index)
        try:
            self.execute_cell(cell, index)
        except CellExecutionError as error:
            if error.ename == "SystemExit" and error.evalue in ("", "0", "None"):
                cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
            else:
                self.nb_man.cell_exception(cell, index, error)
            return False
        except DeadKernelError:
            self.nb_man.cell_exception(cell, index)
            raise self._dead(cell, index) from None
        finally:
            self.nb_man.cell_complete(cell, index)
        return True

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> Any:
        """Show what the cell prints while it runs."""
        output = super().process_message(msg, cell, cell_index)
        if msg["msg_type"] == "stream":
            self.nb_man.output(msg["content"]["text"])
        return output

    def _dead(self, cell: NotebookNode, index: int) -> KernelFailed:
        code = self.stop.kernel.process.wait()
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return KernelFailed(f"the kernel {ended} in cell {index + 1}", hint="stackbook resume continues the run")


def _plain(nb: NotebookNode, output_path: str | None) -> Transcript:
    """The transcript of a notebook that papermill itself runs with this engine."""

    def save(text: str) -> None:
        if output_path:
            write_private(Path(output_path), text)

    redact = Redactor()
    return Transcript(nb, save, redact, Progress(None, redact))
