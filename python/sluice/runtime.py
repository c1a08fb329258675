# SPDX-License-Identifier: Apache-2.0
"""The C runtime through ctypes: the structures and calls of runtime.h that a program needs to step a decoder.

Structures list their members in the header's order with the header's names; test/Front/layout.py compares sizes and offsets
with what a C compiler makes of the header. Objects own what they create and are released once, by close() or `with`.
"""

import ctypes
import os
from ctypes import (
    POINTER,
    byref,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint64,
    c_void_p,
)

from .errors import BadInput, RunTimeFailure, SluiceError
from .tools import build_folder

KIND_DECODER = 0


class Structure(ctypes.Structure):
    """|c_name| is the type in runtime.h, for the test of layouts."""


class ModelOptions(Structure):
    c_name = "sluice_model_options_t"
    _fields_ = [
        ("allocator", c_void_p * 3),
        ("log", c_void_p * 2),
        ("threads", c_int32),
        ("metadata_only", c_bool),
        ("variant", c_uint8),
        ("reserved", c_bool * 2),
    ]


class Limits(Structure):
    c_name = "sluice_limits_t"
    _fields_ = [(name, c_int64) for name in ("vocab", "max_positions", "max_seq", "token_types", "embed_max_seq")]


class ArgInfo(Structure):
    c_name = "sluice_arg_info_t"
    _fields_ = [
        ("name", c_char_p),
        ("output", c_bool),
        ("dtype", c_int32),
        ("rank", c_int32),
        ("shape", c_int64 * 8),
        ("row_elements", c_int64),
        ("bound", c_int64),
    ]


class FunctionInfo(Structure):
    c_name = "sluice_function_info_t"
    _fields_ = [
        ("name", c_char_p),
        ("symbol", c_char_p),
        ("arena_row", c_int64),
        ("arena_seq", c_int64),
        ("arena_fixed", c_int64),
        ("gathers", c_int32),
        ("arg_count", c_int32),
        ("args", POINTER(ArgInfo)),
    ]


class KvInfo(Structure):
    c_name = "sluice_kv_info_t"
    _fields_ = [
        ("name", c_char_p),
        ("layers", c_int64),
        ("kv_heads", c_int64),
        ("k", c_int64),
        ("v", c_int64),
        ("dtype", c_int32),
        ("page", c_int32),
        ("page_bytes", c_int64),
        ("shared", c_bool),
    ]


class ModelInfo(Structure):
    c_name = "sluice_model_info_t"
    _fields_ = [
        ("path", c_char_p),
        ("name", c_char_p),
        ("compiler", c_char_p),
        ("triple", c_char_p),
        ("cpu", c_char_p),
        ("dot", c_char_p),
        ("feature_count", c_int32),
        ("features", POINTER(c_char_p)),
        ("kind", c_int32),
        ("limits", Limits),
        ("function_count", c_int32),
        ("weight_count", c_int32),
        ("kv_count", c_int32),
        ("eos_count", c_int32),
        ("functions", POINTER(FunctionInfo)),
        ("weights", c_void_p),
        ("kv", POINTER(KvInfo)),
        ("eos", POINTER(c_int32)),
        ("weight_bytes", c_int64),
        ("op_count", c_int32),
        ("ops", c_void_p),
        ("variant_count", c_int32),
        ("variant", c_int32),
        ("variants", POINTER(c_char_p)),
        ("max_rows", c_int64),
        ("max_seqs", c_int64),
        ("weight_file", c_char_p),
    ]


class SessionOptions(Structure):
    c_name = "sluice_session_options_t"
    _fields_ = [
        ("threads", c_int32),
        ("spin", c_int32),
        ("max_rows", c_int32),
        ("max_seqs", c_int32),
        ("live_seqs", c_int32),
        ("reserved", c_int32),
        ("kv_pages", c_int64),
        ("page_shuffle", c_uint64),
        ("poison", c_bool),
        ("external_pages", c_bool),
        ("reserved_flags", c_bool * 6),
        ("home", c_void_p),
    ]


class Part(Structure):
    c_name = "sluice_part_t"
    _fields_ = [
        ("sequence", c_uint64),
        ("count", c_int32),
        ("ask", c_int32),
        ("tokens", POINTER(c_int32)),
        ("positions", POINTER(c_int32)),
        ("token_types", POINTER(c_int32)),
        ("pages", c_void_p),
    ]


