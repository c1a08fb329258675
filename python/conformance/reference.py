# SPDX-License-Identifier: Apache-2.0
"""The reference: Hugging Face's model in float64, with the seeded weights, right or deliberately wrong in one place."""

import contextlib

import numpy as np
import torch
import transformers

from sluice.random_weights import random_tensor, role_of


@contextlib.contextmanager
def in_float64():
    """Norms, rotary angles and softmax are written to compute in float32 whatever the model's dtype; not here."""
    saved = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = torch.float64
    torch.Tensor.float = torch.Tensor.double
    try:
        with torch.no_grad():
            yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved


def heads_of(config):
    dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return config.num_attention_heads, dim


# ---- deliberate mistakes ----
# In the configuration, before the model is made.
def first_name(config, *names):
    return next(name for name in names if hasattr(config, name))


def rope_of(config, kind="full_attention"):
    """The rotary parameters, or those of the layers of |kind| where kinds have their own."""
    return config.rope_parameters.get(kind, config.rope_parameters)


def wrong_theta(config):
    rope_of(config)["rope_theta"] *= 1.1


def wrong_local_theta(config):
    rope_of(config, "sliding_attention")["rope_theta"] *= 1.1


def wrong_scaling(config):
    theta = rope_of(config)["rope_theta"]
    rope_of(config).clear()
    rope_of(config).update({"rope_type": "default", "rope_theta": theta})


def wrong_factor(config):
    """Of linear, dynamic, llama3, yarn; of longrope, the long list."""
    rope = rope_of(config)
    if "long_factor" in rope:
        rope["long_factor"] = [1.1 * factor for factor in rope["long_factor"]]
    else:
        rope["factor"] *= 1.1


def wrong_amplitude(config):
    rope_of(config)["attention_factor"] = 1.0


def wrong_truncate(config):
    rope_of(config)["truncate"] = not rope_of(config).get("truncate", True)


def wrong_window(config):
    config.sliding_window += 1


def wrong_narrow_window(config):
    config.sliding_window -= 1


def wrong_layer_types(config):
    config.layer_types = config.layer_types[1:] + config.layer_types[:1]


def wrong_score_cap(config):
    config.attn_logit_softcapping = None


def wrong_logit_cap(config):
    config.final_logit_softcapping = None


def wrong_query_scalar(config):
    config.query_pre_attn_scalar += 4


def wrong_layer_scale(config):
    config.scale_attn_by_inverse_layer_idx = not config.scale_attn_by_inverse_layer_idx


def wrong_eps(config):
    name = first_name(config, "rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon")
    setattr(config, name, getattr(config, name) * 10)


def wrong_activation(config):
    name = first_name(config, "hidden_act", "hidden_activation", "activation_function")
    others = {"silu": "gelu", "gelu": "gelu_pytorch_tanh", "relu": "gelu", "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu",
              "quick_gelu": "gelu", "relu2": "relu", "tanh": "gelu"}
    setattr(config, name, others[getattr(config, name)])


def wrong_top(config):
    config.num_experts_per_tok += 1


def wrong_renormalisation(config):
    config.norm_topk_prob = not config.norm_topk_prob


def wrong_sparse_layers(config):
    config.mlp_only_layers = [] if config.mlp_only_layers else [0]
    config.decoder_sparse_step = 1


def wrong_limit(config):
    config.swiglu_limit *= 2


def wrong_alpha(config):
    config.swiglu_alpha = 1.0


# In the model, after its weights are set.
def wrong_pairing(model):
    """Pairs neighbouring elements instead of halves: the same as half pairs over permuted rows of q and k."""
    _, dim = heads_of(model.config)
    order = torch.cat([torch.arange(0, dim, 2), torch.arange(1, dim, 2)])
    for layer in model.model.layers:
        for linear in (layer.self_attn.q_proj, layer.self_attn.k_proj):
            for parameter in linear.parameters():
                parameter.copy_(parameter.unflatten(0, (-1, dim))[:, order].flatten(0, 1).clone())


