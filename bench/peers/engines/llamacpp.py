# SPDX-License-Identifier: Apache-2.0
"""llama.cpp as llama-cpp-python builds it from source for this machine: whole models from GGUF files that hold the same
seeded weights (BF16, Q8_0, Q4_0), and ggml's flash attention alone, called through ctypes."""

import ctypes
import json
from pathlib import Path

import gguf
import llama_cpp as llama
import numpy as np

from peers.engines import Job, Unavailable
from peers.models import Weights, head_size
from sluice import random_weights as rw

TYPES = {"bf16": gguf.GGMLQuantizationType.BF16, "int8": gguf.GGMLQuantizationType.Q8_0, "int4": gguf.GGMLQuantizationType.Q4_0}
NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm"}


def write_gguf(checkpoint, path, dtype):
    """The checkpoint as a GGUF file. ggml turns neighbours where the checkpoint turns halves, so rows of q and k move."""
    c = json.loads(Path(checkpoint, "config.json").read_text())
    weights = Weights(Path(checkpoint, "model.safetensors"))
    half = path.with_suffix(".part")
    writer = gguf.GGUFWriter(half, "llama")
    size, vocab = head_size(c), c["vocab_size"]
    writer.add_context_length(c["max_position_embeddings"])
    writer.add_embedding_length(c["hidden_size"])
    writer.add_block_count(c["num_hidden_layers"])
    writer.add_feed_forward_length(c["intermediate_size"])
    writer.add_head_count(c["num_attention_heads"])
    writer.add_head_count_kv(c["num_key_value_heads"])
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(c["rope_theta"])
    writer.add_layer_norm_rms_eps(c["rms_norm_eps"])
    writer.add_vocab_size(vocab)
    writer.add_tokenizer_model("no_vocab")
    for name in weights.names():
        bits = np.ascontiguousarray(weights[name])
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            heads = len(bits) // size
            bits = np.ascontiguousarray(bits.reshape(heads, 2, size // 2, -1).swapaxes(1, 2)).reshape(bits.shape)
        parts = name.split(".")
        to = ("token_embd.weight" if "embed_tokens" in name else "output_norm.weight" if name == "model.norm.weight"
              else f"blk.{parts[2]}.{NAMES['.'.join(parts[3:-1])]}.weight")
        if bits.ndim == 1:
            writer.add_tensor(to, rw.from_bf16(bits))
        elif dtype == "bf16":
            writer.add_tensor(to, bits.view(np.uint8), raw_dtype=TYPES[dtype])
        else:
            pieces = [gguf.quants.quantize(rw.from_bf16(bits[i:i + 4096]), TYPES[dtype]) for i in range(0, len(bits), 4096)]
            writer.add_tensor(to, np.concatenate(pieces), raw_dtype=TYPES[dtype])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    half.rename(path)


class Decoder(Job):
    warm_seconds = 0.0

    def __init__(self, spec):
        if spec["dtype"] not in TYPES:
            raise Unavailable(f"no {spec['dtype']} model is measured; llama.cpp's own are bf16, Q8_0 and Q4_0")
        path = Path(spec["checkpoint"], f"{spec['dtype']}.gguf")
        if not path.exists():
            write_gguf(spec["checkpoint"], path, spec["dtype"])
        llama.llama_backend_init()
        parameters = llama.llama_model_default_params()
        parameters.n_gpu_layers = 0
        self.model = llama.llama_model_load_from_file(str(path).encode(), parameters)
        if not self.model:
            raise RuntimeError("llama.cpp could not load the file; see the log")
        options = llama.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch, options.n_seq_max = spec["most"] + 1024, 512, 512, 8
        options.n_threads = options.n_threads_batch = spec["threads"]
        options.kv_unified = True
        options.flash_attn_type = llama.LLAMA_FLASH_ATTN_TYPE_ENABLED
        self.context = llama.llama_init_from_model(self.model, options)
        self.memory = llama.llama_get_memory(self.context)
        self.batch = llama.llama_batch_init(512, 0, 8)
        self.tokens, self.state = spec["tokens"], None
        self.vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(self.model))
        self.facts = {"weight_bytes": llama.llama_model_size(self.model)}
        name = {"bf16": "BF16", "int8": "Q8_0", "int4": "Q4_0"}[spec["dtype"]]
        self.settings = f"llama-cpp-python {llama.__version__}, {name}, native build, flash attention, f16 KV, {spec['threads']} threads"

    def step(self, sequences, count, at, position, ask):
        b, n = self.batch, 0
        for sequence in range(sequences):
            for i in range(count):
                b.token[n], b.pos[n], b.n_seq_id[n] = self.tokens[at + i], position + i, 1
                b.seq_id[n][0], b.logits[n] = sequence, ask and i == count - 1
                n += 1
        b.n_tokens = n
        if llama.llama_decode(self.context, b):
            raise RuntimeError("llama_decode failed")

    def prepare(self, case):
        batch, past = case.get("batch", 1), case.get("past", 0)
        key = (case["do"], batch, past)
        if self.state and self.state[:2] == key[:2] and self.state[2] <= past:
            done = self.state[2]
            for sequence in range(batch):
                llama.llama_memory_seq_rm(self.memory, sequence, done, -1)
        else:
            llama.llama_memory_clear(self.memory, True)
            done = 0
        while done < past:
            count = min(past - done, 512 // batch)
            self.step(batch, count, done, done, False)
            done += count
        self.state, self.at = key, past

    def call(self, case, turn):
        if case["do"] == "decode":
            self.step(case["batch"], 1, turn % 64, self.at, True)
            self.at += 1
        else:
            llama.llama_memory_clear(self.memory, False)
            self.step(1, case["rows"], 0, 0, True)

    def result(self, case):
        return np.ctypeslib.as_array(llama.llama_get_logits_ith(self.context, -1), (self.vocab,)).copy()


class Init(ctypes.Structure):  # ggml_init_params
    _fields_ = [("size", ctypes.c_size_t), ("buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool)]


class Plan(ctypes.Structure):  # ggml_cplan, and room for what later versions add
    _fields_ = [("work_size", ctypes.c_size_t), ("work_data", ctypes.c_void_p), ("threads", ctypes.c_int), ("rest", ctypes.c_uint64 * 8)]


F32, F16 = 0, 1


class Attention(Job):
    """ggml_flash_attn_ext over f16 keys and values, with the mask that llama.cpp would give it."""

    def __init__(self, spec):
        folder = Path(llama.__file__).parent / "lib"
        self.base, self.cpu = ctypes.CDLL(str(folder / "libggml-base.so")), ctypes.CDLL(str(folder / "libggml-cpu.so"))
        for name in ("ggml_init", "ggml_new_tensor_4d", "ggml_flash_attn_ext", "ggml_new_graph", "ggml_get_data"):
            getattr(self.base, name).restype = ctypes.c_void_p
        pointer, size = ctypes.c_void_p, ctypes.c_int64
        self.base.ggml_init.argtypes = [Init]
        self.base.ggml_new_tensor_4d.argtypes = [pointer, ctypes.c_int, size, size, size, size]
        self.base.ggml_flash_attn_ext.argtypes = [pointer] * 5 + [ctypes.c_float] * 3
        self.base.ggml_new_graph.argtypes = self.base.ggml_get_data.argtypes = self.base.ggml_free.argtypes = [pointer]
        self.base.ggml_build_forward_expand.argtypes = [pointer, pointer]
        self.cpu.ggml_graph_plan.argtypes, self.cpu.ggml_graph_plan.restype = [pointer, ctypes.c_int, pointer], Plan
        self.cpu.ggml_graph_compute.argtypes = [pointer, pointer]
        self.cpu.ggml_cpu_init()
        self.spec, self.threads, self.case = spec, spec["threads"], None
        data = Path(spec["data"])
        from peers.engines.ours import widened
        self.arrays = {name: widened(data / f"{name}.npy") for name in "qkv"}
        self.settings = f"ggml_flash_attn_ext, f16 keys and values, f32 queries, {self.threads} threads"

    def tensor(self, kind, array):
        """A tensor of |array| [a, b, c]; ggml counts sizes from the last."""
        a, b, c = array.shape
        tensor = self.base.ggml_new_tensor_4d(self.context, kind, c, b, a, 1)
        flat = np.ascontiguousarray(array.astype(np.float16 if kind == F16 else np.float32))
        ctypes.memmove(self.base.ggml_get_data(tensor), flat.ctypes.data, flat.nbytes)
        return tensor

    def prepare(self, case):
        if self.case == case:
            return
        if self.case:
            self.base.ggml_free(self.context)
        heads, groups, size = (self.spec[k] for k in ("heads", "kv_heads", "size"))
        self.case = case
        room = case * size * (heads * 8 + groups * 4) + 2 * case * (case + 64) + (256 << 20)
        self.context = self.base.ggml_init(Init(room, None, False))
        at = np.arange(case)
        seen = at[None] <= at[:, None]
        if self.spec["window"]:
            seen &= at[:, None] - at[None] < self.spec["window"]
        q, k, v = (self.tensor(kind, self.arrays[name][:case].swapaxes(0, 1)) for name, kind in (("q", F32), ("k", F16), ("v", F16)))
        mask = self.tensor(F16, np.where(seen, 0, -np.inf)[None])
        self.out = self.base.ggml_flash_attn_ext(self.context, q, k, v, mask, self.spec["scale"], 0.0, 0.0)
        self.graph = self.base.ggml_new_graph(self.context)
        self.base.ggml_build_forward_expand(self.graph, self.out)
        self.plan = self.cpu.ggml_graph_plan(self.graph, self.threads, None)
        self.work = np.zeros(self.plan.work_size + 64, np.uint8)
        self.plan.work_data = self.work.ctypes.data

    def call(self, case, turn):
        if self.cpu.ggml_graph_compute(self.graph, ctypes.byref(self.plan)):
            raise RuntimeError("ggml_graph_compute failed")

    def result(self, case):
        shape = (case, self.spec["heads"], self.spec["size"])
        data = ctypes.cast(self.base.ggml_get_data(self.out), ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(data, shape).copy()


def open_job(spec):
    kinds = {"attention": Attention, "model": Decoder}
    if spec["kind"] not in kinds:
        raise Unavailable("ggml's matrix products are measured within whole models")
    return kinds[spec["kind"]](spec)