class SamplingSet(Structure):
    c_name = "sluice_sampling_t"
    _fields_ = [
        ("temperature", c_float),
        ("top_k", c_int32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("bias_count", c_int32),
        ("bias_tokens", POINTER(c_int32)),
        ("bias", POINTER(c_float)),
        ("seen", POINTER(c_int32)),
        ("seen_count", c_int64),
    ]


CALLS = {  # those that return a status; the others are set up below
    "sluice_model_load": [c_char_p, POINTER(ModelOptions), POINTER(c_void_p)],
    "sluice_session_create": [c_void_p, POINTER(SessionOptions), POINTER(c_void_p)],
    "sluice_sequence_create": [c_void_p, POINTER(c_uint64)],
    "sluice_sequence_drop": [c_void_p, c_uint64],
    "sluice_session_step": [c_void_p, c_char_p, POINTER(Part), c_int32, POINTER(c_float)],
    "sluice_session_sample": [
        c_void_p,
        c_char_p,
        POINTER(c_float),
        c_int32,
        POINTER(c_float),
        POINTER(c_int64),
        POINTER(c_int32),
    ],
    "sluice_sampling_apply": [POINTER(SamplingSet), POINTER(c_float), c_int64],
    "sluice_logits_score": [POINTER(c_float), c_int64, c_int32, POINTER(c_double)],
}
OUT_OF_MEMORY, OUT_OF_PAGES, TRAP, SYSTEM, CANCELLED = 6, 7, 9, 10, 11

_library = None


def library():
    """libsluice_rt.so of the build, loaded once."""
    global _library
    if _library is None:
        path = build_folder() / "lib" / "libsluice_rt.so"
        try:
            loaded = ctypes.CDLL(os.fspath(path))
        except OSError as error:
            raise BadInput(
                f"cannot load the runtime: {error}; build it (./dev build) or say in SLUICE_BUILD where it is"
            ) from None
        for name, arguments in CALLS.items():
            getattr(loaded, name).argtypes = arguments
            getattr(loaded, name).restype = c_int32
        loaded.sluice_last_error.restype = c_char_p
        loaded.sluice_model_info.argtypes = [c_void_p]
        loaded.sluice_model_info.restype = POINTER(ModelInfo)
        for name in ("sluice_model_release", "sluice_session_release"):
            getattr(loaded, name).argtypes = [c_void_p]
            getattr(loaded, name).restype = None
        _library = loaded
    return _library


def call(name, *arguments):
    """Calls a function that returns a status; raises what fits it, with the runtime's sentence."""
    status = getattr(library(), name)(*arguments)
    if status == 0:
        return
    message = library().sluice_last_error().decode("utf-8", "replace")
    if status == CANCELLED:
        raise KeyboardInterrupt(message)
    raise (RunTimeFailure if status in (OUT_OF_MEMORY, OUT_OF_PAGES, TRAP, SYSTEM) else BadInput)(message)


def ids(tokens):
    """Token ids as C has them."""
    return (c_int32 * len(tokens))(*tokens)


class Artefact:
    """A loaded artefact. |info| is sluice_model_info_t. May be shared by sessions, which it must outlive."""

    def __init__(self, path):
        self._model = c_void_p()
        call("sluice_model_load", os.fsencode(path), None, byref(self._model))
        self.info = library().sluice_model_info(self._model).contents

    @property
    def handle(self):
        if not self._model:
            raise SluiceError("the model was closed")
        return self._model

    def functions(self):
        """Exported functions by name."""
        info = self.info
        return {info.functions[i].name.decode(): info.functions[i] for i in range(info.function_count)}

    def close(self):
        if self._model:
            library().sluice_model_release(self._model)
            self._model = c_void_p()


class Session:
    """One team of workers with pages for one sequence of |length| tokens, |rows| of them in a step at most."""

    def __init__(self, artefact, length, rows, threads=0):
        self.rows = rows
        pages = -(-length // artefact.info.kv[0].page) if artefact.info.kv_count else 0
        self.capacity = length
        options = SessionOptions(threads=threads, max_rows=rows, max_seqs=1, live_seqs=1, kv_pages=pages)
        self._session = c_void_p()
        call("sluice_session_create", artefact.handle, byref(options), byref(self._session))

    def begin(self):
        """A new, empty sequence; end it with drop()."""
        sequence = c_uint64()
        call("sluice_sequence_create", self._session, byref(sequence))
        return sequence

    def drop(self, sequence):
        if self._session:
            call("sluice_sequence_drop", self._session, sequence)

    def step(self, function, sequence, tokens, ask, logits):
        """Appends |tokens|; |logits| gets a row for each of the last |ask| of them."""
        part = Part(sequence=sequence, count=len(tokens), ask=ask, tokens=ids(tokens))
        call("sluice_session_step", self._session, function, byref(part), 1, logits)

    def sample(self, logits, temperature, rng):
        """One token of one row. |rng| (c_int64) is updated."""
        token, heat = c_int32(), c_float(temperature)
        call("sluice_session_sample", self._session, b"sample", logits, 1, byref(heat), byref(rng), byref(token))
        return token.value

    def close(self):
        if self._session:
            library().sluice_session_release(self._session)
            self._session = c_void_p()
