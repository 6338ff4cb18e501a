"""The Open Inference Protocol (KServe's /v2) over HTTP: tensors in, tensors out, by the model's own contract.

Source: kserve/open-inference-protocol, specification/protocol/inference_rest.md, and its binary tensor extension.
"""

import json
from typing import Annotated, Any

import numpy as np
from fastapi import FastAPI, HTTPException, Path, Request, Response
from starlette.concurrency import run_in_threadpool

from deploy.contract import fits
from deploy.limits import Limits
from deploy.served import Models, Served
from engine import __version__
from engine.errors import InputError

HEADER = "inference-header-content-length"
BODY = {
    "schema": {"type": "object", "required": ["inputs"]},
    "example": {"inputs": [{"name": "image", "shape": [1, 3, 2, 2], "datatype": "FP32", "data": [0.5] * 12}]},
}


def add(app: FastAPI, models: Models, limits: Limits) -> None:
    """Add the routes of /v2."""
    Name = Annotated[str, Path(json_schema_extra={"enum": models.names()})]

    def served(name: str) -> Served:
        if name not in models.names():
            raise HTTPException(404, f"model {name}: is not served; expected one of {', '.join(models.names())}")
        return models.get(name)

    _add_server(app)

    @app.get("/v2/models/{name}")
    @app.get("/v2/models/{name}/versions/1", include_in_schema=False)
    def metadata(name: Name) -> dict[str, Any]:
        """Inputs and outputs of a model; -1 is any size."""
        contract = served(name).contract
        ports = {"inputs": contract.inputs, "outputs": contract.outputs}
        described = {
            side: [{"name": port.name, "datatype": "FP32", "shape": list(port.shape)} for port in found]
            for side, found in ports.items()
        }
        return {"name": name, "versions": ["1"], "platform": "paddle", **described}

    @app.get("/v2/models/{name}/ready")
    @app.get("/v2/models/{name}/versions/1/ready", include_in_schema=False)
    def model_ready(name: Name) -> dict[str, Any]:
        """The model is loaded."""
        return {"name": served(name).name, "ready": True}

    described = {"requestBody": {"required": True, "content": {"application/json": BODY}}}

    @app.post("/v2/models/{name}/infer", openapi_extra=described)
    @app.post("/v2/models/{name}/versions/1/infer", include_in_schema=False)
    async def infer(name: Name, request: Request) -> Response:
        """Run a model on tensors; the binary extension is understood both ways."""
        one, body = served(name), await request.body()
        content, arrays = read_request(body, request.headers.get(HEADER), one)
        wanted = asked_outputs(content, one)
        with one.expected():
            results = await run_in_threadpool(one.run_arrays, arrays, limits.seconds)
        return written(content, name, {key: (results[key], is_binary) for key, is_binary in wanted.items()})


def _add_server(app):
    """What /v2 says of the server itself."""

    @app.get("/v2")
    def server() -> dict[str, Any]:
        """What answers here."""
        return {"name": "kintsugi", "version": __version__, "extensions": ["binary_tensor_data"]}

    @app.get("/v2/health/live")
    def live() -> dict[str, bool]:
        """The process answers."""
        return {"live": True}

    @app.get("/v2/health/ready")
    def ready() -> dict[str, bool]:
        """The models are loaded."""
        return {"ready": True}


def read_request(body: bytes, header: str | None, served: Served) -> tuple[dict, dict[str, np.ndarray]]:
    """(the JSON part, input name -> array) of a request. InputError: it is not one for this model."""
    if header is not None and not (header.isascii() and header.isdigit() and int(header) <= len(body)):
        raise InputError(f"{HEADER}: {header[:40]}; expected the number of bytes of the JSON part")
    end = len(body) if header is None else int(header)
    try:
        content, rest = json.loads(body[:end]), body[end:]
        entries = {entry["name"]: entry for entry in content["inputs"]}
        arrays = {}
        for name, entry in entries.items():
            shape = [int(size) for size in entry["shape"]]
            if entry["datatype"] != "FP32" or any(size < 0 for size in shape):
                raise InputError(f"input {name}: {entry['datatype']} {shape}; expected FP32 of sizes from 0")
            size = (entry.get("parameters") or {}).get("binary_data_size")
            if size is None:
                flat = np.array(entry["data"], np.float32).ravel()
            else:
                flat, rest = np.frombuffer(rest[: int(size)], "<f4"), rest[int(size) :]
            arrays[name] = flat.reshape(shape)
    except InputError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise InputError(f"body: is no inference request ({type(error).__name__}: {str(error)[:100]})") from None
    for port in served.contract.inputs:
        if port.name not in arrays or not fits(port.shape, arrays[port.name].shape):
            found = list(arrays[port.name].shape) if port.name in arrays else "nothing"
            raise InputError(f"input {port.name}: is {found}; expected {list(port.shape)}")
        if not arrays[port.name].size or not np.isfinite(arrays[port.name]).all():
            raise InputError(f"input {port.name}: expected finite numbers")
    if len({len(arrays[port.name]) for port in served.contract.inputs}) > 1:
        raise InputError("inputs: differ in their first size; expected one batch size")
    return content, {port.name: arrays[port.name] for port in served.contract.inputs}


def asked_outputs(content: dict, served: Served) -> dict[str, bool]:
    """Output name -> whether its numbers shall be binary, of the JSON part: those it names, else all.

    Raises:
        InputError: it names another one, or is malformed.
    """
    names = [port.name for port in served.contract.outputs]
    try:
        is_binary = bool((content.get("parameters") or {}).get("binary_data_output"))
        entries = content.get("outputs") or [{"name": name} for name in names]
        asked = {entry["name"]: (entry.get("parameters") or {}).get("binary_data", is_binary) for entry in entries}
    except (TypeError, KeyError, AttributeError):
        raise InputError('outputs: expected a list such as [{"name": "NAME"}]') from None
    if unknown := [name for name in asked if name not in names]:
        raise InputError(f"output {unknown[0]}: is not there; expected one of {', '.join(names)}")
    return {name: bool(value) for name, value in asked.items()}


def written(content: dict, name: str, results: dict[str, tuple[np.ndarray, bool]]) -> Response:
    """The answer: output name -> (array, whether it goes into the binary part), JSON numbers otherwise."""
    outputs, tail = [], b""
    for key, (array, is_binary) in results.items():
        entry: dict[str, Any] = {"name": key, "datatype": "FP32", "shape": list(array.shape)}
        if is_binary:
            data = np.ascontiguousarray(array, "<f4").tobytes()
            entry["parameters"], tail = {"binary_data_size": len(data)}, tail + data
        else:
            entry["data"] = array.ravel().tolist()
        outputs.append(entry)
    asked = {"id": content["id"]} if "id" in content else {}
    head = json.dumps({"model_name": name, "model_version": "1", **asked, "outputs": outputs}).encode()
    if not tail:
        return Response(head, media_type="application/json")
    return Response(head + tail, media_type="application/octet-stream", headers={HEADER: str(len(head))})
