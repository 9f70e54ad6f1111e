"""`OpenVinoRuntime`: a network on OpenVINO, which fuses on a CPU what PyTorch runs as hundreds of small kernels."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from pose.errors import DeviceError, PoseError
from pose.inference.runtimes.model_cache import ModelCache
from pose.inference.runtimes.openvino_library import import_openvino, shared_core
from pose.inference.runtimes.runtime import Arrays, NetworkSpec
from pose.inference.runtimes.workers import MAX_CONCURRENCY, WorkerRuntime, usable_cores

if TYPE_CHECKING:
    import openvino
    from torch import nn

__all__ = ["OpenVinoRuntime"]

log = logging.getLogger(__name__)

HINTS: Final = {"fp32": "f32", "bf16": "bf16", "fp16": "f16"}
CAPABILITIES: Final = {"fp32": "FP32", "bf16": "BF16", "fp16": "FP16"}
EXAMPLE_SIZE: Final = 256  # pixels; traced with, where the network takes any size


class OpenVinoRuntime(WorkerRuntime):
    """A `Runtime` on OpenVINO's CPU plug-in.

    The network is traced from PyTorch and compiled once, then read from the user's cache folder, for which PyTorch is
    not imported. One picture a call: larger batches gain nothing on a CPU, and an open batch costs a fifth.

    Args:
        precision: `auto`, `fp32`, `bf16` or `fp16`; `auto` is bf16 on a CPU that has it, fp32 elsewhere.
        threads: of all calls together, so that decoding, drawing and encoding keep theirs; None takes every core this
            process may use.
        concurrency: calls at once, at most one per thread, which is what None takes: threads of their own cost 3–9 %
            less time than threads that share a call. 1 gives all of them to one call, for the shortest wait when there
            is one picture at a time.
        workers: threads shared with other networks, `concurrency` of them; None for its own.
        cache: where compiled networks are kept; None takes the user's cache folder.
        stage: as in `WorkerRuntime`.

    Raises:
        RuntimeMissing: OpenVINO is not installed.
        DeviceError: this CPU does not compute in that precision.
        WeightsMissing, WeightsError: from `spec.build`.
        PoseError: OpenVINO cannot take the network.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        *,
        precision: str = "auto",
        threads: int | None = None,
        concurrency: int | None = None,
        workers: ThreadPoolExecutor | None = None,
        stage: Callable[[], AbstractContextManager[object]] = nullcontext,
        cache: ModelCache | None = None,
    ):
        ov = import_openvino()
        core = shared_core()
        precision = _choose_precision(precision, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        self.threads = threads or usable_cores()
        calls = min(concurrency or MAX_CONCURRENCY, self.threads)
        self.version: str = ov.__version__.partition("-")[0]
        self.from_cache = False
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            "NUM_STREAMS": calls,
            "INFERENCE_NUM_THREADS": self.threads,
            "ENABLE_CPU_PINNING": False,  # the cores are shared with decoders and encoders, which no one pins
        }
        compiled = self._read_or_compile(ov, core, spec, precision, settings, cache or ModelCache())
        self._requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(calls):
            self._requests.put(compiled.create_infer_request())
        super().__init__(spec, concurrency=calls, batch=1, precision=precision, workers=workers, stage=stage)

    def _read_or_compile(
        self, ov: Any, core: Any, spec: NetworkSpec, precision: str, settings: dict[str, Any], cache: ModelCache
    ) -> openvino.CompiledModel:
        path: Path | None = None
        if spec.digest is not None:
            key = (spec.digest, str(spec.size), repr(spec.input_format), precision, ov.__version__, _code_digest())
            path = cache.path(spec.name, *key, core.get_property("CPU", "FULL_DEVICE_NAME"))
            if (content := cache.read(path)) is not None:
                try:
                    compiled = core.import_model(content, "CPU", settings)
                except RuntimeError as error:
                    log.debug("%s is not taken by OpenVINO (%s), so the network is compiled again", path, error)
                else:
                    self.from_cache = True
                    return compiled
        network = spec.build()
        try:
            compiled = core.compile_model(_converted(ov, network, spec), "CPU", settings)
        except (RuntimeError, ov.frontend.OpConversionFailure) as error:
            raise PoseError(f"OpenVINO cannot take {spec.name} ({error}). Set pose.runtime to torch.") from error
        if path is not None:
            stream = io.BytesIO()
            compiled.export_model(stream)
            cache.write(path, stream.getvalue())
        return compiled

    def infer(self, pictures: NDArray[np.uint8]) -> Arrays:
        """The network's outputs for one picture, on the thread that calls."""
        request = self._requests.get()
        try:
            outputs = request.infer({0: pictures}, share_inputs=True)
        finally:
            self._requests.put(request)
        return tuple(outputs.to_tuple())

    def describe(self) -> str:
        """One line for the log."""
        cached = "from cache" if self.from_cache else "compiled now"
        return (
            f"{self.spec.name} on OpenVINO {self.version} in {self.precision}, {self.threads} CPU threads, "
            f"{self.concurrency} at once, {cached}"
        )

    def close(self) -> None:
        """Let the calls that run end, cancel the others, free the network's memory. Twice does no harm."""
        super().close()
        self._requests = SimpleQueue()  # a request holds its compiled network


def _converted(ov: Any, network: nn.Module, spec: NetworkSpec) -> openvino.Model:
    """The network with its pre-processing as OpenVINO's graph, for one picture a call."""
    import warnings

    import torch

    from pose.inference.runtimes.preprocessed import Preprocessed

    whole = Preprocessed(network, spec.input_format).eval()
    height, width = spec.size
    example = torch.zeros(1, height or EXAMPLE_SIZE, width or EXAMPLE_SIZE, 3, dtype=torch.uint8)
    with torch.no_grad(), warnings.catch_warnings():
        # PyTorch warns of shapes that become constants: they are, and of TorchScript's age.
        warnings.simplefilter("ignore")
        # Frozen, constants are no longer looked up one by one: 2.4 s instead of 6.3 s for TinyPose.
        traced = torch.jit.freeze(torch.jit.trace(whole, example, check_trace=False))
        return ov.convert_model(traced, example_input=example, input=[1, height or -1, width or -1, 3])


def _choose_precision(wanted: str, capabilities: list[str]) -> str:
    if wanted == "auto":
        return "bf16" if "BF16" in capabilities else "fp32"
    if wanted not in HINTS:
        raise DeviceError(f"There is no precision {wanted!r}; use auto, fp32, bf16 or fp16.")
    if CAPABILITIES[wanted] not in capabilities:
        raise DeviceError(f"This CPU does not compute in {wanted}. Set pose.precision to auto or fp32.")
    return wanted


@cache
def _code_digest() -> str:
    """Of the code that makes the graph, so that a change of a network never meets what was compiled before it."""
    package = Path(__file__).resolve().parents[2]
    files = sorted([*(package / "networks").rglob("*.py"), *Path(__file__).parent.glob("*.py")])
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
