#!/usr/bin/env bash
# Installs what the engine tests run (kept between runs in ~/.cache/evicpress-engines), then tests the Python
# package: the plan reader, the quantizers, and LMCache's real storage manager with our policies. The tests with a
# running vLLM follow in `npm run test:engines`. Where the engines cannot be installed, says why and skips.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  echo "engine tests skipped: vLLM for CPU and LMCache are built for Linux x86_64, this is $(uname -sm)" >&2
  exit 0
fi
if ! root=$(timeout 1500 test/engines/setup.sh | tail -n 1); then
  echo 'engine tests skipped: vLLM, LMCache or the model could not be installed (see above)' >&2
  exit 0
fi
timeout 600 nice -n 5 "$root/lmcache-0.5.6-vllm-0.32.0/bin/python" -m pytest -q -W ignore python/tests \
  --ignore=python/tests/profiling