def wrong_heads(model):
    """Query head h reads kv head h % G instead of h / (H / G)."""
    heads, dim = heads_of(model.config)
    groups = model.config.num_key_value_heads
    order = torch.arange(heads).reshape(heads // groups, groups).T.flatten()
    for layer in model.model.layers:
        for parameter in layer.self_attn.q_proj.parameters():
            parameter.copy_(parameter.unflatten(0, (-1, dim))[order].flatten(0, 1).clone())
        output = layer.self_attn.o_proj.weight
        output.copy_(output.unflatten(1, (-1, dim))[:, order].flatten(1, 2).clone())


def wrong_scale(model):
    for module in model.modules():
        if hasattr(module, "scaling") and isinstance(module.scaling, float):
            module.scaling *= 1.1


def wrong_norm(model):
    """Weights as 1 + w."""
    for name, parameter in model.named_parameters():
        if role_of(name) == "scale":
            parameter.add_(1)


def wrong_head_norms(model):
    for name, parameter in model.named_parameters():
        if name.endswith(("q_norm.weight", "k_norm.weight")):
            parameter.add_(0.5)


def wrong_embedding_scale(model):
    model.model.embed_tokens.embed_scale.mul_(1.1)


def wrong_transposed(model):
    for block in model.transformer.h:
        block.attn.c_proj.weight.copy_(block.attn.c_proj.weight.T.clone())


def experts_of(model):
    """The experts of each layer that has some."""
    return [layer.mlp.experts for layer in model.model.layers if hasattr(layer.mlp, "experts")]


def wrong_expert_gate(model):
    for experts in experts_of(model):
        gate, up = experts.gate_up_proj.chunk(2, dim=1)
        experts.gate_up_proj.copy_(torch.cat([up, gate], dim=1).clone())


def wrong_expert_halves(model):
    """Gate and up as halves where they take turns."""
    for experts in experts_of(model):
        for parameter in (experts.gate_up_proj, experts.gate_up_proj_bias):
            parameter.copy_(torch.stack(parameter.chunk(2, dim=-1), dim=-1).flatten(-2).clone())


def wrong_expert_order(model):
    for experts in experts_of(model):
        experts.down_proj.copy_(experts.down_proj.roll(1, 0).clone())


def wrong_expert_bias(model):
    for experts in experts_of(model):
        experts.down_proj_bias.zero_()


def wrong_router(model):
    for layer in model.model.layers:
        for name in ("gate", "router"):
            if hasattr(layer.mlp, name):
                weight = getattr(layer.mlp, name).weight
                weight.copy_(weight.roll(1, 0).clone())


def wrong_router_bias(model):
    for layer in model.model.layers:
        layer.mlp.router.bias.zero_()


def wrong_shared_share(model):
    for layer in model.model.layers:
        if hasattr(layer.mlp, "shared_expert_gate"):
            layer.mlp.shared_expert_gate.weight.zero_()


def wrong_sinks(model):
    for layer in model.model.layers:
        layer.self_attn.sinks.fill_(-1e9)


def wrong_gate(model):
    for layer in model.model.layers:
        if hasattr(layer.mlp, "gate_up_proj"):
            weight = layer.mlp.gate_up_proj.weight
            weight.copy_(torch.cat(weight.chunk(2)[::-1]).clone())
        else:
            layer.mlp.gate_proj, layer.mlp.up_proj = layer.mlp.up_proj, layer.mlp.gate_proj


def wrong_bias(model):
    for name, parameter in model.named_parameters():
        if name.endswith(("_proj.bias", "c_attn.bias")) or ".self." in name and name.endswith(".bias"):
            parameter.zero_()


def wrong_tied(model):
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.flip(0).contiguous())


# In the call.
def wrong_causal(inputs):
    mask = inputs["attention_mask"].bool()
    rows = mask.shape[1]
    visible = mask[:, None, None, :].expand(-1, 1, rows, rows)
    hidden = torch.full((), -1e300, dtype=torch.float64)
    inputs["attention_mask"] = torch.where(visible, torch.zeros_like(hidden), hidden)


def wrong_padding(inputs):
    inputs["attention_mask"] = torch.ones_like(inputs["attention_mask"])


def wrong_types(inputs):
    inputs["token_type_ids"] = 1 - inputs["token_type_ids"]


