# SPDX-License-Identifier: Apache-2.0
"""The same sentence embeddings by PyTorch: Hugging Face's encoder, mean over the visible rows, length one."""

import torch
import transformers

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


def embed(model, inputs, dtype=torch.float64):
    """f64 [B, D]: embeddings of |inputs| (as text.encode makes them) by the model in folder |model|."""
    encoder = transformers.AutoModel.from_pretrained(model, dtype=dtype, add_pooling_layer=False).eval()
    tensors = {name: torch.from_numpy(array) for name, array in inputs.items()}
    with torch.no_grad():
        hidden = encoder(**tensors).last_hidden_state.double()
    mask = tensors["attention_mask"].double()[..., None]
    mean = (hidden * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=-1).numpy()
