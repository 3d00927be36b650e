#!/usr/bin/env bash
# Installs what the engine tests run: vLLM for CPU, LMCache, and a small model. Kept between runs in
# ~/.cache/evicpress-engines. The tests themselves follow in `npm run test:engines`, which skips them with the
# reason where this could not be done.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -sm)" != 'Linux x86_64' ]; then
  echo "engines not installed: vLLM for CPU and LMCache are built for Linux x86_64, this is $(uname -sm)" >&2
  exit 0
fi
timeout 1500 test/engines/setup.sh ||
  echo 'engines not installed (see above): their tests will be skipped' >&2