def wrong_positions(inputs):
    rows = inputs["input_ids"].shape[1]
    inputs["position_ids"] = inputs.get("position_ids", torch.arange(rows)[None]) + 1


IN_CONFIG = {
    "theta": wrong_theta,
    "local theta": wrong_local_theta,
    "scaling": wrong_scaling,
    "factor": wrong_factor,
    "amplitude": wrong_amplitude,
    "truncate": wrong_truncate,
    "window": wrong_window,
    "narrow window": wrong_narrow_window,
    "layer types": wrong_layer_types,
    "score cap": wrong_score_cap,
    "logit cap": wrong_logit_cap,
    "query scalar": wrong_query_scalar,
    "layer scale": wrong_layer_scale,
    "top": wrong_top,
    "renormalisation": wrong_renormalisation,
    "sparse layers": wrong_sparse_layers,
    "limit": wrong_limit,
    "alpha": wrong_alpha,
    "eps": wrong_eps,
    "activation": wrong_activation,
}
IN_MODEL = {
    "pairing": wrong_pairing,
    "heads": wrong_heads,
    "scale": wrong_scale,
    "norm": wrong_norm,
    "head norms": wrong_head_norms,
    "embedding scale": wrong_embedding_scale,
    "transposed": wrong_transposed,
    "gate": wrong_gate,
    "expert gate": wrong_expert_gate,
    "expert halves": wrong_expert_halves,
    "expert order": wrong_expert_order,
    "expert bias": wrong_expert_bias,
    "router": wrong_router,
    "router bias": wrong_router_bias,
    "shared share": wrong_shared_share,
    "sinks": wrong_sinks,
    "bias": wrong_bias,
    "tied": wrong_tied,
}
IN_CALL = {
    "causal": wrong_causal,
    "padding": wrong_padding,
    "types": wrong_types,
    "positions": wrong_positions,
}
PLANTED = {**IN_CONFIG, **IN_MODEL, **IN_CALL}


def build(case, planted=None):
    """The model of the case in float64, its weights rounded to the case's dtype."""
    config = transformers.AutoConfig.from_pretrained(case.model)
    if planted in IN_CONFIG:
        IN_CONFIG[planted](config)
    config._attn_implementation = config._experts_implementation = "eager"
    kind = transformers.AutoModelForCausalLM if case.kind == "decoder" else transformers.AutoModel
    model = kind.from_config(config, dtype=torch.float32).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # An embedding that is also the output layer appears once, under its first name, and so it does in files.
            values = random_tensor(case.seed, name, tuple(parameter.shape), role_of(name), case.dtype)
            parameter.copy_(torch.from_numpy(values))
        model.double()
        if planted in IN_MODEL:
            IN_MODEL[planted](model)
    return model


def evaluate(case, model, planted=None):
    """name -> float64 array: what the model gives for the case's inputs."""
    inputs = {name: torch.from_numpy(array) for name, array in case.inputs().items()}
    mask = inputs["attention_mask"].double()
    if planted in IN_CALL:
        IN_CALL[planted](inputs)
    with in_float64():
        out = model(**inputs)
        if case.kind == "decoder":
            return {"logits": out.logits.numpy()}
        hidden = out.last_hidden_state
        result = {"last_hidden_state": hidden.numpy()}
        if case.embed:
            pooled = (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            result["embeddings"] = torch.nn.functional.normalize(pooled, dim=-1).numpy()
        return result


def greedy(model, prompt, count):
    """(tokens, smallest margin): |count| greedy tokens and the least distance of a winner to the runner-up, in rms."""
    tokens, margin = list(prompt), float("inf")
    with in_float64():
        cache = None
        step = torch.tensor([tokens])
        for _ in range(count):
            out = model(input_ids=step, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            row = out.logits[0, -1]
            best = row.topk(2).values
            margin = min(margin, ((best[0] - best[1]) / row.square().mean().sqrt()).item())
            tokens.append(int(row.argmax()))
            step = torch.tensor([tokens[-1:]])
    return tokens[len(prompt) :], margin


def logits_of(model, tokens):
    """float64 [T, V]: logits after each of |tokens|."""
    with in_float64():
        return model(input_ids=torch.tensor([tokens])).logits[0].numpy().astype(np.float64)
